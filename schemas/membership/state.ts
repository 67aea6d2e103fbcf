/**
 * The state of the federation as the membership log makes it: a value, from which `applyEntry` (`application.ts`) makes the next.
 * The rules of the acts are in `admission.ts`, `standing.ts`, `alliances.ts` and `anchor.ts`.
 */
import { DATASETS, type OpenDatasetName } from '../datasets/datasets.ts'
import { ExchangeError } from '../errors.ts'
import { MEMBER_KINDS, type Member, type MemberKey, type Membership, type Seat, type Standing } from '../membership.ts'
import type { Receipt } from '../statements.ts'
import type { ActName, ActOf, MembershipEntry } from './entries.ts'
import { type Closings, type KeyJwk, type KeyRing, verificationKey } from './keys.ts'

export type Mark = { readonly mark: string; readonly until: Date; readonly digest: string; readonly at: number }
/** `pending` is no standing: before its admission a joiner is the hub's own affair. */
export type MemberState = {
  readonly code: string
  readonly kind: string
  readonly zh: string
  readonly en: string
  readonly writes: readonly string[]
  readonly territory: readonly string[]
  readonly platforms: readonly string[]
  readonly base: string | null
  /** its key at the broker, and those that it had before */
  readonly nkey: string
  readonly formerNkeys: readonly string[]
  /** position of its first admission */
  readonly admittedAt: number
  readonly standing: Standing
  /** position of the entry that made its standing what it is */
  readonly standingAt: number
  /** where its logs end, while it is suspended or has left */
  readonly closings: Closings | null
  readonly why: string | null
  readonly ring: KeyRing
  readonly marks: readonly Mark[]
}
export type AllianceState = {
  readonly id: string
  readonly zh: string
  readonly en: string
  readonly past: boolean
  readonly foundedAt: number
  readonly seats: readonly Seat[]
  /** the last counter that each member consented with */
  readonly consented: ReadonlyMap<string, number>
}
export type Policy = { readonly algorithms: readonly string[]; readonly approvals: 1 | 2 }
export type MembershipState = {
  readonly fed: string
  /** thumbprint of the anchor key that this holder trusts, from an independent channel */
  readonly anchor: string
  /** whether an entry is signed with that key, and so every entry before it is vouched for */
  readonly anchored: boolean
  /** seq of the last entry taken, applied or refused: the `mem` of everything sealed from here on */
  readonly position: number
  /** every entry, by position from 1 */
  readonly tokens: readonly string[]
  /** the state at each position before this one, from 0 on, without its entries: what a replacement of stolen keys goes back to */
  readonly past: readonly MembershipState[]
  /** digests that a replacement vouches for, until it is reached: at these positions nothing else is taken */
  readonly vouched: ReadonlyMap<number, string>
  readonly base: string
  readonly policy: Policy
  readonly edition: string
  readonly hub: KeyRing
  readonly members: ReadonlyMap<string, MemberState>
  readonly alliances: ReadonlyMap<string, AllianceState>
  /** invitations that were used */
  readonly tickets: ReadonlySet<string>
}

/** Two statements of the hub that cannot both be true: a proof that needs nobody's word. */
export type Conviction = { readonly whom: 'hub'; readonly statements: readonly [string, string]; readonly reason: string }

export type Outcome =
  /**
   * `convictions`: it took effect, and speaks against the hub all the same (a suspension below a receipt). A replacement of stolen keys
   * takes the effect of `voided` positions, and drops entries that stood past the chain that it vouches for.
   */
  | {
      readonly kind: 'applied'
      readonly state: MembershipState
      readonly entry: MembershipEntry
      readonly convictions: readonly Conviction[]
      readonly voided?: readonly number[]
    }
  /** the position is taken, nothing else changed; `about` is the member that it would have changed */
  | {
      readonly kind: 'refused'
      readonly state: MembershipState
      readonly entry: MembershipEntry
      readonly error: ExchangeError
      readonly about: string | null
    }
  | { readonly kind: 'duplicate'; readonly state: MembershipState; readonly entry: MembershipEntry }
  /** entries from `from` on are missing; nothing changed, but that a replacement of stolen keys drops what a thief put there */
  | {
      readonly kind: 'gap'
      readonly state: MembershipState
      readonly entry: MembershipEntry
      readonly from: number
      readonly error: ExchangeError
    }
  /** the first stays, nothing changed */
  | {
      readonly kind: 'contradiction'
      readonly state: MembershipState
      readonly entry: MembershipEntry
      readonly error: ExchangeError
      readonly conviction: Conviction
    }

