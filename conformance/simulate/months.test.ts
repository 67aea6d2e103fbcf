import { describe, expect, it } from 'vitest'
import { createMembers, NATIONAL } from './members.ts'
import { DAYS_AWAY, monthPlan, runMonth } from './months.ts'
import { codesOf } from './plan.ts'

const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1)
const members = await createMembers()

describe('a hub that is away for longer than its statements last', () => {
  it.each(SEEDS)('stops no exchange between nodes: seventy-six days, seed %i', async seed => {
    const { violation, missing, sealed, warnings, renewed } = await runMonth(seed, members)
    expect(violation).toBeNull()
    expect(missing).toEqual([])
    expect(sealed).toBeGreaterThan(4)
    const codes = codesOf(monthPlan(seed))
    // Thirty days: told in the last third, and at the end; a node that was down that day says so when it looks again.
    for (const code of codes) {
      const days = warnings.filter(one => one.code === code)
      expect(days.map(({ state }) => state)).toEqual(['soon', 'expired'])
      expect(days[0]?.day).toBeGreaterThanOrEqual(20)
      expect(days[1]?.day).toBeGreaterThanOrEqual(30)
      expect(days[1]?.day).toBeLessThan(DAYS_AWAY)
    }
    expect(renewed).toEqual(codes)
  })

  it('is the same world for the same seed, byte for byte', async () => {
    const [first, again, other] = [await runMonth(1, members), await runMonth(1, members), await runMonth(2, members)]
    expect(again.digest).toBe(first.digest)
    expect(other.digest).not.toBe(first.digest)
  })

  it('would show a node that stops: one that is cut off to the end lacks what was said', async () => {
    const { missing } = await runMonth(1, members, [{ kind: 'partition', at: 5000, ms: 80_000, who: NATIONAL }])
    expect(missing.some(line => line.startsWith(NATIONAL))).toBe(true)
  })
})
