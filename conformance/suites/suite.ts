/**
 * A published suite as a list of cases, each with the suite's own id, what the suite expects, and what the product says. A case that
 * lies outside what the product does is not applicable, by a rule with a reason ({@link RULES}), never by its id.
 */
import { isExchangeError } from '../../schemas/errors.ts'
import { RULES, type Rule } from './rules.ts'

export type Expected = 'accepted' | 'refused'
export type Got = Expected | 'not-applicable'
export type Judged = { readonly got: Got; readonly reason: string }
export type SuiteCase = { readonly id: string; readonly expected: Expected; judge(): Judged | Promise<Judged> }
export type CaseResult = {
  readonly id: string
  readonly expected: Expected
  readonly got: Got
  readonly reason: string
  readonly ms: number
}
export type Totals = {
  readonly right: number
  readonly wronglyAccepted: number
  readonly wronglyRefused: number
  readonly notApplicable: number
  readonly slowestMs: number
}
export type SuiteResult = {
  readonly suite: string
  readonly cases: readonly CaseResult[]
  readonly totals: Totals
}
export type Suite = {
  readonly name: string
  readonly zh: string
  readonly en: string
  /** @throws SUITE_MALFORMED, SUITE_FILE_MISSING */
  read(path: string): Promise<SuiteCase[]>
}

export const accepted = (reason = 'GOOD'): Judged => ({ got: 'accepted', reason })
export const refused = (reason: string): Judged => ({ got: 'refused', reason })
export const notApplicable = (rule: Rule): Judged => ({ got: 'not-applicable', reason: `${rule}: ${RULES[rule].en}` })

/** How a case that ended in something else than a verdict begins: wrong whatever the suite expects, because nothing was judged. */
export const CRASHED = 'CRASHED'

async function judge(one: SuiteCase): Promise<Judged> {
  try {
    return await one.judge()
  } catch (error) {
    if (isExchangeError(error)) return refused(error.code)
    return refused(`${CRASHED}: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`)
  }
}

const round = (ms: number): number => Math.round(ms * 1000) / 1000

export const isCrash = ({ reason }: CaseResult): boolean => reason.startsWith(CRASHED)
export const isRight = (result: CaseResult): boolean => result.got === result.expected && !isCrash(result)

export function totalsOf(cases: readonly CaseResult[]): Totals {
  const count = (holds: (one: CaseResult) => boolean): number => cases.filter(holds).length
  return {
    right: count(isRight),
    wronglyAccepted: count(({ expected, got }) => got === 'accepted' && expected === 'refused'),
    wronglyRefused: count(one => one.got === 'refused' && !isRight(one)),
    notApplicable: count(({ got }) => got === 'not-applicable'),
    slowestMs: cases.reduce((most, { ms }) => Math.max(most, ms), 0),
  }
}

/** Runs the cases one after the other, so that the time of each is its own. */
export async function runCases(
  suite: string,
  cases: readonly SuiteCase[],
  progress: (done: number) => void = () => {},
): Promise<SuiteResult> {
  const results: CaseResult[] = []
  for (const one of cases) {
    const since = performance.now()
    const { got, reason } = await judge(one)
    results.push({ id: one.id, expected: one.expected, got, reason, ms: round(performance.now() - since) })
    progress(results.length)
  }
  return { suite, cases: results, totals: totalsOf(results) }
}
