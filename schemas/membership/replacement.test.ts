import { describe, expect, test } from 'vitest'
import { tokenDigest } from '../envelope.ts'
import { applyEntry, takeEntries } from './application.ts'
import type { ActOf, MembershipAct } from './entries.ts'
import { sealEntry } from './entries.ts'
import { provePossession } from './keys.ts'
import { chainBefore } from './replacement.ts'
import { keyNamed, NOW, SampleFederation } from './sample-federation.ts'
import { emptyState, type MembershipState } from './state.ts'

const YUNNAN = '530000'
const GUIZHOU = '520000'

async function founded(...codes: string[]): Promise<SampleFederation> {
  const federation = await SampleFederation.found()
  for (const code of codes) await federation.admit(code)
  return federation
}
/** Under the recovery key, behind what the hub itself holds. */
async function replacement(federation: SampleFederation, change: Partial<ActOf<'anchor'>> = {}): Promise<string> {
  const { fed, state, anchor } = federation
  const next = await keyNamed('next anchor')
  const n = change.n ?? 1
  const act: ActOf<'anchor'> = {
    act: 'anchor',
    n,
    announce: [next.jwk],
    activate: [next.jwk.kid],
    retire: [{ kid: anchor.jwk.kid, closings: [] }],
    stolen: true,
    chain: chainBefore(state),
    proofs: [await provePossession(next.signer, { fed, owner: 'hub', n, now: NOW })],
    ...change,
  }
  return federation.seal(act, { by: federation.recovery })
}
/** Entries that the thief of the anchor key signs behind a state, past the hub. */
async function stolen(federation: SampleFederation, state: MembershipState, acts: readonly MembershipAct[]) {
  const tokens: string[] = []
  let [head, seq] = [state.tokens.at(-1) ?? null, state.position]
  for (const act of acts) {
    seq += 1
    head = await sealEntry(act, { fed: federation.fed, seq, head, signer: federation.anchor.signer, now: NOW })
    tokens.push(head)
  }
  return tokens
}
const admission = async (federation: SampleFederation, code: string) => federation.admission(code, await federation.join(code))
const standings = (state: MembershipState) => [...state.members.values()].map(({ code, standing }) => `${code} ${standing}`)
const later = (): MembershipAct => ({ act: 'resume', code: '450000' })

