/**
 * What the verdicts on signatures, seals and encrypted messages have in common: checks in their order, each with its clause, and the
 * one that decides: the first that is bad, else the first that could not be made.
 */
import { ALGORITHM_POLICY, refusalOfSignature } from './algorithm-policy.ts'
import type { AlgorithmIdentifier, Certificate } from './certificate.ts'
import type { Crl } from './crl.ts'
import type { PurposeName } from './purposes.ts'
import { type ReasonCode, resultOf } from './reasons.ts'
import { SM2_SIGNER_ID, verifySignature } from './signature-algorithms.ts'

export type Outcome = 'good' | 'bad' | 'unchecked'
export type Check = {
  readonly check: string
  /** where the standard asks for it */
  readonly clause: string
  readonly result: Outcome
  readonly reason: ReasonCode
}
export type Decision = { readonly result: Outcome; readonly reason: ReasonCode; readonly check: string | null }

/** The signer's identity under which an SM2 key signed a document; that of GB/T 35276 §10 unless its authority has another policy. */
export type Sm2Id = (signer: Certificate) => string

/** Whether a certificate was good for a purpose at a time; what came along with it are candidates for its path. */
export type CertificateQuery = {
  readonly leaf: Certificate
  /** ms since 1970 */
  readonly at: number
  readonly purpose: PurposeName
  readonly intermediates: readonly Certificate[]
  readonly crls: readonly Crl[]
}
export type Finding = { readonly result: Outcome; readonly reason: ReasonCode }
/** Who answers that: path validation over fixed anchors, or trust lists. `F` is whatever the answer carries beside its result. */
export type Judge<F extends Finding = Finding> = (query: CertificateQuery) => F

export const good = (check: string, clause: string): Check => ({ check, clause, result: 'good', reason: 'GOOD' })
export const bad = (check: string, clause: string, reason: ReasonCode): Check => ({ check, clause, result: 'bad', reason })
export const unchecked = (check: string, clause: string, reason: ReasonCode): Check => ({
  check,
  clause,
  result: 'unchecked',
  reason,
})
export const held = (check: string, clause: string, ok: boolean, reason: ReasonCode): Check =>
  ok ? good(check, clause) : bad(check, clause, reason)

export function decide(checks: readonly Check[]): Decision {
  const decisive = checks.find(({ result }) => result === 'bad') ?? checks.find(({ result }) => result === 'unchecked')
  return decisive === undefined
    ? { result: 'good', reason: 'GOOD', check: null }
    : { result: decisive.result, reason: decisive.reason, check: decisive.check }
}

export const findingCheck = (check: string, clause: string, { result, reason }: Finding): Check => ({
  check,
  clause,
  result,
  reason,
})

/** One signature of a certificate's key over bytes. */
export function signatureCheck(
  check: string,
  clause: string,
  signed: {
    readonly algorithm: AlgorithmIdentifier
    readonly signer: Certificate
    readonly message: Uint8Array
    readonly signature: Uint8Array
  },
  sm2Id: Sm2Id = () => SM2_SIGNER_ID,
  wrong: ReasonCode = 'DOCUMENT_SIGNATURE_BAD',
): Check {
  const { algorithm, signer, message, signature } = signed
  const refusal = refusalOfSignature(algorithm, ALGORITHM_POLICY)
  if (refusal !== undefined) return { check, clause, result: resultOf(refusal), reason: refusal }
  const result = verifySignature({ algorithm, key: signer.key, message, signature, sm2Id: sm2Id(signer) })
  if (result === 'good') return good(check, clause)
  return result === 'bad' ? bad(check, clause, wrong) : unchecked(check, clause, result.unchecked)
}
