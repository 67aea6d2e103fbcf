/**
 * Who is in the federation, as one value: members by code, their keys, what each may write and read. The value is made of the
 * membership log (`membership/state.ts`) or of a configured file; every check reads the same shape. Keys are valid for ranges of
 * positions, never of times, and what an origin might do is asked as of the membership position that its statement names, so that
 * every holder comes to the same verdict whenever it looks.
 */
import { algorithmOfKey, type PublicJwk } from './algorithms.ts'
import { DATASETS, type OpenDatasetName } from './datasets/datasets.ts'
import type { Digest } from './digest.ts'
import { ExchangeError } from './errors.ts'
import { comparePositions, formatLogId, formatPosition, type LogId, type Position } from './log.ts'
import { checkEncKey, type KeyJwk, namedJwk } from './membership/keys.ts'
import type { VerificationKey } from './tokens.ts'

export const MEMBER_KINDS = ['province', 'city', 'national'] as const
export type MemberKind = (typeof MEMBER_KINDS)[number]

/**
 * `since`: membership position from which it signs; null while it is only announced. A retired key stays good up to the closing
 * position of each log that it signed, and for nothing else.
 */
export type MemberKey = VerificationKey & {
  readonly kid: string
  readonly since: number | null
  /** with the digest of the entry there, where the membership log says it */
  readonly closings: ReadonlyMap<string, Position & { readonly digest?: Digest }> | null
  /** what it signed against the origin's own chain is the thief's, and no fork of the origin */
  readonly stolen: boolean
}
/** A key that content keys are wrapped for, from a membership position on. */
export type MemberEncKey = { readonly jwk: KeyJwk; readonly since: number }
export type Standing = 'admitted' | 'suspended' | 'left'
/** One stay of a member in an alliance, in membership positions. `reads`: from where on it may hold content keys. */
export type Seat = { readonly code: string; readonly from: number; readonly until: number | null; readonly reads: number }
export type Member = {
  readonly code: string
  readonly kind: MemberKind
  readonly zh: string
  readonly en: string
  readonly writes: readonly OpenDatasetName[]
  /** alliances that it belongs to, by id */
  readonly alliances: readonly string[]
  readonly keys: readonly MemberKey[]
  /** the newest is last */
  readonly enc: readonly MemberEncKey[]
  /** membership position of its admission */
  readonly since: number
  readonly standing: Standing
  /** membership position at which its standing became what it is */
  readonly standingSince: number
  /** where its logs end, while it is suspended or has left */
  readonly closings: ReadonlyMap<string, Position> | null
  /** region codes that it vouches for */
  readonly territory: readonly string[]
}
export type Membership = {
  readonly fed: string
  readonly position: number
  readonly hubKeys: readonly MemberKey[]
  readonly members: ReadonlyMap<string, Member>
  /** every seat that there was, by alliance */
  readonly alliances: ReadonlyMap<string, readonly Seat[]>
}

type KeyFile = Partial<PublicJwk> & { readonly kid: string; readonly x: string; readonly closings?: readonly (LogId & Position)[] }
type MemberFile = {
  readonly code: string
  readonly kind: string
  readonly zh: string
  readonly en: string
  readonly writes: readonly string[]
  readonly alliances?: readonly string[]
  readonly keys: readonly KeyFile[]
  /** public keys that content keys are wrapped for, the newest last; without one it reads no restricted audience */
  readonly enc?: readonly Omit<KeyJwk, 'kid'>[]
}
/** The configured file, JSON. */
export type MembershipFile = {
  readonly fed: string
  readonly position: number
  readonly hub: { readonly keys: readonly KeyFile[] }
  readonly members: readonly MemberFile[]
}

const invalid = (reason: string): ExchangeError => new ExchangeError('MEMBERSHIP_FILE_INVALID', reason)

/** A key of a member: Ed25519 where it names no curve. */
async function parseKey(key: KeyFile, owner: string): Promise<MemberKey> {
  if (typeof key?.kid !== 'string') throw invalid(`${owner}: expected keys of {kid, x}`)
  const jwk = { kty: key.kty ?? 'OKP', crv: key.crv ?? 'Ed25519', x: key.x, ...(key.y === undefined ? {} : { y: key.y }) }
  try {
    const row = algorithmOfKey(jwk)
    const closings =
      key.closings === undefined ? null : new Map(key.closings.map(at => [formatLogId(at), { epoch: at.epoch, seq: at.seq }]))
    return { kid: key.kid, alg: row.alg, key: await row.importPublic(jwk), since: 0, closings, stolen: false }
  } catch (cause) {
    throw invalid(`${owner}: key ${key.kid}: ${cause instanceof ExchangeError ? cause.message : 'expected a public key'}`)
  }
}

