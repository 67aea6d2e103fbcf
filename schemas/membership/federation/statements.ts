/**
 * Entity statements of OpenID Federation 1.0 (§3): signed JWTs in which an entity speaks of itself (its configuration) or of one right
 * below it. Ours are signed by the algorithm table; what others publish may also be RS256 or ES256. Form is judged first, then the
 * signature by a key of the set that the caller trusts for the issuer; time is an argument.
 */
import { compactVerify, importJWK, type JWK } from 'jose'
import { algorithmOfKey, algorithmRow } from '../../algorithms.ts'
import { ExchangeError, isExchangeError } from '../../errors.ts'
import { parseIJson } from '../../i-json.ts'
import { LIMITS } from '../../limits.ts'
import { TOKEN_TYPES } from '../../tokens.ts'

/** What a federation that is not ours may sign with (RFC 7518 §3.1). */
const FOREIGN_ALGORITHMS: readonly string[] = ['RS256', 'ES256']

export type StatementType = 'statement' | 'trust-mark' | 'key-set'
export type FederationJwk = { readonly kid: string; readonly kty: string; readonly [member: string]: unknown }
export type JsonObject = { readonly [name: string]: unknown }
export type SignedStatement = {
  readonly token: string
  readonly alg: string
  readonly kid: string
  readonly claims: JsonObject
  readonly iss: string
  /** equals `iss` where the statement has none */
  readonly sub: string
  readonly issuedAt: Date
  /** null where the standard allows a statement without end (trust marks) */
  readonly expiresAt: Date | null
}
export type EntityStatement = SignedStatement & {
  readonly expiresAt: Date
  readonly jwks: readonly FederationJwk[]
  readonly metadata: { readonly [entityType: string]: JsonObject }
  readonly authorityHints: readonly string[]
}

const malformed = (reason: string, cause?: unknown): ExchangeError => new ExchangeError('STATEMENT_MALFORMED', reason, { cause })
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isTime = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 253_402_300_799
/** Entity identifiers are URLs (§1.2); ours stand below the base of the federation. */
export const isEntityId = (value: unknown): value is string => typeof value === 'string' && /^https?:\/\/[!-~]{1,2000}$/.test(value)

function decode(part: string | undefined): JsonObject {
  try {
    const value = parseIJson(Buffer.from(part ?? '', 'base64url'), LIMITS.jsonDepth, 'TOKEN_MALFORMED')
    if (isObject(value)) return value
  } catch (cause) {
    if (isExchangeError(cause)) throw malformed(cause.reason, cause)
    throw cause
  }
  throw malformed('expected JSON objects as header and claims')
}

/**
 * Takes a signed statement apart. The signature is not checked here.
 * @throws STATEMENT_MALFORMED, TOKEN_ALGORITHM_REFUSED
 */
export function parseSigned(token: string, type: StatementType): SignedStatement {
  if (token.length > LIMITS.tokenBytes) throw malformed(`expected at most ${LIMITS.tokenBytes} bytes`)
  if (!/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(token)) throw malformed('expected a compact JWS')
  const [headerPart, claimsPart] = token.split('.')
  const { typ, alg, kid, crit } = decode(headerPart)
  const claims = decode(claimsPart)
  if (typ !== TOKEN_TYPES[type]) throw malformed(`expected typ ${TOKEN_TYPES[type]}`)
  if (typeof kid !== 'string' || kid === '') throw malformed('expected kid in the header (§3)')
  // §3.1: a recipient that does not understand a critical claim must refuse, and none is understood here.
  if (crit !== undefined || claims.crit !== undefined) throw malformed('expected no critical parameter')
  if (typeof alg !== 'string' || (algorithmRow(alg) === undefined && !FOREIGN_ALGORITHMS.includes(alg)))
    throw new ExchangeError('TOKEN_ALGORITHM_REFUSED', `expected an algorithm of the table, or ${FOREIGN_ALGORITHMS.join(', ')}`)
  const { iss, sub = iss, iat, exp } = claims
  if (!isEntityId(iss) || !isEntityId(sub)) throw malformed('expected iss and sub to be entity identifiers')
  if (!isTime(iat) || (exp !== undefined && !isTime(exp))) throw malformed('expected iat and exp in seconds')
  const expiresAt = exp === undefined ? null : new Date(exp * 1000)
  return { token, alg, kid, claims, iss, sub, issuedAt: new Date(iat * 1000), expiresAt }
}

