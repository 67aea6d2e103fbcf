import { describe, expect, it } from 'vitest'
import { maySeal, nextOutboxAction, repairSources } from './sync.ts'

const at = (seq: number, epoch = 1) => ({ epoch, seq, digest: `d${epoch}.${seq}` })

describe('the outbox', () => {
  it('is idle when the hub has a receipt for the head, whatever was sent', () => {
    expect(nextOutboxAction({ head: null, receipt: null, sent: null }, 0)).toEqual({ kind: 'idle' })
    expect(nextOutboxAction({ head: at(4), receipt: at(4), sent: null }, 0)).toEqual({ kind: 'idle' })
  })

  it('sends behind the receipt after a start, and behind what was sent afterwards', () => {
    expect(nextOutboxAction({ head: at(4), receipt: null, sent: null }, 0)).toEqual({ kind: 'send', from: { epoch: 1, seq: 0 } })
    expect(nextOutboxAction({ head: at(4), receipt: at(2), sent: null }, 0)).toEqual({ kind: 'send', from: { epoch: 1, seq: 3 } })
    expect(nextOutboxAction({ head: at(9), receipt: at(2), sent: { position: at(6), at: 0, askedAt: 0 } }, 0)).toEqual({
      kind: 'send',
      from: { epoch: 1, seq: 7 },
    })
  })

  it('never forgets on an acknowledgement: it asks, then sends again from the receipt', () => {
    const box = { head: at(6), receipt: at(2), sent: { position: at(6), at: 1000, askedAt: 0 } }
    expect(nextOutboxAction(box, 2000)).toEqual({ kind: 'idle' })
    expect(nextOutboxAction(box, 4001)).toEqual({ kind: 'ask' })
    expect(nextOutboxAction({ ...box, sent: { ...box.sent, askedAt: 4001 } }, 5000)).toEqual({ kind: 'idle' })
    expect(nextOutboxAction(box, 11_001)).toEqual({ kind: 'resend', from: { epoch: 1, seq: 3 } })
  })
})

describe('repair', () => {
  it('asks the hub, then the origin, then any holder, and never itself', () => {
    const log = { origin: '530000', dataset: 'entity', audience: 'all' }
    expect(repairSources(log, '520000', ['320000', '520000', '530000'])).toEqual(['hub', '530000', '320000'])
    expect(repairSources(log, '530000', ['320000', '520000', '530000'])).toEqual(['hub', '320000', '520000'])
    expect(repairSources(log, 'hub', ['320000', '520000', '530000'])).toEqual(['530000', '320000', '520000'])
  })
})

describe('an origin after a start', () => {
  it('seals when nobody knows more of its log than itself', () => {
    expect(maySeal(null, [])).toEqual({ kind: 'seal' })
    expect(
      maySeal(at(4), [
        { holder: 'hub', head: at(4) },
        { holder: '520000', head: at(3) },
      ]),
    ).toEqual({ kind: 'seal' })
  })

  it('takes back first what it has lost, from whoever holds most of it', () => {
    const most = { holder: '520000', head: at(7) }
    expect(maySeal(at(4), [{ holder: 'hub', head: at(6) }, most])).toEqual({ kind: 'repair', behind: most })
    expect(maySeal(null, [{ holder: 'hub', head: at(0) }])).toMatchObject({ kind: 'repair' })
    expect(maySeal(at(4), [{ holder: 'hub', head: at(1, 2) }])).toMatchObject({ kind: 'repair' })
  })
})
