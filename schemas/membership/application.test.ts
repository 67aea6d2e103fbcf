import { describe, expect, test } from 'vitest'
import { ExchangeError } from '../errors.ts'
import { applyEntry, takeEntries } from './application.ts'
import { sealEntry } from './entries.ts'
import { keyNamed, NOW, SampleFederation } from './sample-federation.ts'
import { emptyState, membershipOf } from './state.ts'

const joined = async (...codes: string[]): Promise<SampleFederation> => {
  const federation = await SampleFederation.found()
  for (const code of codes) expect((await federation.admit(code)).kind).toBe('applied')
  return federation
}
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'nothing thrown',
    error => (error instanceof ExchangeError ? error.code : String(error)),
  )

describe('an entry of the membership log', () => {
  test('is applied at the next position, and a second time changes nothing', async () => {
    const { state } = await joined('530000')
    expect(state).toMatchObject({ position: 2, anchored: true, base: 'https://hub.example' })
    expect(state.members.get('530000')).toMatchObject({ standing: 'admitted', admittedAt: 2 })
    const again = await applyEntry(state, state.tokens[1] ?? '')
    expect(again).toMatchObject({ kind: 'duplicate', state })
  })

  test('behind a gap says from where entries are missing', async () => {
    const { state, fed, anchor } = await joined('530000', '520000')
    const first = emptyState({ fed, anchor: anchor.jwk.kid })
    expect(await applyEntry(first, state.tokens[2] ?? '')).toMatchObject({ kind: 'gap', from: 1, state: first })
  })

  test('for a position that is taken convicts the hub with both, and the first stays', async () => {
    const federation = await joined('530000')
    const { state } = federation
    const other = await federation.seal({ act: 'resume', code: '530000' }, { seq: 2 })
    const outcome = await applyEntry(state, other)
    expect(outcome).toMatchObject({
      kind: 'contradiction',
      error: { code: 'MEMBERSHIP_CONTRADICTION' },
      conviction: { whom: 'hub', statements: [state.tokens[1], other] },
    })
    expect(outcome.state).toBe(state)
  })

  test('that follows another past convicts the hub', async () => {
    const federation = await joined('530000')
    const { state, fed, anchor } = federation
    const elsewhere = await federation.seal({ act: 'resume', code: '530000' }, { seq: 2 })
    const token = await sealEntry(
      { act: 'resume', code: '530000' },
      { fed, seq: 3, head: elsewhere, signer: anchor.signer, now: NOW },
    )
    expect(await applyEntry(state, token)).toMatchObject({
      kind: 'contradiction',
      conviction: { statements: [state.tokens[1], token] },
    })
  })

  test('takes its position even if a rule refuses it, and changes nothing else', async () => {
    const federation = await joined('530000')
    const { members } = federation.state
    const outcome = await federation.enter({ act: 'resume', code: '530000' })
    expect(outcome).toMatchObject({ kind: 'refused', about: '530000', error: { code: 'MEMBER_STATE_INVALID' } })
    expect(federation.state.position).toBe(3)
    expect(federation.state.members).toEqual(members)
    expect((await federation.admit('520000')).kind).toBe('applied')
  })

  test('takes no position under a key that is not the hub’s, or with a signature that is not', async () => {
    const federation = await joined('530000')
    const stranger = await keyNamed('stranger')
    const foreign = await federation.seal({ act: 'resume', code: '530000' }, { by: stranger })
    expect(await codeOf(applyEntry(federation.state, foreign))).toBe('KEY_UNKNOWN')
    const good = await federation.seal({ act: 'resume', code: '530000' })
    const other = await federation.seal({ act: 'resume', code: '520000' })
    const swapped = `${good.slice(0, good.lastIndexOf('.'))}${other.slice(other.lastIndexOf('.'))}`
    expect(await codeOf(applyEntry(federation.state, swapped))).toBe('TOKEN_SIGNATURE_INVALID')
  })

  test('of another federation is refused, the founding too', async () => {
    const production = await joined('530000')
    const pilot = await SampleFederation.found('pilot-1')
    for (const token of pilot.state.tokens) expect(await codeOf(applyEntry(production.state, token))).toBe('FEDERATION_FOREIGN')
    expect(
      await codeOf(applyEntry(emptyState({ fed: 'sample-1', anchor: pilot.anchor.jwk.kid }), pilot.state.tokens[0] ?? '')),
    ).toBe('FEDERATION_FOREIGN')
  })
})

describe('trust in a membership log', () => {
  test('needs an entry signed with the anchor key that came by another channel', async () => {
    const { state, fed } = await joined('530000')
    const stranger = await keyNamed('another hub')
    const deceived = await takeEntries(emptyState({ fed, anchor: stranger.jwk.kid }), state.tokens)
    expect(deceived.state.position).toBe(2)
    expect(await codeOf(membershipOf(deceived.state))).toBe('MEMBERSHIP_UNTRUSTED')
    expect((await membershipOf(state)).members.get('530000')).toMatchObject({
      standing: 'admitted',
      since: 2,
      writes: ['entity', 'trade'],
    })
  })

  test('is not won by a log that names the trusted key but bears no signature of it', async () => {
    const real = await keyNamed('the real anchor')
    const deceit = await SampleFederation.found()
    const token = await deceit.seal({ act: 'anchor', n: 1, announce: [real.jwk] })
    const deceived = await takeEntries(emptyState({ fed: deceit.fed, anchor: real.jwk.kid }), [...deceit.state.tokens, token])
    expect(deceived.outcomes.at(-1)).toMatchObject({ kind: 'refused', error: { code: 'KEY_POSSESSION_UNPROVEN' } })
    expect(await codeOf(membershipOf(deceived.state))).toBe('MEMBERSHIP_UNTRUSTED')
  })
})

describe('entries that come in any order', () => {
  test('wait behind a gap and are taken when it closes', async () => {
    const { state, fed, anchor } = await joined('530000', '520000', '450000')
    const empty = emptyState({ fed, anchor: anchor.jwk.kid })
    const [first = '', second = '', third = '', fourth = ''] = state.tokens
    const early = await takeEntries(empty, [fourth, second])
    expect([early.state.position, early.waiting]).toEqual([0, [second, fourth]])
    const all = await takeEntries(early.state, [...early.waiting, third, first, 'no token'])
    expect(all.waiting).toEqual([])
    expect(all.state).toEqual(state)
  })

  test('are told apart from what is not the hub’s, and that is heard', async () => {
    const federation = await joined('530000')
    const heard: string[] = []
    const foreign = await federation.seal({ act: 'resume', code: '530000' }, { by: await keyNamed('stranger') })
    await takeEntries(federation.state, ['x', foreign], { onRefused: (_, error) => heard.push(error.code) })
    expect(heard).toEqual(['TOKEN_MALFORMED', 'KEY_UNKNOWN'])
  })
})
