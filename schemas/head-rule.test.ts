import { describe, expect, it } from 'vitest'
import { assertionsOfEntry } from './assertions.ts'
import { type HeldHistory, isNewerHead, judgeHead, missingBehind } from './head-rule.ts'
import type { ChainEntry, LogHead } from './log.ts'
import type { Head } from './statements.ts'

const log = { origin: '530000', dataset: 'entity', audience: 'all' }
const at = (epoch: number, seq: number, digest = `d${epoch}.${seq}`): LogHead => ({ epoch, seq, digest })
const head = (position: LogHead, seconds = 0): Head => ({
  origin: log.origin,
  audience: log.audience,
  issuedAt: new Date(seconds * 1000),
  logs: [{ log, head: position }],
  held: [],
  token: `head ${position.digest} ${seconds}`,
})
const entries: readonly ChainEntry[] = [
  { ...at(1, 0), kind: 'opening', closing: null },
  { ...at(1, 1), kind: 'envelope', previous: 'd1.0' },
  { ...at(2, 0), kind: 'opening', closing: at(1, 1) },
  { ...at(2, 1), kind: 'envelope', previous: 'd2.0' },
]
const history: HeldHistory = {
  head: at(2, 1),
  frozen: false,
  at({ epoch, seq }) {
    const entry = entries.find(one => one.epoch === epoch && one.seq === seq)
    return entry === undefined ? null : { token: `entry ${entry.digest}`, assertions: assertionsOfEntry(log, entry) }
  },
}

describe('a signed head', () => {
  it('is newer by its positions, whatever its time, and by its time where they are equal', () => {
    expect(isNewerHead(null, head(at(1, 1)))).toBe(true)
    expect(isNewerHead(head(at(1, 1), 900), head(at(1, 2), 0))).toBe(true)
    expect(isNewerHead(head(at(1, 2), 0), head(at(1, 1), 900))).toBe(false)
    expect(isNewerHead(head(at(1, 1), 5), head(at(1, 1), 6))).toBe(true)
    expect(isNewerHead(head(at(1, 1), 6), head(at(1, 1), 5))).toBe(false)
  })

  it('that says what is held contradicts nothing', () => {
    expect(judgeHead(head(at(2, 1)), head(at(1, 1)), () => history)).toEqual([])
    expect(judgeHead(head(at(2, 9)), null, () => history)).toEqual([])
  })

  it('is a fork against an entry, against the end of an epoch, and against the head before it', () => {
    const against = (statement: Head, before: Head | null): string | undefined =>
      judgeHead(statement, before, () => history)[0]?.reason
    expect(against(head(at(1, 1, 'other')), null)).toContain('two digests at 1.1')
    expect(against(head(at(1, 7)), null)).toContain('the epoch ends at 1.1 and goes on to 1.7')
    expect(against(head(at(2, 9, 'other')), head(at(2, 9)))).toContain('two digests at 2.9')
    expect(judgeHead(head(at(2, 9, 'other')), head(at(2, 9)), () => null)).toHaveLength(1)
  })

  it('shows what is missing, and asks for no more of a frozen log', () => {
    expect(missingBehind(head(at(2, 4)), () => history)).toEqual([{ log, until: at(2, 4) }])
    expect(missingBehind(head(at(2, 1)), () => history)).toEqual([])
    expect(missingBehind(head(at(1, 0)), () => null)).toHaveLength(1)
    expect(missingBehind(head(at(2, 4)), () => ({ ...history, frozen: true }))).toEqual([])
  })
})