/** @throws STATEMENT_MALFORMED, TOKEN_ALGORITHM_REFUSED */
export function parseStatement(token: string): EntityStatement {
  const parsed = parseSigned(token, 'statement')
  const { claims, expiresAt } = parsed
  if (expiresAt === null) throw malformed('expected exp (§3)')
  const { metadata = {}, authority_hints: hints = [] } = claims
  if (!isObject(metadata) || !Object.values(metadata).every(isObject)) throw malformed('expected metadata by entity type')
  if (!Array.isArray(hints) || !hints.every(isEntityId)) throw malformed('expected authority_hints to be entity identifiers')
  return {
    ...parsed,
    expiresAt,
    jwks: jwksOf(claims.jwks),
    metadata: metadata as EntityStatement['metadata'],
    authorityHints: hints,
  }
}

/** @throws STATEMENT_MALFORMED unless it is a JWK Set whose keys are named, each by its own name */
export function jwksOf(jwks: unknown): FederationJwk[] {
  const keys = isObject(jwks) && Array.isArray(jwks.keys) ? (jwks.keys as unknown[]) : null
  const named = keys?.filter(
    (key): key is FederationJwk => isObject(key) && typeof key.kid === 'string' && typeof key.kty === 'string',
  )
  if (
    keys === null ||
    named === undefined ||
    named.length !== keys.length ||
    new Set(named.map(key => key.kid)).size !== keys.length
  )
    throw malformed('expected jwks with a kid of its own for each key (§3)')
  return named
}

/**
 * Checks the signature by the key of the set that the header names. A private member of a key is never looked at.
 * @throws KEY_UNKNOWN, KEY_INVALID, TOKEN_ALGORITHM_REFUSED, TOKEN_SIGNATURE_INVALID
 */
export async function verifySigned({ token, alg, kid }: SignedStatement, jwks: readonly FederationJwk[]): Promise<void> {
  const jwk = jwks.find(key => key.kid === kid)
  if (jwk === undefined) throw new ExchangeError('KEY_UNKNOWN', 'expected a key that is stated for the issuer')
  if (!(await isGood(token, alg, jwk)))
    throw new ExchangeError('TOKEN_SIGNATURE_INVALID', 'expected a signature by the named key over these bytes')
}

async function isGood(token: string, alg: string, jwk: FederationJwk): Promise<boolean> {
  const own = algorithmRow(alg)
  if (own !== undefined) {
    const { kty, crv, x, y } = jwk
    const row = algorithmOfKey({ kty, crv })
    if (row.crv !== own.crv)
      throw new ExchangeError('TOKEN_ALGORITHM_REFUSED', `expected ${row.alg}, the algorithm of the key, got ${alg}`)
    const key = await row.importPublic({ kty, crv: row.crv, x: String(x), ...(y === undefined ? {} : { y: String(y) }) })
    return own.verify(token, alg, key)
  }
  const { d: _private, ...named } = jwk
  const key = await importJWK(named as JWK, alg).catch((cause: unknown) => {
    throw new ExchangeError('KEY_INVALID', `expected a key for ${alg}`, { cause })
  })
  return compactVerify(token, key, { algorithms: [alg] }).then(
    () => true,
    () => false,
  )
}

/** @throws STATEMENT_EXPIRED before it was issued (five minutes are allowed for clocks) and from `exp` on */
export function checkTime({ iss, sub, issuedAt, expiresAt }: SignedStatement, now: Date): void {
  const SKEW_MS = 5 * 60_000
  if (issuedAt.getTime() > now.getTime() + SKEW_MS)
    throw new ExchangeError('STATEMENT_EXPIRED', `${iss} on ${sub}: expected iat in the past, it is ${issuedAt.toISOString()}`)
  if (expiresAt !== null && expiresAt.getTime() <= now.getTime())
    throw new ExchangeError('STATEMENT_EXPIRED', `${iss} on ${sub}: expired at ${expiresAt.toISOString()}`, {
      detail: { expired_at: expiresAt.toISOString() },
    })
}
