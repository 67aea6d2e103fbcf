/**
 * Trust marks (OpenID Federation 1.0 §7): an issuer's signed word that an examination was passed, such as the conformance kit's or the
 * assessment of cryptography (密评). A mark counts until it expires, for the entity that it names, and from an issuer trusted for it.
 */
import { ExchangeError } from '../../errors.ts'
import { checkTime, type EntityStatement, type FederationJwk, isObject, parseSigned, verifySigned } from './statements.ts'

export type TrustMark = { readonly type: string; readonly issuer: string; readonly issuedAt: Date; readonly expiresAt: Date | null }
export type TrustMarkIssuer = { readonly id: string; readonly types: readonly string[]; readonly jwks: readonly FederationJwk[] }

const invalid = (reason: string, cause?: unknown): ExchangeError => new ExchangeError('TRUST_MARK_INVALID', reason, { cause })

/**
 * @throws TRUST_MARK_INVALID if it is another entity's, of an issuer that is not trusted for its type, or another type than it is listed
 * under; STATEMENT_MALFORMED, STATEMENT_EXPIRED, KEY_UNKNOWN, TOKEN_SIGNATURE_INVALID
 */
export async function openTrustMark(
  token: string,
  expected: { readonly subject: string; readonly type?: string; readonly issuers: readonly TrustMarkIssuer[] },
  now: Date,
): Promise<TrustMark> {
  const parsed = parseSigned(token, 'trust-mark')
  const type = parsed.claims.trust_mark_type
  if (typeof type !== 'string') throw invalid('expected trust_mark_type')
  if (parsed.claims.sub !== expected.subject) throw invalid(`expected a mark of ${expected.subject}`)
  if (expected.type !== undefined && type !== expected.type) throw invalid(`expected a mark of type ${expected.type}`)
  const issuer = expected.issuers.find(one => one.id === parsed.iss && one.types.includes(type))
  if (issuer === undefined) throw invalid(`expected an issuer that is trusted for ${type}`)
  await verifySigned(parsed, issuer.jwks)
  checkTime(parsed, now)
  return { type, issuer: parsed.iss, issuedAt: parsed.issuedAt, expiresAt: parsed.expiresAt }
}

/** The marks that an entity's configuration lists, as tokens by type. @throws STATEMENT_MALFORMED */
export function listedTrustMarks({ claims }: Pick<EntityStatement, 'claims'>): { type: string; token: string }[] {
  const { trust_marks: marks = [] } = claims
  if (!Array.isArray(marks)) throw new ExchangeError('STATEMENT_MALFORMED', 'expected trust_marks to be a list')
  return marks.map((one: unknown) => {
    if (!isObject(one) || typeof one.trust_mark_type !== 'string' || typeof one.trust_mark !== 'string')
      throw new ExchangeError('STATEMENT_MALFORMED', 'expected trust_mark_type and trust_mark (§3.1.2)')
    return { type: one.trust_mark_type, token: one.trust_mark }
  })
}
