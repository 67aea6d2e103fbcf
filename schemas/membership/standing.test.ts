import { describe, expect, test } from 'vitest'
import { formatLogId } from '../log.ts'
import { audiencesRead, checkStanding, mayAddress } from '../membership.ts'
import { openHead, openReceipt, type Receipt, sealHead, sealReceipt } from '../statements.ts'
import { applyEntry } from './application.ts'
import { closingAt, headAt, keyNamed, logAt, NOW, SampleFederation } from './sample-federation.ts'
import { checkClosings, liftSuspension } from './standing.ts'
import { membershipOf } from './state.ts'

const YUNNAN = '530000'
const ENTITY = closingAt('entity', 'all', 1, 7)
const TRADE = closingAt('trade', 'all', 2, 3)
const refused = (code: string) => ({ kind: 'refused', error: { code } })

const joined = async (): Promise<SampleFederation> => {
  const federation = await SampleFederation.found()
  await federation.admit(YUNNAN)
  await federation.admit('520000')
  return federation
}
const memberIn = async (federation: SampleFederation, code = YUNNAN) => {
  const membership = await membershipOf(federation.state)
  const member = membership.members.get(code)
  if (member === undefined) throw new Error('no such member')
  return { membership, member }
}
const suspend = { act: 'suspend' as const, code: YUNNAN, closings: [ENTITY], why: 'inquiry' }
const receiptAt = async (federation: SampleFederation, closing: typeof ENTITY): Promise<Receipt> =>
  openReceipt(
    await sealReceipt(logAt(YUNNAN, closing), headAt(closing), { fed: federation.fed, signer: federation.anchor.signer, now: NOW }),
    await membershipOf(federation.state),
  )

describe('a suspension', () => {
  test('keeps what stands up to its closings and refuses what comes after, in every log', async () => {
    const federation = await joined()
    expect(await federation.enter(suspend)).toMatchObject({ kind: 'applied', convictions: [] })
    const { member } = await memberIn(federation)
    const at =
      (epoch: number, seq: number, dataset = 'entity') =>
      () =>
        checkStanding(member, { log: { origin: YUNNAN, dataset, audience: 'all' }, position: { epoch, seq } })
    expect(at(1, 7)).not.toThrow()
    for (const past of [at(1, 8), at(2, 0), at(1, 1, 'trade')]) expect(past).toThrow('MEMBER_SUSPENDED')
    expect(at(1, 8)).toThrow(expect.objectContaining({ detail: { log: `${YUNNAN}/entity/all`, closing: '1.7' } }))
  })

  test('refuses a head that goes past its closings, whatever time it claims', async () => {
    const federation = await joined()
    const head = async (seq: number) =>
      sealHead(YUNNAN, 'all', [{ log: logAt(YUNNAN, ENTITY), head: { ...headAt(ENTITY), seq } }], [], {
        fed: federation.fed,
        mem: 2,
        signer: (await keyNamed(`${YUNNAN} first`)).signer,
        now: NOW,
      })
    await federation.enter(suspend)
    const { membership } = await memberIn(federation)
    expect((await openHead(await head(7), membership)).origin).toBe(YUNNAN)
    await expect(openHead(await head(8), membership)).rejects.toThrow('MEMBER_SUSPENDED')
  })

  test('takes away what the member may read, and what others address to it stays addressed', async () => {
    const federation = await joined()
    await federation.enter(suspend)
    const { member } = await memberIn(federation)
    expect(audiencesRead(member)).toEqual([])
    const { membership, member: other } = await memberIn(federation, '520000')
    expect(mayAddress(membership, other, `node-${YUNNAN}`)).toBe(true)
    expect(mayAddress(membership, other, `node-${YUNNAN}`, 1)).toBe(false)
  })

  test('ends with its own entry, and then nothing is closed', async () => {
    const federation = await joined()
    await federation.enter(suspend)
    expect(await federation.enter({ act: 'resume', code: YUNNAN })).toMatchObject({ kind: 'applied' })
    const { member } = await memberIn(federation)
    expect([member.standing, member.closings]).toEqual(['admitted', null])
    expect(() => checkStanding(member, { log: logAt(YUNNAN, ENTITY), position: { epoch: 9, seq: 9 } })).not.toThrow()
  })

  test('is of an admitted member, and its end of a suspended one', async () => {
    const federation = await joined()
    expect(await federation.enter({ act: 'resume', code: YUNNAN })).toMatchObject(refused('MEMBER_STATE_INVALID'))
    await federation.enter(suspend)
    expect(await federation.enter(suspend)).toMatchObject(refused('MEMBER_STATE_INVALID'))
    expect(await federation.enter({ ...suspend, code: '450000' })).toMatchObject(refused('MEMBER_UNKNOWN'))
  })

  test('below a receipt convicts the hub with its own two statements, and the receipted stays', async () => {
    const federation = await joined()
    const receipts = [await receiptAt(federation, closingAt('entity', 'all', 1, 9)), await receiptAt(federation, TRADE)]
    const token = await federation.seal(suspend)
    const outcome = await applyEntry(federation.state, token, receipts)
    expect(outcome).toMatchObject({
      kind: 'applied',
      convictions: receipts.map(receipt => ({ whom: 'hub', statements: [receipt.token, token] })),
    })
    const closings = outcome.state.members.get(YUNNAN)?.closings
    expect(closings?.get(formatLogId(logAt(YUNNAN, ENTITY)))).toMatchObject({ epoch: 1, seq: 9 })
    expect(closings?.get(formatLogId(logAt(YUNNAN, TRADE)))).toMatchObject({ epoch: 2, seq: 3 })
  })

  test('ends at the same positions for who learns of the receipt later', async () => {
    const federation = await joined()
    const receipts = [await receiptAt(federation, closingAt('entity', 'all', 1, 9)), await receiptAt(federation, TRADE)]
    const token = await federation.seal(suspend)
    const [early, late] = [await applyEntry(federation.state, token, receipts), await applyEntry(federation.state, token)]
    expect(liftSuspension(late.state, YUNNAN, receipts)).toEqual(early.state)
    expect(liftSuspension(late.state, '520000', receipts)).toBe(late.state)
  })

  test('at or past a receipt convicts nobody, with another digest at it does', async () => {
    const federation = await joined()
    const token = await federation.seal(suspend)
    const judged = async (closing: typeof ENTITY) => applyEntry(federation.state, token, [await receiptAt(federation, closing)])
    expect(await judged(ENTITY)).toMatchObject({ convictions: [] })
    expect(await judged(closingAt('entity', 'all', 1, 2))).toMatchObject({ convictions: [] })
    expect(await judged(closingAt('entity', 'all', 1, 7, 'another'))).toMatchObject({ convictions: [{ whom: 'hub' }] })
  })
})

