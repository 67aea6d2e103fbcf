/** Makes a failing plan smaller: leaves out faults, then operations, by halves and then one by one, while it still fails alike. */
import type { Members } from './members.ts'
import type { Plan } from './plan.ts'
import type { Rules } from './rules.ts'
import { type Result, runWorld } from './world.ts'

const MOST_RUNS = 150

export async function shrink(plan: Plan, found: Result, members: Members, rules: Rules): Promise<{ plan: Plan; result: Result }> {
  let best = { plan, result: found }
  let runs = 0

  async function stillFails(smaller: Plan): Promise<boolean> {
    if (runs >= MOST_RUNS) return false
    runs += 1
    const result = await runWorld(smaller, members, rules)
    if (result.violation?.invariant !== found.violation?.invariant) return false
    best = { plan: smaller, result }
    return true
  }

  async function reduce<One>(
    listOf: (of: Plan) => readonly One[],
    withList: (of: Plan, list: readonly One[]) => Plan,
  ): Promise<void> {
    for (let size = listOf(best.plan).length; size >= 1; size = Math.floor(size / 2)) {
      for (let from = 0; from < listOf(best.plan).length; ) {
        const list = listOf(best.plan)
        const smaller = withList(best.plan, [...list.slice(0, from), ...list.slice(from + size)])
        if (!(await stillFails(smaller))) from += size
      }
    }
  }

  await reduce(
    of => of.faults,
    (of, faults) => ({ ...of, faults }),
  )
  await reduce(
    of => of.operations,
    (of, operations) => ({ ...of, operations }),
  )
  return best
}
