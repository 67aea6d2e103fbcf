import { describe, expect, it } from 'vitest'
import { assertionsOfEntry } from './assertions.ts'
import { judgeBehindClosing } from './closing-rule.ts'
import type { ChainEntry, LogHead } from './log.ts'

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
    expect(judgeBehindClosing(arriving(4), after)).toEqual({
      kind: 'fork',
      statements: ['opening', 'entry'],
      reason: '530000/entity/all: the epoch ends at 1.3 and goes on to 1.4',
    })
  })

  it('is a repeat of what was pruned before that end', () => {
    expect(judgeBehindClosing(arriving(3), after)).toBeNull()
    expect(judgeBehindClosing(arriving(9), null)).toBeNull()
  })
})
