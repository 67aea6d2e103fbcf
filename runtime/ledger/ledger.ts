/**
 * The ledger's reads and its one write. `append` runs inside the caller's transaction, so that an entry, what it changes and the
 * log's new head stand or fall together. Whoever appends first locks the logs (`lockLogs`): several processes over one database
 * cannot both continue a log.
 */
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Digest } from '../../schemas/digest.ts'
import { formatLogId, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import { type Send, type Statement, type Tail, wireOf } from '../postgres/pipeline.ts'
import type { LedgerTables } from './tables.ts'

export type StoredEntry = {
  readonly position: Position
  readonly digest: Digest
  readonly token: string
  readonly encoding: string
  readonly body: Uint8Array | null
  readonly records: number
  /** the newest redaction of this position, if anything was erased there: the body is then the one that it names */
  readonly redaction?: string | null
}

/** The same as its row stands. */
export type HeldEntry = Position &
  Omit<StoredEntry, 'position'> & {
    readonly body: Buffer | null
    readonly redaction: string | null
    /** code of the refusal, if its origin said it but nothing of it was applied */
    readonly refusal: string | null
  }

export type NewEntry = StoredEntry & {
  readonly logId: number
  readonly issuedAt: Date
  readonly refusal: string | null
}

export type LogState = {
  readonly id: number
  readonly log: LogId
  readonly head: LogHead | null
  readonly issuedAt: Date | null
  readonly frozen: boolean
  readonly receipt: LogHead | null
  /** the hub's statement itself, for own logs */
  readonly receiptToken: string | null
  /** where a log begins here that was loaded from a snapshot, with the head that announced it: what is before it is not held */
  readonly base: (LogHead & { readonly token: string }) | null
  /** it is being loaded from a snapshot: entries wait */
  readonly loading: boolean
}

/** A log of which nothing stands yet. */
export const newLog = (id: number, log: LogId): LogState => ({
  id,
  log,
  head: null,
  issuedAt: null,
  frozen: false,
  receipt: null,
  receiptToken: null,
  base: null,
  loading: false,
})

type Reader = Kysely<LedgerTables>
type Writer = Transaction<LedgerTables>

const headOf = (epoch: number, seq: number, digest: string | null): LogHead | null =>
  digest === null ? null : { epoch, seq, digest }

type LogStateRow = {
  id: number
  origin: string
  dataset: string
  audience: string
  epoch: number
  seq: number
  digest: string | null
  issued_at: Date | null
  receipt_epoch: number
  receipt_seq: number
  receipt_digest: string | null
  receipt_token: string | null
  base_epoch: number
  base_seq: number
  base_digest: string | null
  base_token: string | null
  frozen: boolean
  loading: boolean
}

const stateOf = (row: LogStateRow): LogState => ({
  id: row.id,
  log: { origin: row.origin, dataset: row.dataset, audience: row.audience },
  head: headOf(row.epoch, row.seq, row.digest),
  issuedAt: row.issued_at,
  frozen: row.frozen,
  receiptToken: row.receipt_token,
  receipt: headOf(row.receipt_epoch, row.receipt_seq, row.receipt_digest),
  base:
    row.base_digest === null
      ? null
      : { epoch: row.base_epoch, seq: row.base_seq, digest: row.base_digest, token: row.base_token ?? '' },
  loading: row.loading,
})

const selectLogs = (db: Reader) =>
  db
    .selectFrom('log')
    .selectAll('log')
    .select(({ exists, selectFrom }) =>
      exists(selectFrom('fork').whereRef('fork.log_id', '=', 'log.id'))
        .$castTo<boolean>()
        .as('frozen'),
    )
    .select(({ exists, selectFrom }) =>
      exists(selectFrom('bootstrap').whereRef('bootstrap.log_id', '=', 'log.id'))
        .$castTo<boolean>()
        .as('loading'),
    )

export async function readLogs(db: Reader): Promise<LogState[]> {
  const rows = await selectLogs(db).orderBy('origin').orderBy('dataset').orderBy('audience').execute()
  return rows.map(stateOf)
}

export async function readLog(db: Reader, log: LogId): Promise<LogState | null> {
  const row = await selectLogs(db)
    .where('origin', '=', log.origin)
    .where('dataset', '=', log.dataset)
    .where('audience', '=', log.audience)
    .executeTakeFirst()
  return row === undefined ? null : stateOf(row)
}

const LOCK_LOGS: Statement = {
  name: 'lock_logs',
  text: `SELECT l.*, EXISTS (SELECT FROM fork WHERE fork.log_id = l.id) AS frozen,
      EXISTS (SELECT FROM bootstrap WHERE bootstrap.log_id = l.id) AS loading
    FROM log l JOIN unnest($1::text[], $2::text[], $3::text[]) AS w(origin, dataset, audience)
      USING (origin, dataset, audience) ORDER BY l.id FOR UPDATE OF l`,
}
const EXPECT_LOG: Statement = { name: 'expect_log', text: 'SELECT expect_log($1, $2, $3, $4, $5, $6)' }
const APPEND_TEXT = `INSERT INTO envelope (log_id, epoch, seq, digest, token, encoding, body, records, refusal)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
const APPEND_ENTRY: Statement = { name: 'append_entry', text: APPEND_TEXT }
const APPEND_HEAD: Statement = {
  name: 'append_head',
  text: `WITH appended AS (${APPEND_TEXT}) UPDATE log SET epoch = $2, seq = $3, digest = $4, issued_at = $10 WHERE id = $1`,
}

/**
 * Locks the named logs for this transaction, making them first where they are new. In one order, so that no two can deadlock. With the
 * transaction's `wire` the question goes out at the call: what is sent after it is answered under the lock.
 */
export async function lockLogs(trx: Writer, logs: readonly LogId[], wire?: Send): Promise<Map<string, LogState>> {
  const sorted = [...new Map(logs.map(log => [formatLogId(log), log])).values()]
  const [origins, datasets, audiences] = [
    sorted.map(log => log.origin),
    sorted.map(log => log.dataset),
    sorted.map(log => log.audience),
  ]
  const send = wire ?? (await wireOf(trx))
  const read = () => send<LogStateRow>(LOCK_LOGS, [origins, datasets, audiences])
  let rows = await read()
  if (rows.length < sorted.length) {
    await sql`
      INSERT INTO log (origin, dataset, audience)
      SELECT * FROM unnest(${origins}::text[], ${datasets}::text[], ${audiences}::text[]) ORDER BY 1, 2, 3
      ON CONFLICT DO NOTHING`.execute(trx)
    rows = await read()
  }
  return new Map(rows.map(row => [formatLogId(row), stateOf(row)]))
}

/**
 * Locks logs that are believed to stand as told, without waiting for the answer: one way to the server less than `lockLogs`. Where one
 * does not (or is frozen, or being loaded), the whole transaction fails, and `isOutdated` says so.
 */
export async function expectLogs(trx: Writer, states: Iterable<LogState>, tail: Tail): Promise<void> {
  const send = await wireOf(trx)
  for (const { id, head, base } of [...states].sort((a, b) => a.id - b.id))
    tail(send(EXPECT_LOG, [id, head?.epoch ?? 0, head?.seq ?? 0, head?.digest ?? null, base?.epoch ?? 0, base?.seq ?? 0]))
}

/** Appends entries, each the next of its log, and moves the logs' heads to the last of them. With a `tail`, sent and not waited for. */
export async function appendEntries(trx: Writer, entries: readonly NewEntry[], tail?: Tail): Promise<void> {
  if (entries.length === 0) return
  const send = await wireOf(trx)
  const last = new Map(entries.map(entry => [entry.logId, entry]))
  const sent = entries.map(entry => {
    const { logId, position, digest, token, encoding, body, records, refusal, issuedAt } = entry
    const bytes = body === null ? null : bytesOf(body)
    const values = [logId, position.epoch, position.seq, digest, token, encoding, bytes, records, refusal]
    return last.get(logId) === entry ? send(APPEND_HEAD, [...values, issuedAt]) : send(APPEND_ENTRY, values)
  })
  if (tail === undefined) await Promise.all(sent)
  else for (const one of sent) tail(one)
}

/** A view that the driver sends as it is. */
const bytesOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Digest and token held at each of several positions; positions where nothing is held are absent. */
export async function entriesAt(
  db: Reader,
  wanted: readonly { readonly logId: number; readonly at: Position }[],
): Promise<Map<string, { digest: Digest; token: string }>> {
  if (wanted.length === 0) return new Map()
  const [ids, epochs, seqs] = [wanted.map(one => one.logId), wanted.map(one => one.at.epoch), wanted.map(one => one.at.seq)]
  const { rows } = await sql<{ log_id: number; epoch: number; seq: number; digest: string; token: string }>`
    SELECT e.log_id, e.epoch, e.seq, e.digest, e.token FROM envelope e
    JOIN unnest(${ids}::int[], ${epochs}::int[], ${seqs}::bigint[]) AS w(log_id, epoch, seq) USING (log_id, epoch, seq)`.execute(db)
  return new Map(rows.map(({ log_id, epoch, seq, digest, token }) => [`${log_id}@${epoch}.${seq}`, { digest, token }]))
}

/** Entries of one epoch from `from` on, in order. The caller bounds bytes by `limit` rows of at most 768 KiB. */
export async function readRange(db: Reader, logId: number, epoch: number, from: number, limit: number): Promise<StoredEntry[]> {
  return storedOf(
    await entriesOf(db, logId).where('envelope.epoch', '=', epoch).where('envelope.seq', '>=', from).limit(limit).execute(),
  )
}

/** The same over the ends of epochs: what stands at a position and behind it, as far as this holder has it. */
export async function readOnward(db: Reader, logId: number, { epoch, seq }: Position, limit: number): Promise<StoredEntry[]> {
  return storedOf(
    await entriesOf(db, logId)
      .where(sql<boolean>`(envelope.epoch, envelope.seq) >= (${epoch}::int, ${seq}::bigint)`)
      .limit(limit)
      .execute(),
  )
}

/** What is held of a log, in order, each entry with the newest redaction of its position: its body is then the one that this names. */
export const entriesOf = (db: Reader, logId: number) =>
  db
    .selectFrom('envelope')
    .leftJoin('redaction', join =>
      join
        .onRef('redaction.log_id', '=', 'envelope.log_id')
        .onRef('redaction.epoch', '=', 'envelope.epoch')
        .onRef('redaction.seq', '=', 'envelope.seq')
        .on('redaction.newest', '=', true),
    )
    .select(['envelope.epoch', 'envelope.seq', 'digest', 'envelope.token', 'encoding', 'body', 'records', 'refusal'])
    .select('redaction.token as redaction')
    .where('envelope.log_id', '=', logId)
    .orderBy('envelope.epoch')
    .orderBy('envelope.seq')

/** Those of them whose records took effect. */
export const appliedEntriesOf = (db: Reader, logId: number) =>
  entriesOf(db, logId).where('refusal', 'is', null).where('body', 'is not', null)

/** Behind a position; null for the beginning. */
export const isBehind = (after: Position | null) =>
  sql<boolean>`(envelope.epoch, envelope.seq) > (${after?.epoch ?? 0}::int, ${after?.seq ?? -1}::bigint)`

const storedOf = (rows: readonly HeldEntry[]): StoredEntry[] =>
  rows.map(({ epoch, seq, refusal: _, ...row }) => ({ ...row, position: { epoch, seq } }))

/** Notes a receipt for an own log; an older one never replaces a newer one. */
export async function noteReceipt(db: Reader, log: LogId, head: LogHead, token: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('log')
    .set({ receipt_epoch: head.epoch, receipt_seq: head.seq, receipt_digest: head.digest, receipt_token: token })
    .where('origin', '=', log.origin)
    .where('dataset', '=', log.dataset)
    .where('audience', '=', log.audience)
    .where(sql<boolean>`(receipt_epoch, receipt_seq) < (${head.epoch}::int, ${head.seq}::bigint)`)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}
