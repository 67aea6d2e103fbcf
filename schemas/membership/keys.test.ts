import { describe, expect, test } from 'vitest'
import { affectedEntries, isTheft, keyFor } from '../membership.ts'
import type { ActOf } from './entries.ts'
import { keyState, namedJwk, provePossession, thumbprint } from './keys.ts'
import { closingAt, encKeyNamed, keyNamed, NOW, SampleFederation } from './sample-federation.ts'
import { membershipOf } from './state.ts'

const YUNNAN = '530000'
const CLOSING = closingAt('entity', 'all', 1, 7)
const LOG = { origin: YUNNAN, dataset: 'entity', audience: 'all' }
const refused = (code: string) => ({ kind: 'refused', error: { code } })
type Change = Parameters<SampleFederation['change']>[1]

async function member() {
  const federation = await SampleFederation.found()
  await federation.admit(YUNNAN)
  const kid = async (name: string): Promise<string> => (await keyNamed(name)).jwk.kid
  return {
    federation,
    first: await kid(`${YUNNAN} first`),
    next: await kid('next'),
    jwk: (await keyNamed('next')).jwk,
    ring: () => federation.state.members.get(YUNNAN)?.ring,
    enter: async (change: Change, options: Parameters<SampleFederation['change']>[2] = {}) =>
      federation.enter({ act: 'keys', code: YUNNAN, change: await federation.change(YUNNAN, change, options) }),
  }
}

