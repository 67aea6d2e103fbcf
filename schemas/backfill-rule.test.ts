import { describe, expect, it } from 'vitest'
import { askBackFrom, bodyIsNewest, entryBefore, holdsFrom, joinBackward } from './backfill-rule.ts'
import type { ChainEntry, LogHead } from './log.ts'

const opening = (epoch: number, closing: LogHead | null, lost: (ChainEntry & { kind: 'opening' })['lost'] = null): ChainEntry => ({
  epoch,
  seq: 0,
  digest: `d${epoch}.0`,
  kind: 'opening',
  closing,
  lost,
})
const entry = (epoch: number, seq: number, digest = `d${epoch}.${seq}`): ChainEntry => ({
  epoch,
  seq,
  digest,
  kind: 'envelope',
  previous: `d${epoch}.${seq - 1}`,
})
const head = (epoch: number, seq: number): LogHead => ({ epoch, seq, digest: `d${epoch}.${seq}` })
const LOG = [opening(1, null), entry(1, 1), entry(1, 2), opening(2, head(1, 2)), entry(2, 1), entry(2, 2)]
const all = LOG.map(one => ({ entry: one }))

describe('the history before a snapshot', () => {
  it('joins on, newest first, over the ends of epochs, whatever order it comes in', () => {
    const joined = joinBackward(head(2, 2), all.toReversed())
    expect(joined.taken.map(one => one.entry)).toEqual(LOG.toReversed())
    expect(joined).toMatchObject({ wanted: null, against: null })
    expect(joinBackward(head(2, 2), all)).toEqual(joined)
  })

  it('stops where something is missing, and says what', () => {
    const joined = joinBackward(
      head(2, 2),
      all.filter(({ entry: { epoch, seq } }) => epoch === 2 || seq === 1),
    )
    expect(joined.taken).toHaveLength(3)
    expect(joined).toMatchObject({ wanted: head(1, 2), against: null })
  })

  it('takes no other entry than the one that is named by what is held', () => {
    const other = { entry: entry(2, 1, 'other') }
    expect(joinBackward(head(2, 2), [other, ...all.filter(one => one.entry.digest !== 'd2.1')])).toMatchObject({
      taken: [{ entry: LOG[5] }],
      wanted: head(2, 1),
      against: other,
    })
  })

  it('passes by what was declared lost', () => {
    const lost = { epoch: 1, seq: 2, previous: 'd1.1', floor: 9 }
    expect(entryBefore(opening(2, head(1, 7), lost))).toEqual(head(1, 1))
    expect(entryBefore(opening(2, head(1, 7), { epoch: 1, seq: 0, previous: null, floor: 9 }))).toBeNull()
  })

  it('is asked for from where the wanted entry comes last', () => {
    expect(askBackFrom(head(2, 9), 4)).toEqual({ epoch: 2, from: 6 })
    expect(askBackFrom(head(2, 1), 4)).toEqual({ epoch: 2, from: 0 })
  })

  it('is given to others only where nothing of it is missing', () => {
    expect(holdsFrom(head(1, 2), { epoch: 1, seq: 2 })).toBe(false)
    expect(holdsFrom(head(1, 2), { epoch: 1, seq: 3 })).toBe(true)
    expect(holdsFrom(null, { epoch: 1, seq: 0 })).toBe(true)
  })

  it('comes with the bodies of the newest redactions that are known', () => {
    expect(bodyIsNewest(null, null)).toBe(true)
    expect(bodyIsNewest({ new: 'a' }, { new: 'a' })).toBe(true)
    expect(bodyIsNewest({ new: 'a' }, null)).toBe(false)
    expect(bodyIsNewest({ new: 'a' }, { new: 'b' })).toBe(false)
  })
})
