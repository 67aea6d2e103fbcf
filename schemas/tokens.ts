/**
 * Hutong's signed statements: compact JWS (RFC 7515) with JWT claims (RFC 7519), judged by the best current practices of RFC 8725.
 * The header holds `alg`, `typ` and `kid` and nothing else: no embedded key, no URL, no certificate, no `crit`, no `b64`. Text is
 * judged before it is decoded, the type is compared before the claims are read, and the algorithm must be the key's own.
 */
import { algorithmRow, type PrivateKey, type PublicKey } from './algorithms.ts'
import type { DigestAlgorithm } from './digest.ts'
import { ExchangeError } from './errors.ts'
import { parseIJson } from './i-json.ts'
import { LIMITS } from './limits.ts'

export const TOKEN_TYPES = {
  envelope: 'hutong-envelope+jwt',
  epoch: 'hutong-epoch+jwt',
  receipt: 'hutong-receipt+jwt',
  head: 'hutong-head+jwt',
  redaction: 'hutong-redaction+jwt',
  membership: 'hutong-membership+jwt',
  join: 'hutong-join+jwt',
  keys: 'hutong-keys+jwt',
  alliance: 'hutong-alliance+jwt',
  possession: 'hutong-possession+jwt',
  // OpenID Federation 1.0 §3, §7.1 and §8.7.2
  statement: 'entity-statement+jwt',
  'trust-mark': 'trust-mark+jwt',
  'key-set': 'jwk-set+jwt',
  audit: 'hutong-audit+jwt',
  'trust-list': 'hutong-trust-list+jwt',
} as const
export type TokenKind = keyof typeof TOKEN_TYPES

export type ParsedToken = { readonly compact: string; readonly alg: string; readonly kid: string; readonly claims: unknown }
export type VerificationKey = { readonly alg: string; readonly key: PublicKey }

/** Signs claims under one key. A second implementation may hold the key in another process or device. */
export interface Signer {
  readonly kid: string
  /** what its logs are hashed with: it goes with the signature's algorithm */
  readonly digest: DigestAlgorithm
  sign(kind: TokenKind, claims: object): Promise<string>
}

export function createSigner(kid: string, alg: string, key: PrivateKey): Signer {
  const row = algorithmRow(alg)
  if (row === undefined) throw new ExchangeError('TOKEN_ALGORITHM_REFUSED', 'expected an algorithm of the table')
  return {
    kid,
    digest: row.digest,
    sign: (kind, claims) => row.sign({ alg, typ: TOKEN_TYPES[kind], kid }, Buffer.from(JSON.stringify(claims)), key),
  }
}

export const TOKEN_BYTES: { readonly [kind in TokenKind]: number } = {
  envelope: LIMITS.envelopeTokenBytes,
  epoch: LIMITS.epochTokenBytes,
  receipt: LIMITS.tokenBytes,
  head: LIMITS.tokenBytes,
  redaction: LIMITS.redactionTokenBytes,
  membership: LIMITS.membershipTokenBytes,
  join: LIMITS.consentTokenBytes,
  keys: LIMITS.consentTokenBytes,
  alliance: LIMITS.possessionTokenBytes,
  possession: LIMITS.possessionTokenBytes,
  statement: LIMITS.tokenBytes,
  'trust-mark': LIMITS.possessionTokenBytes,
  'key-set': LIMITS.tokenBytes,
  audit: LIMITS.tokenBytes,
  'trust-list': LIMITS.trustListTokenBytes,
}

/** A list of trusted entities nests as deep as its standard does. */
const CLAIMS_DEPTH: { readonly [kind in TokenKind]?: number } = { 'trust-list': LIMITS.trustListDepth }

const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const HEADER_MEMBERS = new Set(['alg', 'typ', 'kid'])

/** base64url without padding has one spelling for each byte string (RFC 7515 §2, RFC 4648 §3.5). */
function decodePart(part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url')
  if (bytes.toString('base64url') !== part)
    throw new ExchangeError('TOKEN_MALFORMED', 'expected canonical base64url without padding')
  return bytes
}

