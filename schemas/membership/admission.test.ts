import { describe, expect, test } from 'vitest'
import { algorithmOfKey } from '../algorithms.ts'
import { createSigner, type Signer } from '../tokens.ts'
import { sealJoin } from './consents.ts'
import { activeKeys, type KeyJwk, keyState, namedJwk } from './keys.ts'
import { closingAt, encKeyNamed, keyNamed, NOW, SampleFederation } from './sample-federation.ts'
import { membershipOf } from './state.ts'

const YUNNAN = '530000'
const joined = async (...codes: string[]): Promise<SampleFederation> => {
  const federation = await SampleFederation.found()
  for (const code of codes) await federation.admit(code)
  return federation
}
const refused = (code: string) => ({ kind: 'refused', error: { code } })

describe('an admission', () => {
  test('brings the first keys, the recovery key and the key for content, as the member signed them', async () => {
    const { state } = await joined(YUNNAN)
    const ring = state.members.get(YUNNAN)?.ring
    expect(ring?.keys.map(key => [key.kid, keyState(key)])).toEqual([[(await keyNamed(`${YUNNAN} first`)).jwk.kid, 'active']])
    expect(ring?.recovery.kid).toBe((await keyNamed(`${YUNNAN} first recovery`)).jwk.kid)
    expect(ring?.enc.map(({ jwk }) => jwk)).toEqual([encKeyNamed(`${YUNNAN} first`)])
  })

  test('with the request of another, or with one that was tampered with, is a forgery', async () => {
    const federation = await joined()
    const other = await federation.join('520000')
    expect(await federation.enter(federation.admission(YUNNAN, other))).toMatchObject(refused('MEMBERSHIP_FORGED'))
    const own = await federation.join(YUNNAN)
    const cut = `${own.slice(0, own.lastIndexOf('.'))}${other.slice(other.lastIndexOf('.'))}`
    expect(await federation.enter(federation.admission(YUNNAN, cut))).toMatchObject(refused('MEMBERSHIP_FORGED'))
    expect(federation.state.members.size).toBe(0)
  })

  test('with a request made for another federation or another anchor is refused', async () => {
    const federation = await joined()
    const pilot = await federation.join(YUNNAN, { fed: 'pilot-1' })
    expect(await federation.enter(federation.admission(YUNNAN, pilot))).toMatchObject(refused('FEDERATION_FOREIGN'))
    const deceived = await federation.join(YUNNAN, { anchor: (await keyNamed('another hub')).jwk.kid })
    expect(await federation.enter(federation.admission(YUNNAN, deceived))).toMatchObject(refused('JOIN_ANCHOR_FOREIGN'))
  })

  test('needs a recovery key whose owner proves to hold it', async () => {
    const federation = await joined()
    const first = await keyNamed('first')
    const request = {
      fed: federation.fed,
      code: YUNNAN,
      anchor: federation.anchor.jwk.kid,
      ticket: 'a-ticket-of-16-or-more',
      keys: [first.jwk],
      enc: encKeyNamed('enc'),
      recovery: (await keyNamed('somebody else')).jwk,
      nkey: `U${'A'.repeat(55)}`,
    }
    const unproven = await sealJoin(request, { signer: first.signer, others: [], now: NOW })
    expect(await federation.enter(federation.admission(YUNNAN, unproven))).toMatchObject(refused('KEY_POSSESSION_UNPROVEN'))
    const same = await sealJoin({ ...request, recovery: first.jwk }, { signer: first.signer, others: [], now: NOW })
    expect(await federation.enter(federation.admission(YUNNAN, same))).toMatchObject(refused('KEY_TAKEN'))
  })

  test('is refused for a key that another member has, and for an invitation that was used', async () => {
    const federation = await joined(YUNNAN)
    const [borrowed, recovery, fresh] = [await keyNamed(`${YUNNAN} first`), await keyNamed('r'), await keyNamed('fresh')]
    const request = {
      fed: federation.fed,
      code: '520000',
      anchor: federation.anchor.jwk.kid,
      ticket: `ticket-of-${YUNNAN}-first`,
      enc: encKeyNamed('enc'),
      recovery: recovery.jwk,
      nkey: `U${'A'.repeat(55)}`,
    }
    const seal = (key: typeof fresh) =>
      sealJoin({ ...request, keys: [key.jwk] }, { signer: key.signer, others: [recovery.signer], now: NOW })
    expect(await federation.enter(federation.admission('520000', await seal(fresh)))).toMatchObject(refused('JOIN_TICKET_USED'))
    request.ticket = 'another-ticket-of-its-own'
    expect(await federation.enter(federation.admission('520000', await seal(borrowed)))).toMatchObject(refused('KEY_TAKEN'))
    expect(await federation.enter(federation.admission('520000', await seal(fresh)))).toMatchObject({ kind: 'applied' })
  })

  test('of a member is refused while it is one', async () => {
    const federation = await joined(YUNNAN)
    expect(await federation.admit(YUNNAN)).toMatchObject(refused('MEMBER_STATE_INVALID'))
  })

  test('is refused for algorithms that the policy does not accept', async () => {
    const federation = await joined()
    await federation.enter({ act: 'policy', policy: { algorithms: ['SM2'], approvals: 2 }, territory: '2026' })
    expect(await federation.admit(YUNNAN)).toMatchObject(refused('TOKEN_ALGORITHM_REFUSED'))
  })

  test.each([
    ['a code that the table does not hold', '990000', {}, 'MEMBER_CODE_INVALID'],
    ['a code that was retired', '522400', { kind: 'city' }, 'MEMBER_CODE_INVALID'],
    ['a city’s code for a province', '530100', {}, 'MEMBER_CODE_INVALID'],
    ['a territory without its own code', '450000', { territory: [YUNNAN] }, 'TERRITORY_FOREIGN'],
    ['a region of another member', '450000', { territory: ['450000', '520000'] }, 'TERRITORY_TAKEN'],
    ['a platform of another province', '450000', { platforms: ['450100-01', '510100-07'] }, 'TERRITORY_FOREIGN'],
  ] as const)('is refused with %s', async (_, code, change, expected) => {
    const federation = await joined('520000')
    const act = { ...change, ...('territory' in change ? { territory: [...change.territory] } : {}) }
    const plain = 'platforms' in change ? { platforms: [...change.platforms] } : {}
    expect(await federation.admit(code, { ...act, ...plain } as Parameters<SampleFederation['admit']>[1])).toMatchObject(
      refused(expected),
    )
  })

  test('takes a city directly under the hub beside its province', async () => {
    const federation = await joined(YUNNAN)
    expect(await federation.admit('530100', { kind: 'city' })).toMatchObject({ kind: 'applied' })
    expect(await federation.admit('660000')).toMatchObject({ kind: 'applied' })
    expect(await federation.admit('000000', { kind: 'national', territory: [] })).toMatchObject({ kind: 'applied' })
  })

  test('of one that left brings new keys, and the old ones still verify what they signed', async () => {
    const federation = await joined(YUNNAN)
    const leave = [closingAt('entity', 'all', 1, 7)]
    await federation.enter({ act: 'leave', code: YUNNAN, change: await federation.change(YUNNAN, { leave }) })
    expect(await federation.enter(federation.admission(YUNNAN, await federation.join(YUNNAN)))).toMatchObject(
      refused('JOIN_TICKET_USED'),
    )
    const again = await federation.join(YUNNAN, { name: 'second' })
    expect(await federation.enter(federation.admission(YUNNAN, again))).toMatchObject({ kind: 'applied' })
    const member = federation.state.members.get(YUNNAN)
    expect(member).toMatchObject({ standing: 'admitted', closings: null, admittedAt: 2 })
    expect(member?.ring.keys.map(keyState)).toEqual(['retired', 'active'])
    expect(member?.ring.keys[0]?.closings?.get(`${YUNNAN}/entity/all`)).toMatchObject({ epoch: 1, seq: 7 })
    expect(activeKeys(member?.ring ?? federation.state.hub)).toHaveLength(1)
  })
})

