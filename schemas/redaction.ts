/**
 * Erasure by redaction. The origin signs that the body at one position of its log is replaced by the same batch with the bodies of the
 * named keys null and a new salt. Chain, order, keys and versions stay as they were, so replay reaches the same state; what was said
 * about those keys is gone. A redaction names every key erased at its position so far, and its `old` is always the digest that stands
 * in the envelope: the newest one alone shows that a redacted body is right, however many came before it.
 */
import { algorithmOfDigest, type Digest, digestOf } from './digest.ts'
import type { SealContext } from './envelope.ts'
import { ExchangeError } from './errors.ts'
import type { EnvelopeClaims } from './generated/envelope.ts'
import type { RedactionClaims } from './generated/redaction.ts'
import { readIJson } from './i-json.ts'
import { LIMITS } from './limits.ts'
import { comparePositions, formatLogId, formatPosition, type LogHead, type LogId, type Position } from './log.ts'
import { keyFor, type Membership, memberOf } from './membership.ts'
import type { RetractReason } from './record.ts'
import type { Head } from './statements.ts'
import { parseToken, verifyToken } from './tokens.ts'
import { checkClaims } from './validators.ts'

export type Redaction = {
  readonly token: string
  readonly log: LogId
  readonly position: Position
  /** what the envelope names as its body */
  readonly old: Digest
  readonly new: Digest
  /** of the new plain body, for a restricted audience: `old` and `new` are of the ciphertext then */
  readonly pdg?: Digest
  /** every key erased at this position so far */
  readonly keys: ReadonlySet<string>
  readonly why: RetractReason
  readonly issuedAt: Date
}

const invalid = (reason: string): ExchangeError => new ExchangeError('REDACTION_INVALID', reason)

type Batch = { readonly salt: string; readonly records: readonly { readonly [name: string]: unknown }[] }

/**
 * A batch as it stands in a body. Faults of I-JSON are borne only in records that are erased: another one would be read differently
 * once it was written anew. @throws REDACTION_INVALID
 */
function parseBatch(plain: Uint8Array, erased: ReadonlySet<string>): Batch {
  const { value, faults } = readIJson(plain, LIMITS.jsonDepth)
  const batch = value as Partial<Batch> | null | undefined
  const records = batch?.records
  if (typeof batch?.salt !== 'string' || !Array.isArray(records) || records.some(one => typeof one !== 'object' || one === null)) {
    throw invalid('expected a batch of records')
  }
  const borne = faults.every(({ path }) => {
    const record = records[Number(/^\/records\/(\d+)(\/|$)/.exec(path)?.[1] ?? -1)]
    return record !== undefined && isErased(record, erased)
  })
  if (!borne) throw invalid('expected I-JSON (RFC 7493) in every record that stays')
  return { salt: batch.salt, records }
}

const NONE: ReadonlySet<string> = new Set()
const isErased = (record: { readonly [name: string]: unknown }, keys: ReadonlySet<unknown>): boolean =>
  record.op === 'put' && keys.has(record.key)

/**
 * The same batch with the bodies of the named keys null, under a new salt. What is null already stays.
 * @throws REDACTION_INVALID if the bytes are not a batch or would not fit one envelope
 */
export function redactBody(plain: Uint8Array, keys: ReadonlySet<string>, salt: string): Buffer {
  const { records } = parseBatch(plain, keys)
  const redacted = records.map(record => (isErased(record, keys) ? { ...record, body: null } : record))
  const body = Buffer.from(JSON.stringify({ salt, records: redacted }), 'utf8')
  if (body.length > LIMITS.bodyBytes) throw invalid(`expected a body of at most ${LIMITS.bodyBytes} bytes`)
  return body
}

/** The records that a redaction of these keys takes the bodies from: those still standing in the body. */
export const erasableRecords = (
  plain: Uint8Array,
  keys: ReadonlySet<string>,
): { readonly key: string; readonly ver: number; readonly item: number }[] =>
  parseBatch(plain, keys).records.flatMap((record, item) =>
    isErased(record, keys) && record.body !== null ? [{ key: String(record.key), ver: Number(record.ver), item }] : [],
  )