/**
 * Takes a compact token apart. The signature is not checked here.
 * @throws TOKEN_TOO_LARGE, TOKEN_MALFORMED, TOKEN_HEADER_FORBIDDEN, TOKEN_TYPE_FOREIGN, TOKEN_ALGORITHM_REFUSED
 */
export function parseToken(compact: string, kind: TokenKind): ParsedToken {
  const limit = TOKEN_BYTES[kind]
  if (compact.length > limit) throw new ExchangeError('TOKEN_TOO_LARGE', `expected at most ${limit} bytes, got ${compact.length}`)
  if (!COMPACT.test(compact)) throw new ExchangeError('TOKEN_MALFORMED', 'expected three base64url parts with dots between them')
  const [headerPart = '', claimsPart = '', signaturePart = ''] = compact.split('.')
  const { alg, kid } = parseHeader(parseIJson(decodePart(headerPart), LIMITS.headerDepth, 'TOKEN_MALFORMED'), kind)
  const row = algorithmRow(alg)
  if (row === undefined) throw new ExchangeError('TOKEN_ALGORITHM_REFUSED', 'expected an algorithm of the table')
  if (decodePart(signaturePart).length !== row.signatureBytes) {
    throw new ExchangeError('TOKEN_MALFORMED', `expected a signature of ${row.signatureBytes} bytes`)
  }
  return {
    compact,
    alg,
    kid,
    claims: parseIJson(decodePart(claimsPart), CLAIMS_DEPTH[kind] ?? LIMITS.claimsDepth, 'TOKEN_MALFORMED'),
  }
}

function parseHeader(header: unknown, kind: TokenKind): { alg: string; kid: string } {
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw new ExchangeError('TOKEN_MALFORMED', 'expected a JSON object as header')
  }
  const foreign = Object.keys(header).filter(name => !HEADER_MEMBERS.has(name))
  if (foreign.length > 0) {
    throw new ExchangeError('TOKEN_HEADER_FORBIDDEN', 'expected alg, typ and kid only', {
      detail: { members: foreign.slice(0, 8) },
    })
  }
  const { alg, typ, kid } = header as { [name: string]: unknown }
  if (typ !== TOKEN_TYPES[kind]) throw new ExchangeError('TOKEN_TYPE_FOREIGN', `expected typ ${TOKEN_TYPES[kind]}`)
  if (typeof alg !== 'string') throw new ExchangeError('TOKEN_ALGORITHM_REFUSED', 'expected alg to be text')
  if (typeof kid !== 'string' || kid.length === 0 || kid.length > 128) {
    throw new ExchangeError('TOKEN_MALFORMED', 'expected kid of 1 to 128 characters')
  }
  return { alg, kid }
}

/**
 * RFC 7515 §5.2, step 8, over a token that {@link parseToken} took apart; done here, because as a job of Web Cryptography it takes three
 * times as long.
 * @throws TOKEN_ALGORITHM_REFUSED if the header names another algorithm than the key's, TOKEN_SIGNATURE_INVALID
 */
export async function verifyToken(token: ParsedToken, { alg, key }: VerificationKey): Promise<void> {
  if (!isAlgorithmOfKey(token.alg, alg)) {
    throw new ExchangeError('TOKEN_ALGORITHM_REFUSED', `expected ${alg}, the algorithm of the key, got ${token.alg}`)
  }
  const good = await algorithmRow(token.alg)?.verify(token.compact, token.alg, key)
  if (good !== true) throw new ExchangeError('TOKEN_SIGNATURE_INVALID', 'expected a signature by the named key over these bytes')
}

/** Both names of Ed25519 mean one algorithm; no other two do. */
function isAlgorithmOfKey(named: string, own: string): boolean {
  const a = algorithmRow(named)
  const b = algorithmRow(own)
  return a !== undefined && b !== undefined && a.kty === b.kty && a.crv === b.crv
}
