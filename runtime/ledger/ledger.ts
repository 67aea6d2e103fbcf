/**
 * The ledger's reads and its one write. `append` runs inside the caller's transaction, so that an entry, what it changes and the
 * log's new head stand or fall together. Whoever appends first locks the logs (`lockLogs`): several processes over one database
 * cannot both continue a log.
 */
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Digest } from '../../schemas/digest.ts'
import { formatLogId, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
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
}

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
  frozen: boolean
}

const stateOf = (row: LogStateRow): LogState => ({
  id: row.id,
  log: { origin: row.origin, dataset: row.dataset, audience: row.audience },
  head: headOf(row.epoch, row.seq, row.digest),
  issuedAt: row.issued_at,
  frozen: row.frozen,
  receiptToken: row.receipt_token,
  receipt: headOf(row.receipt_epoch, row.receipt_seq, row.receipt_digest),
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

/** Locks the named logs for this transaction, making them first where they are new. In one order, so that no two can deadlock. */
export async function lockLogs(trx: Writer, logs: readonly LogId[]): Promise<Map<string, LogState>> {
  const sorted = [...new Map(logs.map(log => [formatLogId(log), log])).values()]
  const [origins, datasets, audiences] = [
    sorted.map(log => log.origin),
    sorted.map(log => log.dataset),
    sorted.map(log => log.audience),
  ]
  const read = () =>
    sql<LogStateRow>`
      SELECT l.*, EXISTS (SELECT FROM fork WHERE fork.log_id = l.id) AS frozen FROM log l JOIN unnest(${origins}::text[], ${datasets}::text[], ${audiences}::text[]) AS w(origin, dataset, audience)
        USING (origin, dataset, audience) ORDER BY l.id FOR UPDATE OF l`.execute(trx)
  let { rows } = await read()
  if (rows.length < sorted.length) {
    await sql`
      INSERT INTO log (origin, dataset, audience)
      SELECT * FROM unnest(${origins}::text[], ${datasets}::text[], ${audiences}::text[]) ORDER BY 1, 2, 3
      ON CONFLICT DO NOTHING`.execute(trx)
    rows = (await read()).rows
  }
  return new Map(rows.map(row => [formatLogId(row), stateOf(row)]))
}

/** Appends entries, each the next of its log, and moves the logs' heads to the last of them. */
export async function appendEntries(trx: Writer, entries: readonly NewEntry[]): Promise<void> {
  if (entries.length === 0) return
  const added = trx.insertInto('envelope').values(
    entries.map(entry => ({
      log_id: entry.logId,
      epoch: entry.position.epoch,
      seq: entry.position.seq,
      digest: entry.digest,
      token: entry.token,
      encoding: entry.encoding,
      body: entry.body === null ? null : Buffer.from(entry.body.buffer, entry.body.byteOffset, entry.body.byteLength),
      records: entry.records,
      refusal: entry.refusal,
    })),
  )
  const last = [...new Map(entries.map(entry => [entry.logId, entry])).values()]
  // One statement for both: each costs a way to the server and back, in every transaction of every holder.
  await sql`
    WITH added AS (${added})
    UPDATE log SET epoch = w.epoch, seq = w.seq, digest = w.digest, issued_at = w.issued_at
    FROM unnest(
      ${last.map(entry => entry.logId)}::int[], ${last.map(entry => entry.position.epoch)}::int[], ${last.map(entry => entry.position.seq)}::bigint[],
      ${last.map(entry => entry.digest)}::text[], ${last.map(entry => entry.issuedAt)}::timestamptz[]
    ) AS w(id, epoch, seq, digest, issued_at) WHERE log.id = w.id`.execute(trx)
}

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
  const rows = await db
    .selectFrom('envelope')
    .leftJoin('redaction', join =>
      join
        .onRef('redaction.log_id', '=', 'envelope.log_id')
        .onRef('redaction.epoch', '=', 'envelope.epoch')
        .onRef('redaction.seq', '=', 'envelope.seq')
        .on('redaction.newest', '=', true),
    )
    .select(['envelope.epoch', 'envelope.seq', 'digest', 'envelope.token', 'encoding', 'body', 'records'])
    .select('redaction.token as redaction')
    .where('envelope.log_id', '=', logId)
    .where('envelope.epoch', '=', epoch)
    .where('envelope.seq', '>=', from)
    .orderBy('envelope.seq')
    .limit(limit)
    .execute()
  return rows.map(({ epoch: at, seq, ...row }) => ({ ...row, position: { epoch: at, seq } }))
}

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
