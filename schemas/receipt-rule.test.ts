import { describe, expect, it } from 'vitest'
import type { LogHead } from './log.ts'
import { judgeOwnReceipt, judgeReceipt } from './receipt-rule.ts'
import type { Receipt } from './statements.ts'

const log = { origin: '530000', dataset: 'entity', audience: 'all' }
const at = (seq: number, digest = `d${seq}`): LogHead => ({ epoch: 1, seq, digest })
const receipt = (head: LogHead): Receipt => ({ log, head, issuedAt: new Date(0), token: `receipt ${head.seq} ${head.digest}` })
const own = { head: at(5), noted: at(2), digestAt: ({ seq }: { seq: number }) => (seq <= 5 ? `d${seq}` : null) }

describe('a receipt', () => {
  it('lets the outbox forget up to a position that stands in the own log with this digest', () => {
    expect(judgeReceipt(receipt(at(4)), own, [])).toEqual({ kind: 'take', convicts: null })
    expect(judgeReceipt(receipt(at(2)), own, [])).toEqual({ kind: 'old', convicts: null })
  })

  it('lets it forget nothing for another digest', () => {
    expect(judgeReceipt(receipt(at(4, 'other')), own, [])).toEqual({ kind: 'foreign', convicts: null })
  })

  it('beyond the own log says that something was lost here', () => {
    expect(judgeReceipt(receipt(at(9)), own, []).kind).toBe('ahead')
    expect(judgeReceipt(receipt(at(0)), { ...own, head: null }, []).kind).toBe('ahead')
  })

  it('that contradicts another of the hub convicts the hub alone, and counts all the same where it is right', () => {
    const lie = receipt(at(4, 'other'))
    const right = receipt(at(4))
    expect(judgeReceipt(right, own, [lie])).toEqual({
      kind: 'take',
      convicts: { whom: 'hub', statements: [lie.token, right.token], reason: '530000/entity/all: two digests at 1.4' },
    })
  })
})

describe('the receipt that a hub is about to sign', () => {
  const held = ({ epoch, seq }: { epoch: number; seq: number }) => (epoch === 1 && seq <= 5 ? `d${seq}` : null)
  it('is signed where none was before, where what was receipted stands, and at that place again', () => {
    expect(judgeOwnReceipt(null, at(5), held)).toBe('sign')
    expect(judgeOwnReceipt(at(3), at(5), held)).toBe('sign')
    expect(judgeOwnReceipt(at(5), at(5), held)).toBe('sign')
  })
  it('waits in a ledger that was set back before what was receipted', () => {
    expect(judgeOwnReceipt(at(9), at(5), held)).toBe('wait')
  })
  it('is not signed behind another entry than the one that was receipted', () => {
    expect(judgeOwnReceipt(at(3, 'other'), at(5), held)).toBe('contradicts')
    expect(judgeOwnReceipt(at(5, 'other'), at(5), held)).toBe('contradicts')
  })
  it('is signed behind a loss that took what was receipted', () => {
    expect(judgeOwnReceipt(at(9), { epoch: 2, seq: 0, digest: 'd' }, held)).toBe('sign')
  })
})