function parseEncKey(jwk: Omit<KeyJwk, 'kid'>, owner: string): KeyJwk {
  try {
    const named = namedJwk(jwk)
    checkEncKey(named)
    return named
  } catch (cause) {
    throw invalid(`${owner}: enc: ${cause instanceof ExchangeError ? cause.message : 'expected a public key of kty, crv and x'}`)
  }
}

/** @throws MEMBERSHIP_FILE_INVALID naming the member and what was expected */
export async function parseMembership(text: string): Promise<Membership> {
  let file: MembershipFile
  try {
    file = JSON.parse(text) as MembershipFile
  } catch (cause) {
    throw new ExchangeError('MEMBERSHIP_FILE_INVALID', 'expected JSON', { cause })
  }
  if (!/^[a-z0-9][a-z0-9-]{1,62}$/.test(String(file?.fed)))
    throw invalid('fed: expected 2 to 63 lower-case letters, digits and hyphens')
  if (!Number.isSafeInteger(file.position) || file.position < 0) throw invalid('position: expected a whole number from 0')
  if (!Array.isArray(file.hub?.keys) || file.hub.keys.length === 0) throw invalid('hub.keys: expected at least one key')
  if (!Array.isArray(file.members)) throw invalid('members: expected a list')
  const members = new Map<string, Member>()
  for (const member of file.members as readonly MemberFile[]) {
    if (!/^[0-9]{6}$/.test(String(member?.code))) throw invalid('members: expected a code of six digits')
    if (members.has(member.code)) throw invalid(`${member.code}: stands twice`)
    members.set(member.code, await parseMember(member, file.position))
  }
  return {
    fed: file.fed,
    position: file.position,
    hubKeys: await Promise.all(file.hub.keys.map(key => parseKey(key, 'hub'))),
    members,
    alliances: seatsOf(members.values()),
  }
}

/** A file says who sits where today; it counts as if it had always been so. */
function seatsOf(members: Iterable<Member>): Map<string, Seat[]> {
  const seats = new Map<string, Seat[]>()
  for (const { code, alliances } of members)
    for (const id of alliances) seats.set(id, [...(seats.get(id) ?? []), { code, from: 0, until: null, reads: 0 }])
  return seats
}

async function parseMember(member: MemberFile, position: number): Promise<Member> {
  const kind = MEMBER_KINDS.find(one => one === member.kind)
  if (kind === undefined) throw invalid(`${member.code}: kind: expected one of ${MEMBER_KINDS.join(', ')}`)
  if (typeof member.zh !== 'string' || typeof member.en !== 'string') throw invalid(`${member.code}: expected names zh and en`)
  if (!Array.isArray(member.keys) || member.keys.length === 0) throw invalid(`${member.code}: keys: expected at least one key`)
  const writes = (member.writes ?? []).map(name => {
    const dataset = DATASETS.find(row => row.name === name && !row.reserved)
    if (dataset === undefined) throw invalid(`${member.code}: writes: no dataset is named ${String(name)}`)
    return dataset.name as OpenDatasetName
  })
  const alliances = member.alliances ?? []
  if (!alliances.every(id => /^[a-z0-9]{1,32}$/.test(id)))
    throw invalid(`${member.code}: alliances: expected ids of lower-case letters and digits`)
  const keys = await Promise.all(member.keys.map(key => parseKey(key, member.code)))
  return {
    code: member.code,
    kind,
    zh: member.zh,
    en: member.en,
    writes,
    alliances,
    keys,
    // A second key counts from the position that the file was given with it, so that a new epoch is opened for it.
    enc: (member.enc ?? []).map((jwk, index) => ({ jwk: parseEncKey(jwk, member.code), since: index === 0 ? 0 : position })),
    since: 0,
    standing: 'admitted',
    standingSince: 0,
    closings: null,
    territory: kind === 'national' ? [] : [member.code],
  }
}

/** @throws MEMBER_UNKNOWN */
export function memberOf(membership: Membership, code: string): Member {
  const member = membership.members.get(code)
  if (member === undefined) throw new ExchangeError('MEMBER_UNKNOWN', `expected a member of ${membership.fed}, got ${code}`)
  return member
}