test('a member may have SM2 keys, and its entries verify as those of others', async () => {
  const federation = await joined()
  const made = async (): Promise<{ jwk: KeyJwk; signer: Signer }> => {
    const row = algorithmOfKey({ kty: 'EC', crv: 'SM2' })
    const secret = await row.generate()
    const jwk = namedJwk(secret)
    return { jwk, signer: createSigner(jwk.kid, row.alg, await row.importPrivate(secret)) }
  }
  const [key, recovery] = [await made(), await made()]
  const join = await sealJoin(
    {
      fed: federation.fed,
      code: YUNNAN,
      anchor: federation.anchor.jwk.kid,
      ticket: 'a-ticket-of-16-or-more',
      keys: [key.jwk],
      enc: encKeyNamed('enc'),
      recovery: recovery.jwk,
      nkey: `U${'A'.repeat(55)}`,
    },
    { signer: key.signer, others: [recovery.signer], now: NOW },
  )
  expect(await federation.enter(federation.admission(YUNNAN, join))).toMatchObject({ kind: 'applied' })
  expect((await membershipOf(federation.state)).members.get(YUNNAN)?.keys).toMatchObject([{ kid: key.jwk.kid, alg: 'SM2' }])
})

describe('a change of a member’s keys', () => {
  test('is the member’s alone: the hub cannot make one', async () => {
    const federation = await joined(YUNNAN, '520000')
    const before = federation.state.members
    const own = { announce: [(await keyNamed('planted')).jwk] }
    const byHub = await federation.change(YUNNAN, own, { by: 'hub', entering: ['planted'] })
    const byOther = await federation.change('520000', own, { entering: ['planted'] })
    const byNew = await federation.change(YUNNAN, own, { by: 'planted', entering: ['planted'] })
    const ofOther = await federation.change('520000', own, { by: `${YUNNAN} first`, entering: ['planted'] })
    for (const change of [byHub, byOther, byNew, ofOther, 'a.b.c']) {
      const outcome = await federation.enter({ act: 'keys', code: YUNNAN, change })
      expect(outcome).toMatchObject({ kind: 'refused', about: YUNNAN, error: { code: 'MEMBERSHIP_FORGED' } })
    }
    expect(federation.state.members).toEqual(before)
  })

  test('of a pilot federation is nothing here', async () => {
    const federation = await joined(YUNNAN)
    const change = await federation.change(YUNNAN, { enc: encKeyNamed('e') }, { fed: 'pilot-1' })
    expect(await federation.enter({ act: 'keys', code: YUNNAN, change })).toMatchObject(refused('FEDERATION_FOREIGN'))
  })

  test('of one that is unknown or has left is refused', async () => {
    const federation = await joined(YUNNAN)
    const change = await federation.change(YUNNAN, { enc: encKeyNamed('e') })
    expect(await federation.enter({ act: 'keys', code: '520000', change })).toMatchObject(refused('MEMBER_UNKNOWN'))
    const leaving = await federation.change(YUNNAN, { leave: [] })
    expect(await federation.enter({ act: 'keys', code: YUNNAN, change: leaving })).toMatchObject(refused('MEMBERSHIP_FORGED'))
    await federation.enter({ act: 'leave', code: YUNNAN, change: leaving })
    expect(await federation.enter({ act: 'keys', code: YUNNAN, change })).toMatchObject(refused('MEMBER_STATE_INVALID'))
  })
})
