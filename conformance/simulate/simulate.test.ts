import { describe, expect, it } from 'vitest'
import { createMembers } from './members.ts'
import { MUTANTS } from './mutants.ts'
import { planOf } from './plan.ts'
import type { Rules } from './rules.ts'
import { runSeeds } from './seeds.ts'
import { shrink } from './shrink.ts'
import { runWorld } from './world.ts'

/** Worlds in which a fault that once stood in the rules shows: it is put back as a mutant, and the world has to break again. */
const REGRESSIONS: readonly (readonly [number, string])[] = [
  [175, 'an entry behind the end of an epoch is a repeat'],
  [626, 'the outbox waits by the wall clock'],
  [404, 'heads are ordered by their time alone'],
  [54, 'a head is stored before it is judged'],
  [54, 'one answer is enough at a start'],
  [33, 'a receipt that convicts the hub counts for nothing'],
  [14, 'a redaction of more keys counts as known'],
  [46, 'a restored origin asks one holder what it had erased'],
  [21, 'a snapshot is loaded over a refusal'],
  [242, 'a loaded state is never held against the whole log'],
  [719, 'a restored hub signs whatever it holds'],
]
/** Worlds that a run of 100 000 seeds found to break: two lies that nobody saw, and histories that the oracle had not thought of. */
const FOUND = [893, 16710, 28675, 54135, 6990, 58606, 69963, 84576, 242, 1260]

/** The quickest to find; `npm run simulate -- --mutants` runs all of them. */
const QUICK = ['a gap is taken as next', 'the outbox forgets on the road’s acknowledgement', 'a fork is judged a duplicate']

const members = await createMembers()

function rulesOf(name: string): Rules {
  const rules = MUTANTS.find(mutant => mutant.name === name)?.rules
  if (rules === undefined) throw new Error(`no mutant is named ${name}`)
  return rules
}

describe('the simulated federation', () => {
  it('keeps every invariant in sixty worlds', async () => {
    const { ran, failures } = await runSeeds({ from: 1, to: 61, members })
    expect(failures.map(({ seed, violation }) => ({ seed, violation }))).toEqual([])
    expect(ran).toBe(60)
  }, 60_000)

  it.each(REGRESSIONS)('holds at seed %i, and breaks there where %s', async (seed, name) => {
    expect((await runWorld(planOf(seed), members)).violation).toBeNull()
    expect((await runWorld(planOf(seed), members, rulesOf(name))).violation).not.toBeNull()
  })

  it.each(FOUND)('holds at seed %i, which once broke', async seed => {
    expect((await runWorld(planOf(seed), members)).violation).toBeNull()
  })

  it('gives the same trace for the same seed, byte for byte, and another for another', async () => {
    const [first, again, other] = [
      await runWorld(planOf(5), members),
      await runWorld(planOf(5), members),
      await runWorld(planOf(6), members),
    ]
    expect(again.digest).toBe(first.digest)
    expect(other.digest).not.toBe(first.digest)
    expect(first.trace.length).toBeGreaterThan(20)
  })

  it.each(QUICK)('finds the mutant: %s', async name => {
    const rules = rulesOf(name)
    const { failures } = await runSeeds({ from: 1, to: 101, rules, untilFound: true, members })
    expect(failures.length).toBeGreaterThan(0)
  })

  it('makes a failing world smaller and still failing', async () => {
    const rules = rulesOf('a fork is judged a duplicate')
    const [found] = (await runSeeds({ from: 1, to: 101, rules, untilFound: true, members })).failures
    if (found === undefined) throw new Error('the mutant was not found')
    const plan = planOf(found.seed)
    const small = await shrink(plan, found, members, rules)
    expect(small.result.violation?.invariant).toBe(found.violation?.invariant)
    expect(small.plan.operations.length + small.plan.faults.length).toBeLessThan(plan.operations.length + plan.faults.length)
  }, 20_000)
})