/** What somebody signed: at this position of this log, having applied that much of the membership log. */
export type SignedAt = { readonly log: LogId; readonly position: Position; readonly mem?: number }

/** @throws MEMBER_SUSPENDED past the closing of a member that is suspended or has left, whatever time it claims */
export function checkStanding(member: Member, { log, position }: SignedAt): void {
  if (member.closings === null) return
  const closing = member.closings.get(formatLogId(log))
  if (closing !== undefined && comparePositions(position, closing) <= 0) return
  const end = closing === undefined ? null : formatPosition(closing)
  throw new ExchangeError('MEMBER_SUSPENDED', `${member.code}: it is ${member.standing}, expected a position up to its closing`, {
    detail: { log: formatLogId(log), closing: end },
  })
}

/** The audiences that a member may hold; none while it is suspended or has left. */
export const audiencesRead = (member: Member): string[] =>
  member.standing !== 'admitted'
    ? []
    : [
        'all',
        ...(member.kind === 'national' ? ['national'] : []),
        ...member.alliances.map(id => `alliance-${id}`),
        `node-${member.code}`,
      ]

const sat = (seat: Seat, mem: number): boolean => seat.from <= mem && (seat.until === null || mem < seat.until)

/**
 * Whether an origin might address an audience, at the membership position that it had applied: everyone, the national reader, its own
 * alliances, one other member.
 */
export function mayAddress(membership: Membership, origin: Member, audience: string, mem = membership.position): boolean {
  if (audience === 'all' || audience === 'national') return true
  if (audience.startsWith('alliance-')) {
    const seats = membership.alliances.get(audience.slice('alliance-'.length)) ?? []
    return seats.some(seat => seat.code === origin.code && sat(seat, mem))
  }
  const other = audience.startsWith('node-') ? membership.members.get(audience.slice('node-'.length)) : undefined
  return other !== undefined && other.since <= mem
}

/**
 * The member's key for one position of one log; without a position, any key that is not retired.
 * @throws KEY_UNKNOWN, KEY_NOT_ACTIVE, KEY_OUT_OF_RANGE
 */
export function keyFor(keys: readonly MemberKey[], kid: string, at: SignedAt | null): MemberKey {
  const key = keys.find(one => one.kid === kid)
  if (key === undefined)
    throw new ExchangeError('KEY_UNKNOWN', 'expected the identifier of one of the keys registered for this signer')
  if (key.since === null || (at?.mem !== undefined && at.mem < key.since))
    throw new ExchangeError('KEY_NOT_ACTIVE', 'expected a key that was active at the membership position of its signer', {
      detail: { since: key.since },
    })
  if (key.closings === null) return key
  const closing = at === null ? undefined : key.closings.get(formatLogId(at.log))
  if (at === null || closing === undefined || comparePositions(at.position, closing) > 0) {
    throw new ExchangeError('KEY_OUT_OF_RANGE', 'expected a position up to the closing that the key was retired with', {
      detail: { closing: closing === undefined ? null : formatPosition(closing) },
    })
  }
  return key
}

export type SignedEntry = { readonly log: LogId; readonly position: Position; readonly kid: string }

/**
 * Of the entries held of a member, those that do not count any more: past the closing of a retired or stolen key, or of the member.
 * After a theft this is the list of what is affected; a holder takes it back.
 */
export function affectedEntries<Entry extends SignedEntry>(member: Member, entries: Iterable<Entry>): Entry[] {
  const ends = new Map(member.keys.map(key => [key.kid, key.closings]))
  const past = (closings: ReadonlyMap<string, Position> | null | undefined, { log, position }: Entry): boolean => {
    if (closings === null || closings === undefined) return closings === undefined
    const closing = closings.get(formatLogId(log))
    return closing === undefined || comparePositions(position, closing) > 0
  }
  return [...entries].filter(entry => past(ends.get(entry.kid), entry) || past(member.closings, entry))
}

/**
 * Whether an entry that contradicts the chain held here is a thief's and no fork of its origin: its key was stolen, and the chain held
 * is the one that the origin closed that key with. It is refused then (`KEY_OUT_OF_RANGE`), and the log goes on.
 */
export function isTheft(member: Member, { log, kid }: SignedEntry, digestAt: (at: Position) => Digest | null): boolean {
  const key = member.keys.find(one => one.kid === kid)
  const closing = key?.stolen === true ? key.closings?.get(formatLogId(log)) : undefined
  return closing?.digest !== undefined && digestAt(closing) === closing.digest
}
