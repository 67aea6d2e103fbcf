/**
 * The checks of a path as rows, in the order of their stages. A stage is made for the whole path before the next begins; so what a
 * verdict lists as passed was checked, and a failure ends the list.
 */
import type { Certificate } from './certificate.ts'
import { REASONS, type ReasonCode } from './reasons.ts'
import type { RevocationFinding } from './revocation.ts'

export type Step = {
  /** fingerprint */
  readonly certificate: string
  readonly check: string
  readonly clause: string
  readonly ok: boolean
  readonly reason?: ReasonCode
}
export type Stage = 'search' | 'issuing' | 'path' | 'revocation' | 'question'
export const STAGES: readonly Stage[] = ['search', 'issuing', 'path', 'revocation', 'question']

type Applies = 'every' | 'below-anchor' | 'issuer' | 'leaf'
type Row = {
  readonly stage: Stage
  readonly check: string
  readonly clause: string
  readonly applies: Applies
  readonly reasons: readonly ReasonCode[]
}

const row = (stage: Stage, applies: Applies, check: string, clause: string, ...reasons: readonly ReasonCode[]): Row => ({
  stage,
  check,
  clause,
  applies,
  reasons,
})

export const CHECKS: readonly Row[] = [
  row('issuing', 'every', 'validity', 'RFC 5280 §6.1.3(a)(2)', 'EXPIRED', 'NOT_YET_VALID'),
  row('issuing', 'every', 'key', 'RFC 5280 §4.1.2.7', 'KEY_REFUSED', 'KEY_MALFORMED', 'KEY_UNSUPPORTED'),
  row('issuing', 'every', 'critical-extensions', 'RFC 5280 §6.1.4(o)', 'CRITICAL_EXTENSION_UNKNOWN'),
  row('issuing', 'issuer', 'basic-constraints', 'RFC 5280 §6.1.4(k)', 'NOT_A_CA'),
  row('issuing', 'issuer', 'key-usage', 'RFC 5280 §6.1.4(n)', 'CERTIFICATE_SIGNING_NOT_ALLOWED'),
  row(
    'issuing',
    'below-anchor',
    'algorithm',
    'RFC 5280 §4.1.1.2',
    'SIGNATURE_ALGORITHM_REFUSED',
    'SIGNATURE_ALGORITHM_MISMATCH',
    'SIGNATURE_ALGORITHM_UNSUPPORTED',
  ),
  row('issuing', 'below-anchor', 'issuer-name', 'RFC 5280 §6.1.3(a)(4)', 'ISSUER_UNKNOWN'),
  row('issuing', 'below-anchor', 'signature', 'RFC 5280 §6.1.3(a)(1)', 'SIGNATURE_BAD'),
  row(
    'path',
    'below-anchor',
    'names',
    'RFC 5280 §6.1.3(b), (c)',
    'NAME_NOT_PERMITTED',
    'NAME_EXCLUDED',
    'NAME_CONSTRAINT_UNSUPPORTED',
  ),
  row('path', 'below-anchor', 'policies', 'RFC 5280 §6.1.3(d)–(f)', 'POLICY_REQUIRED', 'POLICY_MAPPING_INVALID'),
  row('path', 'issuer', 'path-length', 'RFC 5280 §6.1.4(l), (m)', 'PATH_TOO_LONG'),
  row('path', 'every', 'extended-key-usage', 'RFC 5280 §4.2.1.12', 'EXTENDED_KEY_USAGE_REFUSED'),
  row('revocation', 'below-anchor', 'revocation', 'RFC 5280 §6.3', 'REVOKED', 'REVOCATION_UNKNOWN'),
  row('question', 'leaf', 'key-usage', 'RFC 5280 §4.2.1.3', 'KEY_USAGE_REFUSED'),
  row('question', 'leaf', 'peer-name', 'RFC 9525 §6', 'PEER_NAME_MISMATCH'),
]

export type Failure = {
  readonly stage: Stage
  readonly reason: ReasonCode
  readonly detail: string
  readonly certificate: Certificate
  /** leaf first, as far as it was built */
  readonly chain: readonly Certificate[]
  /** what was found about revocation before it failed */
  readonly revocation?: readonly RevocationFinding[]
}

const APPLIES: { readonly [applies in Applies]: (index: number, length: number) => boolean } = {
  every: () => true,
  'below-anchor': (index, length) => index < length - 1 || length === 1,
  issuer: index => index > 0,
  leaf: index => index === 0,
}

/** The steps of a chain, anchor first; up to the failure, or all of them. */
export function stepsOf(chain: readonly Certificate[], failure: Failure | undefined, skipped: ReadonlySet<Stage>): Step[] {
  const steps: Step[] = []
  const until = failure === undefined ? STAGES.length : STAGES.indexOf(failure.stage)
  for (const { stage, check, clause, applies } of CHECKS) {
    if (until < STAGES.length && STAGES.indexOf(stage) >= until) break
    if (skipped.has(stage)) continue
    for (let index = chain.length - 1; index >= 0; index--) {
      const certificate = chain[index]
      if (certificate !== undefined && APPLIES[applies](index, chain.length))
        steps.push({ certificate: certificate.fingerprint, check, clause, ok: true })
    }
  }
  if (failure === undefined) return steps
  const { reason, certificate, stage } = failure
  const made =
    CHECKS.find(one => one.stage === stage && one.reasons.includes(reason)) ?? CHECKS.find(one => one.reasons.includes(reason))
  const { check, clause } = made ?? { check: stage === 'search' ? 'path' : 'profile', clause: '' }
  return [...steps, { certificate: certificate.fingerprint, check, clause: clauseOf(reason, clause), ok: false, reason }]
}

const clauseOf = (reason: ReasonCode, clause: string): string => clause || REASONS[reason].clause
