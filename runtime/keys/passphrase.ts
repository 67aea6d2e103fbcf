/**
 * A private key under a passphrase: a JWK in a compact JWE (RFC 7517 §7) with PBES2-HS512+A256KW (RFC 7518 §4.8) and A256GCM. The
 * count of rounds makes each guess cost a tenth of a second. Nothing that fails here tells more than that it failed.
 */
import { CompactEncrypt, compactDecrypt } from 'jose'

const ALG = 'PBES2-HS512+A256KW'
/** OWASP's advice for PBKDF2 with HMAC-SHA-512, 2023 */
const ROUNDS = 210_000
/** a file that asks for more would only burn time */
const ROUNDS_MAX = 1_000_000

/** compact JWE: five parts, none of them JSON */
export const isSealedKey = (text: string): boolean => /^[\w-]+(?:\.[\w-]*){4}\s*$/.test(text)

export const sealKey = (jwk: object, passphrase: string): Promise<string> =>
  new CompactEncrypt(Buffer.from(JSON.stringify(jwk)))
    .setProtectedHeader({ alg: ALG, enc: 'A256GCM', cty: 'jwk+json' })
    .setKeyManagementParameters({ p2c: ROUNDS })
    .encrypt(Buffer.from(passphrase, 'utf8'))

/** The JSON text of the key; null for another passphrase or a damaged file. */
export const openKey = (text: string, passphrase: string): Promise<string | null> =>
  compactDecrypt(text.trim(), Buffer.from(passphrase, 'utf8'), {
    keyManagementAlgorithms: [ALG],
    contentEncryptionAlgorithms: ['A256GCM'],
    maxPBES2Count: ROUNDS_MAX,
  }).then(
    ({ plaintext }) => Buffer.from(plaintext).toString('utf8'),
    () => null,
  )
