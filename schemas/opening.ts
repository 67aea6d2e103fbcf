/**
 * Opening: the checks on an arriving entry, in the order in which every holder makes them, so that all reach the same verdict.
 * First the token (form, member, signature, allowed), then the chain (`log.ts`), then the body (digest, batch, records). Nothing
 * here fetches: membership, the log's head and the bytes are arguments.
 *
 * Three ways to be refused, told apart by who said it:
 * - thrown: the origin cannot be shown to have said this; it takes no position (a broken copy, a forgery, a foreign key).
 * - `refusal`: the origin said it, at this position, but may not or nobody can read it; the position is taken, nothing is applied.
 * - `refused` records: the origin said them; each is set aside by itself and the rest is applied.
 */
import { isRestricted } from './content-key.ts'
import { DATASETS } from './datasets/datasets.ts'
import { algorithmOfDigest, type Digest, digestOf } from './digest.ts'
import { decodeBody } from './encoding.ts'
import { recordsWithin, tokenDigest } from './envelope.ts'
import { ExchangeError, isExchangeError } from './errors.ts'
import type { EnvelopeClaims } from './generated/envelope.ts'
import type { EpochClaims } from './generated/epoch.ts'
import { type IJsonFault, readIJson } from './i-json.ts'
import { LIMITS } from './limits.ts'
import { type ChainEntry, formatLogId, type LogId } from './log.ts'
import { checkStanding, keyFor, type Membership, mayAddress, memberOf } from './membership.ts'
import type { ExchangeRecord, JsonValue } from './record.ts'
import { type ParsedToken, parseToken, verifyToken } from './tokens.ts'
import { checkBody, checkClaims, checkRecord, type Fault } from './validators.ts'

export type OpenedToken = {
  readonly compact: string
  readonly log: LogId
  readonly kid: string
  readonly entry: ChainEntry
  /** null for the opening of an epoch */
  readonly claims: EnvelopeClaims | null
  readonly issuedAt: Date
  /** said by its origin, takes its position, not applied */
  readonly refusal: ExchangeError | null
}

const claimFaults = (kind: 'envelope' | 'epoch', parsed: ParsedToken): void => {
  const [fault] = checkClaims(kind, parsed.claims)
  if (fault !== undefined) {
    throw new ExchangeError('TOKEN_CLAIM_INVALID', `${fault.path === '' ? 'claims' : fault.path}: ${fault.expected}`, {
      detail: { rule: fault.rule },
    })
  }
}

/**
 * Opens an entry's token: form, member and key, signature, allowed.
 * @throws TOKEN_*, FEDERATION_FOREIGN, MEMBER_UNKNOWN, MEMBER_SUSPENDED, KEY_*, MEMBERSHIP_BEHIND (wait), SUBJECT_MISMATCH
 */
export async function openToken(
  kind: 'envelope' | 'epoch',
  compact: string,
  membership: Membership,
  /** the log whose subject it came under, if it came under one */
  subject: LogId | null,
): Promise<OpenedToken> {
  const parsed = parseToken(compact, kind)
  claimFaults(kind, parsed)
  const claims = parsed.claims as EnvelopeClaims | EpochClaims
  const log: LogId = { origin: claims.iss, dataset: claims.ds, audience: claims.aud }
  checkPlaces(claims)
  const position = { epoch: claims.ep, seq: 'seq' in claims ? claims.seq : 0 }
  if (claims.fed !== membership.fed) throw new ExchangeError('FEDERATION_FOREIGN', `expected federation ${membership.fed}`)
  if (claims.mem > membership.position) {
    throw new ExchangeError('MEMBERSHIP_BEHIND', `expected membership position ${claims.mem}, applied ${membership.position}`)
  }
  if (subject !== null && formatLogId(subject) !== formatLogId(log)) {
    throw new ExchangeError('SUBJECT_MISMATCH', `expected ${formatLogId(subject)}, the token says ${formatLogId(log)}`)
  }
  const member = memberOf(membership, log.origin)
  const at = { log, position, mem: claims.mem }
  await verifyToken(parsed, keyFor(member.keys, parsed.kid, at))
  checkStanding(member, at)
  const digest = tokenDigest(compact)
  return {
    compact,
    log,
    kid: parsed.kid,
    claims: 'seq' in claims ? claims : null,
    issuedAt: new Date(claims.iat * 1000),
    refusal: refusalOf(claims, membership),
    entry:
      'seq' in claims
        ? { ...position, digest, kind: 'envelope', previous: claims.prv }
        : {
            ...position,
            digest,
            kind: 'opening',
            closing: claims.cls === undefined ? null : { epoch: claims.cls.ep, seq: claims.cls.seq, digest: claims.cls.dig },
            lost:
              claims.lst === undefined
                ? null
                : { epoch: claims.lst.ep, seq: claims.lst.seq, previous: claims.lst.prv ?? null, floor: claims.lst.ver },
          },
  }
}