/**
 * Whether the new body is the redacted one: the digest, the same records in the same order, and nothing changed but the bodies of
 * named keys, which are all null. `held` is the body that stands here, the first one or one redacted before; null if none does.
 * @throws BODY_DIGEST_MISMATCH, REDACTION_INVALID
 */
export function checkRedaction(held: Uint8Array | null, plain: Uint8Array, redaction: Pick<Redaction, 'new' | 'keys'>): void {
  checkRedactedBytes(plain, redaction)
  checkRedactedBatch(held, plain, redaction.keys)
}

/** @throws BODY_DIGEST_MISMATCH */
export function checkRedactedBytes(bytes: Uint8Array, redaction: Pick<Redaction, 'new'>): void {
  if (digestOf(bytes, algorithmOfDigest(redaction.new)) === redaction.new) return
  throw new ExchangeError('BODY_DIGEST_MISMATCH', 'expected the bytes whose digest stands in the redaction')
}

/** The same of plain bodies whose digest was compared before: that of a restricted audience is the ciphertext's. @throws REDACTION_INVALID */
export function checkRedactedBatch(held: Uint8Array | null, plain: Uint8Array, keys: ReadonlySet<string>): void {
  const after = parseBatch(plain, NONE)
  if (after.records.some(record => isErased(record, keys) && record.body !== null)) {
    throw invalid('expected the body of every named key to be null')
  }
  const named = new Set(after.records.filter(record => record.op === 'put').map(record => record.key))
  if ([...keys].some(key => !named.has(key))) throw invalid('expected every named key to be that of a record in the batch')
  if (held === null) return
  const before = parseBatch(held, keys)
  if (before.salt === after.salt) throw invalid('expected a new salt')
  if (before.records.length !== after.records.length) {
    throw invalid(`expected ${before.records.length} records as before, got ${after.records.length}`)
  }
  for (const [item, record] of before.records.entries()) {
    const expected = isErased(record, keys) ? { ...record, body: null } : record
    if (JSON.stringify(expected) !== JSON.stringify(after.records[item])) {
      throw invalid(`record ${item}: expected it as before, its body apart if its key is named`)
    }
  }
}

/** What stands at a position of the own log, and what is to be erased of it. */
export type Erasing = {
  readonly log: LogId
  readonly position: Position
  /** `dig` of the envelope */
  readonly old: Digest
  /** every key erased at this position, those of earlier redactions among them */
  readonly keys: ReadonlySet<string>
  readonly why: RetractReason
  /** the body that replaces the one that stands, from {@link redactBody}, encrypted for a restricted audience */
  readonly body: Uint8Array
  /** before encryption */
  readonly plain?: Uint8Array
}

/** Signs a redaction. @throws TOKEN_TOO_LARGE if its keys do not fit one token */
export async function sealRedaction(erasing: Erasing, context: SealContext): Promise<string> {
  const { log, position, old, keys, why, body, plain } = erasing
  const claims: RedactionClaims = {
    fed: context.fed,
    iss: log.origin,
    aud: log.audience,
    ds: log.dataset as RedactionClaims['ds'],
    ep: position.epoch,
    seq: position.seq,
    old,
    new: digestOf(body, context.signer.digest),
    ...(plain === undefined ? {} : { pdg: digestOf(plain, context.signer.digest) }),
    keys: [...keys].sort(),
    why,
    iat: Math.floor(context.now.getTime() / 1000),
    mem: context.mem,
  }
  const token = await context.signer.sign('redaction', claims)
  if (token.length > LIMITS.redactionTokenBytes) {
    throw new ExchangeError('TOKEN_TOO_LARGE', `expected a redaction of at most ${LIMITS.redactionTokenBytes} bytes`)
  }
  return token
}

/**
 * Opens a redaction: form, member and key, signature, log. Its key is one that was good for the position that it names, like the
 * envelope's: a rollover leaves the redactions before it standing.
 * @throws TOKEN_*, FEDERATION_FOREIGN, MEMBER_UNKNOWN, KEY_*, MEMBERSHIP_BEHIND (wait), SUBJECT_MISMATCH
 */
