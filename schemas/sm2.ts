/**
 * SM2 signatures with SM3 (GB/T 32918.2, GB/T 32905) over a message, with the standard signer ID of GB/T 35276 §10. A signature is
 * r ‖ s, 64 bytes. The public key is held as a precomputed point: few keys check many signatures, and a prepared one does it six
 * times as fast.
 */
import { sm2 } from 'sm-crypto-v2'
import { ExchangeError } from './errors.ts'

const SIGNER_ID = '1234567812345678'
/** n of the curve (GB/T 32918.5 §A.1), as text: of 64 lower-case hexadecimal digits, text order is number order */
const ORDER = 'fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123'
const OCTETS_32 = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

export type Sm2PublicKey = { readonly hex: string; readonly point: ReturnType<typeof sm2.precomputePublicKey> }
export type Sm2PrivateKey = { readonly d: string; readonly publicHex: string }

const invalid = (reason: string): ExchangeError => new ExchangeError('KEY_INVALID', reason)
const hexOf = (octets: string): string => Buffer.from(octets, 'base64url').toString('hex')
const octetsOf = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url')
const hexOfPoint = (x: unknown, y: unknown): string => {
  if (typeof x !== 'string' || typeof y !== 'string' || !OCTETS_32.test(x) || !OCTETS_32.test(y))
    throw invalid('expected x and y of 32 bytes each in base64url')
  return `04${hexOf(x)}${hexOf(y)}`
}

/** @throws KEY_INVALID unless x and y are 32 bytes each and name a point of the curve */
export function importSm2Public({ x, y }: { readonly x?: unknown; readonly y?: unknown }): Sm2PublicKey {
  const hex = hexOfPoint(x, y)
  try {
    if (sm2.verifyPublicKey(hex)) return { hex, point: sm2.precomputePublicKey(hex) }
  } catch {
    // the library's way to say that there is no such point
  }
  throw invalid('expected a point of the curve SM2')
}

/** @throws KEY_INVALID unless d is 32 bytes and belongs to x and y */
export function importSm2Private(jwk: { readonly x?: unknown; readonly y?: unknown; readonly d?: unknown }): Sm2PrivateKey {
  const publicHex = hexOfPoint(jwk.x, jwk.y)
  if (typeof jwk.d !== 'string' || !OCTETS_32.test(jwk.d)) throw invalid('expected d of 32 bytes in base64url')
  const d = hexOf(jwk.d)
  if (sm2.getPublicKeyFromPrivateKey(d) !== publicHex) throw invalid('x and y do not belong to d')
  return { d, publicHex }
}

/** From the bare number of a key file. @throws KEY_INVALID unless it lies in [1, n − 1] */
export function sm2PrivateFrom(octets: Uint8Array): Sm2PrivateKey {
  const d = Buffer.from(octets).toString('hex').padStart(64, '0')
  if (d.length !== 64 || !inRange(d)) throw invalid('expected d between 1 and n − 1')
  return { d, publicHex: sm2.getPublicKeyFromPrivateKey(d) }
}

export function generateSm2(): { readonly x: string; readonly y: string; readonly d: string } {
  const { publicKey, privateKey } = sm2.generateKeyPairHex()
  return { x: octetsOf(publicKey.slice(2, 66)), y: octetsOf(publicKey.slice(66)), d: octetsOf(privateKey) }
}

export const signSm2 = (message: Uint8Array, { d, publicHex }: Sm2PrivateKey): Buffer =>
  Buffer.from(sm2.doSignature(message, d, { hash: true, der: false, publicKey: publicHex, userId: SIGNER_ID }), 'hex')

/** GB/T 32918.2 §7.1, steps B1 and B2: r and s lie in [1, n − 1]. The library leaves that to its caller. */
const inRange = (hex: string): boolean => /[^0]/.test(hex) && hex < ORDER

export function verifySm2(message: Uint8Array, signature: Uint8Array, { hex, point }: Sm2PublicKey): boolean {
  const text = Buffer.from(signature.buffer, signature.byteOffset, signature.byteLength).toString('hex')
  if (text.length !== 128 || !inRange(text.slice(0, 64)) || !inRange(text.slice(64))) return false
  const digest = Buffer.from(sm2.getHash(message, hex, SIGNER_ID), 'hex')
  return sm2.doVerifySignature(digest, text, point, { hash: false, der: false })
}
