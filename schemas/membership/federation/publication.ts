/**
 * What the hub and its members publish of the membership log in the terms of OpenID Federation 1.0. The hub is the trust anchor; a
 * member's entity identifier is the federation's base, a slash and its code. Everything here follows from the state of the log, so
 * whoever holds the log can make and compare it; time and lifetime are arguments.
 */
import { ExchangeError } from '../../errors.ts'
import type { Signer } from '../../tokens.ts'
import { openEntry } from '../entries.ts'
import { type KeyRing, keyState, type RegisteredKey } from '../keys.ts'
import { memberIn } from '../registrations.ts'
import type { MemberState, MembershipState } from '../state.ts'
import { TERRITORY_CONSTRAINT } from './constraints.ts'
import { STATEMENT_DAYS } from './expiry.ts'
import type { JsonObject } from './statements.ts'

/** Below the base of the federation, or of an entity (§8, §9). */
export const FEDERATION_PATHS = {
  configuration: '/.well-known/openid-federation',
  fetch: '/federation/fetch',
  list: '/federation/list',
  historicalKeys: '/federation/historical-keys',
} as const

/** The entity type of our nodes. */
export const NODE_ENTITY = 'hutong_node'

export type Issue = { readonly now: Date; readonly lifetimeSeconds?: number }

const DAY_SECONDS = 86_400
const seconds = (time: Date): number => Math.floor(time.getTime() / 1000)
const lasting = ({ now, lifetimeSeconds = STATEMENT_DAYS * DAY_SECONDS }: Issue) => ({
  iat: seconds(now),
  exp: seconds(now) + lifetimeSeconds,
})

export const entityIdOf = (state: MembershipState, code: string): string => `${state.base}/${code}`
export const markTypeOf = (state: MembershipState, mark: string): string => `${state.base}/marks/${mark}`

const publicKey = ({ jwk, alg }: RegisteredKey): JsonObject => ({ ...jwk, use: 'sig', alg })
/** Keys that sign, and those that will: who keeps a copy knows the next one before it is used. */
const keysOf = (ring: KeyRing): JsonObject => ({
  keys: ring.keys.filter(key => keyState(key) !== 'retired').map(publicKey),
})

/** The anchor's own configuration (§3). */
export function anchorConfiguration(state: MembershipState, issue: Issue): JsonObject {
  const at = (path: string): string => `${state.base}${path}`
  return {
    iss: state.base,
    sub: state.base,
    ...lasting(issue),
    jwks: keysOf(state.hub),
    metadata: {
      federation_entity: {
        federation_fetch_endpoint: at(FEDERATION_PATHS.fetch),
        federation_list_endpoint: at(FEDERATION_PATHS.list),
        federation_historical_keys_endpoint: at(FEDERATION_PATHS.historicalKeys),
        organization_name: state.fed,
      },
    },
    trust_mark_issuers: Object.fromEntries(marksOf(state).map(mark => [markTypeOf(state, mark), [state.base]])),
  }
}

const marksOf = (state: MembershipState): string[] =>
  [...new Set([...state.members.values()].flatMap(member => member.marks.map(one => one.mark)))].sort()

const nodeMetadata = (state: MembershipState, { code, kind, writes, zh, en }: MemberState): JsonObject => ({
  [NODE_ENTITY]: {
    code,
    kind,
    region: code,
    writes,
    audiences: [
      'all',
      ...(kind === 'national' ? ['national'] : []),
      ...[...state.alliances.values()]
        .filter(({ seats }) => seats.some(seat => seat.code === code && seat.until === null))
        .map(({ id }) => `alliance-${id}`),
      `node-${code}`,
    ],
    organization_name: en,
    'organization_name#zh': zh,
  },
})

/**
 * The anchor's statement about a member (§3). A member vouches for platforms, CAs and pools of its territory, and these for nobody:
 * one intermediate at most.
 * @throws MEMBER_UNKNOWN for one that is none or has left, MEMBER_SUSPENDED
 */