const NO_KEY: KeyJwk = { kid: '', kty: '', crv: '', x: '' }

/** Before the founding. Both values come with the invitation; without the right anchor nothing here is ever trusted. */
export const emptyState = ({ fed, anchor }: { readonly fed: string; readonly anchor: string }): MembershipState => ({
  fed,
  anchor,
  anchored: false,
  position: 0,
  tokens: [],
  past: [],
  vouched: new Map(),
  base: '',
  policy: { algorithms: [], approvals: 2 },
  edition: '',
  hub: { counter: 0, keys: [], enc: [], recovery: NO_KEY },
  members: new Map(),
  alliances: new Map(),
  tickets: new Set(),
})

/** What a rule may read beside the state. */
export type ActContext = {
  readonly entry: MembershipEntry
  /** position of the entry */
  readonly seq: number
  /** receipts that this holder had when the entry first came */
  readonly receipts: readonly Receipt[]
}
export type Effect = { readonly state: MembershipState; readonly convictions?: readonly Conviction[] }
/** One act's rule: the state after it, or a thrown refusal. */
export type Rule<Name extends ActName> = (state: MembershipState, act: ActOf<Name>, context: ActContext) => Promise<Effect>
export type Rules = { readonly [Name in ActName]: Rule<Name> }

/**
 * What every check reads, made of the state.
 * @throws MEMBERSHIP_UNTRUSTED until an entry is signed with the anchor key that this holder trusts
 */
export async function membershipOf(state: MembershipState): Promise<Membership> {
  if (!state.anchored)
    throw new ExchangeError('MEMBERSHIP_UNTRUSTED', `${state.fed}: expected an entry signed with the trusted anchor key`, {
      detail: { position: state.position },
    })
  const members = new Map<string, Member>()
  for (const member of state.members.values()) members.set(member.code, await memberOfState(state, member))
  return {
    fed: state.fed,
    position: state.position,
    hubKeys: await keysOf(state.hub),
    members,
    alliances: new Map([...state.alliances].map(([id, { seats }]) => [id, seats])),
  }
}

const keysOf = (ring: KeyRing): Promise<MemberKey[]> =>
  Promise.all(
    ring.keys.map(async ({ kid, jwk, activeFrom, closings, stolen }) => ({
      kid,
      ...(await verificationKey(jwk)),
      since: activeFrom,
      closings,
      stolen,
    })),
  )

/** A dataset that this version does not know is none that it could judge. */
const openDatasets = (names: readonly string[]): OpenDatasetName[] =>
  DATASETS.filter(row => !row.reserved && names.includes(row.name)).map(row => row.name as OpenDatasetName)

async function memberOfState(state: MembershipState, member: MemberState): Promise<Member> {
  const { code, zh, en, standing, closings, territory, ring } = member
  const kind = MEMBER_KINDS.find(one => one === member.kind)
  if (kind === undefined) throw new ExchangeError('MEMBER_CODE_INVALID', `${code}: expected a kind of ${MEMBER_KINDS.join(', ')}`)
  const seated = [...state.alliances.values()].filter(({ seats }) => seats.some(seat => seat.code === code && seat.until === null))
  return {
    code,
    kind,
    zh,
    en,
    writes: openDatasets(member.writes),
    alliances: seated.map(({ id }) => id),
    keys: await keysOf(ring),
    enc: ring.enc.map(({ jwk, from }) => ({ jwk, since: from })),
    since: member.admittedAt,
    standing,
    standingSince: member.standingAt,
    closings,
    territory,
  }
}
