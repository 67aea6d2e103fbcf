/**
 * Which algorithms and key sizes are accepted, as data (RFC 5280 §1, §6.2: a matter of policy). The trust anchor's own signature is never
 * checked and so never judged; its key is. Names of signatures are those of signature-algorithms.ts, RSA-PSS with its digest behind it.
 */
import type { AlgorithmIdentifier, SubjectKey } from './certificate.ts'
import { type KeyFamily, keyFactsOf } from './public-keys.ts'
import type { ReasonCode } from './reasons.ts'
import { signatureName } from './signature-algorithms.ts'

export type AlgorithmPolicy = {
  readonly signatures: ReadonlySet<string>
  /** smallest keys in bits, by family; a family without a row is refused. `ec` also by curve. */
  readonly keys: { readonly [family in KeyFamily]?: number }
  readonly curves: ReadonlySet<string>
}

const SHA2 = ['sha256', 'sha384', 'sha512']
const signatures = (...digests: readonly string[]): string[] =>
  digests.flatMap(digest => [`rsa-${digest}`, `rsa-pss-${digest}`, `ecdsa-${digest}`])

/** What is accepted today: no SHA-1, no RSA below 2048 bits, no DSA. */
export const ALGORITHM_POLICY: AlgorithmPolicy = {
  signatures: new Set([...signatures(...SHA2), 'ed25519', 'ed448', 'sm2-sm3']),
  keys: { rsa: 2048, 'rsa-pss': 2048, ec: 256, sm2: 256, ed25519: 256, ed448: 456 },
  curves: new Set(['P-256', 'P-384', 'P-521', 'SM2']),
}

/** What was accepted when certificates of the past were made: for records of that time and for published suites. */
export const LEGACY_ALGORITHM_POLICY: AlgorithmPolicy = {
  signatures: new Set([...ALGORITHM_POLICY.signatures, ...signatures('sha1', 'sha224'), 'dsa-sha1', 'dsa-sha224', 'dsa-sha256']),
  keys: { ...ALGORITHM_POLICY.keys, rsa: 1024, 'rsa-pss': 1024, dsa: 1024, ec: 192 },
  curves: new Set([...ALGORITHM_POLICY.curves, 'P-192', 'P-224']),
}

export function refusalOfSignature(algorithm: AlgorithmIdentifier, policy: AlgorithmPolicy): ReasonCode | undefined {
  const name = signatureName(algorithm)
  if (name === undefined) return 'SIGNATURE_ALGORITHM_UNSUPPORTED'
  return policy.signatures.has(name) ? undefined : 'SIGNATURE_ALGORITHM_REFUSED'
}

export function refusalOfKey(key: SubjectKey, policy: AlgorithmPolicy): ReasonCode | undefined {
  const facts = keyFactsOf(key)
  if ('reason' in facts) return facts.reason
  const least = policy.keys[facts.family]
  if (least === undefined) return 'KEY_REFUSED'
  if (facts.curve !== undefined && !policy.curves.has(facts.curve)) return 'KEY_REFUSED'
  // inherited DSA parameters are judged where they are given
  return facts.bits >= least || facts.parametersMissing === true ? undefined : 'KEY_REFUSED'
}
