import { describe, expect, test } from 'vitest'
import { audiencesRead, mayAddress } from '../membership.ts'
import { mayHoldContentKey, readersChangedAt, readersOf, wrappingKeys } from './content-keys.ts'
import { encKeyNamed, SampleFederation } from './sample-federation.ts'
import { membershipOf } from './state.ts'

const [YN, GZ, GX, SC] = ['530000', '520000', '450000', '510000'] as const
const refused = (code: string) => ({ kind: 'refused', error: { code } })

async function four() {
  const federation = await SampleFederation.found()
  for (const code of [YN, GZ, GX, SC]) await federation.admit(code)
  let n = 0
  const alliance = async (
    members: readonly string[],
    by: readonly string[],
    { past = false, said = members, counter = 0 }: { past?: boolean; said?: readonly string[]; counter?: number } = {},
  ) => {
    n += 1
    const consents = await Promise.all(by.map(code => federation.consent({ code, id: 'west', members: said, past }, counter || n)))
    return federation.enter({ act: 'alliance', id: 'west', zh: '西部', en: 'West', members: [...members], past, consents })
  }
  const seated = () =>
    (federation.state.alliances.get('west')?.seats ?? []).filter(seat => seat.until === null).map(seat => seat.code)
  return { federation, alliance, seated }
}

describe('an alliance', () => {
  test('is made by the consents of all its members, and by no fewer', async () => {
    const { alliance, seated } = await four()
    expect(await alliance([YN, GZ], [YN])).toMatchObject({
      ...refused('ALLIANCE_CONSENT_MISSING'),
      error: { detail: { missing: [GZ] } },
    })
    expect(seated()).toEqual([])
    expect(await alliance([YN, GZ], [GZ, YN])).toMatchObject({ kind: 'applied' })
    expect(seated()).toEqual([YN, GZ])
  })

  test('is made of consents to exactly this membership, each used once', async () => {
    const { alliance } = await four()
    expect(await alliance([YN, GZ], [YN, GZ], { said: [YN, GZ, GX] })).toMatchObject(refused('ALLIANCE_CONSENT_INVALID'))
    expect(await alliance([YN, GZ], [YN, GZ, GX])).toMatchObject(refused('ALLIANCE_CONSENT_INVALID'))
    expect(await alliance([YN, GZ], [YN, GZ, GZ])).toMatchObject(refused('ALLIANCE_CONSENT_INVALID'))
    expect(await alliance([YN, GZ], [YN, GZ], { counter: 7 })).toMatchObject({ kind: 'applied' })
    expect(await alliance([YN, GZ], [YN, GZ], { counter: 7 })).toMatchObject(refused('ALLIANCE_CONSENT_INVALID'))
  })

  test('lets in the past only where every consent says so, and a leaver does not change that', async () => {
    const { federation, alliance } = await four()
    const members = [YN, GZ]
    const consents = [
      await federation.consent({ code: YN, id: 'west', members, past: true }),
      await federation.consent({ code: GZ, id: 'west', members, past: false }),
    ]
    const mixed = { act: 'alliance' as const, id: 'west', zh: '西', en: 'W', members, past: true, consents }
    expect(await federation.enter(mixed)).toMatchObject(refused('ALLIANCE_CONSENT_INVALID'))
    await alliance([YN, GZ, GX], [YN, GZ, GX], { past: false })
    expect(await alliance([YN, GZ], [GX], { past: true })).toMatchObject(refused('ALLIANCE_CONSENT_MISSING'))
  })

  test('is not made by the hub, nor of members that are not admitted', async () => {
    const { federation, alliance } = await four()
    const members = [YN, GZ]
    const forged = await federation.consent({ code: GZ, id: 'west', members }, 1, 'hub')
    const consents = [await federation.consent({ code: YN, id: 'west', members }), forged]
    expect(
      await federation.enter({ act: 'alliance', id: 'west', zh: '西', en: 'W', members, past: false, consents }),
    ).toMatchObject(refused('MEMBERSHIP_FORGED'))
    await federation.enter({ act: 'suspend', code: GZ, closings: [], why: 'inquiry' })
    expect(await alliance(members, members)).toMatchObject(refused('MEMBER_STATE_INVALID'))
  })

  test('grows by the consent of everyone, old and new', async () => {
    const { alliance, seated } = await four()
    await alliance([YN, GZ], [YN, GZ])
    expect(await alliance([YN, GZ, GX], [YN, GX])).toMatchObject(refused('ALLIANCE_CONSENT_MISSING'))
    expect(await alliance([YN, GZ, GX], [YN, GZ, GX])).toMatchObject({ kind: 'applied' })
    expect(seated()).toEqual([YN, GZ, GX])
  })

  test('is left by the leaver’s word alone', async () => {
    const { alliance, seated } = await four()
    await alliance([YN, GZ, GX], [YN, GZ, GX])
    expect(await alliance([YN, GZ], [GX])).toMatchObject({ kind: 'applied' })
    expect(seated()).toEqual([YN, GZ])
  })

  test('goes on without a silent one by the consent of all others, and is not taken over by a few', async () => {
    const { alliance, seated } = await four()
    await alliance([YN, GZ, GX], [YN, GZ, GX])
    expect(await alliance([YN], [YN])).toMatchObject({ error: { detail: { missing: [GZ, GX] } } })
    expect(await alliance([], [YN])).toMatchObject(refused('ALLIANCE_CONSENT_MISSING'))
    expect(await alliance([YN, GZ], [YN, GZ])).toMatchObject({ kind: 'applied' })
    expect(seated()).toEqual([YN, GZ])
  })

  test('gives a newcomer the future, and the past only where all said so', async () => {
    for (const past of [false, true]) {
      const { federation, alliance } = await four()
      await alliance([YN, GZ], [YN, GZ], { past })
      const opened = federation.state.position
      await alliance([YN, GZ, GX], [YN, GZ, GX], { past })
      const membership = await membershipOf(federation.state)
      const may = (code: string, at: number) => mayHoldContentKey(membership, code, 'alliance-west', at)
      expect([may(GX, opened), may(GX, federation.state.position), may(YN, opened), may(SC, 99)]).toEqual([past, true, true, false])
    }
  })

  test('ends for who leaves: no more keys, a new epoch for the others, and what it said before stays said', async () => {
    const { federation, alliance } = await four()
    await alliance([YN, GZ, GX], [YN, GZ, GX])
    const together = federation.state.position
    await alliance([YN, GZ], [GX])
    const membership = await membershipOf(federation.state)
    const left = membership.members.get(GX)
    if (left === undefined) throw new Error('no such member')
    expect(audiencesRead(left)).not.toContain('alliance-west')
    expect(mayHoldContentKey(membership, GX, 'alliance-west', together)).toBe(false)
    expect(mayAddress(membership, left, 'alliance-west', together)).toBe(true)
    expect(mayAddress(membership, left, 'alliance-west')).toBe(false)
    expect(readersChangedAt(membership, YN, 'alliance-west')).toBe(federation.state.position)
    expect(wrappingKeys(membership, YN, 'alliance-west').map(({ code }) => code)).toEqual([YN, GZ])
  })
})

