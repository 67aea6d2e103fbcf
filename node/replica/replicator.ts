/**
 * Applies accepted records to the replica, in the transaction that appends their envelope. A record takes effect when its `ver` is
 * higher than what stands, so that a repeat changes nothing. One record that PostgreSQL refuses never stops a cursor: the batch is
 * then tried record by record, and the one is handed back for quarantine.
 */
import { sql, type Transaction } from 'kysely'
import type { Accepted, Effect } from '../../runtime/ledger/receiver.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { isDataError, translateDatabaseError } from '../../runtime/postgres/database.ts'
import type { OpenDatasetName } from '../../schemas/datasets/datasets.ts'
import type { RefusedRecord } from '../../schemas/opening.ts'
import type { ExchangeRecord } from '../../schemas/record.ts'
import { highestOfEachKey } from '../../schemas/replica-rule.ts'
import { replicaTable } from './datasets.ts'

export type PlacedRecord = ExchangeRecord & { readonly index: number }
export type Placement = { readonly logId: number; readonly epoch: number; readonly seq: number }

export async function applyRecords(
  trx: Transaction<LedgerTables>,
  dataset: OpenDatasetName,
  place: Placement,
  records: readonly PlacedRecord[],
): Promise<void> {
  if (records.length === 0) return
  await sql`
    INSERT INTO ${sql.table(replicaTable(dataset))} AS held (log_id, key, ver, op, why, at, platform, body, epoch, seq, item)
    SELECT ${place.logId}::int, r.key, r.ver, r.op, r.why, r.at, r.platform, r.body, ${place.epoch}::int, ${place.seq}::bigint, r.index
    FROM json_to_recordset(${JSON.stringify(highestOfEachKey(records))}::json)
      AS r(key text, ver int, op text, why text, at timestamptz, platform text, body jsonb, index int)
    ON CONFLICT (log_id, key) DO UPDATE SET
      ver = excluded.ver, op = excluded.op, why = excluded.why, at = excluded.at, platform = excluded.platform, body = excluded.body,
      epoch = excluded.epoch, seq = excluded.seq, item = excluded.item, applied_at = now()
    WHERE excluded.ver > held.ver`.execute(trx)
}

async function applyOneByOne(
  trx: Transaction<LedgerTables>,
  dataset: OpenDatasetName,
  place: Placement,
  records: readonly PlacedRecord[],
): Promise<RefusedRecord[]> {
  const refused: RefusedRecord[] = []
  for (const record of records) {
    await sql`SAVEPOINT one_record`.execute(trx)
    try {
      await applyRecords(trx, dataset, place, [record])
      await sql`RELEASE SAVEPOINT one_record`.execute(trx)
    } catch (cause) {
      if (!isDataError(cause)) throw cause
      await sql`ROLLBACK TO SAVEPOINT one_record`.execute(trx)
      const error = translateDatabaseError(cause)
      refused.push({ index: record.index, key: record.key.includes('\u0000') ? null : record.key, error })
    }
  }
  return refused
}

export const replicator: Effect = {
  async apply(trx, accepted, careful) {
    const refused = new Map<Accepted, RefusedRecord[]>()
    for (const one of accepted) {
      const { epoch, seq } = one.token.entry
      const place = { logId: one.logId, epoch, seq }
      const dataset = one.token.log.dataset as OpenDatasetName
      if (careful) refused.set(one, await applyOneByOne(trx, dataset, place, one.content.records))
      else await applyRecords(trx, dataset, place, one.content.records)
    }
    return refused
  },
}
