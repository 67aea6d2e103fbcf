/**
 * The redactions that this holder has applied, in its database. Of several at one position the newest counts: it names every key
 * erased there. Its token travels beside the redacted body wherever that goes, because without it the body is not the one that the
 * envelope names.
 */
import { type Kysely, sql } from 'kysely'
import type { RedactionClaims } from '../../schemas/generated/redaction.ts'
import { formatPosition, type LogId, type Position } from '../../schemas/log.ts'
import type { Redaction } from '../../schemas/redaction.ts'
import { parseToken } from '../../schemas/tokens.ts'
import type { LedgerTables } from './tables.ts'

/** What a redaction of this ledger says; its signature was checked before it came to stand here. */
export type StoredRedaction = { readonly token: string } & Pick<Redaction, 'old' | 'new' | 'pdg' | 'keys'>

export function storedRedaction(token: string): StoredRedaction {
  const claims = parseToken(token, 'redaction').claims as RedactionClaims
  const pdg = claims.pdg === undefined ? {} : { pdg: claims.pdg }
  return { token, old: claims.old, new: claims.new, ...pdg, keys: new Set(claims.keys) }
}

/** The newest redaction of a position, null where nothing was erased. */
export async function redactionAt(db: Kysely<LedgerTables>, logId: number, at: Position): Promise<StoredRedaction | null> {
  const row = await db
    .selectFrom('redaction')
    .select('token')
    .where('log_id', '=', logId)
    .where('epoch', '=', at.epoch)
    .where('seq', '=', at.seq)
    .where('newest', '=', true)
    .executeTakeFirst()
  return row === undefined ? null : storedRedaction(row.token)
}

/** The newest redactions of several positions of a log, by `epoch.seq`. */
export async function redactionsAt(
  db: Kysely<LedgerTables>,
  logId: number,
  positions: readonly Position[],
): Promise<Map<string, StoredRedaction>> {
  if (positions.length === 0) return new Map()
  const { rows } = await sql<Position & { token: string }>`
    SELECT epoch, seq, token FROM redaction
    JOIN unnest(${positions.map(at => at.epoch)}::int[], ${positions.map(at => at.seq)}::bigint[]) AS w(epoch, seq) USING (epoch, seq)
    WHERE log_id = ${logId}::int AND newest`.execute(db)
  return new Map(rows.map(row => [formatPosition(row), storedRedaction(row.token)]))
}

/** Stands beside the body that it names: the caller has replaced it in the same transaction. */
export async function noteRedaction(db: Kysely<LedgerTables>, logId: number, redaction: Redaction): Promise<void> {
  const { epoch, seq } = redaction.position
  await db
    .updateTable('redaction')
    .set({ newest: false })
    .where('log_id', '=', logId)
    .where('epoch', '=', epoch)
    .where('seq', '=', seq)
    .where('newest', '=', true)
    .execute()
  await db
    .insertInto('redaction')
    .values({
      log_id: logId,
      epoch,
      seq,
      erased: redaction.keys.size,
      newest: true,
      token: redaction.token,
      old_digest: redaction.old,
      new_digest: redaction.new,
      issued_at: redaction.issuedAt,
    })
    .execute()
}

/** How many keys the newest redactions of each log name: what a head states as `red`. By the log's id. */
export async function countErased(db: Kysely<LedgerTables>): Promise<Map<number, number>> {
  const { rows } = await sql<{ log_id: number; erased: number }>`
    SELECT log_id, sum(erased)::bigint AS erased FROM redaction WHERE newest GROUP BY log_id`.execute(db)
  return new Map(rows.map(row => [row.log_id, Number(row.erased)]))
}

/** A place among the redactions of a log, in the order in which they were issued. */
export type RedactionCursor = Position & { readonly issued: number }

export type ErasedEntry = {
  readonly cursor: RedactionCursor
  readonly redaction: string
  readonly encoding: string
  readonly body: Buffer
}

/** The newest redactions behind a cursor with the bodies that they name, oldest first. */
export async function readRedactions(
  db: Kysely<LedgerTables>,
  logId: number,
  after: RedactionCursor,
  limit: number,
): Promise<ErasedEntry[]> {
  const { rows } = await sql<Position & { issued: number; redaction: string; encoding: string; body: Buffer }>`
    SELECT epoch, seq, extract(epoch FROM issued_at)::bigint AS issued, r.token AS redaction, e.encoding, e.body
    FROM redaction r JOIN envelope e USING (log_id, epoch, seq)
    WHERE log_id = ${logId}::int AND r.newest
      AND (issued_at, epoch, seq) > (to_timestamp(${after.issued}::bigint), ${after.epoch}::int, ${after.seq}::bigint)
    ORDER BY issued_at, epoch, seq LIMIT ${limit}`.execute(db)
  return rows.map(({ epoch, seq, issued, ...row }) => ({ ...row, cursor: { issued: Number(issued), epoch, seq } }))
}

/** When the last redaction of a log that is known here was issued, in seconds; 0 for none. */
export async function lastIssued(db: Kysely<LedgerTables>, log: LogId): Promise<number> {
  const { rows } = await sql<{ issued: number | null }>`
    SELECT extract(epoch FROM max(r.issued_at))::bigint AS issued FROM redaction r JOIN log ON log.id = r.log_id
    WHERE origin = ${log.origin} AND dataset = ${log.dataset} AND audience = ${log.audience}`.execute(db)
  return Number(rows[0]?.issued ?? 0)
}
