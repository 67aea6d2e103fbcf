/**
 * Signature algorithms are rows. A row names the JOSE `alg`, the key's shape, the digest that logs signed with it use, and who does
 * the work. `EdDSA` is the registered name (RFC 8037); `Ed25519` is its fully specified form (RFC 9864). Both mean the same bytes.
 * `SM2` is private to Hutong (RFC 7515 §4.1.1 allows it among those who agree): no registered name exists for SM2 with SM3. Its
 * signature is r ‖ s over the JWS signing input with the standard signer ID, its key `{"kty":"EC","crv":"SM2","x","y"}`.
 */
import { createPrivateKey, createPublicKey, KeyObject, verify } from 'node:crypto'
import { CompactSign, type CryptoKey, exportJWK, generateKeyPair, importJWK } from 'jose'
import type { DigestAlgorithm } from './digest.ts'
import { ExchangeError } from './errors.ts'
import { generateSm2, importSm2Private, importSm2Public, type Sm2PrivateKey, type Sm2PublicKey, signSm2, verifySm2 } from './sm2.ts'

export type PublicJwk = { readonly kty: string; readonly crv: string; readonly x: string; readonly y?: string }
export type PrivateJwk = PublicJwk & { readonly d: string }
export type PublicKey = CryptoKey | Sm2PublicKey
export type PrivateKey = CryptoKey | Sm2PrivateKey
type Header = { readonly alg: string; readonly typ: string; readonly kid: string }

export type AlgorithmRow = {
  readonly alg: string
  readonly kty: string
  readonly crv: string
  readonly digest: DigestAlgorithm
  /** length of the raw signature in bytes */
  readonly signatureBytes: number
  /** members of the public key, those that RFC 7638 §3.2 makes the thumbprint of */
  readonly members: readonly ('x' | 'y')[]
  generate(): Promise<PrivateJwk>
  /** whether the public half of a key is that of its private one */
  belongs(jwk: PrivateJwk): Promise<boolean>
  /** @throws KEY_INVALID */
  importPublic(jwk: PublicJwk): Promise<PublicKey>
  /** not extractable where the platform can. @throws KEY_INVALID */
  importPrivate(jwk: PrivateJwk): Promise<PrivateKey>
  sign(header: Header, claims: Uint8Array, key: PrivateKey): Promise<string>
  verify(compact: string, alg: string, key: PublicKey): Promise<boolean>
}

const ed25519 = {
  kty: 'OKP',
  crv: 'Ed25519',
  digest: 'sha-256',
  signatureBytes: 64,
  members: ['x'],
  async generate() {
    const { x = '', d = '' } = await exportJWK((await generateKeyPair('Ed25519', { extractable: true })).privateKey)
    return { kty: 'OKP', crv: 'Ed25519', x, d }
  },
  async belongs({ x, d }) {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x, d }
    return createPublicKey(createPrivateKey({ key: jwk, format: 'jwk' })).export({ format: 'jwk' }).x === x
  },
  importPublic: ({ x }) => importEd25519({ x }),
  importPrivate: ({ x, d }) => importEd25519({ x, d }),
  sign: (header, claims, key) => new CompactSign(claims).setProtectedHeader(header).sign(key as CryptoKey),
  // The platform's own road: through Web Crypto each signature would cost a turn of the thread pool.
  async verify(compact, _alg, key) {
    const end = compact.lastIndexOf('.')
    const signature = Buffer.from(compact.slice(end + 1), 'base64url')
    return verify(null, Buffer.from(compact.slice(0, end), 'latin1'), keyObject(key as CryptoKey), signature)
  },
} satisfies Omit<AlgorithmRow, 'alg'>

const objects = new WeakMap<CryptoKey, KeyObject>()
function keyObject(key: CryptoKey): KeyObject {
  const known = objects.get(key)
  if (known !== undefined) return known
  const made = KeyObject.from(key)
  objects.set(key, made)
  return made
}

async function importEd25519(jwk: { readonly x: string; readonly d?: string }): Promise<CryptoKey> {
  const key = await importJWK({ kty: 'OKP', crv: 'Ed25519', ...jwk }, 'Ed25519').catch((): null => null)
  if (key === null || key instanceof Uint8Array) throw new ExchangeError('KEY_INVALID', 'expected an Ed25519 key of 32 bytes')
  return key
}

const part = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64url')

const sm2 = {
  alg: 'SM2',
  kty: 'EC',
  crv: 'SM2',
  digest: 'sm3',
  signatureBytes: 64,
  members: ['x', 'y'],
  generate: async () => ({ kty: 'EC', crv: 'SM2', ...generateSm2() }),
  async belongs(jwk) {
    try {
      importSm2Private(jwk)
      return true
    } catch {
      return false
    }
  },
  importPublic: async jwk => importSm2Public(jwk),
  importPrivate: async jwk => importSm2Private(jwk),
  async sign(header, claims, key) {
    const input = `${part(JSON.stringify(header))}.${part(claims)}`
    return `${input}.${part(signSm2(Buffer.from(input), key as Sm2PrivateKey))}`
  },
  async verify(compact, _alg, key) {
    const end = compact.lastIndexOf('.')
    return verifySm2(Buffer.from(compact.slice(0, end)), Buffer.from(compact.slice(end + 1), 'base64url'), key as Sm2PublicKey)
  },
} satisfies AlgorithmRow

export const ALGORITHMS: readonly AlgorithmRow[] = [{ alg: 'EdDSA', ...ed25519 }, { alg: 'Ed25519', ...ed25519 }, sm2]

/** What Hutong signs with, until the federation's policy says otherwise. */
export const SIGNING_ALGORITHM = 'Ed25519'

export const algorithmRow = (alg: string): AlgorithmRow | undefined => ALGORITHMS.find(row => row.alg === alg)

/** The algorithm of a key: its curve decides, and the fully specified name speaks for it. @throws KEY_INVALID */
export function algorithmOfKey({ kty, crv }: { readonly kty?: unknown; readonly crv?: unknown }): AlgorithmRow {
  const row = ALGORITHMS.findLast(one => one.kty === kty && one.crv === crv)
  if (row === undefined)
    throw new ExchangeError(
      'KEY_INVALID',
      `expected a key of ${ALGORITHMS.slice(1)
        .map(one => `${one.kty} ${one.crv}`)
        .join(' or ')}`,
    )
  return row
}
