import { describe, expect, it } from 'vitest'
import { assertionsOfEntry, assertionsOfHeads } from './assertions.ts'
import { judgeBehindClosing } from './closing-rule.ts'
import type { ChainEntry, LogHead } from './log.ts'
import { settle } from './settlement.ts'

const log = { origin: '530000', dataset: 'entity', audience: 'all' }
const at = (epoch: number, seq: number): LogHead => ({ epoch, seq, digest: `d${epoch}.${seq}` })
const opening: ChainEntry = { ...at(2, 0), kind: 'opening', closing: at(1, 3) }
const after = { token: 'opening', assertions: assertionsOfEntry(log, opening) }
const arriving = (seq: number, previous = `d1.${seq - 1}`) => ({
  log,
  entry: { ...at(1, seq), kind: 'envelope', previous } as const,
  token: 'entry',
})

describe('an entry at a position that was passed and where nothing is held', () => {
  it('is a fork behind the end that the next epoch names', () => {
    expect(judgeBehindClosing(arriving(4), [after, null])).toEqual({
      kind: 'fork',
      statements: ['opening', 'entry'],
      reason: '530000/entity/all: the epoch ends at 1.3 and goes on to 1.4',
    })
  })

  it('is a repeat of what was pruned before that end', () => {
    expect(judgeBehindClosing(arriving(3), [after])).toBeNull()
    expect(judgeBehindClosing(arriving(9), [null])).toBeNull()
  })
})

describe('an entry that was declared lost and turns up behind the opening', () => {
  const lost: ChainEntry = { ...opening, lost: { epoch: 1, seq: 3, previous: at(1, 2).digest, floor: 9 } }
  const after = { token: 'opening', assertions: assertionsOfEntry(log, lost) }
  const late = (seq: number, digest = at(1, seq).digest) =>
    judgeBehindClosing(
      { log, token: 'late', entry: { epoch: 1, seq, digest, kind: 'envelope', previous: at(1, seq - 1).digest } },
      [after],
    )

  it('is no fork, even behind the highest position that its origin knew of', () => {
    for (const seq of [3, 4, 9]) expect(late(seq)).toBeNull()
  })
  it('is one where it follows another entry than the one that is held before it', () => {
    const before = { token: 'before', assertions: assertionsOfHeads([{ log, head: at(1, 5) }]) }
    expect(judgeBehindClosing(arriving(6), [after, before])).toBeNull()
    expect(judgeBehindClosing(arriving(6, 'other'), [after, before])).toMatchObject({
      kind: 'fork',
      statements: ['before', 'entry'],
    })
  })
  it('is one where the opening names another digest at its position', () => {
    expect(late(3, 'other')).toMatchObject({ kind: 'fork' })
    expect(late(2, 'other')).toMatchObject({ kind: 'fork' })
  })
})

describe('an entry that comes in one group with what speaks against it', () => {
  const held = { head: at(1, 1), frozen: false, announced: null, at: () => null }
  const group = [
    { log, entry: { ...at(1, 2), kind: 'envelope', previous: 'd1.1' } as const, token: 'second' },
    { log, entry: { ...at(2, 0), kind: 'opening', closing: at(1, 2) } as const, token: 'opening' },
  ]
  const verdictOn = (one: ReturnType<typeof arriving>) =>
    settle(new Map([['530000/entity/all', held]]), [...group, one]).verdicts[2]

  it('is a fork behind the end that the opening names, and behind another entry than the one before it', () => {
    expect(verdictOn(arriving(3))).toMatchObject({ kind: 'fork', statements: ['opening', 'entry'] })
    expect(verdictOn(arriving(3, 'another'))).toMatchObject({ kind: 'fork' })
  })

  it('is a repeat where nothing speaks against it', () => {
    expect(verdictOn(arriving(1, 'd1.0'))).toEqual({ kind: 'duplicate' })
  })
})