describe('a replacement of the hub’s stolen keys', () => {
  test('ends the thief’s words where it says: what stands past it has no effect, and its position stays', async () => {
    const federation = await founded(YUNNAN)
    await federation.enter(await admission(federation, '450000'))
    await federation.enter({ act: 'suspend', code: YUNNAN, closings: [], why: 'a thief' })
    const token = await replacement(federation, { ends: 2 })
    const outcome = await applyEntry(federation.state, token)
    expect(outcome).toMatchObject({ kind: 'applied', voided: [3, 4] })
    expect(standings(outcome.state)).toEqual([`${YUNNAN} admitted`])
    expect(outcome.state.position).toBe(5)
  })

  test('leaves what members signed themselves where it stands, though the stolen key entered it', async () => {
    const federation = await founded(YUNNAN)
    const next = await keyNamed('next')
    await federation.enter({ act: 'suspend', code: GUIZHOU, closings: [], why: 'a thief' })
    const change = await federation.change(YUNNAN, { announce: [next.jwk] }, { entering: ['next'] })
    await federation.enter({ act: 'keys', code: YUNNAN, change })
    const outcome = await applyEntry(federation.state, await replacement(federation, { ends: 2 }))
    expect(outcome).toMatchObject({ kind: 'applied', voided: [3] })
    expect(outcome.state.members.get(YUNNAN)?.ring).toMatchObject({ counter: 1, keys: [{ announcedAt: 2 }, { announcedAt: 4 }] })
  })

  test('undoes a rollover by which the thief made itself the hub', async () => {
    const federation = await founded(YUNNAN)
    const own = await keyNamed('the thief')
    const proofs = [await provePossession(own.signer, { fed: federation.fed, owner: 'hub', n: 1, now: NOW })]
    await federation.enter({ act: 'anchor', n: 1, announce: [own.jwk], proofs })
    await federation.enter({ act: 'anchor', n: 2, activate: [own.jwk.kid] })
    await federation.enter({ act: 'anchor', n: 3, retire: [{ kid: federation.anchor.jwk.kid, closings: [] }] }, { by: own })
    await federation.enter({ act: 'suspend', code: YUNNAN, closings: [], why: 'a thief' }, { by: own })
    const { state } = await applyEntry(federation.state, await replacement(federation, { ends: 2 }))
    expect(standings(state)).toEqual([`${YUNNAN} admitted`])
    expect(state.hub.keys.map(({ kid, stolen: by }) => [kid, by])).toEqual([
      [federation.anchor.jwk.kid, true],
      [(await keyNamed('next anchor')).jwk.kid, false],
    ])
    federation.state = state
    await expect(federation.enter(later(), { by: own })).rejects.toThrow('KEY_UNKNOWN')
    await expect(federation.enter(later())).rejects.toThrow('KEY_OUT_OF_RANGE')
  })

  test('is believed by whoever took the thief’s entries first: they go, and the hub’s come in their place', async () => {
    const federation = await founded(YUNNAN)
    const thief = await stolen(federation, federation.state, [await admission(federation, '450000'), later(), later(), later()])
    await federation.admit(GUIZHOU)
    await federation.enter({ act: 'resume', code: YUNNAN })
    const honest = federation.state
    const token = await replacement(federation)
    const right = await applyEntry(honest, token)
    for (const count of [1, 2, 4]) {
      let deceived = (await takeEntries(honest.past[2] as MembershipState & object, [])).state
      deceived = { ...deceived, tokens: honest.tokens.slice(0, 2), past: honest.past.slice(0, 2) }
      deceived = (await takeEntries(deceived, thief.slice(0, count))).state
      expect(deceived.members.has('450000')).toBe(true)
      const alone = await takeEntries(deceived, [token])
      expect([alone.state.position, alone.waiting]).toEqual([2, [token]])
      // The thief’s come again from a neighbour that has not heard: they are nothing any more.
      const again = await takeEntries(alone.state, [...thief, token])
      expect(again.state.position).toBe(2)
      const { state, outcomes } = await takeEntries(again.state, [...honest.tokens, token, ...thief])
      expect(outcomes.flatMap(one => (one.kind === 'contradiction' ? [one.error.message] : []))).toEqual([])
      expect(state).toEqual(right.state)
      const atOnce = await takeEntries(deceived, [...honest.tokens, token])
      expect(atOnce.state).toEqual(right.state)
      expect(atOnce.outcomes.map(({ kind }) => kind)).not.toContain('contradiction')
    }
  })

  test('is nothing under another key than the recovery key, and drops nothing then', async () => {
    const federation = await founded(YUNNAN)
    const thief = await stolen(federation, federation.state, [await admission(federation, '450000')])
    await federation.admit(GUIZHOU)
    const forged = await federation.seal(
      {
        act: 'anchor',
        n: 1,
        stolen: true,
        retire: [{ kid: federation.anchor.jwk.kid, closings: [] }],
        chain: chainBefore(federation.state),
      },
      { by: federation.anchor },
    )
    const before = { ...(federation.state.past[2] as MembershipState), tokens: federation.state.tokens.slice(0, 2) }
    const deceived = await takeEntries({ ...before, past: federation.state.past.slice(0, 2) }, thief)
    const outcome = await takeEntries(deceived.state, [forged])
    expect(outcome.state).toBe(deceived.state)
  })

  test('cannot take back what the hub signed with a key that was not stolen', async () => {
    const federation = await founded(YUNNAN)
    const second = await keyNamed('second')
    const proofs = [await provePossession(second.signer, { fed: federation.fed, owner: 'hub', n: 1, now: NOW })]
    await federation.enter({ act: 'anchor', n: 1, announce: [second.jwk], proofs })
    await federation.enter({ act: 'anchor', n: 2, activate: [second.jwk.kid] })
    const at = federation.state
    await federation.enter({ act: 'suspend', code: YUNNAN, closings: [], why: 'inquiry' }, { by: second })
    const taken = federation.state
    federation.state = at
    const token = await replacement(federation, { n: 3 })
    expect(await applyEntry(taken, token)).toMatchObject({ kind: 'contradiction', state: taken })
    const ended = await applyEntry(taken, await replacement(Object.assign(federation, { state: taken }), { n: 3, ends: 4 }))
    expect(ended).toMatchObject({ kind: 'applied' })
    expect(ended).not.toHaveProperty('voided')
    expect(standings(ended.state)).toEqual([`${YUNNAN} suspended`])
  })

  test('comes out the same for a newcomer that reads the log from its beginning', async () => {
    const federation = await founded(YUNNAN)
    await federation.enter({ act: 'suspend', code: YUNNAN, closings: [], why: 'a thief' })
    const token = await replacement(federation, { ends: 2 })
    const { state } = await applyEntry(federation.state, token)
    const { fed, anchor } = federation
    const read = await takeEntries(emptyState({ fed, anchor: anchor.jwk.kid }), [...state.tokens].reverse())
    expect(read.state).toEqual(state)
    expect(state.tokens.map(one => tokenDigest(one)).slice(0, -1)).toEqual(chainBefore(federation.state))
  })
})
