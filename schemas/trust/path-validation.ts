/**
 * Certification path validation (RFC 5280 §6): from a certificate to an anchor, with the checks of `path-checks.ts` along the way and the
 * lists of `revocation.ts` at the end. The verdict is a value with the chain, every step with its clause, and one stable reason; if no
 * path is good, those of the path that came furthest. Pure: time is an argument.
 */
import { Work, WorkExceeded } from './limits.ts'
import type { PathQuestion, PathVerdict } from './path-question.ts'
import { type Found, PathSearch } from './path-search.ts'
import { type Failure, type Stage, type Step, stepsOf } from './path-steps.ts'
import { resultOf } from './reasons.ts'

export type { PathQuestion, PathVerdict } from './path-question.ts'
export { createProven, type Proven } from './proven.ts'

const NOTHING: ReadonlySet<Stage> = new Set()
const REVOCATION: ReadonlySet<Stage> = new Set<Stage>(['revocation'])

function verdictOf(
  skipped: ReadonlySet<Stage>,
  work: Work,
  { found, failure }: { readonly found?: Found; readonly failure?: Failure },
): PathVerdict {
  const of = found ?? failure
  if (of === undefined) throw new RangeError('expected a path or a failure')
  const { chain, revocation = [] } = of
  const reason = found === undefined ? (failure?.reason ?? 'ISSUER_UNKNOWN') : 'GOOD'
  const { signatures, visited, bytes } = work.spent
  let steps: readonly Step[] | undefined
  return {
    result: resultOf(reason),
    reason,
    detail: found === undefined ? (failure?.detail ?? '') : '',
    chain,
    // made when it is read: most verdicts are asked for their result
    get steps() {
      steps ??= stepsOf(chain, found === undefined ? failure : undefined, skipped)
      return steps
    },
    policies: found?.policies ?? [],
    revocation,
    work: { signatures, visited, bytes },
  }
}

/** Throws nothing for certificates and lists that were parsed; its cost stays within `limits`. */
export function validatePath(question: PathQuestion): PathVerdict {
  const work = new Work(question.limits)
  const search = new PathSearch(question, work)
  const skipped = question.revocation === 'ignored' ? REVOCATION : NOTHING
  try {
    return verdictOf(skipped, work, search.run())
  } catch (error) {
    if (!(error instanceof WorkExceeded)) throw error
    const { failure } = search
    // what is revoked stays so, whatever else might have been found
    if (failure.reason === 'REVOKED') return verdictOf(skipped, work, { failure })
    return verdictOf(skipped, work, { failure: { ...failure, stage: 'search', reason: 'WORK_LIMIT', detail: error.message } })
  }
}
