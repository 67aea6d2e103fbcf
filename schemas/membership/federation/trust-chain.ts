/**
 * Trust chains (OpenID Federation 1.0 §10.2): from the configuration of an entity up to an anchor that is trusted from elsewhere. Each
 * statement is signed by the key that the one above it states for its issuer, and the last by the anchor's own.
 */
import { ExchangeError } from '../../errors.ts'
import { checkConstraints } from './constraints.ts'
import { checkTime, type EntityStatement, type FederationJwk, parseStatement, verifySigned } from './statements.ts'

export type TrustAnchor = { readonly id: string; readonly jwks: readonly FederationJwk[] }
export type TrustChain = {
  readonly subject: string
  readonly anchor: string
  /** the keys that the entity right above states for the subject */
  readonly jwks: readonly FederationJwk[]
  /** the subject's, with what the entity right above states of it in its place (§6.1.2) */
  readonly metadata: EntityStatement['metadata']
  /** the earliest end of a statement in it */
  readonly expiresAt: Date
  /** of the subject's own configuration */
  readonly configuration: EntityStatement
}

const broken = (reason: string): ExchangeError => new ExchangeError('TRUST_CHAIN_BROKEN', reason)

/**
 * `chain` begins with the subject's configuration and ends with a statement of the anchor, about the entity below it or itself.
 * @throws STATEMENT_MALFORMED, STATEMENT_EXPIRED, TRUST_CHAIN_BROKEN, TRUST_CHAIN_CONSTRAINED, KEY_UNKNOWN, KEY_INVALID,
 * TOKEN_ALGORITHM_REFUSED, TOKEN_SIGNATURE_INVALID
 */
export async function verifyTrustChain(chain: readonly string[], anchors: readonly TrustAnchor[], now: Date): Promise<TrustChain> {
  const statements = chain.map(parseStatement)
  const [configuration] = statements
  const last = statements.at(-1)
  if (configuration === undefined || last === undefined || statements.length > MOST_STATEMENTS)
    throw broken(`expected 1 to ${MOST_STATEMENTS} statements`)
  if (configuration.iss !== configuration.sub) throw broken('expected the configuration of the subject first')
  const anchor = anchors.find(one => one.id === last.iss)
  if (anchor === undefined) throw broken(`expected a chain that ends at a trusted anchor, it ends at ${last.iss}`)
  for (const [index, statement] of statements.entries()) {
    checkTime(statement, now)
    const above = statements[index + 1]
    if (above !== undefined && statement.iss !== above.sub)
      throw broken(`expected a statement about ${statement.iss}, got one about ${above.sub}`)
    if (above !== undefined && above.iss === above.sub && above !== last)
      throw broken('expected the anchor alone to speak of itself at the end')
  }
  await verifySigned(configuration, configuration.jwks)
  for (const [index, statement] of statements.entries()) await verifySigned(statement, statements[index + 1]?.jwks ?? anchor.jwks)
  const direct = statements[1]
  const stated = direct?.sub === configuration.sub ? direct : configuration
  const metadata = mergedMetadata(configuration, stated)
  checkAllConstraints(statements, metadata, now)
  return {
    subject: configuration.sub,
    anchor: anchor.id,
    jwks: stated.jwks,
    metadata,
    expiresAt: new Date(Math.min(...statements.map(one => one.expiresAt.getTime()))),
    configuration,
  }
}

const MOST_STATEMENTS = 16

/** A superior's metadata stand before the subject's own, parameter by parameter. */
function mergedMetadata(configuration: EntityStatement, stated: EntityStatement): EntityStatement['metadata'] {
  const own = configuration.metadata
  return Object.fromEntries(Object.entries(own).map(([type, values]) => [type, { ...values, ...stated.metadata[type] }]))
}

function checkAllConstraints(statements: readonly EntityStatement[], metadata: EntityStatement['metadata'], now: Date): void {
  for (const [index, { claims }] of statements.entries()) {
    // A policy would change what is stated; to pass over it would be to trust what the superior forbade.
    if (claims.metadata_policy !== undefined)
      throw new ExchangeError('TRUST_CHAIN_CONSTRAINED', 'expected no metadata_policy: policies of metadata are not applied here')
    if (index === 0) continue
    const entities = statements.slice(0, index).map(one => one.sub)
    checkConstraints(claims, { intermediates: Math.max(0, index - 1), entities, metadata, now })
  }
}
