/** Properties of the membership log: random deliveries, and a hub that tries what it likes without the members' keys. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { takeEntries } from './application.ts'
import type { MembershipAct } from './entries.ts'
import { closingAt, encKeyNamed, keyNamed, SampleFederation } from './sample-federation.ts'
import { emptyState, type MembershipState } from './state.ts'

const CODES = ['530000', '520000', '450000'] as const

async function history(): Promise<SampleFederation> {
  const federation = await SampleFederation.found()
  for (const code of CODES) await federation.admit(code)
  const [one, two] = CODES
  const next = await keyNamed('next')
  const enter = async (change: Parameters<SampleFederation['change']>[1], options = {}) =>
    federation.enter({ act: 'keys', code: one, change: await federation.change(one, change, options) })
  await enter({ announce: [next.jwk] }, { entering: ['next'] })
  await enter({ activate: [next.jwk.kid] })
  await federation.enter({ act: 'suspend', code: two, closings: [closingAt('entity', 'all', 1, 3)], why: 'inquiry' })
  await federation.enter({ act: 'resume', code: '510000' })
  await federation.enter({ act: 'resume', code: two })
  const members = [...CODES]
  const consents = await Promise.all(CODES.map(code => federation.consent({ code, id: 'west', members })))
  await federation.enter({ act: 'alliance', id: 'west', zh: '西', en: 'W', members, past: true, consents })
  return federation
}

test('the order in which entries come, in how many parts and how often, does not matter to the state', async () => {
  const { state, fed, anchor } = await history()
  const indexes = state.tokens.map((_, index) => index)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.shuffledSubarray(indexes, { minLength: 1 }), { maxLength: 6 }),
      fc.shuffledSubarray(indexes, { minLength: indexes.length }),
      async (parts, all) => {
        let current = emptyState({ fed, anchor: anchor.jwk.kid })
        let waiting: readonly string[] = []
        for (const part of [...parts, all]) {
          const tokens = part.map(index => state.tokens[index] ?? '')
          const taken = await takeEntries(current, [...waiting, ...tokens])
          current = taken.state
          waiting = taken.waiting
        }
        expect(waiting).toEqual([])
        expect(current).toEqual(state)
      },
    ),
    { numRuns: 15 },
  )
}, 30_000)

type Signed = string | { readonly of: string; readonly n: number; readonly leave: boolean }
type Try =
  | { readonly act: 'keys' | 'leave' | 'admit'; readonly code: string; readonly signed: Signed }
  | { readonly act: 'suspend' | 'resume'; readonly code: string }
  | { readonly act: 'alliance'; readonly members: string[]; readonly past: boolean }

/** Everything that only a member may decide. */
const owned = (state: MembershipState) =>
  [...state.members.values()].map(({ code, ring, base, nkey }) => ({ code, ring, base, nkey }))
const seats = (state: MembershipState) => [...state.alliances.values()].map(({ id, seats: sat }) => ({ id, sat }))

test('a hub without the members’ keys changes no key and no alliance of theirs, whatever it signs', async () => {
  const start = await history()
  const { state } = start
  const planted = await keyNamed('planted')
  const stale = state.tokens.flatMap(token => {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { change?: string; join?: string }
    return claims.change ?? claims.join ?? []
  })
  const code = fc.constantFrom(...CODES, '510000')
  const signed = fc.oneof(
    fc.constantFrom(...stale),
    fc.record({ of: code, n: fc.integer({ min: 1, max: 4 }), leave: fc.boolean() }),
  )
  const act: fc.Arbitrary<Try> = fc.oneof(
    fc.record({ act: fc.constantFrom('keys' as const, 'leave' as const, 'admit' as const), code, signed }),
    fc.record({ act: fc.constantFrom('suspend' as const, 'resume' as const), code }),
    fc.record({ act: fc.constant('alliance' as const), members: fc.subarray([...CODES]), past: fc.boolean() }),
  )
  const made = async (federation: SampleFederation, tried: Try): Promise<MembershipAct> => {
    if (tried.act === 'alliance') {
      const { members, past } = tried
      const consents = await Promise.all(
        (members.length === 0 ? [CODES[0]] : members).map(one =>
          federation.consent({ code: one, id: 'west', members, past }, 9, 'hub'),
        ),
      )
      return { act: 'alliance', id: 'west', zh: '西', en: 'W', members, past, consents }
    }
    if (!('signed' in tried))
      return tried.act === 'resume'
        ? { act: 'resume', code: tried.code }
        : { act: 'suspend', code: tried.code, closings: [], why: 'inquiry' }
    const token =
      typeof tried.signed === 'string'
        ? tried.signed
        : await federation.change(
            tried.signed.of,
            {
              n: tried.signed.n,
              announce: [planted.jwk],
              enc: encKeyNamed('planted'),
              ...(tried.signed.leave ? { leave: [] } : {}),
            },
            { by: 'hub', entering: ['planted'] },
          )
    return tried.act === 'admit' ? federation.admission(tried.code, token) : { act: tried.act, code: tried.code, change: token }
  }
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 8 }), async tries => {
      start.state = state
      for (const tried of tries) await start.enter(await made(start, tried))
      expect(start.state.position).toBe(state.position + tries.length)
      expect(owned(start.state)).toEqual(owned(state))
      expect(seats(start.state)).toEqual(seats(state))
    }),
    { numRuns: 40 },
  )
}, 30_000)
