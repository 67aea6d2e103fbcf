/**
 * Who comes in, with which keys, and how those change. Everything about a member's keys is under that member's signature: the hub
 * says where it stands in the log and no more, so an entry without one changes nothing and is kept as the proof of a forgery.
 */
import { ExchangeError } from '../errors.ts'
import type { KeysConsent } from './consents.ts'
import { openJoin, openKeys } from './consents.ts'
import type { ActOf } from './entries.ts'
import { changeRing, checkSigningKey, type KeyRing, newRing } from './keys.ts'
import { checkMemberSignature, isTaken, memberIn, signedByMember, withMember } from './registrations.ts'
import type { ActContext, MemberState, MembershipState, Rules } from './state.ts'
import { checkMemberCode, checkRegion, chineseDay, coverage, NATIONAL_CODE, regionOfPlatform } from './territory.ts'

export const ADMISSION_RULES = {
  async admit(state, act, { seq, entry }) {
    const { code } = act
    const before = state.members.get(code)
    if (before !== undefined && before.standing !== 'left')
      throw new ExchangeError('MEMBER_STATE_INVALID', `${code}: expected a code that is not a member's, it is ${before.standing}`)
    const { claims } = await signedByMember(code, () => openJoin(act.join, state.fed))
    if (claims.iss !== code)
      throw new ExchangeError('MEMBERSHIP_FORGED', `${code}: expected its own request, got that of ${claims.iss}`)
    if (!state.hub.keys.some(key => key.kid === claims.anchor && !key.stolen))
      throw new ExchangeError('JOIN_ANCHOR_FOREIGN', `${code}: expected trust in an anchor key of ${state.fed}`)
    if (state.tickets.has(claims.ticket)) throw new ExchangeError('JOIN_TICKET_USED', `${code}: expected an invitation of its own`)
    for (const jwk of [...claims.keys, claims.recovery]) {
      await checkSigningKey(jwk, state.policy.algorithms)
      const again = jwk.kid === before?.ring.recovery.kid && jwk.kid === claims.recovery.kid
      if (isTaken(state, jwk.kid) && !again)
        throw new ExchangeError('KEY_TAKEN', `${code}: expected a key that was never registered`)
    }
    checkTerritory(state, act, chineseDay(new Date(entry.claims.iat * 1000)))
    const member: MemberState = {
      code,
      kind: act.kind,
      zh: act.zh,
      en: act.en,
      writes: act.writes,
      territory: act.territory,
      platforms: act.platforms ?? [],
      base: claims.base ?? null,
      nkey: claims.nkey,
      formerNkeys: formerly(before, claims.nkey),
      admittedAt: before?.admittedAt ?? seq,
      standing: 'admitted',
      standingAt: seq,
      closings: null,
      why: null,
      ring: joined(before?.ring, newRing(claims.keys, claims.recovery, claims.enc, seq)),
      marks: before?.marks ?? [],
    }
    return { state: { ...withMember(state, member), tickets: new Set(state.tickets).add(claims.ticket) } }
  },
  async keys(state, act, context) {
    const { member, consent } = await changeOf(state, act)
    if (consent.claims.leave !== undefined)
      throw new ExchangeError('MEMBERSHIP_FORGED', `${act.code}: the member leaves, expected an entry that says so`)
    const { nkey = member.nkey } = consent.claims
    if (nkey !== member.nkey && (member.formerNkeys.includes(nkey) || isBrokerKey(state, nkey)))
      throw new ExchangeError('KEY_TAKEN', `${act.code}: expected a key at the broker that was never registered`)
    const ring = await ringAfter(state, member, consent, context)
    return { state: withMember(state, { ...member, ring, nkey, formerNkeys: formerly(member, nkey) }) }
  },
} satisfies Pick<Rules, 'admit' | 'keys'>

/** Who comes back keeps what it was: its old keys still verify what they signed, and its changes are counted on. */
const joined = (before: KeyRing | undefined, now: KeyRing): KeyRing =>
  before === undefined
    ? now
    : { ...now, counter: before.counter, keys: [...before.keys, ...now.keys], enc: [...before.enc, ...now.enc] }

/** The keys that a member had at the broker before this one. */
const formerly = (before: MemberState | undefined, nkey: string): readonly string[] =>
  before === undefined || before.nkey === nkey ? (before?.formerNkeys ?? []) : [...before.formerNkeys, before.nkey]

const isBrokerKey = (state: MembershipState, nkey: string): boolean =>
  [...state.members.values()].some(member => member.nkey === nkey)

/** @throws MEMBER_CODE_INVALID, TERRITORY_FOREIGN, TERRITORY_TAKEN */
function checkTerritory(state: MembershipState, { code, kind, territory, platforms = [] }: ActOf<'admit'>, day: string): void {
  checkMemberCode(code, kind, day)
  if (code !== NATIONAL_CODE && !territory.includes(code))
    throw new ExchangeError('TERRITORY_FOREIGN', `${code}: expected its territory to hold its own code`)
  for (const region of territory) {
    checkRegion(region, day)
    const owner = [...state.members.values()].find(
      other => other.code !== code && other.standing !== 'left' && other.territory.includes(region),
    )
    if (owner !== undefined)
      throw new ExchangeError('TERRITORY_TAKEN', `${code}: expected a territory of its own, ${region} is ${owner.code}'s`)
  }
  for (const platform of platforms) {
    const region = regionOfPlatform(platform)
    if (region !== null && coverage(territory, region, day) === null)
      throw new ExchangeError('TERRITORY_FOREIGN', `${code}: expected platforms of its own territory, got one of ${region}`)
  }
}

/** The member's own change that an entry carries, with its signature checked. @throws MEMBERSHIP_FORGED, MEMBER_STATE_INVALID */
export async function changeOf(
  state: MembershipState,
  { code, change }: { readonly code: string; readonly change: string },
): Promise<{ readonly member: MemberState; readonly consent: KeysConsent }> {
  const member = memberIn(state, code)
  if (member.standing === 'left') throw new ExchangeError('MEMBER_STATE_INVALID', `${code}: expected a member, it has left`)
  const consent = await signedByMember(code, async () => {
    const opened = openKeys(change, state.fed)
    if (opened.claims.iss !== code)
      throw new ExchangeError('KEY_UNKNOWN', `expected its own change, got that of ${opened.claims.iss}`)
    await checkMemberSignature(member, opened, 'active-or-recovery')
    return opened
  })
  return { member, consent }
}

/** The ring of a member after its own change. */
export const ringAfter = (
  state: MembershipState,
  member: MemberState,
  { claims, kid }: KeysConsent,
  { seq }: ActContext,
): Promise<KeyRing> =>
  changeRing(member.ring, claims, {
    fed: state.fed,
    owner: member.code,
    seq,
    signedBy: kid,
    algorithms: state.policy.algorithms,
    isTaken: other => isTaken(state, other),
  })
