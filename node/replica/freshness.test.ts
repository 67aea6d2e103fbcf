import { describe, expect, test } from 'vitest'
import type { LogState } from '../../runtime/ledger/ledger.ts'
import type { Membership } from '../../schemas/membership.ts'
import type { Head } from '../../schemas/statements.ts'
import { type FreshnessKeeper, keepFreshness } from './freshness.ts'

const NOW = new Date('2026-11-23T12:00:00Z')
const ago = (seconds: number): Date => new Date(NOW.getTime() - seconds * 1000)
const member = (code: string) => ({ code, writes: ['entity', 'credit', 'trust'] })
const MEMBERSHIP = { members: new Map(['530000', '520000'].map(code => [code, member(code)])) } as unknown as Membership

const stateOf = (dataset: string, seq: number, over: Partial<LogState> = {}): LogState => ({
  id: 1,
  log: { origin: '530000', dataset, audience: 'all' },
  head: { epoch: 1, seq, digest: 'sha-256:x' },
  issuedAt: ago(100_000),
  frozen: false,
  receipt: null,
  receiptToken: null,
  base: null,
  loading: false,
  ...over,
})
const headOf = (dataset: string, seq: number, seconds: number): Head => ({
  origin: '530000',
  audience: 'all',
  issuedAt: ago(seconds),
  logs: [{ log: { origin: '530000', dataset, audience: 'all' }, head: { epoch: 1, seq, digest: 'sha-256:x' } }],
  held: [],
  token: '-',
})

/** A keeper over what a test says: the newest head, where the log stands, and what asking the origin does. */
function keeperOf(world: { head: Head | null; state: LogState; ask?: () => Promise<void> }): FreshnessKeeper & { asked(): number } {
  let asked = 0
  const keeper = keepFreshness({
    own: '520000',
    membership: () => MEMBERSHIP,
    heads: () => ({
      take: async () => {},
      newest: () => world.head,
      all: () => (world.head === null ? [] : [world.head]),
      [Symbol.dispose]() {},
    }),
    readLogs: async () => [world.state],
    ask: async () => {
      asked += 1
      await world.ask?.()
    },
    clock: () => NOW,
    failed: () => {},
  })
  return { ...keeper, asked: () => asked }
}

describe('the freshness of a log', () => {
  test.each([
    ['is the time of the newest head, if its position is reached', headOf('entity', 5, 30), 5, 30],
    ['is that of a head that was passed already', headOf('entity', 4, 30), 5, 30],
    ['is not that of a head whose position is not reached: then the last entry counts', headOf('entity', 6, 30), 5, 100_000],
    ['is the time of the last entry held, if no head was heard', null, 5, 100_000],
    ['is not that of a head that names other logs', headOf('trade', 5, 30), 5, 100_000],
    ['is not in the future, whatever the head says', headOf('entity', 5, -500), 5, 0],
  ])('%s', async (_rule, head, seq, age) => {
    const state = stateOf('entity', seq)
    await using keeper = keeperOf({ head, state })
    expect((await keeper.judge('entity', [state])).get(1)?.freshness.age_seconds).toBe(age)
  })

  test('is that of the last head that was reached, while a newer one is not', async () => {
    const world = { head: headOf('entity', 5, 60), state: stateOf('entity', 5) }
    await using keeper = keeperOf(world)
    await keeper.judge('entity', [world.state])
    world.head = headOf('entity', 6, 10)
    expect((await keeper.judge('entity', [world.state])).get(1)?.freshness.age_seconds).toBe(60)
  })

  test('is none of a log that its origin may not write, so that nobody can hold up an answer with one', async () => {
    const state = stateOf('trust', 1, { log: { origin: '999999', dataset: 'trust', audience: 'all' } })
    await using keeper = keeperOf({ head: null, state })
    expect((await keeper.judge('trust', [state])).size).toBe(0)
  })
})

describe('the contract of a stale log', () => {
  test('to refuse withholds it', async () => {
    const state = stateOf('trust', 5)
    await using keeper = keeperOf({ head: headOf('trust', 5, 3601), state })
    expect((await keeper.judge('trust', [state])).get(1)).toMatchObject({ withheld: true, freshness: { state: 'stale' } })
    expect(keeper.asked()).toBe(0)
  })

  test('to ask asks the origin, and serves as fresh what it gives', async () => {
    const world = {
      head: headOf('credit', 6, 4000),
      state: stateOf('credit', 5),
      ask: async () => {
        world.head = headOf('credit', 7, 1)
        world.state = stateOf('credit', 7)
      },
    }
    await using keeper = keeperOf(world)
    expect((await keeper.judge('credit', [world.state])).get(1)).toMatchObject({
      withheld: false,
      freshness: { state: 'fresh', age_seconds: 1 },
    })
  })

  test('to ask serves with the mark what an origin does not give, and leaves it alone for a while', async () => {
    const state = stateOf('credit', 5)
    await using keeper = keeperOf({ head: null, state, ask: () => Promise.reject(new Error('nobody there')) })
    for (let round = 0; round < 3; round += 1)
      expect((await keeper.judge('credit', [state])).get(1)).toMatchObject({ withheld: false, freshness: { state: 'stale' } })
    expect(keeper.asked()).toBe(1)
  })

  test('to ask waits for a silent origin no longer than a reader would', async () => {
    const state = stateOf('credit', 5)
    await using keeper = keeperOf({ head: null, state, ask: () => new Promise(() => {}) })
    const start = performance.now()
    expect((await keeper.judge('credit', [state])).get(1)?.freshness.state).toBe('stale')
    expect(performance.now() - start).toBeLessThan(4000)
  })
})