describe('content keys', () => {
  test('are wrapped for the newest key of each reader, and the hub is none', async () => {
    const { federation, alliance } = await four()
    await alliance([YN, GZ], [YN, GZ])
    const before = federation.state.position
    await federation.enter({ act: 'keys', code: GZ, change: await federation.change(GZ, { enc: encKeyNamed('new') }) })
    const membership = await membershipOf(federation.state)
    expect(wrappingKeys(membership, YN, 'alliance-west')).toEqual([
      { code: YN, jwk: encKeyNamed(`${YN} first`) },
      { code: GZ, jwk: encKeyNamed('new') },
    ])
    expect(readersChangedAt(membership, YN, 'alliance-west')).toBe(before + 1)
    expect(readersOf(membership, YN, `node-${SC}`).map(({ code }) => code)).toEqual([YN, SC])
  })

  test('change when a reader is suspended, and it gets none', async () => {
    const { federation, alliance } = await four()
    await alliance([YN, GZ], [YN, GZ])
    const opened = federation.state.position
    await federation.enter({ act: 'suspend', code: GZ, closings: [], why: 'inquiry' })
    const membership = await membershipOf(federation.state)
    expect(readersChangedAt(membership, YN, 'alliance-west')).toBe(opened + 1)
    expect(readersChangedAt(membership, YN, `node-${GZ}`)).toBe(opened + 1)
    expect(readersOf(membership, YN, 'alliance-west').map(({ code }) => code)).toEqual([YN])
    expect(mayHoldContentKey(membership, GZ, 'alliance-west', opened)).toBe(false)
  })
})
