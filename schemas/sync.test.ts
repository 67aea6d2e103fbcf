import { describe, expect, it } from 'vitest'
import { judgeStart, maySeal, nextOutboxAction, OWN_MARK, PATIENCE_MS, passedOver, repairSources } from './sync.ts'

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

  it('takes back too what only its own note beside the database speaks of', () => {
    expect(maySeal(at(4), [], { epoch: 1, seq: 6 })).toMatchObject({ kind: 'repair', behind: { holder: OWN_MARK } })
    expect(maySeal(at(4), [], { epoch: 1, seq: 4 })).toEqual({ kind: 'seal' })
  })

  const noted = (seq: number, trusted: boolean) => ({ positions: new Map([['a/b/c', { epoch: 1, seq }]]), trusted })
  it('asks nobody where its note, which no backup can have brought, stands where its database stands', () => {
    expect(judgeStart(noted(4, true), () => at(4))).toBe('continued')
    expect(judgeStart(noted(3, true), () => at(4))).toBe('continued')
    expect(judgeStart({ positions: new Map(), trusted: true }, () => null)).toBe('continued')
  })
  it('knows that it was restored where the note says more than the database', () => {
    expect(judgeStart(noted(5, true), () => at(4))).toBe('restored')
    expect(judgeStart(noted(5, false), () => at(4))).toBe('restored')
    expect(judgeStart(noted(5, true), () => null)).toBe('restored')
  })
  it('asks where the note may have come out of the same backup, and waits longest where there is none', () => {
    expect(judgeStart(noted(4, false), () => at(4))).toBe('moved')
    expect(judgeStart(null, () => at(4))).toBe('unknown')
    expect(PATIENCE_MS.unknown.some).toBeGreaterThan(PATIENCE_MS.moved.some)
  })
})

describe('whom an answer shows to have kept something back', () => {
  const asked = (...list: readonly [string, number][]) => list.map(([holder, added]) => ({ holder, added }))
  it('is who gave nothing before another gave it', () => {
    expect(passedOver(asked(['hub', 0], ['a', 0], ['b', 2], ['c', 0]))).toEqual(['hub', 'a'])
  })
  it('is nobody where nobody gave anything, or the first gave it', () => {
    expect(passedOver(asked(['hub', 0], ['a', 0]))).toEqual([])
    expect(passedOver(asked(['hub', 3], ['a', 0]))).toEqual([])
  })
})
