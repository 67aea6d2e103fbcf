/** What a person reads: a failing world made small, and the table of mutants. */
import { INVARIANTS, type Invariant } from './invariants.ts'
import type { Plan } from './plan.ts'
import type { Result } from './world.ts'

const LAST_LINES = 40

const formatItem = (item: object): string =>
  Object.entries(item)
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(',') : String(value)}`)
    .join(' ')

export const formatPlan = ({ seed, origins, operations, faults }: Plan): string =>
  [
    `seed ${seed}: origins ${origins.join(', ')}`,
    ...operations.map(operation => `  operation  ${formatItem(operation)}`),
    ...faults.map(fault => `  fault      ${formatItem(fault)}`),
  ].join('\n')

export function formatFailure({ plan, result }: { readonly plan: Plan; readonly result: Result }): string {
  const { violation, trace } = result
  if (violation === null) return `seed ${plan.seed} holds\n`
  return [
    '',
    `seed ${plan.seed} breaks: ${INVARIANTS[violation.invariant]}`,
    `  ${violation.detail}, at ${violation.at} ms`,
    'made as small as it still fails:',
    formatPlan(plan),
    ...trace.slice(-LAST_LINES),
    `run it again: npm run simulate -- --seed ${plan.seed} --trace`,
    '',
  ].join('\n')
}

export type MutantRow = {
  readonly mutant: string
  readonly seed: number | null
  readonly invariant: string | null
  readonly worlds: number
}

export const formatMutants = (rows: readonly MutantRow[]): string =>
  [
    '| mutant | found at seed | invariant that broke |',
    '| --- | --- | --- |',
    ...rows.map(
      ({ mutant, seed, invariant, worlds }) =>
        `| ${mutant} | ${seed ?? `NOT FOUND in ${worlds}`} | ${invariant === null ? '' : INVARIANTS[invariant as Invariant]} |`,
    ),
    '',
  ].join('\n')
