/**
 * Takes the effect of entries back that their origin has declared lost. Rows that such an entry made go, and what the rest of the
 * ledger says of their keys takes their place. It reads the whole log once, a few entries at a time, in the transaction that takes the
 * opening; nothing happens where no such entry is held, which is what a loss nearly always means.
 */
import { sql, type Transaction } from 'kysely'
import { type Bodies, bodiesForAll } from '../../runtime/ledger/bodies.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { comparePositions, type LogId, type Position } from '../../schemas/log.ts'
import { REPLICAS, replicaTable } from './datasets.ts'
import { replayRecords } from './replay.ts'
import { applyRecords } from './replicator.ts'

/** Answers how many keys were set back. The entries in question are marked already, so that a replay leaves them out. */
export async function withdrawRecords(
  trx: Transaction<LedgerTables>,
  { id, log, base }: { readonly id: number; readonly log: LogId; readonly base: Position | null },
  lost: Position,
  opening: Position,
  bodies: Bodies = bodiesForAll,
): Promise<number> {
  const replica = REPLICAS.find(one => one.dataset === log.dataset)
  if (replica === undefined) return 0
  const table = sql.table(replicaTable(replica.dataset))
  await sql`DROP TABLE IF EXISTS pg_temp.withdrawn`.execute(trx)
  await sql`CREATE TEMPORARY TABLE withdrawn (key text COLLATE "C" PRIMARY KEY) ON COMMIT DROP`.execute(trx)
  const { numAffectedRows } = await sql`
    WITH gone AS (
      DELETE FROM ${table} WHERE log_id = ${id}::int
        AND (epoch, seq) >= (${lost.epoch}::int, ${lost.seq}::bigint)
        AND (epoch, seq) < (${opening.epoch}::int, ${opening.seq}::bigint)
      RETURNING key
    ) INSERT INTO withdrawn SELECT key FROM gone`.execute(trx)
  const keys = Number(numAffectedRows ?? 0n)
  if (base !== null && (keys > 0 || comparePositions(base, lost) >= 0)) {
    await sql`DELETE FROM ${table} WHERE log_id = ${id}::int`.execute(trx)
    return keys
  }
  if (keys === 0) return 0
  for await (const { entry, records } of replayRecords(trx, { id, log }, bodies)) {
    const { rows } = await sql<{ key: string }>`
      SELECT key FROM withdrawn WHERE key = ANY(${records.map(record => record.key)}::text[])`.execute(trx)
    const due = new Set(rows.map(row => row.key))
    const place = { logId: id, epoch: entry.epoch, seq: entry.seq }
    await applyRecords(
      trx,
      replica.dataset,
      place,
      records.filter(record => due.has(record.key)),
    )
  }
  return keys
}
