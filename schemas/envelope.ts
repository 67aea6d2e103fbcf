/**
 * Sealing: records become a body, the body's digest and the log's position become a signed envelope, and from then on nothing of
 * it changes. `sealEnvelope` is called once for each position; what it returns is committed before its first byte leaves.
 */
import { algorithmRow } from './algorithms.ts'
import { encryptBody, isRestricted, SEALED_BODY_BYTES, type WrappedKey } from './content-key.ts'
import { DATASETS } from './datasets/datasets.ts'
import { type Digest, type DigestAlgorithm, digestOf } from './digest.ts'
import { ExchangeError } from './errors.ts'
import type { EnvelopeClaims } from './generated/envelope.ts'
import type { EpochClaims } from './generated/epoch.ts'
import { LIMITS } from './limits.ts'
import { formatLogId, type LogHead, type LogId, type Loss } from './log.ts'
import type { ExchangeRecord } from './record.ts'
import type { Signer } from './tokens.ts'

/** One entry of a log as it is stored and sent: the opening of an epoch has no body. */
export type SealedEntry = LogHead & {
  readonly log: LogId
  readonly token: string
  readonly body: Buffer | null
  readonly records: number
}

/**
 * The digest by which an envelope is named everywhere: that of its compact token's bytes, by the algorithm that goes with its
 * signature. Text that is no token is hashed too: whoever compares finds it different.
 */
export const tokenDigest = (compact: string): Digest => digestOf(compact, digestAlgorithmOf(compact.slice(0, compact.indexOf('.'))))

/** Headers repeat: a log's are all alike. Few are kept, because anybody may write one. */
const digestAlgorithms = new Map<string, DigestAlgorithm>()
function digestAlgorithmOf(header: string): DigestAlgorithm {
  const known = digestAlgorithms.get(header)
  if (known !== undefined) return known
  const alg = /"alg":"([A-Za-z0-9]+)"/.exec(Buffer.from(header.slice(0, 512), 'base64url').toString('latin1'))?.[1] ?? ''
  const found = algorithmRow(alg)?.digest ?? 'sha-256'
  if (digestAlgorithms.size >= 256) digestAlgorithms.clear()
  digestAlgorithms.set(header, found)
  return found
}

export type SealContext = {
  readonly fed: string
  /** membership position that the origin had applied */
  readonly mem: number
  readonly signer: Signer
  readonly now: Date
}

const seconds = (now: Date): number => Math.floor(now.getTime() / 1000)

export type ContentKeys = {
  /** the content key of the epoch, wrapped for its readers */
  readonly wrapped: WrappedKey
  /** those of earlier epochs, for readers that joined since and may have the past */
  readonly past: readonly { readonly epoch: number; readonly wrapped: WrappedKey }[]
}

/**
 * Opens an epoch. `closing` is the last position of the epoch before, null for the first. `lost` declares a loss (`log.ts`). A
 * restricted audience needs `keys`. @throws TOKEN_TOO_LARGE
 */
export async function sealOpening(
  log: LogId,
  epoch: number,
  closing: LogHead | null,
  context: SealContext,
  lost: Loss | null = null,
  keys: ContentKeys | null = null,
): Promise<SealedEntry> {
  const claims: EpochClaims = {
    fed: context.fed,
    iss: log.origin,
    aud: log.audience,
    ds: log.dataset as EpochClaims['ds'],
    ep: epoch,
    iat: seconds(context.now),
    mem: context.mem,
    ...(closing === null ? {} : { cls: { ep: closing.epoch, seq: closing.seq, dig: closing.digest } }),
    ...(lost === null ? {} : { lst: lossClaim(lost) }),
    ...(keys === null ? {} : { cek: keys.wrapped as NonNullable<EpochClaims['cek']> }),
    ...(keys === null || keys.past.length === 0 ? {} : { past: keys.past.map(pastClaim) }),
  }
  const token = await context.signer.sign('epoch', claims)
  if (token.length > LIMITS.epochTokenBytes)
    throw new ExchangeError('TOKEN_TOO_LARGE', `expected an opening of at most ${LIMITS.epochTokenBytes} bytes`)
  return { log, epoch, seq: 0, digest: tokenDigest(token), token, body: null, records: 0 }
}

const lossClaim = ({ epoch, seq, previous, floor }: Loss): NonNullable<EpochClaims['lst']> => ({
  ep: epoch,
  seq,
  ...(previous === null ? {} : { prv: previous }),
  ver: floor,
})

type PastClaim = NonNullable<EpochClaims['past']>[number]
const pastClaim = ({ epoch, wrapped }: ContentKeys['past'][number]): PastClaim => ({
  ep: epoch,
  cek: wrapped as PastClaim['cek'],
})

