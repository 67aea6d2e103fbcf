/**
 * Five checks of a trust list, each by itself and each with its own code: whether it is the newest (fresh), not expired, well signed by
 * whoever may operate it, of a version that is spoken here, and of sound structure. They are reported separately, since what follows
 * differs: one that is badly signed never was a list, one that has expired was good until then, one that is not fresh may still be.
 */
import { type ErrorCode, ExchangeError, isExchangeError } from '../errors.ts'
import { checkVouched, chineseDay, NATIONAL_CODE } from '../membership/territory.ts'
import { checkStanding, keyFor, type Membership, memberOf, type SignedAt } from '../membership.ts'
import { type ParsedToken, parseToken, verifyToken } from '../tokens.ts'
import { checkListClaims, checkVersion, NATIONAL_LIST, readTrustList, type TrustList } from './trust-list.ts'

export const LIST_CHECKS = {
  version: { zh: '格式版本', en: 'version of the form' },
  structure: { zh: '结构', en: 'structure' },
  signature: { zh: '签名与运营权', en: 'signature and right to operate it' },
  expiry: { zh: '未过期', en: 'not expired' },
  freshness: { zh: '为最新一期', en: 'fresh' },
} as const
export type ListCheckId = keyof typeof LIST_CHECKS
export type ListCheck = {
  readonly id: ListCheckId
  readonly verdict: 'passed' | 'failed' | 'unchecked'
  readonly code: ErrorCode | null
  readonly reason: string | null
}

const passed = (id: ListCheckId): ListCheck => ({ id, verdict: 'passed', code: null, reason: null })
const unchecked = (id: ListCheckId, reason: string): ListCheck => ({ id, verdict: 'unchecked', code: null, reason })
const failed = (id: ListCheckId, error: unknown): ListCheck => {
  if (!isExchangeError(error)) throw error
  return { id, verdict: 'failed', code: error.code, reason: error.reason }
}

/** ETSI TS 119 602, NextUpdate: past it the list must not be used for what happens then. */
export const checkExpiry = ({ nextUpdate }: Pick<TrustList, 'nextUpdate'>, at: number): ListCheck =>
  at < nextUpdate
    ? passed('expiry')
    : failed('expiry', new ExchangeError('TRUST_LIST_EXPIRED', `expected a list until ${new Date(nextUpdate).toISOString()}`))

/**
 * `completeAt`: when this holder last knew that the log of the operator held no later issue, in ms since 1970; null for an own list.
 */
export function checkFreshness(completeAt: number | null, budgetSeconds: number, now: number): ListCheck {
  if (completeAt === null || now - completeAt <= budgetSeconds * 1000) return passed('freshness')
  const age = Math.floor((now - completeAt) / 1000)
  return failed(
    'freshness',
    new ExchangeError('TRUST_LIST_STALE', `last known to be the newest ${age} s ago, ${budgetSeconds} s allowed`),
  )
}

/**
 * Who may operate a list: a member its own, for the authorities of the regions that it vouches for; the list of lists the member of the
 * kind `national` that the membership log has. @throws TRUST_LIST_OPERATOR_FOREIGN, TERRITORY_FOREIGN, MEMBER_UNKNOWN
 */
export function checkOperator(list: TrustList, membership: Membership): void {
  const { operator, id, territory } = list
  const member = memberOf(membership, operator)
  if (id === NATIONAL_LIST) {
    if (member.kind !== 'national' || operator !== NATIONAL_CODE)
      throw new ExchangeError(
        'TRUST_LIST_OPERATOR_FOREIGN',
        `expected the list ${id} of the national member, got it of ${operator}`,
      )
    return
  }
  if (member.kind === 'national')
    throw new ExchangeError('TRUST_LIST_OPERATOR_FOREIGN', `expected the list ${NATIONAL_LIST} of the national member, got ${id}`)
  const day = chineseDay(new Date(list.issuedAt))
  const regions = new Set([territory, ...list.entities.map(entity => entity.region)])
  for (const region of regions) {
    if (region === NATIONAL_LIST)
      throw new ExchangeError('TERRITORY_FOREIGN', `${operator}: expected authorities of its own territory, got one of the country`)
    checkVouched(membership.members.values(), operator, { kind: 'ca', region }, day)
  }
}

/**
 * The signature, by a key that was the operator's where the list was said: at a position of its log, or now where none is given.
 * @throws TRUST_LIST_SIGNATURE_INVALID with what it failed on
 */
