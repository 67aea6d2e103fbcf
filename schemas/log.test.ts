import { describe, expect, it } from 'vitest'
import { type ChainEntry, judgeChain, type LogHead, missingBefore } from './log.ts'

const at = (epoch: number, seq: number, digest = `d${epoch}.${seq}`): LogHead => ({ epoch, seq, digest })
const envelope = (epoch: number, seq: number, previous = `d${epoch}.${seq - 1}`, digest = `d${epoch}.${seq}`): ChainEntry => ({
  ...at(epoch, seq, digest),
  kind: 'envelope',
  previous,
})
const opening = (epoch: number, closing: LogHead | null, digest = `d${epoch}.0`): ChainEntry => ({
  ...at(epoch, 0, digest),
  kind: 'opening',
  closing,
})

describe('a log', () => {
  it('begins with the opening of its first epoch and with nothing else', () => {
    expect(judgeChain(null, opening(1, null), null)).toBe('next')
    expect(judgeChain(null, envelope(1, 1), null)).toBe('gap')
    expect(judgeChain(null, opening(2, at(1, 3)), null)).toBe('gap')
  })

  it('goes on with the entry that names the digest of its head', () => {
    expect(judgeChain(at(1, 0), envelope(1, 1), null)).toBe('next')
    expect(judgeChain(at(1, 4), envelope(1, 5), null)).toBe('next')
  })

  it('is broken by an entry that names another digest before it', () => {
    expect(judgeChain(at(1, 4), envelope(1, 5, 'other'), null)).toBe('broken')
  })

  it('has a gap before an entry that comes too early', () => {
    expect(judgeChain(at(1, 4), envelope(1, 7), null)).toBe('gap')
    expect(missingBefore(at(1, 4), at(1, 7))).toEqual({ epoch: 1, from: 5 })
    expect(missingBefore(null, at(1, 1))).toEqual({ epoch: 1, from: 0 })
  })

  it('takes the same entry twice as a duplicate, and another one in its place as a fork', () => {
    expect(judgeChain(at(1, 4), envelope(1, 3), 'd1.3')).toBe('duplicate')
    expect(judgeChain(at(1, 4), envelope(1, 3, 'd1.2', 'stolen'), 'd1.3')).toBe('fork')
    expect(judgeChain(at(1, 4), opening(1, null, 'stolen'), 'd1.0')).toBe('fork')
  })

  it('opens an epoch only behind the closing position that is held', () => {
    expect(judgeChain(at(1, 4), opening(2, at(1, 4)), null)).toBe('next')
    expect(judgeChain(at(1, 4), opening(2, at(1, 6)), null)).toBe('gap')
    expect(judgeChain(at(1, 4), opening(2, at(1, 2)), null)).toBe('fork')
    expect(judgeChain(at(1, 4), opening(2, at(1, 4, 'other')), null)).toBe('fork')
    expect(judgeChain(at(1, 4), opening(2, null), null)).toBe('broken')
    expect(judgeChain(at(1, 4), opening(3, at(2, 9)), null)).toBe('gap')
    expect(judgeChain(at(1, 4), envelope(2, 1), null)).toBe('gap')
  })
})

describe('an opening that declares a loss', () => {
  const reopening = (epoch: number, seq: number, opens: number, closing: LogHead | null = at(1, 7)): ChainEntry => ({
    epoch: opens,
    seq: 0,
    digest: `d${opens}.0`,
    kind: 'opening',
    closing,
    lost: { epoch, seq, previous: seq === 0 ? null : `d${epoch}.${seq - 1}`, floor: 9 },
  })

  it('is next for who stands just before the loss, and anywhere behind it, the closing included', () => {
    for (const seq of [4, 5, 7, 9]) expect(judgeChain(at(1, seq), reopening(1, 5, 2), null)).toBe('next')
  })
  it('leaves a gap to who stands before the last entry that is kept', () => {
    expect(judgeChain(at(1, 3), reopening(1, 5, 2), null)).toBe('gap')
    expect(judgeChain(null, reopening(1, 5, 2), null)).toBe('gap')
  })
  it('may skip an epoch that is lost whole, which no other opening may', () => {
    expect(judgeChain(at(1, 4), reopening(1, 5, 3, at(2, 1)), null)).toBe('next')
    expect(judgeChain(at(2, 0), reopening(1, 5, 3, at(2, 1)), null)).toBe('next')
    expect(judgeChain(at(1, 4), opening(3, at(2, 1)), null)).toBe('gap')
  })
  it('is next for who holds nothing, where everything is lost', () => {
    expect(judgeChain(null, reopening(1, 0, 2, null), null)).toBe('next')
  })
  it('is a fork where it names another past than the one that is held', () => {
    expect(judgeChain({ ...at(1, 4), digest: 'other' }, reopening(1, 5, 2), null)).toBe('fork')
    expect(judgeChain({ ...at(1, 7), digest: 'other' }, reopening(1, 5, 2), null)).toBe('fork')
  })
})
