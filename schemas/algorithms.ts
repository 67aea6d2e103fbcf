/**
 * Signature algorithms are rows. A row names the JOSE `alg`, the key's shape and the digest that logs signed with it use.
 * `EdDSA` is the registered name (RFC 8037); `Ed25519` is its fully specified form (RFC 9864). Both mean the same bytes.
 * An algorithm that JOSE has no name for, such as SM2 with SM3, joins by a row with `sign` and `verify` of its own.
 */
import type { DigestAlgorithm } from './digest.ts'

export type AlgorithmRow = {
  readonly alg: string
  readonly kty: string
  readonly crv: string
  readonly digest: DigestAlgorithm
  /** length of the raw signature in bytes */
  readonly signatureBytes: number
}

export const ALGORITHMS: readonly AlgorithmRow[] = [
  { alg: 'EdDSA', kty: 'OKP', crv: 'Ed25519', digest: 'sha-256', signatureBytes: 64 },
  { alg: 'Ed25519', kty: 'OKP', crv: 'Ed25519', digest: 'sha-256', signatureBytes: 64 },
]

/** What Hutong signs with, until the federation's policy says otherwise. */
export const SIGNING_ALGORITHM = 'Ed25519'

export const algorithmRow = (alg: string): AlgorithmRow | undefined => ALGORITHMS.find(row => row.alg === alg)
