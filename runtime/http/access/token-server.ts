/**
 * The program's own small authorization server: a client proves who it is by an assertion under its private key (RFC 7523, RFC 6749
 * §4.4) and gets an access token (RFC 9068) that is good here, for minutes. The signing key lives in memory and dies with the process;
 * its public half stands in the database, so that other processes of the same program accept the token too. An assertion counts once.
 */
import {
  type CryptoKey,
  calculateJwkThumbprint,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importJWK,
  jwtVerify,
  SignJWT,
} from 'jose'
import { type Kysely, sql } from 'kysely'
import { ExchangeError } from '../../../schemas/errors.ts'
import type { ClientRegistry } from './client-registry.ts'
import type { AccessTables } from './tables.ts'

const ALGORITHM = 'Ed25519'
export const TOKEN_SECONDS = 300
/** An assertion is made for one use; one that is good for longer is refused. */
const ASSERTION_SECONDS = 300
const SKEW_SECONDS = 30
const TYPE = 'at+jwt'

/** Every program of a federation has its own name as issuer and audience: a token of one is nothing at another. */
export const issuerOf = (fed: string, program: string): string => `urn:hutong:${fed}:${program}`

export type IssuedToken = { readonly access_token: string; readonly token_type: 'Bearer'; readonly expires_in: number }
export type TokenServer = AsyncDisposable & {
  readonly issuer: string
  /** @throws REQUEST_UNAUTHORIZED */
  exchange(assertion: string): Promise<IssuedToken>
  /** The client that a token of ours was issued to. @throws REQUEST_UNAUTHORIZED */
  clientOf(token: string): Promise<string>
}

const refuse = (reason: string, cause?: unknown): ExchangeError => new ExchangeError('REQUEST_UNAUTHORIZED', reason, { cause })

export async function startTokenServer(options: {
  readonly db: Kysely<AccessTables>
  readonly clients: ClientRegistry
  readonly issuer: string
  readonly clock: () => Date
}): Promise<TokenServer> {
  const { db, clients, issuer, clock } = options
  const { publicKey, privateKey } = await generateKeyPair(ALGORITHM)
  const jwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(jwk)
  await db.deleteFrom('token_key').where('good_until', '<', clock()).execute()
  await db
    .insertInto('token_key')
    .values({ kid, jwk: JSON.stringify(jwk), good_until: null })
    .execute()
  const keys = new Map<string, CryptoKey>([[kid, publicKey]])

  /** A key of another process of this program. */
  async function keyNamed(name: string): Promise<CryptoKey> {
    const known = keys.get(name)
    if (known !== undefined) return known
    const row = await db.selectFrom('token_key').select('jwk').where('kid', '=', name).executeTakeFirst()
    const key = row === undefined ? null : await importJWK(JSON.parse(row.jwk), ALGORITHM)
    if (key === null || key instanceof Uint8Array) throw refuse('the access token names a key that does not sign here (any more)')
    keys.set(name, key)
    return key
  }

  /** RFC 7519 §4.1.7: the same identifier twice is a replay. */
  async function useUp(client: string, jti: string, expires: number): Promise<void> {
    await db.deleteFrom('used_assertion').where('good_until', '<', clock()).execute()
    const { numInsertedOrUpdatedRows = 0n } = await db
      .insertInto('used_assertion')
      .values({ client, jti, good_until: new Date((expires + SKEW_SECONDS) * 1000) })
      .onConflict(conflict => conflict.doNothing())
      .executeTakeFirst()
    if (numInsertedOrUpdatedRows === 0n) throw refuse('the client assertion was used already')
  }

  return {
    issuer,
    async exchange(assertion) {
      const { sub, header } = peek(assertion)
      const client = await clients.find(sub)
      const key = client?.keys.find(one => header.kid === undefined || one.kid === header.kid)
      if (client === null || key === undefined)
        throw refuse('the client assertion names no client, or no key of it, registered here')
      const { payload } = await jwtVerify(assertion, key.key, {
        algorithms: [...key.algorithms],
        issuer: client.id,
        subject: client.id,
        audience: issuer,
        requiredClaims: ['exp', 'jti', 'iat'],
        clockTolerance: SKEW_SECONDS,
        currentDate: clock(),
      }).catch((cause: unknown) => {
        throw refuse(
          'the client assertion does not verify: expected iss and sub the client, aud this program, exp, iat, jti, its key',
          cause,
        )
      })
      const { exp = 0, jti = '' } = payload
      const now = Math.floor(clock().getTime() / 1000)
      if (exp - now > ASSERTION_SECONDS + SKEW_SECONDS)
        throw refuse(`the client assertion is good for more than ${ASSERTION_SECONDS} s`)
      // RFC 7523 §3 lets aud be a list; one that is good elsewhere too could be carried on from there.
      if (typeof payload.aud !== 'string') throw refuse('the client assertion is addressed to more than this program')
      if (typeof jti !== 'string' || jti.length === 0 || jti.length > 128) throw refuse('jti: expected 1 to 128 characters')
      await useUp(client.id, jti, exp)
      const token = await new SignJWT({ client_id: client.id })
        .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid })
        .setIssuer(issuer)
        .setSubject(client.id)
        .setAudience(issuer)
        .setIssuedAt(now)
        .setExpirationTime(now + TOKEN_SECONDS)
        .setJti(crypto.randomUUID())
        .sign(privateKey)
      return { access_token: token, token_type: 'Bearer', expires_in: TOKEN_SECONDS }
    },
    async clientOf(token) {
      const { kid: named = '' } = peek(token).header
      const { payload } = await jwtVerify(token, await keyNamed(named), {
        algorithms: [ALGORITHM],
        typ: TYPE,
        issuer,
        audience: issuer,
        requiredClaims: ['exp', 'iat', 'jti', 'client_id'],
        currentDate: clock(),
      }).catch((cause: unknown) => {
        throw refuse('the access token has expired or does not verify', cause)
      })
      return String(payload.client_id)
    },
    async [Symbol.asyncDispose]() {
      const until = new Date(clock().getTime() + TOKEN_SECONDS * 1000)
      await sql`UPDATE token_key SET good_until = ${until} WHERE kid = ${kid}`.execute(db)
    },
  }
}

/** What a token says of itself, unverified: only good for finding the key. @throws REQUEST_UNAUTHORIZED */
export function peek(token: string): { readonly iss: string; readonly sub: string; readonly header: { readonly kid?: string } } {
  try {
    const { iss = '', sub = '' } = decodeJwt(token)
    const { kid } = decodeProtectedHeader(token)
    return { iss, sub, header: kid === undefined ? {} : { kid } }
  } catch (cause) {
    throw refuse('expected a JWT', cause)
  }
}