/** An opening follows the epoch that it closes; one that declares a loss may skip epochs that are lost whole. */
function checkPlaces(claims: EnvelopeClaims | EpochClaims): void {
  if ('seq' in claims) return
  const { ep, cls, lst } = claims
  if (cls !== undefined && lst === undefined && cls.ep !== ep - 1)
    throw new ExchangeError('TOKEN_CLAIM_INVALID', `/cls/ep: expected ${ep - 1}, the epoch before`)
  if (cls !== undefined && cls.ep >= ep) throw new ExchangeError('TOKEN_CLAIM_INVALID', `/cls/ep: expected an epoch before ${ep}`)
  if (lst !== undefined && lst.ep >= ep) throw new ExchangeError('TOKEN_CLAIM_INVALID', `/lst/ep: expected an epoch before ${ep}`)
  if (lst !== undefined && (lst.seq === 0) !== (lst.prv === undefined))
    throw new ExchangeError('TOKEN_CLAIM_INVALID', '/lst/prv: expected behind position 0, and nowhere else')
  if (lst !== undefined && lst.seq === 0 && lst.ep > 1)
    throw new ExchangeError('TOKEN_CLAIM_INVALID', '/lst/ep: expected 1, where everything is lost')
}

function refusalOf(claims: EnvelopeClaims | EpochClaims, membership: Membership): ExchangeError | null {
  const member = memberOf(membership, claims.iss)
  const dataset = DATASETS.find(row => row.name === claims.ds && !row.reserved)
  if (dataset === undefined) return new ExchangeError('DATASET_UNKNOWN', `expected a dataset in use, got ${claims.ds}`)
  if (!member.writes.some(name => name === claims.ds)) {
    return new ExchangeError('DATASET_NOT_ALLOWED', `${claims.iss}: expected one of ${member.writes.join(', ')}, got ${claims.ds}`)
  }
  if (!mayAddress(membership, member, claims.aud, claims.mem)) {
    return new ExchangeError('AUDIENCE_NOT_ALLOWED', `${claims.iss}: expected an audience that it may address, got ${claims.aud}`)
  }
  if (dataset.audience === null && !isRestricted(claims.aud))
    return new ExchangeError('AUDIENCE_NOT_ALLOWED', `${claims.ds}: expected an audience of named members, got ${claims.aud}`)
  if (!('sch' in claims)) return null
  const [name, version = ''] = claims.sch.split('/')
  if (name !== claims.ds || Number(version.split('.')[0]) !== dataset.major) {
    return new ExchangeError('SCHEMA_MAJOR_UNKNOWN', `expected ${dataset.name}/${dataset.major}.x, got ${claims.sch}`)
  }
  return null
}

export type RefusedRecord = { readonly index: number; readonly key: string | null; readonly error: ExchangeError }
export type ErasedRecord = Pick<ExchangeRecord, 'key' | 'ver' | 'at' | 'platform'> & { readonly index: number }
export type OpenedBody = {
  readonly records: readonly (ExchangeRecord & { readonly index: number })[]
  /** the same records as the bytes that came, in order from 0, where they can be passed on as they are */
  readonly json: Uint8Array | null
  readonly refused: readonly RefusedRecord[]
  /** puts whose body a redaction took: their versions count, and there is nothing to show */
  readonly erased: readonly ErasedRecord[]
  /** the whole batch cannot be read: its position is taken, nothing is applied */
  readonly refusal: ExchangeError | null
}

/**
 * The plain body, compared with the digest that the envelope fixes, or with that of the newest redaction of its position where one is
 * known: what was erased is not taken again.
 * @throws BODY_DIGEST_MISMATCH, BODY_TOO_LARGE, BODY_ENCODING_UNKNOWN, BODY_REDACTED (another holder may have the redacted one)
 */
