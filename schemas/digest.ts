/** Digests are written `<algorithm>:<base64url without padding>`, so that a log may move from SHA-256 to SM3 and stay readable. */
import { createHash } from 'node:crypto'

export const DIGEST_ALGORITHMS = { 'sha-256': 'sha256', sm3: 'sm3' } as const
export type DigestAlgorithm = keyof typeof DIGEST_ALGORITHMS
export type Digest = string

export const digestOf = (bytes: Uint8Array | string, algorithm: DigestAlgorithm = 'sha-256'): Digest =>
  `${algorithm}:${createHash(DIGEST_ALGORITHMS[algorithm]).update(bytes).digest('base64url')}`

/** The algorithm that a digest names; the digest's form is the wire schema's to check. */
export const algorithmOfDigest = (digest: Digest): DigestAlgorithm => (digest.startsWith('sm3:') ? 'sm3' : 'sha-256')
