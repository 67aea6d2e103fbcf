/**
 * Applies accepted records to the replica, in the transaction that appends their envelope. A record takes effect when its `ver` is
 * higher than what stands, so that a repeat changes nothing. One record that PostgreSQL refuses never stops a cursor: the batch is
 * then tried record by record, and the one is handed back for quarantine.
 */
import { sql, type Transaction } from 'kysely'
import type { Accepted, Effect } from '../../runtime/ledger/arrival.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { isDataError, translateDatabaseError } from '../../runtime/postgres/database.ts'
import type { OpenDatasetName } from '../../schemas/datasets/datasets.ts'
import type { OpenedBody, RefusedRecord } from '../../schemas/opening.ts'
import type { ExchangeRecord } from '../../schemas/record.ts'
import { highestOfEachKey } from '../../schemas/replica-rule.ts'
import { REPLICAS, replicaTable } from './datasets.ts'

export type PlacedRecord = ExchangeRecord & { readonly index: number }
/** neither a put nor a retract: nothing is shown of it, and whatever its log says later stands instead */
const ERASED = 'erased'

export type Placement = { readonly logId: number; readonly epoch: number; readonly seq: number }

/**
 * Records of one batch, or their bytes as they came where every one of them is meant, in order from 0: the driver sends a Buffer as it
 * is, so that what was verified is what PostgreSQL reads, and nothing is written anew.
 */
const source = (records: readonly PlacedRecord[], json: Uint8Array | null) =>
  json === null
    ? sql`json_to_recordset(${JSON.stringify(records)}::json)
        AS r(key text, ver int, op text, why text, at timestamptz, platform text, body jsonb, index int)`
    : sql`ROWS FROM (json_to_recordset(${Buffer.from(json.buffer, json.byteOffset, json.byteLength)}::json)
        AS (key text, ver int, op text, why text, at timestamptz, platform text, body jsonb)) WITH ORDINALITY
        AS r(key, ver, op, why, at, platform, body, place), LATERAL (SELECT (r.place - 1)::int AS index) AS i`

/** What an entry adds to the replica: its records, and of those that were erased the version alone, which hides the ones before it. */
export const placedRecords = ({ records, erased }: OpenedBody): readonly PlacedRecord[] =>
  erased.length === 0
    ? records
    : [...records, ...erased.map(one => ({ ...one, op: ERASED, body: null }) as unknown as PlacedRecord)]

export async function applyRecords(
  trx: Transaction<LedgerTables>,
  dataset: OpenDatasetName,
  place: Placement,
  records: readonly PlacedRecord[],
  json: Uint8Array | null = null,
): Promise<void> {
  if (records.length === 0) return
  const distinct = highestOfEachKey(records)
  await sql`
    INSERT INTO ${sql.table(replicaTable(dataset))} AS held (log_id, key, ver, op, why, at, platform, body, epoch, seq, item)
    SELECT ${place.logId}::int, r.key, r.ver, r.op, r.why, r.at, r.platform, r.body, ${place.epoch}::int, ${place.seq}::bigint, index
    FROM ${source(distinct, distinct === records ? json : null)}
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
      if (careful) refused.set(one, await applyOneByOne(trx, dataset, place, placedRecords(one.content)))
      else await applyRecords(trx, dataset, place, placedRecords(one.content), one.content.json)
    }
    return refused
  },

  async versions(trx, { id, dataset }, keys) {
    const replica = REPLICAS.find(one => one.dataset === dataset)
    if (replica === undefined) return new Map()
    const { rows } = await sql<{ key: string; ver: number }>`
      SELECT key, ver FROM ${sql.table(replicaTable(replica.dataset))} WHERE log_id = ${id}::int AND key = ANY(${keys}::text[])`.execute(
      trx,
    )
    return new Map(rows.map(row => [row.key, row.ver]))
  },

  async erase(trx, { id, dataset }, { epoch, seq }, keys) {
    const replica = REPLICAS.find(one => one.dataset === dataset)
    if (replica === undefined) return
    await sql`
      UPDATE ${sql.table(replicaTable(replica.dataset))} SET op = ${ERASED}, body = NULL, applied_at = now()
      WHERE log_id = ${id}::int AND epoch = ${epoch}::int AND seq = ${seq}::bigint AND key = ANY(${keys}::text[]) AND op = 'put'`.execute(
      trx,
    )
  },
}