describe('closings', () => {
  test('below what was receipted are refused before they enter', async () => {
    const at = (closing: typeof ENTITY, origin = YUNNAN) => [{ log: logAt(origin, closing), head: headAt(closing) }]
    expect(() => checkClosings(YUNNAN, [ENTITY], at(ENTITY))).not.toThrow()
    expect(() => checkClosings(YUNNAN, [ENTITY], at(TRADE, '520000'))).not.toThrow()
    expect(() => checkClosings(YUNNAN, [ENTITY], at(closingAt('entity', 'all', 1, 8)))).toThrow('CLOSING_BELOW_RECEIPT')
    expect(() => checkClosings(YUNNAN, [ENTITY], at(TRADE))).toThrow('CLOSING_BELOW_RECEIPT')
  })
})

describe('leaving', () => {
  test('is the member’s own, ends its logs, its keys and its seats', async () => {
    const federation = await joined()
    const members = [YUNNAN, '520000']
    const consents = [
      await federation.consent({ code: YUNNAN, id: 'west', members }),
      await federation.consent({ code: '520000', id: 'west', members }),
    ]
    await federation.enter({ act: 'alliance', id: 'west', zh: '西部', en: 'West', members, past: false, consents })
    const change = await federation.change(YUNNAN, { leave: [ENTITY] })
    const forced = await federation.change(YUNNAN, { leave: [ENTITY] }, { by: 'hub' })
    expect(await federation.enter({ act: 'leave', code: YUNNAN, change: forced })).toMatchObject(refused('MEMBERSHIP_FORGED'))
    const silent = await federation.change(YUNNAN, { retire: [] as never[], activate: ['z'.repeat(43)] })
    expect(await federation.enter({ act: 'leave', code: YUNNAN, change: silent })).toMatchObject(refused('MEMBERSHIP_FORGED'))
    expect(await federation.enter({ act: 'leave', code: YUNNAN, change })).toMatchObject({ kind: 'applied' })
    const { member } = await memberIn(federation)
    expect([member.standing, member.alliances, audiencesRead(member)]).toEqual(['left', [], []])
    expect(member.keys.every(key => key.closings !== null)).toBe(true)
    expect(() => checkStanding(member, { log: logAt(YUNNAN, ENTITY), position: { epoch: 1, seq: 8 } })).toThrow('MEMBER_SUSPENDED')
  })
})

test('who leaves while suspended moves no closing, and does not by coming back', async () => {
  const federation = await joined()
  await federation.enter(suspend)
  const far = closingAt('entity', 'all', 1, 99)
  const next = await keyNamed('next')
  const first = (await keyNamed(`${YUNNAN} first`)).jwk.kid
  const enter = async (change: Parameters<SampleFederation['change']>[1], options = {}) =>
    federation.enter({ act: 'keys', code: YUNNAN, change: await federation.change(YUNNAN, change, options) })
  await enter({ announce: [next.jwk] }, { entering: ['next'] })
  await enter({ activate: [next.jwk.kid] })
  await enter({ retire: [{ kid: first, closings: [far] }] })
  const change = await federation.change(YUNNAN, { leave: [far] }, { by: 'next' })
  expect(await federation.enter({ act: 'leave', code: YUNNAN, change })).toMatchObject({ kind: 'applied' })
  const ends = async () => {
    const { member } = await memberIn(federation)
    return [member.closings, ...member.keys.map(key => key.closings)].map(closings => closings?.get(`${YUNNAN}/entity/all`)?.seq)
  }
  expect(await ends()).toEqual([7, 7, 7])
  await federation.enter(federation.admission(YUNNAN, await federation.join(YUNNAN, { name: 'second' })))
  expect(await ends()).toEqual([undefined, 7, 7, undefined])
})

test('a trust mark is of a member that is one, and the newest of its kind stands', async () => {
  const federation = await joined()
  const mark = { act: 'mark' as const, code: YUNNAN, mark: 'conformance', until: 1_800_000_000, dig: ENTITY.dig }
  await federation.enter(mark)
  await federation.enter({ ...mark, until: 1_900_000_000 })
  expect(federation.state.members.get(YUNNAN)?.marks).toEqual([
    { mark: 'conformance', until: new Date(1_900_000_000_000), digest: ENTITY.dig, at: 5 },
  ])
  expect(await federation.enter({ ...mark, code: '450000' })).toMatchObject(refused('MEMBER_UNKNOWN'))
})