async function checkSignature(
  token: ParsedToken,
  list: TrustList,
  membership: Membership,
  at: Pick<SignedAt, 'log' | 'position'> | null,
): Promise<void> {
  try {
    if (list.fed !== membership.fed)
      throw new ExchangeError('FEDERATION_FOREIGN', `expected federation ${membership.fed}, got ${list.fed}`)
    const member = memberOf(membership, list.operator)
    if (at !== null) checkStanding(member, at)
    if (at !== null && at.log.origin !== list.operator)
      throw new ExchangeError('TRUST_LIST_OPERATOR_FOREIGN', `expected a list of ${at.log.origin} in its log, got ${list.operator}`)
    await verifyToken(token, keyFor(member.keys, token.kid, at === null ? null : { ...at, mem: list.mem }))
    checkOperator(list, membership)
  } catch (cause) {
    if (!isExchangeError(cause)) throw cause
    if (cause.code === 'TRUST_LIST_OPERATOR_FOREIGN' || cause.code === 'TERRITORY_FOREIGN') throw cause
    throw new ExchangeError('TRUST_LIST_SIGNATURE_INVALID', `${cause.code}: ${cause.reason}`, { cause })
  }
}

export type JudgedList = {
  /** null unless version and structure passed */
  readonly list: TrustList | null
  readonly checks: readonly ListCheck[]
  /** it is what its operator said: version, structure and signature passed */
  readonly genuine: boolean
  /** the code of the first of those three that failed */
  readonly refusal: ListCheck | null
}

/** All five, of a token as it came; a list that is not genuine has no age. Never throws for what the token holds. */
export async function judgeTrustList(
  token: string,
  context: {
    readonly membership: Membership
    /** where in the operator's log it stands; null before it is sealed */
    readonly at: Pick<SignedAt, 'log' | 'position'> | null
    /** ms since 1970 */
    readonly now: number
    readonly completeAt: number | null
    readonly budgetSeconds: number
  },
): Promise<JudgedList> {
  const checks = new Map<ListCheckId, ListCheck>()
  let list: TrustList | null = null
  try {
    const parsed = parseToken(token, 'trust-list')
    await attempt(checks, 'version', () => checkVersion(parsed.claims))
    if (checks.get('version')?.verdict === 'passed')
      await attempt(checks, 'structure', () => {
        list = readTrustList(checkListClaims(parsed.claims), token, parsed.kid)
      })
    const read = list as TrustList | null
    if (read !== null) {
      await attempt(checks, 'signature', () => checkSignature(parsed, read, context.membership, context.at))
      checks.set('expiry', checkExpiry(read, context.now))
      checks.set('freshness', checkFreshness(context.completeAt, context.budgetSeconds, context.now))
    }
  } catch (error) {
    if (!isExchangeError(error)) throw error
    checks.set(
      'structure',
      failed('structure', new ExchangeError('TRUST_LIST_STRUCTURE_INVALID', `${error.code}: ${error.reason}`)),
    )
  }
  const all = (Object.keys(LIST_CHECKS) as ListCheckId[]).map(id => checks.get(id) ?? unchecked(id, 'not reached'))
  const refusal = all.find(({ id, verdict }) => GENUINE.includes(id) && verdict === 'failed') ?? null
  return { list, checks: all, genuine: list !== null && refusal === null, refusal }
}

const GENUINE: readonly ListCheckId[] = ['version', 'structure', 'signature']

async function attempt(checks: Map<ListCheckId, ListCheck>, id: ListCheckId, work: () => void | Promise<void>): Promise<void> {
  try {
    await work()
    checks.set(id, passed(id))
  } catch (error) {
    checks.set(id, failed(id, error))
  }
}

/**
 * Whether an issue may stand where another stands: only a later one, or the same again.
 * @throws TRUST_LIST_OLDER, and TRUST_LIST_ISSUE_TWICE for two issues of one number
 */
export function checkSuccession(held: Pick<TrustList, 'sequence' | 'digest'> | null, next: TrustList): 'newer' | 'same' {
  if (held === null || next.sequence > held.sequence) return 'newer'
  if (next.digest === held.digest) return 'same'
  if (next.sequence === held.sequence)
    throw new ExchangeError('TRUST_LIST_ISSUE_TWICE', `${next.id}: issue ${next.sequence} is held with another content`)
  throw new ExchangeError('TRUST_LIST_OLDER', `${next.id}: issue ${held.sequence} is held, got ${next.sequence}`)
}