export async function openRedaction(token: string, membership: Membership, subject: LogId | null): Promise<Redaction> {
  const parsed = parseToken(token, 'redaction')
  const [fault] = checkClaims('redaction', parsed.claims)
  if (fault !== undefined) {
    throw new ExchangeError('TOKEN_CLAIM_INVALID', `${fault.path === '' ? 'claims' : fault.path}: ${fault.expected}`, {
      detail: { rule: fault.rule },
    })
  }
  const claims = parsed.claims as RedactionClaims
  if (claims.fed !== membership.fed) throw new ExchangeError('FEDERATION_FOREIGN', `expected federation ${membership.fed}`)
  if (claims.mem > membership.position) {
    throw new ExchangeError('MEMBERSHIP_BEHIND', `expected membership position ${claims.mem}, applied ${membership.position}`)
  }
  const log: LogId = { origin: claims.iss, dataset: claims.ds, audience: claims.aud }
  const position = { epoch: claims.ep, seq: claims.seq }
  if (subject !== null && formatLogId(subject) !== formatLogId(log)) {
    throw new ExchangeError('SUBJECT_MISMATCH', `expected ${formatLogId(subject)}, the token says ${formatLogId(log)}`)
  }
  await verifyToken(parsed, keyFor(memberOf(membership, claims.iss).keys, parsed.kid, { log, position, mem: claims.mem }))
  return {
    token,
    log,
    position,
    old: claims.old,
    new: claims.new,
    ...(claims.pdg === undefined ? {} : { pdg: claims.pdg }),
    keys: new Set(claims.keys),
    why: claims.why,
    issuedAt: new Date(claims.iat * 1000),
  }
}

/** Whether a redaction is about the body of this envelope. @throws REDACTION_INVALID */
export function checkAddressed(redaction: Redaction, claims: EnvelopeClaims): void {
  const { log, position } = redaction
  const named = formatLogId({ origin: claims.iss, dataset: claims.ds, audience: claims.aud })
  const same =
    formatLogId(log) === named && position.epoch === claims.ep && position.seq === claims.seq && redaction.old === claims.dig
  if (!same) throw invalid(`${formatLogId(log)} ${formatPosition(position)}: expected the envelope that the redaction names`)
}

/**
 * What a redaction is against the newest one known of its position: it erases more, or nothing new. Two that each erase something
 * that the other does not are a fault of their origin, and the first stays.
 * @throws REDACTION_INVALID
 */
export function judgeRedaction(known: Pick<Redaction, 'keys'> | null, redaction: Pick<Redaction, 'keys'>): 'further' | 'known' {
  if (known === null) return 'further'
  if ([...redaction.keys].every(key => known.keys.has(key))) return 'known'
  if ([...known.keys].every(key => redaction.keys.has(key))) return 'further'
  throw invalid('expected every key that was erased at this position before')
}

/**
 * Only what its log has said again later, or taken back, may be erased. `highest` is the highest version of a key that the log holds.
 * Returns the keys whose named version still stands.
 */
export const standingKeys = (
  records: readonly { readonly key: string; readonly ver: number }[],
  highest: ReadonlyMap<string, number>,
): string[] => [...new Set(records.filter(({ key, ver }) => (highest.get(key) ?? 0) <= ver).map(({ key }) => key))]

/**
 * What a redaction does while versions that it names still stand here: nothing yet at a holder that is behind what the origin announces,
 * and nothing ever at one that is not.
 */
export const judgeErasure = (standing: number, behind: boolean): 'erase' | 'wait' | 'refuse' =>
  standing === 0 ? 'erase' : behind ? 'wait' : 'refuse'

/** Logs in which a head counts more erased keys than this holder has erased, once it holds them as far as the head says. */
export const missingErasures = (
  head: Head,
  heldOf: (log: LogId) => { readonly head: LogHead | null; readonly erased: number } | null,
): { readonly log: LogId; readonly erased: number }[] =>
  head.logs.flatMap(({ log, head: at, erased = 0 }) => {
    const held = heldOf(log)
    const reached = held?.head != null && comparePositions(held.head, at) >= 0
    return erased > 0 && reached && held.erased < erased ? [{ log, erased }] : []
  })
