/** What a token claims, read without asking whose signature it bears: what a careless program would do, for the mutants. */
import { tokenDigest } from '../../schemas/envelope.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { EnvelopeClaims } from '../../schemas/generated/envelope.ts'
import type { EpochClaims } from '../../schemas/generated/epoch.ts'
import type { LogHead, LogId } from '../../schemas/log.ts'
import type { OpenedToken } from '../../schemas/opening.ts'

function claimsOf(token: string): EnvelopeClaims | EpochClaims {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as EnvelopeClaims | EpochClaims
  } catch (cause) {
    throw new ExchangeError('TOKEN_MALFORMED', 'expected claims', { cause })
  }
}

export function unverified(token: string): { log: LogId; entry: LogHead } {
  const claims = claimsOf(token)
  const entry = { epoch: claims.ep, seq: 'seq' in claims ? claims.seq : 0, digest: tokenDigest(token) }
  return { log: { origin: claims.iss, dataset: claims.ds, audience: claims.aud }, entry }
}

export function unverifiedEntry(kind: 'envelope' | 'epoch', token: string): OpenedToken {
  const claims = claimsOf(token)
  const { log, entry } = unverified(token)
  const common = { compact: token, log, kid: '', issuedAt: new Date(claims.iat * 1000), refusal: null }
  if (kind === 'envelope' && 'seq' in claims)
    return { ...common, claims, entry: { ...entry, kind: 'envelope', previous: claims.prv } }
  const cls = 'cls' in claims ? claims.cls : undefined
  const closing = cls === undefined ? null : { epoch: cls.ep, seq: cls.seq, digest: cls.dig }
  return { ...common, claims: null, entry: { ...entry, kind: 'opening', closing, lost: null } }
}
