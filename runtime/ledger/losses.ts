/**
 * What an origin has declared lost (`schemas/log.ts`). Whoever holds entries of such a range keeps them as evidence and marks them in
 * the transaction that takes the opening, so that they count nowhere from then on; whoever derives a state from the ledger takes their
 * effect back in the same transaction. So a holder that had them and one that never had end in the same state.
 */
import { type Kysely, sql, type Transaction } from 'kysely'
import type { ErrorCode } from '../../schemas/errors.ts'
import { type ChainEntry, comparePositions, type Loss, type Position } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { openToken } from '../../schemas/opening.ts'
import type { LedgerTables } from './tables.ts'

/** stands in `envelope.refusal` of an entry that its origin has declared lost */
export const LOST = 'ENTRY_DECLARED_LOST' satisfies ErrorCode

export type Void = { readonly logId: number; readonly lost: Position; readonly opening: Position }

/** Marks what is held of a lost range and is not marked yet; answers how many entries. */
export async function voidEntries(trx: Transaction<LedgerTables>, { logId, lost, opening }: Void): Promise<number> {
  const { numAffectedRows } = await sql`
    UPDATE envelope SET refusal = ${LOST} WHERE log_id = ${logId}::int
      AND (epoch, seq) >= (${lost.epoch}::int, ${lost.seq}::bigint)
      AND (epoch, seq) < (${opening.epoch}::int, ${opening.seq}::bigint) AND refusal IS DISTINCT FROM ${LOST}`.execute(trx)
  return Number(numAffectedRows ?? 0n)
}

/**
 * Empties a log here, so that it is loaded anew: where it began with a snapshot, what lost entries replaced is not in this ledger any
 * more. Nobody loses anything by it but this holder its copy.
 */
export async function forgetLog(trx: Transaction<LedgerTables>, logId: number): Promise<void> {
  await sql`DELETE FROM envelope WHERE log_id = ${logId}::int`.execute(trx)
  // What was erased is asked for again: an entry that comes back may come with its first body.
  await sql`DELETE FROM redaction WHERE log_id = ${logId}::int`.execute(trx)
  await sql`DELETE FROM backfill WHERE log_id = ${logId}::int`.execute(trx)
  await sql`
    UPDATE log SET epoch = 0, seq = 0, digest = NULL, issued_at = NULL,
      base_epoch = 0, base_seq = 0, base_digest = NULL, base_token = NULL WHERE id = ${logId}::int`.execute(trx)
}

export async function isLost(db: Kysely<LedgerTables>, logId: number, { epoch, seq }: Position): Promise<boolean> {
  const row = await db
    .selectFrom('envelope')
    .select('seq')
    .where('log_id', '=', logId)
    .where('epoch', '=', epoch)
    .where('seq', '=', seq)
    .where('refusal', '=', LOST)
    .executeTakeFirst()
  return row !== undefined
}

export const lossOf = (entry: ChainEntry): Loss | null => (entry.kind === 'opening' ? (entry.lost ?? null) : null)

/** Losses that openings held of a log declare, oldest first. */
export async function readLosses(
  db: Kysely<LedgerTables>,
  logId: number,
  membership: Membership,
): Promise<{ readonly lost: Loss; readonly opening: Position }[]> {
  const rows = await db
    .selectFrom('envelope')
    .select('token')
    .where('log_id', '=', logId)
    .where('seq', '=', 0)
    .where('epoch', '>', 1)
    .orderBy('epoch')
    .execute()
  const opened = await Promise.all(rows.map(({ token }) => openToken('epoch', token, membership, null)))
  return opened.flatMap(({ entry }) => {
    const lost = lossOf(entry)
    return lost === null ? [] : [{ lost, opening: { epoch: entry.epoch, seq: 0 } }]
  })
}

/** Of each own log of an asker the last entry that it has declared lost and that stands here: how it learns what can be said again. */
export async function lostTokens(db: Kysely<LedgerTables>, origin: string): Promise<string[]> {
  const { rows } = await sql<{ token: string }>`
    SELECT DISTINCT ON (e.log_id) e.token FROM envelope e JOIN log l ON l.id = e.log_id
    WHERE l.origin = ${origin} AND e.refusal = ${sql.lit(LOST)} ORDER BY e.log_id, e.epoch DESC, e.seq DESC`.execute(db)
  return rows.map(row => row.token)
}

export type LossFault = { readonly at: Position; readonly expected: string; readonly found: string }

/** Whether exactly those entries are marked that openings of their log declare lost. */
export async function lossFaults(db: Kysely<LedgerTables>, logId: number, membership: Membership): Promise<LossFault[]> {
  const losses = await readLosses(db, logId, membership).catch((): null => null)
  if (losses === null) return []
  const covers = (at: Position): boolean =>
    losses.some(({ lost, opening }) => comparePositions(at, lost) >= 0 && comparePositions(at, opening) < 0)
  const faults: LossFault[] = []
  for (const { lost, opening } of losses) {
    const { rows } = await sql<Position>`
      SELECT epoch, seq FROM envelope WHERE log_id = ${logId}::int AND refusal IS DISTINCT FROM ${LOST}
        AND (epoch, seq) >= (${lost.epoch}::int, ${lost.seq}::bigint)
        AND (epoch, seq) < (${opening.epoch}::int, ${opening.seq}::bigint) ORDER BY epoch, seq LIMIT 1`.execute(db)
    for (const at of rows) faults.push({ at, expected: LOST, found: 'an entry that counts' })
  }
  const marked = await sql<Position>`
    SELECT epoch, min(seq) AS seq FROM envelope WHERE log_id = ${logId}::int AND refusal = ${sql.lit(LOST)} GROUP BY epoch ORDER BY epoch`.execute(
    db,
  )
  for (const at of marked.rows) if (!covers(at)) faults.push({ at, expected: 'an entry that counts', found: LOST })
  return faults
}
