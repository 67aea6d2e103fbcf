/**
 * Erasing at this holder: a redaction is judged and takes effect in one transaction. The body in the ledger is replaced, what stands in
 * quarantine of it and in the replica of its keys loses its content, and the redaction stands beside the envelope from then on. Chain,
 * digest, number of records and the log's head stay as they were.
 *
 * Only what its log has said again or taken back may be erased. Whether that is so, the log itself answers: the replica first, because
 * it is at hand, then the ledger. A holder that is behind cannot tell yet and waits; one that is not refuses.
 */
import { type Kysely, sql, type Transaction } from 'kysely'
import { isRestricted } from '../../schemas/content-key.ts'
import { type Digest, digestOf } from '../../schemas/digest.ts'
import { decodeBody } from '../../schemas/encoding.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import type { EnvelopeClaims } from '../../schemas/generated/envelope.ts'
import { comparePositions, formatLogId, formatPosition, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import {
  checkAddressed,
  checkRedactedBatch,
  checkRedactedBytes,
  checkRedaction,
  erasableRecords,
  judgeErasure,
  judgeRedaction,
  type Redaction,
  standingKeys,
} from '../../schemas/redaction.ts'
import { parseToken } from '../../schemas/tokens.ts'
import { type Bodies, bodiesForAll } from './bodies.ts'
import { type LogState, lockLogs, readLog } from './ledger.ts'
import { LOST } from './losses.ts'
import { noteRedaction, redactionAt } from './redactions.ts'
import { eraseInSnapshots } from './snapshots.ts'
import type { LedgerTables } from './tables.ts'

/** A redaction and the new body as it travels. */
export type Erasure = {
  readonly redaction: Redaction
  readonly plain: Uint8Array
  readonly encoding: string
  readonly body: Uint8Array
}

/** What erasing means where records are read; a holder without a replica has none. */
export interface ErasureEffect {
  /** the highest version that stands of each key, keys without one absent */
  versions(
    trx: Transaction<LedgerTables>,
    log: { readonly id: number; readonly dataset: string },
    keys: readonly string[],
  ): Promise<Map<string, number>>
  /** how many of those keys still stand with a content from this very position */
  standing(
    trx: Transaction<LedgerTables>,
    log: { readonly id: number; readonly dataset: string },
    at: Position,
    keys: readonly string[],
  ): Promise<number>
  /** takes the content of those keys whose standing record is the one of this very position */
  erase(
    trx: Transaction<LedgerTables>,
    log: { readonly id: number; readonly dataset: string },
    at: Position,
    keys: readonly string[],
  ): Promise<void>
}

export type ErasureVerdict =
  | { readonly kind: 'erased'; readonly keys: number }
  | { readonly kind: 'known' }
  | { readonly kind: 'wait'; readonly error: ExchangeError }

type Options = {
  readonly effect: ErasureEffect | null
  /** what is readable here of restricted audiences; nothing without it: digest and signature are compared then, and no content */
  readonly bodies?: Bodies
  readonly behind: (head: LogHead | null) => boolean
}

/** entries of the ledger read at once while looking for later versions */
const SCAN_ENTRIES = 16

/**
 * @throws REDACTION_INVALID, BODY_DIGEST_MISMATCH, BODY_UNREADABLE (it is not what it says), REDACTION_NOT_ALLOWED (a record that it names still stands)
 */
export async function erase(
  trx: Transaction<LedgerTables>,
  { redaction, plain, encoding, body }: Erasure,
  options: Options,
): Promise<ErasureVerdict> {
  const { log, position, keys } = redaction
  const named = `${formatLogId(log)} ${formatPosition(position)}`
  const state = await readLog(trx, log)
  const isBeforeBase = state?.base != null && comparePositions(position, state.base) <= 0
  // Its entry may be on its way from another holder: whoever stores it there and whoever erases it take turns.
  if (isBeforeBase) await lockLogs(trx, [log])
  const entry = state === null ? undefined : await lockEntry(trx, state.id, position)
  if (isBeforeBase && entry === undefined) return eraseBeforeBase(trx, state, { redaction, plain }, options)
  if (state === null || entry === undefined) {
    return { kind: 'wait', error: new ExchangeError('LOG_GAP', `${named}: expected the envelope before its redaction`) }
  }
  const claims = parseToken(entry.token, 'envelope').claims as EnvelopeClaims
  checkAddressed(redaction, claims)
  const known = await redactionAt(trx, state.id, position)
  if (judgeRedaction(known, redaction) === 'known') return { kind: 'known' }
  const stands = await heldBody(entry.body, entry.encoding, [redaction.old, ...(known === null ? [] : [known.new])])
  const { bodies = bodiesForAll } = options
  const held = stands === null ? null : await readable(bodies, trx, state.id, claims, stands)
  if (isRestricted(log.audience)) {
    checkRedactedBytes(plain, redaction)
    const read = await bodies.plain(trx, state.id, claims, plain, redaction)
    if (read !== null) checkRedactedBatch(held, read, keys)
  } else checkRedaction(held, plain, redaction)
  const records = held === null ? [] : erasableRecords(held, keys)
  const standing = await stillStanding(trx, { id: state.id, dataset: log.dataset }, records, options.effect, bodies)
  const postponed = postpone(standing.length, options.behind(state.head), named)
  if (postponed !== null) return postponed
  await trx
    .updateTable('envelope')
    .set({ body: Buffer.from(body), encoding })
    .where('log_id', '=', state.id)
    .where('epoch', '=', position.epoch)
    .where('seq', '=', position.seq)
    .execute()
  await options.effect?.erase(trx, { id: state.id, dataset: log.dataset }, position, [...keys])
  await forgetAside(trx, log, position, [...keys])
  await eraseInSnapshots(trx, state.id, position, [...keys])
  await noteRedaction(trx, state.id, redaction)
  return { kind: 'erased', keys: keys.size - (known?.keys.size ?? 0) }
}

/**
 * A log that was loaded from a snapshot holds no entry at that position, only what stood of it: the redaction's own signature says what
 * it is, and it counts once nothing that it names stands here any more.
 */
async function eraseBeforeBase(
  trx: Transaction<LedgerTables>,
  { id, head }: LogState,
  { redaction, plain }: Pick<Erasure, 'redaction' | 'plain'>,
  options: Options,
): Promise<ErasureVerdict> {
  const { log, position, keys } = redaction
  const known = await redactionAt(trx, id, position)
  if (judgeRedaction(known, redaction) === 'known') return { kind: 'known' }
  checkRedaction(null, plain, redaction)
  const standing = (await options.effect?.standing(trx, { id, dataset: log.dataset }, position, [...keys])) ?? 0
  const postponed = postpone(standing, options.behind(head), `${formatLogId(log)} ${formatPosition(position)}`)
  if (postponed !== null) return postponed
  await noteRedaction(trx, id, redaction)
  return { kind: 'erased', keys: keys.size - (known?.keys.size ?? 0) }
}

/** @throws REDACTION_NOT_ALLOWED where no later version will come */
function postpone(standing: number, behind: boolean, named: string): (ErasureVerdict & { kind: 'wait' }) | null {
  const verdict = judgeErasure(standing, behind)
  if (verdict === 'erase') return null
  const reason = `${named}: expected a later version of each named key in the log, none of ${standing}`
  if (verdict === 'refuse') throw new ExchangeError('REDACTION_NOT_ALLOWED', reason)
  return { kind: 'wait', error: new ExchangeError('LOG_GAP', reason) }
}

const lockEntry = (trx: Transaction<LedgerTables>, logId: number, at: Position) =>
  trx
    .selectFrom('envelope')
    .select(['token', 'encoding', 'body'])
    .where('log_id', '=', logId)
    .where('epoch', '=', at.epoch)
    .where('seq', '=', at.seq)
    .forUpdate()
    .executeTakeFirst()

/** The body that stands here, null if it is not one that its origin signed: then there is nothing to compare the new one with. */
async function heldBody(body: Buffer | null, encoding: string, signed: readonly Digest[]): Promise<Uint8Array | null> {
  if (body === null) return null
  const plain = await decodeBody(body, encoding).catch((): null => null)
  return plain !== null && signed.includes(digestOf(plain)) ? plain : null
}

/** A body that stands here as this holder can read it; null where it cannot. Whose text it is was settled when it came. */
async function readable(
  bodies: Bodies,
  db: Kysely<LedgerTables>,
  logId: number,
  claims: EnvelopeClaims,
  stands: Uint8Array,
): Promise<Uint8Array | null> {
  try {
    return await bodies.held(db, logId, claims, stands)
  } catch (error) {
    if (isExchangeError(error) && error.code === 'BODY_UNREADABLE') return null
    throw error
  }
}

async function stillStanding(
  trx: Transaction<LedgerTables>,
  log: { readonly id: number; readonly dataset: string },
  records: readonly { readonly key: string; readonly ver: number }[],
  effect: ErasureEffect | null,
  bodies: Bodies,
): Promise<string[]> {
  const wanted = [...new Set(records.map(({ key }) => key))]
  if (wanted.length === 0) return []
  const quick = effect === null ? wanted : standingKeys(records, await effect.versions(trx, log, wanted))
  if (quick.length === 0) return []
  const left = records.filter(({ key }) => quick.includes(key))
  return standingKeys(left, await highestInLedger(trx, log.id, left, bodies))
}

/** The highest versions of keys that the ledger holds, read from the head of the log back until each is above the one that is asked for. */
async function highestInLedger(
  db: Kysely<LedgerTables>,
  logId: number,
  records: readonly { readonly key: string; readonly ver: number }[],
  bodies: Bodies,
): Promise<Map<string, number>> {
  const highest = new Map<string, number>()
  const marks = new Map(records.map(({ key }) => [key, Buffer.from(JSON.stringify(key))]))
  for (let before: Position = { epoch: 2_147_483_647, seq: 0 }; standingKeys(records, highest).length > 0; ) {
    const { rows } = await sql<Position & { token: string; encoding: string; body: Buffer | null }>`
      SELECT epoch, seq, token, encoding, body FROM envelope
      WHERE log_id = ${logId}::int AND (epoch, seq) < (${before.epoch}::int, ${before.seq}::bigint) AND refusal IS DISTINCT FROM ${LOST}
      ORDER BY epoch DESC, seq DESC LIMIT ${SCAN_ENTRIES}`.execute(db)
    const last = rows.at(-1)
    if (last === undefined) break
    before = last
    for (const row of rows) {
      if (row.body === null) continue
      const stands = await decodeBody(row.body, row.encoding).catch(() => new Uint8Array())
      const claims = parseToken(row.token, 'envelope').claims as EnvelopeClaims
      const plain = Buffer.from((await readable(bodies, db, logId, claims, stands)) ?? new Uint8Array())
      const there = [...marks].filter(([, mark]) => plain.includes(mark)).map(([key]) => key)
      if (there.length === 0) continue
      for (const { key, ver } of recordsIn(plain)) {
        if (there.includes(key) && ver > (highest.get(key) ?? 0)) highest.set(key, ver)
      }
    }
  }
  return highest
}

/** Keys and versions of a batch; none of one that cannot be read, because nothing of it was applied. */
function recordsIn(plain: Buffer): { key: string; ver: number }[] {
  try {
    const { records } = JSON.parse(plain.toString('utf8')) as { records: { key: string; ver: number }[] }
    return records.filter(one => typeof one?.key === 'string' && Number.isSafeInteger(one.ver))
  } catch {
    return []
  }
}

/** What stands in quarantine of this position keeps its digest and its place, and loses its bytes. */
async function forgetAside(trx: Transaction<LedgerTables>, log: LogId, at: Position, keys: readonly string[]): Promise<void> {
  await sql`
    UPDATE quarantine SET content = NULL WHERE content IS NOT NULL
      AND origin = ${log.origin} AND dataset = ${log.dataset} AND audience = ${log.audience}
      AND epoch = ${at.epoch}::int AND seq = ${at.seq}::bigint
      AND (kind = 'envelope' OR (kind = 'record' AND (key IS NULL OR key = ANY(${keys}::text[]))))`.execute(trx)
  const nobodys = await sql<{ id: number; line: Buffer }>`
    SELECT id, substring(content FOR position('\\x0a'::bytea IN content)) AS line FROM quarantine
    WHERE content IS NOT NULL AND kind = 'envelope' AND origin IS NULL`.execute(trx)
  const place = placeOf(log, at)
  const ids = nobodys.rows
    .filter(({ line }) => claimedPlace(line.toString('latin1').trimEnd().split(' ', 1)[0] ?? '') === place)
    .map(({ id }) => id)
  if (ids.length > 0) await trx.updateTable('quarantine').set({ content: null }).where('id', 'in', ids).execute()
}

const placeOf = (log: LogId, at: Position): string => `${formatLogId(log)} ${formatPosition(at)}`

/** Where a token says that it stands, believed by nobody: enough to know whose bytes came with it. */
function claimedPlace(token: string): string | null {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as Partial<EnvelopeClaims>
    const log = { origin: String(claims.iss), dataset: String(claims.ds), audience: String(claims.aud) }
    return placeOf(log, { epoch: Number(claims.ep), seq: Number(claims.seq) })
  } catch {
    return null
  }
}

/** Of tokens that came with a body, those of a position where something was erased: their bytes are not kept a second time. */
export async function erasedPlaces(db: Kysely<LedgerTables>, tokens: readonly string[]): Promise<Set<string>> {
  const places = new Map(tokens.map(token => [token, claimedPlace(token)]))
  const wanted = [...new Set(places.values())].filter(place => place !== null)
  if (wanted.length === 0) return new Set()
  const { rows } = await sql<{ place: string }>`
    SELECT origin || '/' || dataset || '/' || audience || ' ' || r.epoch || '.' || r.seq AS place
    FROM redaction r JOIN log ON log.id = r.log_id WHERE r.newest
      AND origin || '/' || dataset || '/' || audience || ' ' || r.epoch || '.' || r.seq = ANY(${wanted}::text[])`.execute(db)
  const found = new Set(rows.map(row => row.place))
  return new Set(tokens.filter(token => found.has(places.get(token) ?? '')))
}
