/**
 * Alliances are made by their members' signatures. Everyone who is in it consents to the same list; whoever leaves says so alone.
 * Who joins may hold the content keys of what is said from then on, and of what was said before only where the consents say `past`.
 */
import { ExchangeError } from '../errors.ts'
import type { Seat } from '../membership.ts'
import { type AllianceConsent, openAllianceConsent } from './consents.ts'
import type { ActOf } from './entries.ts'
import { checkMemberSignature, memberIn, signedByMember } from './registrations.ts'
import type { AllianceState, MembershipState, Rules } from './state.ts'

export const seatedIn = (alliance: AllianceState): string[] =>
  alliance.seats.filter(seat => seat.until === null).map(seat => seat.code)

const sorted = (codes: Iterable<string>): string => [...codes].sort().join(' ')

export const ALLIANCE_RULES = {
  async alliance(state, act, { seq }) {
    const before = state.alliances.get(act.id)
    const seated = before === undefined ? [] : seatedIn(before)
    for (const code of act.members) {
      const { standing } = memberIn(state, code)
      if (standing !== 'admitted' && !seated.includes(code))
        throw new ExchangeError('MEMBER_STATE_INVALID', `${code}: expected admitted members, it is ${standing}`)
    }
    const consented = await consentsOf(state, act, before)
    const missing = missingConsents(act, before, new Set(consented.keys()))
    if (missing.length > 0)
      throw new ExchangeError('ALLIANCE_CONSENT_MISSING', `${act.id}: expected the consent of ${missing.join(', ')}`, {
        detail: { missing },
      })
    return { state: { ...state, alliances: new Map(state.alliances).set(act.id, allianceAfter(before, act, consented, seq)) } }
  },
} satisfies Pick<Rules, 'alliance'>

/**
 * Whose consent a membership still needs: that of everyone who is in it, and where members only leave, theirs alone. Who is left out
 * without a word of its own goes by the consent of all who stay, if they were more than half: an alliance is not taken over by a few.
 */
export function missingConsents(
  { members, past }: { readonly members: readonly string[]; readonly past: boolean },
  before: AllianceState | undefined,
  consented: ReadonlySet<string>,
): string[] {
  const seated = before === undefined ? [] : seatedIn(before)
  const silent = seated.filter(code => !members.includes(code) && !consented.has(code))
  const stay = seated.filter(code => members.includes(code))
  const onlyLeaving = stay.length === members.length && stay.length < seated.length && past === before?.past
  if (onlyLeaving && silent.length === 0) return []
  const missing = members.filter(code => !consented.has(code))
  return silent.length > 0 && stay.length * 2 <= seated.length ? [...missing, ...silent] : missing
}

/** Counter by code of every consent that an entry carries; one that says anything else than the entry spoils it. */
async function consentsOf(
  state: MembershipState,
  act: ActOf<'alliance'>,
  before: AllianceState | undefined,
): Promise<ReadonlyMap<string, number>> {
  const consented = new Map<string, number>()
  for (const token of act.consents) {
    const { claims } = await openSigned(state, token)
    const { iss, n } = claims
    if (claims.id !== act.id || claims.past !== act.past || sorted(claims.members) !== sorted(act.members) || consented.has(iss))
      throw new ExchangeError('ALLIANCE_CONSENT_INVALID', `${iss}: expected one consent to exactly this membership of ${act.id}`)
    if (!act.members.includes(iss) && !(before !== undefined && seatedIn(before).includes(iss)))
      throw new ExchangeError('ALLIANCE_CONSENT_INVALID', `${iss}: expected consents of its members alone`)
    if (n <= (before?.consented.get(iss) ?? 0))
      throw new ExchangeError('ALLIANCE_CONSENT_INVALID', `${iss}: expected a consent that was not used before`)
    consented.set(iss, n)
  }
  return consented
}

async function openSigned(state: MembershipState, token: string): Promise<AllianceConsent> {
  const consent = await signedByMember('alliance', () => openAllianceConsent(token, state.fed))
  const member = memberIn(state, consent.claims.iss)
  await signedByMember(member.code, () => checkMemberSignature(member, consent, 'active'))
  return consent
}

function allianceAfter(
  before: AllianceState | undefined,
  { id, zh, en, past, members }: ActOf<'alliance'>,
  consented: ReadonlyMap<string, number>,
  seq: number,
): AllianceState {
  const foundedAt = before?.foundedAt ?? seq
  const stay = (before?.seats ?? []).map(
    (seat): Seat => (seat.until === null && !members.includes(seat.code) ? { ...seat, until: seq } : seat),
  )
  const seated = new Set(stay.filter(seat => seat.until === null).map(seat => seat.code))
  const come = members
    .filter(code => !seated.has(code))
    .map((code): Seat => ({ code, from: seq, until: null, reads: past ? foundedAt : seq }))
  return {
    id,
    zh,
    en,
    past,
    foundedAt,
    seats: [...stay, ...come],
    consented: new Map([...(before?.consented ?? []), ...consented]),
  }
}
