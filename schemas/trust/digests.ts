/**
 * Digest algorithms of signed messages and seals, a row each, and which signature algorithm a bare key algorithm becomes with one of
 * them: CMS names digest and signature apart (RFC 3370 §3.2, RFC 5754 §3, GB/T 35275 §6), certificates name both at once.
 */
import { createHash } from 'node:crypto'
import type { AlgorithmIdentifier } from './certificate.ts'
import { pssParametersOf, SIGNATURE_ROWS, signatureRow } from './signature-algorithms.ts'

export type DigestRow = {
  readonly oid: string
  readonly name: string
  /** Node.js's name */
  readonly hash: string
  readonly bytes: number
  /** no longer safe against collisions: a signature over it binds nobody to these bytes */
  readonly weak?: true
}

export const DIGESTS = [
  { oid: '1.2.156.10197.1.401', name: 'SM3', hash: 'sm3', bytes: 32 },
  { oid: '1.2.156.10197.1.401.1', name: 'SM3', hash: 'sm3', bytes: 32 },
  { oid: '2.16.840.1.101.3.4.2.1', name: 'SHA-256', hash: 'sha256', bytes: 32 },
  { oid: '2.16.840.1.101.3.4.2.2', name: 'SHA-384', hash: 'sha384', bytes: 48 },
  { oid: '2.16.840.1.101.3.4.2.3', name: 'SHA-512', hash: 'sha512', bytes: 64 },
  { oid: '2.16.840.1.101.3.4.2.4', name: 'SHA-224', hash: 'sha224', bytes: 28 },
  { oid: '1.3.14.3.2.26', name: 'SHA-1', hash: 'sha1', bytes: 20, weak: true },
  { oid: '1.2.840.113549.2.5', name: 'MD5', hash: 'md5', bytes: 16, weak: true },
] as const satisfies readonly DigestRow[]

export const digestRow = (oid: string): DigestRow | undefined => DIGESTS.find(row => row.oid === oid)
export const digestNamed = (name: string): DigestRow | undefined => {
  const plain = name.replace(/[-_ ]/g, '').toUpperCase()
  return DIGESTS.find(row => row.name.replace('-', '') === plain || row.oid === name)
}
export const digestBy = ({ hash }: DigestRow, bytes: Uint8Array): Buffer => createHash(hash).update(bytes).digest()

/** Bare names of a key's algorithm, and how the rows of signatures with it are called. */
const BARE: { readonly [oid: string]: string } = {
  '1.2.840.113549.1.1.1': 'rsa',
  '1.2.840.10045.2.1': 'ecdsa',
  // GB/T 33560: SM2, and SM2-1 the signature algorithm
  '1.2.156.10197.1.301': 'sm2',
  '1.2.156.10197.1.301.1': 'sm2',
}

/**
 * The signature algorithm that is meant beside a digest: itself, unless it is the bare name of a key's algorithm. Null if the two do not
 * go together (RFC 8933 §3, RFC 4056 §3). An EC key with SM3 is SM2: ECDSA with SM3 exists in no standard.
 */
export function signatureWithDigest(algorithm: AlgorithmIdentifier, { hash }: DigestRow): AlgorithmIdentifier | null {
  const bare = BARE[algorithm.oid]
  if (bare === undefined) {
    const named = signatureRow(algorithm.oid)?.digest ?? pssParametersOf(algorithm)?.digest
    return named === undefined || named === hash ? algorithm : null
  }
  const family = bare === 'ecdsa' && hash === 'sm3' ? 'sm2' : bare
  const row = SIGNATURE_ROWS.find(({ name }) => name === `${family}-${hash}`)
  return row === undefined ? null : { oid: row.oid }
}
