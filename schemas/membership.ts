/**
 * Who is in the federation, as one value: members by code, their keys, what each may write and read. The value comes from a
 * configured file today; whoever makes it, every check reads the same shape. Keys are valid for ranges of positions, never of times.
 */
import { algorithmOfKey, type PublicJwk } from './algorithms.ts'
import { DATASETS, type OpenDatasetName } from './datasets/datasets.ts'
import { ExchangeError } from './errors.ts'
import { comparePositions, formatLogId, type LogId, type Position } from './log.ts'
import type { VerificationKey } from './tokens.ts'

export const MEMBER_KINDS = ['province', 'city', 'national'] as const
export type MemberKind = (typeof MEMBER_KINDS)[number]

/** A retired key stays good up to the closing position of each log that it signed, and for nothing else. */
export type MemberKey = VerificationKey & { readonly kid: string; readonly closings: ReadonlyMap<string, Position> | null }
export type Member = {
  readonly code: string
  readonly kind: MemberKind
  readonly zh: string
  readonly en: string
  readonly writes: readonly OpenDatasetName[]
  /** alliances that it belongs to, by id */
  readonly alliances: readonly string[]
  readonly keys: readonly MemberKey[]
}
export type Membership = {
  readonly fed: string
  readonly position: number
  readonly hubKeys: readonly MemberKey[]
  readonly members: ReadonlyMap<string, Member>
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
    return { kid: key.kid, alg: row.alg, key: await row.importPublic(jwk), closings }
  } catch (cause) {
    throw invalid(`${owner}: key ${key.kid}: ${cause instanceof ExchangeError ? cause.message : 'expected a public key'}`)
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
    members.set(member.code, await parseMember(member))
  }
  return {
    fed: file.fed,
    position: file.position,
    hubKeys: await Promise.all(file.hub.keys.map(key => parseKey(key, 'hub'))),
    members,
  }
}

async function parseMember(member: MemberFile): Promise<Member> {
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
  return { code: member.code, kind, zh: member.zh, en: member.en, writes, alliances, keys }
}

/** @throws MEMBER_UNKNOWN */
export function memberOf(membership: Membership, code: string): Member {
  const member = membership.members.get(code)
  if (member === undefined) throw new ExchangeError('MEMBER_UNKNOWN', `expected a member of ${membership.fed}, got ${code}`)
  return member
}

/** The audiences that a member may hold. */
export const audiencesRead = (member: Member): string[] => [
  'all',
  ...(member.kind === 'national' ? ['national'] : []),
  ...member.alliances.map(id => `alliance-${id}`),
  `node-${member.code}`,
]

/** Whether an origin may address an audience: everyone, the national reader, its own alliances, one other member. */
export function mayAddress(membership: Membership, origin: Member, audience: string): boolean {
  if (audience === 'all' || audience === 'national') return true
  if (audience.startsWith('alliance-')) return origin.alliances.includes(audience.slice('alliance-'.length))
  return audience.startsWith('node-') && membership.members.has(audience.slice('node-'.length))
}

/**
 * The member's key for one position of one log; without a position, any key that is not retired.
 * @throws KEY_UNKNOWN, KEY_OUT_OF_RANGE
 */
export function keyFor(
  keys: readonly MemberKey[],
  kid: string,
  at: { readonly log: LogId; readonly position: Position } | null,
): MemberKey {
  const key = keys.find(one => one.kid === kid)
  if (key === undefined)
    throw new ExchangeError('KEY_UNKNOWN', 'expected the identifier of one of the keys registered for this signer')
  if (key.closings === null) return key
  const closing = at === null ? undefined : key.closings.get(formatLogId(at.log))
  if (at === null || closing === undefined || comparePositions(at.position, closing) > 0) {
    throw new ExchangeError('KEY_OUT_OF_RANGE', 'expected a position up to the closing that the key was retired with', {
      detail: { closing: closing === undefined ? null : `${closing.epoch}.${closing.seq}` },
    })
  }
  return key
}
