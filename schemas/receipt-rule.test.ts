import { describe, expect, it } from 'vitest'
import type { LogHead } from './log.ts'
import { judgeReceipt } from './receipt-rule.ts'
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
