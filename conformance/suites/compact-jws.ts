/**
 * Verifying a compact JWS (RFC 7515) of anybody with a key of anybody (RFC 7517), as the suites ask: `jose` does the signature, and
 * what it leaves to its caller stands here. The header is read once, strictly; the key decides what may be done with it.
 */
import { type CryptoKey, compactVerify, errors, importJWK, type JWK } from 'jose'
import { readIJson } from '../../schemas/i-json.ts'
import { isObject } from './material.ts'
import { accepted, type Judged, notApplicable, refused } from './suite.ts'

type Family = { readonly kty: string; readonly crv?: string; readonly scheme: string; readonly bits: number }

/** RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2. */
const ALGORITHMS: { readonly [alg: string]: Family } = {
  HS256: { kty: 'oct', scheme: 'HS', bits: 256 },
  HS384: { kty: 'oct', scheme: 'HS', bits: 384 },
  HS512: { kty: 'oct', scheme: 'HS', bits: 512 },
  RS256: { kty: 'RSA', scheme: 'RS', bits: 256 },
  RS384: { kty: 'RSA', scheme: 'RS', bits: 384 },
  RS512: { kty: 'RSA', scheme: 'RS', bits: 512 },
  PS256: { kty: 'RSA', scheme: 'PS', bits: 256 },
  PS384: { kty: 'RSA', scheme: 'PS', bits: 384 },
  PS512: { kty: 'RSA', scheme: 'PS', bits: 512 },
  ES256: { kty: 'EC', crv: 'P-256', scheme: 'ES', bits: 256 },
  ES384: { kty: 'EC', crv: 'P-384', scheme: 'ES', bits: 384 },
  ES512: { kty: 'EC', crv: 'P-521', scheme: 'ES', bits: 512 },
  EdDSA: { kty: 'OKP', crv: 'Ed25519', scheme: 'Ed', bits: 256 },
  Ed25519: { kty: 'OKP', crv: 'Ed25519', scheme: 'Ed', bits: 256 },
}
/** Registered, and absent from the platform: nothing can be said about such a token. */
const ABSENT = new Set(['ES256K', 'Ed448'])

const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+$/
const HEADER_DEPTH = 8

const isCanonical = (part: string): boolean => Buffer.from(part, 'base64url').toString('base64url') === part
const octets = (value: unknown): number => (typeof value === 'string' ? Buffer.from(value, 'base64url').length : 0)
/** Bits of a number in base64url, leading zeros apart. */
const bitsOf = (value: unknown): number => {
  const hex = Buffer.from(typeof value === 'string' ? value : '', 'base64url')
    .toString('hex')
    .replace(/^0+/, '')
  return hex === '' ? 0 : BigInt(`0x${hex}`).toString(2).length
}
const numberOf = (value: unknown): bigint =>
  BigInt(`0x${Buffer.from(typeof value === 'string' ? value : '', 'base64url').toString('hex') || '0'}`)

/**
 * What a key's own `alg` lets it be used with (RFC 7517 §4.4): its scheme, with its hash or a longer one, never with a shorter. RFC 7520
 * signs with PS384 under keys that circulate as PS256, and a longer hash takes nothing from the key's owner. A name that is not
 * registered says nothing; type and curve decide then.
 */
function isAllowedBy(own: unknown, family: Family): boolean {
  if (own === undefined) return true
  if (typeof own !== 'string') return false
  const named = ALGORITHMS[own]
  if (named === undefined) return !ABSENT.has(own) && !/^(RSA|ECDH|A\d|PBES2|dir)/.test(own)
  return named.scheme === family.scheme && named.crv === family.crv && family.bits >= named.bits
}

/** Whether the key may check a signature by this algorithm (RFC 7517 §4.2 to §4.4, RFC 7518 §3.2, §3.3, §6.3.1). */
function faultOfKey(key: JWK, alg: string, family: Family): string | null {
  if (key.kty !== family.kty || (family.crv !== undefined && key.crv !== family.crv)) return 'the key is of another type'
  if (key.use !== undefined && key.use !== 'sig') return 'the key is not for signatures'
  if (key.key_ops !== undefined && !(Array.isArray(key.key_ops) && key.key_ops.includes('verify')))
    return 'the key is not for verifying'
  if (!isAllowedBy(key.alg, family)) return `the key is not for ${alg}`
  if (family.scheme === 'HS' && octets(key.k) * 8 < family.bits) return 'the key is shorter than the hash'
  if (family.kty !== 'RSA') return null
  const exponent = numberOf(key.e)
  if (bitsOf(key.n) < 2048) return 'the modulus has less than 2048 bits'
  return exponent >= 3n && exponent % 2n === 1n ? null : 'the public exponent is not an odd number above 1'
}

/** The keys that may be meant: of a set, those with the header's `kid` where it names one (RFC 7515 §4.1.4). */
function keysOf(jwk: unknown, kid: unknown): JWK[] | string {
  if (!isObject(jwk)) return 'no key'
  if (!Array.isArray(jwk.keys)) return [jwk as JWK]
  const keys = jwk.keys.filter((key): key is JWK => isObject(key))
  const secrets = keys.filter(({ kty }) => kty === 'oct').length
  // Whoever may hold a public key could sign with it as a secret.
  if (secrets > 0 && secrets < keys.length) return 'secret and public keys in one set'
  const named = keys.filter(key => key.kid === kid)
  return kid === undefined || named.length === 0 ? keys.filter(key => key.kid === undefined || kid === undefined) : named
}

async function isSignedBy(jws: string, alg: string, key: JWK): Promise<boolean> {
  try {
    const { d, p, q, dp, dq, qi, oth, use, key_ops, ...open } = key
    const imported = await importJWK({ ...open, alg }, alg)
    await compactVerify(jws, imported as CryptoKey | Uint8Array, { algorithms: [alg] })
    return true
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof DOMException) return false
    throw error
  }
}

export async function verifyCompact(jws: unknown, jwk: unknown): Promise<Judged> {
  if (typeof jws !== 'string' || !COMPACT.test(jws) || !jws.split('.').every(isCanonical)) return refused('TOKEN_MALFORMED')
  const { value: header, faults } = readIJson(Buffer.from(jws.split('.')[0] ?? '', 'base64url'), HEADER_DEPTH)
  if (faults.length > 0 || !isObject(header)) return refused('TOKEN_MALFORMED')
  if (typeof header.alg === 'string' && ABSENT.has(header.alg)) return notApplicable('algorithm-absent')
  const alg = typeof header.alg === 'string' && Object.hasOwn(ALGORITHMS, header.alg) ? header.alg : ''
  const family = ALGORITHMS[alg]
  if (family === undefined) return refused('TOKEN_ALGORITHM_REFUSED')
  const keys = keysOf(jwk, header.kid)
  if (typeof keys === 'string') return refused(`KEY_INVALID: ${keys}`)
  let fault = 'KEY_UNKNOWN'
  for (const key of keys) {
    const unfit = faultOfKey(key, alg, family)
    if (unfit === null && (await isSignedBy(jws, alg, key))) return accepted()
    fault = unfit === null ? 'TOKEN_SIGNATURE_INVALID' : `KEY_INVALID: ${unfit}`
  }
  return refused(fault)
}
