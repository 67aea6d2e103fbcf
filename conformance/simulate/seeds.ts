/** Runs seeds, several worlds at a time so that waiting for a signature in one is work in another. Each world is still alone. */
import { createMembers, type Members } from './members.ts'
import { planOf } from './plan.ts'
import { RULES, type Rules } from './rules.ts'
import { type Result, runWorld } from './world.ts'

const AT_ONCE = 4

export type Tally = { readonly ran: number; readonly events: number; readonly failures: readonly Result[] }

/** Seeds `from`, `from + by`, … up to `to` without it. Stops at the first failure if told to. */
export async function runSeeds(options: {
  readonly from: number
  readonly to: number
  readonly by?: number
  readonly rules?: Rules
  readonly untilFound?: boolean
  readonly members?: Members
  readonly signal?: AbortSignal
  readonly ended?: (result: Result) => void
}): Promise<Tally> {
  const { from, to, by = 1, rules = RULES } = options
  const members = options.members ?? (await createMembers())
  const failures: Result[] = []
  let next = from
  let ran = 0
  let events = 0

  async function work(): Promise<void> {
    while (next < to && options.signal?.aborted !== true && !(options.untilFound === true && failures.length > 0)) {
      const seed = next
      next += by
      const result = await runWorld(planOf(seed), members, rules)
      ran += 1
      events += result.events
      if (result.violation !== null) failures.push(result)
      options.ended?.(result)
    }
  }

  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return { ran, events, failures: failures.sort((a, b) => a.seed - b.seed) }
}