export async function openBytes(
  claims: { readonly dig: Digest },
  bytes: Uint8Array,
  encoding: string,
  redaction: { readonly new: Digest } | null = null,
): Promise<Uint8Array> {
  const plain = await decodeBody(bytes, encoding)
  const expected = redaction?.new ?? claims.dig
  const found = digestOf(plain, algorithmOfDigest(expected))
  if (found !== expected) {
    if (redaction !== null && digestOf(plain, algorithmOfDigest(claims.dig)) === claims.dig) {
      throw new ExchangeError('BODY_REDACTED', 'expected the body that the redaction of this position names')
    }
    throw new ExchangeError('BODY_DIGEST_MISMATCH', 'expected the bytes whose digest stands in the envelope')
  }
  return plain
}

const NONE: ReadonlySet<string> = new Set()

/** Reads a batch whose bytes were found right: what is wrong from here on, its origin has said. Never throws for its content. */
export function openRecords(claims: EnvelopeClaims, plain: Uint8Array, erasedKeys: ReadonlySet<string> = NONE): OpenedBody {
  const reading = readIJson(plain, LIMITS.jsonDepth)
  const whole = (refusal: ExchangeError): OpenedBody => ({ records: [], json: null, refused: [], erased: [], refusal })
  const outside = reading.faults.find(fault => !/^\/records\/\d+(\/|$)/.test(fault.path))
  if (outside !== undefined)
    return whole(new ExchangeError('BODY_NOT_IJSON', `${outside.reason} at "${outside.path}"`, { detail: { rule: outside.rule } }))
  const batch = reading.value as { readonly salt?: JsonValue; readonly records?: JsonValue } | null
  if (typeof batch !== 'object' || batch === null || typeof batch.salt !== 'string' || !Array.isArray(batch.records)) {
    return whole(new ExchangeError('BODY_MALFORMED', 'expected {"salt", "records": […]}'))
  }
  if (batch.records.length !== claims.n) {
    return whole(
      new ExchangeError('BODY_MALFORMED', `expected ${claims.n} records as the envelope says, got ${batch.records.length}`),
    )
  }
  const faultAt = new Map(reading.faults.map(fault => [Number(fault.path.split('/')[2]), fault]))
  const records: (ExchangeRecord & { index: number })[] = []
  const refused: RefusedRecord[] = []
  const erased: ErasedRecord[] = []
  for (const [index, value] of (batch.records as JsonValue[]).entries()) {
    const error = recordError(claims.ds, value, faultAt.get(index), erasedKeys)
    if (error === null && (value as { body?: JsonValue }).body === null) {
      const { key, ver, at, platform } = value as unknown as ExchangeRecord
      erased.push({ key, ver, at, platform, index })
    } else if (error === null) records.push({ ...(value as unknown as ExchangeRecord), index })
    else refused.push({ index, key: keyOf(value), error })
  }
  const plainly = records.length === claims.n && reading.faults.length === 0 && Object.keys(batch).length === 2
  const json = plainly ? recordsWithin(plain, batch.salt) : null
  return { records, json, refused, erased, refusal: null }
}

const keyOf = (value: JsonValue): string | null => {
  const key = typeof value === 'object' && value !== null && !Array.isArray(value) && 'key' in value ? value.key : null
  return typeof key === 'string' && key.isWellFormed() && !key.includes('\u0000') ? key.slice(0, 128) : null
}

function recordError(
  dataset: string,
  value: JsonValue,
  iJson: IJsonFault | undefined,
  erasedKeys: ReadonlySet<string>,
): ExchangeError | null {
  if (iJson !== undefined)
    return new ExchangeError('RECORD_NOT_IJSON', `${iJson.reason} at "${iJson.path}"`, { detail: { rule: iJson.rule } })
  const record = value as unknown as ExchangeRecord
  const body = record !== null && typeof record === 'object' && record.op === 'put' ? record.body : null
  const faults: readonly Fault[] = checkRecord(value)
  // A body is null only where a redaction of this position says so.
  if (faults.length === 0 && record.op === 'put' && body === null && !erasedKeys.has(record.key))
    return new ExchangeError('RECORD_SCHEMA_INVALID', '/body: expected an object, or a redaction that names the key')
  const all = faults.length > 0 || body === null ? faults : checkBody(dataset as Parameters<typeof checkBody>[0], body, 'receiving')
  const [fault] = all
  if (fault === undefined) return null
  return new ExchangeError('RECORD_SCHEMA_INVALID', `${fault.path === '' ? 'record' : fault.path}: ${fault.expected}`, {
    detail: { rule: fault.rule },
  })
}

/** True for faults that waiting or another copy can mend: nothing is quarantined for them. */
export const isTransient = (error: unknown): boolean =>
  isExchangeError(error) && ['MEMBERSHIP_BEHIND', 'LOG_GAP', 'BODY_REDACTED'].includes(error.code)