export function subordinateStatement(state: MembershipState, code: string, issue: Issue): JsonObject {
  const member = memberIn(state, code)
  if (member.standing === 'left') throw new ExchangeError('MEMBER_UNKNOWN', `expected a member of ${state.fed}, ${code} has left`)
  if (member.standing === 'suspended')
    throw new ExchangeError('MEMBER_SUSPENDED', `${code}: it is suspended, nothing is stated of it`)
  return {
    iss: state.base,
    sub: entityIdOf(state, code),
    ...lasting(issue),
    jwks: keysOf(member.ring),
    metadata: nodeMetadata(state, member),
    constraints: {
      max_path_length: 1,
      allowed_entity_types: [NODE_ENTITY, 'hutong_platform', 'hutong_ca', 'hutong_pool'],
      ...(code === NATIONAL ? {} : { [TERRITORY_CONSTRAINT]: member.territory }),
    },
  }
}

const NATIONAL = '000000'

/** A member's own configuration, for it to sign; `marks` are trust marks that it was given, by type. @throws MEMBER_UNKNOWN */
export function memberConfiguration(
  state: MembershipState,
  code: string,
  marks: readonly { readonly type: string; readonly token: string }[],
  issue: Issue,
): JsonObject {
  const member = memberIn(state, code)
  const id = entityIdOf(state, code)
  return {
    iss: id,
    sub: id,
    ...lasting(issue),
    jwks: keysOf(member.ring),
    authority_hints: [state.base],
    metadata: nodeMetadata(state, member),
    ...(marks.length === 0 ? {} : { trust_marks: marks.map(({ type, token }) => ({ trust_mark_type: type, trust_mark: token })) }),
  }
}

/** A mark of the log as a trust mark (§7.1); it ends when the mark does. @throws MEMBER_UNKNOWN, TRUST_MARK_INVALID if there is none */
export function trustMarkClaims(state: MembershipState, code: string, mark: string, now: Date): JsonObject {
  const found = memberIn(state, code).marks.find(one => one.mark === mark && one.until > now)
  if (found === undefined) throw new ExchangeError('TRUST_MARK_INVALID', `${code}: expected a mark ${mark} that has not ended`)
  return {
    iss: state.base,
    sub: entityIdOf(state, code),
    iat: seconds(now),
    exp: seconds(found.until),
    trust_mark_type: markTypeOf(state, mark),
  }
}

/** Entity identifiers of the members about which there is a statement (§8.2). */
export const listedEntities = (state: MembershipState): string[] =>
  [...state.members.values()].filter(({ standing }) => standing === 'admitted').map(({ code }) => entityIdOf(state, code))

/**
 * Keys that sign no more (§8.7): of the anchor and, so that old envelopes verify without a path through the log, of every member. The
 * standard's times are when the log retired them; which positions they are good for stands beside them.
 */
export function historicalKeys(state: MembershipState, now: Date): JsonObject {
  const owners: readonly (readonly [string, KeyRing])[] = [
    [state.base, state.hub],
    ...[...state.members.values()].map(member => [entityIdOf(state, member.code), member.ring] as const),
  ]
  const timeOf = (position: number): number => openEntry(state.tokens[position - 1] ?? '', state.fed).claims.iat
  return {
    iss: state.base,
    iat: seconds(now),
    keys: owners.flatMap(([owner, ring]) =>
      ring.keys.flatMap(key => {
        if (key.retiredAt === null) return []
        const ended = timeOf(key.retiredAt)
        return [
          {
            ...publicKey(key),
            iat: timeOf(key.announcedAt),
            exp: ended,
            ...(key.stolen ? { revoked: { revoked_at: ended, reason: 'compromised' } } : {}),
            hutong_owner: owner,
            hutong_closings: Object.fromEntries([...(key.closings ?? [])].map(([log, at]) => [log, `${at.epoch}.${at.seq}`])),
          },
        ]
      }),
    ),
  }
}

/** Signs what the functions above make. */
export const signStatement = (signer: Signer, claims: JsonObject): Promise<string> => signer.sign('statement', claims)
export const signTrustMark = (signer: Signer, claims: JsonObject): Promise<string> => signer.sign('trust-mark', claims)
export const signHistoricalKeys = (signer: Signer, claims: JsonObject): Promise<string> => signer.sign('key-set', claims)