/** A record is written once, however often its text is asked for: cutting, sealing and applying all need it. */
const texts = new WeakMap<ExchangeRecord, string>()
const textOf = (record: ExchangeRecord): string => {
  const known = texts.get(record)
  if (known !== undefined) return known
  const text = JSON.stringify(record)
  texts.set(record, text)
  return text
}

const frontOf = (salt: string): string => `{"salt":${JSON.stringify(salt)},"records":[`

/** The list of records within a body, as bytes, where the body is written as `formatBody` does; null where it is not. */
export function recordsWithin(body: Uint8Array, salt: string): Uint8Array | null {
  const front = Buffer.from(frontOf(salt))
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const whole = bytes.subarray(0, front.length).equals(front) && bytes.at(-1) === 0x7d && bytes.at(-2) === 0x5d
  return whole ? bytes.subarray(front.length - 1, -1) : null
}

/** The bytes that `dig` covers. `salt` (22 characters of base64url) keeps two equal batches from having one digest. */
export const formatBody = (salt: string, records: readonly ExchangeRecord[]): Buffer =>
  Buffer.from(`${frontOf(salt)}${records.map(textOf).join(',')}]}`, 'utf8')

/**
 * Seals one batch behind `head`.
 * @throws RECORD_TOO_LARGE if the body is over the wire's limit; cut the batch with {@link cutBatch} first
 */
export async function sealEnvelope(
  log: LogId,
  head: LogHead,
  records: readonly ExchangeRecord[],
  context: SealContext & { readonly salt: string; readonly contentKey?: Uint8Array | null },
): Promise<SealedEntry> {
  const plain = formatBody(context.salt, records)
  const { contentKey = null } = context
  if (contentKey !== null && !isRestricted(log.audience))
    throw new ExchangeError('AUDIENCE_NOT_ALLOWED', `${formatLogId(log)}: expected a restricted audience for a content key`)
  const at = { epoch: head.epoch, seq: head.seq + 1 }
  const body = contentKey === null ? plain : encryptBody(contentKey, context.fed, log, at, plain)
  if (body.length > LIMITS.bodyBytes || records.length === 0 || records.length > LIMITS.recordsPerEnvelope) {
    throw new ExchangeError(
      'RECORD_TOO_LARGE',
      `${formatLogId(log)}: expected 1 to ${LIMITS.recordsPerEnvelope} records in ${LIMITS.bodyBytes} bytes`,
      {
        detail: { records: records.length, bytes: body.length },
      },
    )
  }
  const claims: EnvelopeClaims = {
    fed: context.fed,
    iss: log.origin,
    aud: log.audience,
    ds: log.dataset as EnvelopeClaims['ds'],
    sch: schemaOf(log.dataset),
    ep: head.epoch,
    seq: head.seq + 1,
    prv: head.digest,
    iat: seconds(context.now),
    n: records.length,
    mem: context.mem,
    dig: digestOf(body, context.signer.digest),
    ...(contentKey === null ? {} : { pdg: digestOf(plain, context.signer.digest) }),
  }
  const token = await context.signer.sign('envelope', claims)
  return { log, epoch: claims.ep, seq: claims.seq, digest: tokenDigest(token), token, body, records: records.length }
}

function schemaOf(dataset: string): string {
  const row = DATASETS.find(one => one.name === dataset)
  if (row === undefined) throw new ExchangeError('DATASET_UNKNOWN', `expected a dataset of the table, got ${dataset}`)
  return `${row.name}/${row.major}.${row.minor}`
}

/** room for the salt and the brackets around the records, and for what encryption adds */
const BODY_FRAME_BYTES = 64 + SEALED_BODY_BYTES

/**
 * Cuts records into batches that fit one envelope each, in order.
 * @throws RECORD_TOO_LARGE if one record alone does not fit
 */
export function cutBatch(records: readonly ExchangeRecord[]): ExchangeRecord[][] {
  const batches: ExchangeRecord[][] = []
  let batch: ExchangeRecord[] = []
  let bytes = BODY_FRAME_BYTES
  for (const record of records) {
    const size = Buffer.byteLength(textOf(record)) + 1
    if (size + BODY_FRAME_BYTES > LIMITS.bodyBytes) {
      throw new ExchangeError(
        'RECORD_TOO_LARGE',
        `expected a record of at most ${LIMITS.bodyBytes - BODY_FRAME_BYTES} bytes, got ${size}`,
      )
    }
    if (batch.length === LIMITS.recordsPerEnvelope || bytes + size > LIMITS.bodyBytes) {
      batches.push(batch)
      batch = []
      bytes = BODY_FRAME_BYTES
    }
    batch.push(record)
    bytes += size
  }
  if (batch.length > 0) batches.push(batch)
  return batches
}