test('the thumbprint is that of RFC 8037, appendix A.3', () => {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
  expect(thumbprint(jwk)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  expect(namedJwk({ ...jwk, ...{ d: 'secret' } })).toEqual({ ...jwk, kid: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k' })
})

describe('a rollover', () => {
  test('announces, activates and retires, each by an entry of its own', async () => {
    const { enter, ring, next, jwk, first } = await member()
    const states = () => Object.fromEntries((ring()?.keys ?? []).map(key => [key.kid, keyState(key)]))
    expect(await enter({ announce: [jwk] }, { entering: ['next'] })).toMatchObject({ kind: 'applied' })
    expect(states()).toEqual({ [first]: 'active', [next]: 'announced' })
    expect(await enter({ activate: [next] })).toMatchObject({ kind: 'applied' })
    expect(states()).toEqual({ [first]: 'active', [next]: 'active' })
    expect(await enter({ retire: [{ kid: first, closings: [CLOSING] }] }, { by: 'next' })).toMatchObject({ kind: 'applied' })
    expect(states()).toEqual({ [first]: 'retired', [next]: 'active' })
    expect(ring()?.counter).toBe(3)
  })

  test('lets a key sign from the membership position of its activation on, and up to its closings', async () => {
    const { federation, enter, next, jwk, first } = await member()
    const codeAt = async (kid: string, seq: number, mem: number): Promise<string> => {
      const keys = (await membershipOf(federation.state)).members.get(YUNNAN)?.keys ?? []
      try {
        return keyFor(keys, kid, { log: LOG, position: { epoch: 1, seq }, mem }).kid === kid ? 'good' : ''
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    await enter({ announce: [jwk] }, { entering: ['next'] })
    expect(await codeAt(next, 1, 9)).toBe('KEY_NOT_ACTIVE')
    await enter({ activate: [next] })
    const { position } = federation.state
    expect([await codeAt(next, 8, position - 1), await codeAt(next, 8, position), await codeAt(first, 8, position)]).toEqual([
      'KEY_NOT_ACTIVE',
      'good',
      'good',
    ])
    await enter({ retire: [{ kid: first, closings: [CLOSING] }] }, { by: 'next' })
    expect([await codeAt(first, 7, 2), await codeAt(first, 8, 2), await codeAt(next, 8, position)]).toEqual([
      'good',
      'KEY_OUT_OF_RANGE',
      'good',
    ])
  })

  test('is not shortened: announced and activated at once is refused, but for the recovery key', async () => {
    const { enter, next, jwk } = await member()
    const both = { announce: [jwk], activate: [next] }
    expect(await enter(both, { entering: ['next'] })).toMatchObject(refused('KEY_CHANGE_INVALID'))
    expect(await enter(both, { entering: ['next'], by: `${YUNNAN} first recovery` })).toMatchObject({ kind: 'applied' })
  })
})

describe('a change', () => {
  test('is counted: neither one again nor one too far', async () => {
    const { federation, enter } = await member()
    const once = await federation.change(YUNNAN, { enc: encKeyNamed('second') })
    expect(await federation.enter({ act: 'keys', code: YUNNAN, change: once })).toMatchObject({ kind: 'applied' })
    expect(await federation.enter({ act: 'keys', code: YUNNAN, change: once })).toMatchObject(refused('KEY_CHANGE_REPLAYED'))
    expect(await enter({ n: 3, enc: encKeyNamed('third') })).toMatchObject(refused('KEY_CHANGE_REPLAYED'))
  })

  test('under a key that is announced or retired is a forgery', async () => {
    const { enter, next, jwk, first } = await member()
    await enter({ announce: [jwk] }, { entering: ['next'] })
    expect(await enter({ activate: [next] }, { by: 'next' })).toMatchObject(refused('MEMBERSHIP_FORGED'))
    await enter({ activate: [next] })
    await enter({ retire: [{ kid: first, closings: [] }] }, { by: 'next' })
    expect(await enter({ enc: encKeyNamed('e') })).toMatchObject(refused('MEMBERSHIP_FORGED'))
  })

  test('brings no key that is or was registered, and none without proof', async () => {
    const { federation, enter, first, jwk, next } = await member()
    await federation.admit('520000')
    const theirs = (await keyNamed('520000 first')).jwk
    expect(await enter({ announce: [theirs] }, { entering: ['520000 first'] })).toMatchObject(refused('KEY_TAKEN'))
    expect(await enter({ announce: [jwk] })).toMatchObject(refused('KEY_POSSESSION_UNPROVEN'))
    expect(await enter({ announce: [jwk] }, { entering: ['another'] })).toMatchObject(refused('KEY_POSSESSION_UNPROVEN'))
    await enter({ announce: [jwk] }, { entering: ['next'] })
    await enter({ activate: [next] })
    await enter({ retire: [{ kid: first, closings: [] }] }, { by: 'next' })
    const back = { announce: [(await keyNamed(`${YUNNAN} first`)).jwk] }
    expect(await enter(back, { by: 'next', entering: [`${YUNNAN} first`] })).toMatchObject(refused('KEY_TAKEN'))
  })

  test('brings no key with a proof that was made for another change', async () => {
    const { federation, jwk } = await member()
    const { fed } = federation
    const [signer, entering] = [(await keyNamed(`${YUNNAN} first`)).signer, (await keyNamed('next')).signer]
    const signed = async (n: number): Promise<string> => {
      const proofs = [await provePossession(entering, { fed, owner: YUNNAN, n, now: NOW })]
      return signer.sign('keys', { fed, iss: YUNNAN, n: 1, iat: 0, announce: [jwk], proofs })
    }
    const stale = await federation.enter({ act: 'keys', code: YUNNAN, change: await signed(2) })
    expect(stale).toMatchObject(refused('KEY_POSSESSION_UNPROVEN'))
    expect(await federation.enter({ act: 'keys', code: YUNNAN, change: await signed(1) })).toMatchObject({ kind: 'applied' })
  })

  test.each([
    ['activates what was never announced', (kid: string): Change => ({ activate: [kid.replace(/^./, 'z')] }), 'KEY_CHANGE_INVALID'],
    ['activates what is active', (kid: string): Change => ({ activate: [kid] }), 'KEY_CHANGE_INVALID'],
    ['retires the last key', (kid: string): Change => ({ retire: [{ kid, closings: [] }] }), 'KEY_CHANGE_INVALID'],
    [
      'retires what is not registered',
      (kid: string): Change => ({ retire: [{ kid: kid.replace(/^./, 'z'), closings: [] }] }),
      'KEY_CHANGE_INVALID',
    ],
    ['speaks of theft', (kid: string): Change => ({ retire: [{ kid, closings: [] }], stolen: true }), 'KEY_RECOVERY_REQUIRED'],
    ['brings the same key for content', (): Change => ({ enc: encKeyNamed(`${YUNNAN} first`) }), 'KEY_TAKEN'],
    ['misnames a key', (kid: string): Change => ({ enc: { ...encKeyNamed('e'), kid } }), 'KEY_INVALID'],
    [
      'brings a key for content of another curve',
      (): Change => ({ enc: namedJwk({ ...encKeyNamed('e'), crv: 'Ed25519' }) }),
      'KEY_INVALID',
    ],
  ])('that %s is refused', async (_, make, expected) => {
    const { enter, first } = await member()
    expect(await enter(make(first))).toMatchObject(refused(expected))
  })

  test('of the recovery key is the recovery key’s own', async () => {
    const { enter, ring, jwk } = await member()
    expect(await enter({ recovery: jwk }, { entering: ['next'] })).toMatchObject(refused('KEY_RECOVERY_REQUIRED'))
    const by = `${YUNNAN} first recovery`
    expect(await enter({ recovery: jwk }, { by })).toMatchObject(refused('KEY_POSSESSION_UNPROVEN'))
    expect(await enter({ recovery: jwk }, { by, entering: ['next'] })).toMatchObject({ kind: 'applied' })
    expect(ring()?.recovery).toEqual(jwk)
    expect(await enter({ enc: encKeyNamed('e') }, { by })).toMatchObject(refused('MEMBERSHIP_FORGED'))
  })
})

test('theft names the keys that were stolen', async () => {
  const { enter } = await member()
  const empty = { stolen: true, enc: encKeyNamed('e') } as const
  expect(await enter(empty, { by: `${YUNNAN} first recovery` })).toMatchObject(refused('KEY_CHANGE_INVALID'))
})

test('after a theft the recovery key replaces everything that the thief had, in one change', async () => {
  const { federation, enter, first, next, jwk } = await member()
  const planted = (await keyNamed('thief')).jwk
  await enter({ announce: [planted] }, { entering: ['thief'] })
  await enter({ activate: [planted.kid] })
  const retire = [
    { kid: first, closings: [CLOSING] },
    { kid: planted.kid, closings: [] },
  ]
  const by = `${YUNNAN} first recovery`
  expect(await enter({ announce: [jwk], activate: [next], retire, stolen: true }, { by, entering: ['next'] })).toMatchObject({
    kind: 'applied',
  })
  const keys = (await membershipOf(federation.state)).members.get(YUNNAN)?.keys ?? []
  const at = (seq: number) => ({ log: LOG, position: { epoch: 1, seq }, mem: 99 })
  expect(keyFor(keys, first, at(7)).kid).toBe(first)
  for (const kid of [first, planted.kid]) expect(() => keyFor(keys, kid, at(8))).toThrow('KEY_OUT_OF_RANGE')
  expect(keyFor(keys, next, at(8)).kid).toBe(next)
  expect(keys.map(key => key.stolen)).toEqual([true, true, false])
  const yunnan = (await membershipOf(federation.state)).members.get(YUNNAN)
  const held = [7, 8].flatMap(seq => [first, planted.kid, next].map(kid => ({ log: LOG, position: { epoch: 1, seq }, kid })))
  const forged = { log: LOG, position: { epoch: 1, seq: 5 }, kid: first }
  const isThief = (digest: string | null, kid = first) => yunnan !== undefined && isTheft(yunnan, { ...forged, kid }, () => digest)
  expect([isThief(CLOSING.dig), isThief('sha-256:other'), isThief(null), isThief(CLOSING.dig, next)]).toEqual([
    true,
    false,
    false,
    false,
  ])
  const affected = yunnan === undefined ? [] : affectedEntries(yunnan, held)
  expect(affected.map(({ position, kid }) => `${position.seq} ${kid}`)).toEqual([
    `7 ${planted.kid}`,
    `8 ${first}`,
    `8 ${planted.kid}`,
  ])
})

describe('the hub’s own keys', () => {
  const rolled = async () => {
    const federation = await SampleFederation.found()
    const next = await keyNamed('next anchor')
    const proof = async (n: number) => [await provePossession(next.signer, { fed: federation.fed, owner: 'hub', n, now: NOW })]
    return { federation, next, proof, old: federation.anchor }
  }

  test('roll over by the same rules, and its entries need an active one', async () => {
    const { federation, next, proof, old } = await rolled()
    await federation.enter({ act: 'anchor', n: 1, announce: [next.jwk], proofs: await proof(1) })
    await expect(federation.enter({ act: 'anchor', n: 2, activate: [next.jwk.kid] }, { by: next })).rejects.toThrow(
      'KEY_NOT_ACTIVE',
    )
    expect(await federation.enter({ act: 'anchor', n: 2, activate: [next.jwk.kid] })).toMatchObject({ kind: 'applied' })
    const retire = [{ kid: old.jwk.kid, closings: [{ org: YUNNAN, ...CLOSING }] }]
    expect(await federation.enter({ act: 'anchor', n: 3, retire }, { by: next })).toMatchObject({ kind: 'applied' })
    await expect(federation.admit(YUNNAN)).rejects.toThrow('KEY_OUT_OF_RANGE')
    const { hubKeys } = await membershipOf(federation.state)
    const receipted = (seq: number) => keyFor(hubKeys, old.jwk.kid, { log: LOG, position: { epoch: 1, seq } })
    expect(receipted(7).kid).toBe(old.jwk.kid)
    expect(() => receipted(8)).toThrow('KEY_OUT_OF_RANGE')
  })

  test('are replaced after a theft by the hub’s recovery key, which signs nothing else', async () => {
    const { federation, next, proof, old } = await rolled()
    const by = federation.recovery
    await expect(federation.enter({ act: 'resume', code: YUNNAN }, { by })).rejects.toThrow('KEY_UNKNOWN')
    const withProofs: ActOf<'anchor'> = {
      act: 'anchor',
      n: 1,
      announce: [next.jwk],
      activate: [next.jwk.kid],
      retire: [{ kid: old.jwk.kid, closings: [] }],
      stolen: true,
      proofs: await proof(1),
    }
    expect(await federation.enter(withProofs)).toMatchObject(refused('KEY_RECOVERY_REQUIRED'))
    expect(await federation.enter(withProofs, { by })).toMatchObject({ kind: 'applied' })
    await expect(federation.admit(YUNNAN)).rejects.toThrow('KEY_OUT_OF_RANGE')
    const deceived = federation.admission(YUNNAN, await federation.join(YUNNAN))
    expect(await federation.enter(deceived, { by: next })).toMatchObject(refused('JOIN_ANCHOR_FOREIGN'))
    const join = await federation.join(YUNNAN, { anchor: next.jwk.kid })
    expect(await federation.enter(federation.admission(YUNNAN, join), { by: next })).toMatchObject({ kind: 'applied' })
  })
})
