/** What a run of a suite says to people: the wrong cases, the rules under which cases were set aside, and the totals. */
import { formatTable } from '../../console/terminal/table.ts'
import { RULES, type Rule } from './rules.ts'
import { type CaseResult, type Got, isRight, type Suite, type SuiteResult } from './suite.ts'

const WORDS: { readonly [got in Got]: string } = {
  accepted: '接受 accepted',
  refused: '拒绝 refused',
  'not-applicable': '不适用 not applicable',
}

const rowOf = (one: CaseResult): string[] => {
  const mark = one.got === 'not-applicable' ? '–' : isRight(one) ? '✔' : '✘'
  return [mark, one.id, WORDS[one.expected], WORDS[one.got], String(one.ms), one.reason]
}

/** The rules that set cases aside, with how many. */
function rulesOf(cases: readonly CaseResult[]): string {
  const counts = new Map<string, number>()
  for (const { got, reason } of cases) {
    const rule = reason.split(':')[0] ?? ''
    if (got === 'not-applicable') counts.set(rule, (counts.get(rule) ?? 0) + 1)
  }
  return [...counts]
    .map(([rule, count]) => {
      const row = RULES[rule as Rule]
      return `  ${count} × ${rule}: ${row.zh} ${row.en}\n`
    })
    .join('')
}

export function formatResult({ zh, en }: Suite, result: SuiteResult, all: boolean): string {
  const { right, wronglyAccepted, wronglyRefused, notApplicable, slowestMs } = result.totals
  const shown = result.cases.filter(one => all || (one.got !== 'not-applicable' && !isRight(one)))
  const table =
    shown.length === 0 ? '' : `${formatTable(['', '用例 case', '应 expected', '得 got', 'ms', '原因 reason'], shown.map(rowOf))}\n`
  const totals = formatTable(
    ['正确 right', '误接受 wrongly accepted', '误拒绝 wrongly refused', '不适用 not applicable', '最慢 slowest ms'],
    [[right, wronglyAccepted, wronglyRefused, notApplicable, slowestMs].map(String)],
  )
  const sound = wronglyAccepted + wronglyRefused === 0
  return `${sound ? '✔' : '✘'} ${zh} ${en}: ${result.cases.length}\n\n${table}${totals}${rulesOf(result.cases)}`
}
