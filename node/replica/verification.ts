/**
 * Holds the replica against the ledger, in one snapshot: for every key the record with the highest `ver` that was accepted must stand,
 * as its envelope says it. Bodies are compared as text, and only those whose text differs as what it says. Each row stands for one
 * record; a row that no record accounts for is looked for only when the count says that there is one.
 */
import { sql, type Transaction } from 'kysely'
import { type Bodies, bodiesForAll } from '../../runtime/ledger/bodies.ts'
import { appliedEntriesOf } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Finding, VerifiedLog } from '../../runtime/ledger/verification.ts'
import type { OpenDatasetName } from '../../schemas/datasets/datasets.ts'
import { comparePositions, formatPosition, type Position } from '../../schemas/log.ts'
import { type ExchangeRecord, isSameJson, type JsonValue } from '../../schemas/record.ts'
import { isRegionTold, REPLICAS, replicaTable } from './datasets.ts'
import { asideOf, recordsOf, replayRecords } from './replay.ts'

const CHUNK_ROWS = 500

type HeldRow = { index: number; ver: number | null; here: boolean; same: boolean; other: string | null }
type PlacedRow = { key: string; ver: number; epoch: number; seq: number; item: number }

export async function* verifyReplica(
  trx: Transaction<LedgerTables>,
  { id, log, base }: VerifiedLog,
  bodies: Bodies = bodiesForAll,
): AsyncGenerator<Finding, number, undefined> {
  const replica = REPLICAS.find(one => one.dataset === log.dataset)
  if (replica === undefined) return 0
  const table = sql.table(replicaTable(replica.dataset))
  // What is told beside a body may not say something else than it.
  const region = isRegionTold(replica)
    ? sql`AND held.region IS NOT DISTINCT FROM (c.body #>> ${sql.lit(`{${replica.region}}`)})`
    : sql``
  const finding = (at: Position, item: number, key: string, expected: string, found: string): Finding => ({
    kind: 'finding',
    check: 'record',
    log,
    position: { epoch: at.epoch, seq: at.seq },
    item,
    key,
    expected,
    found,
  })

  let records = 0
  // What a log began with was held against a signed root then; its envelopes are not here.
  let accounted = base === null ? 0 : await countUntil(trx, replica.dataset, id, base)
  for await (const { entry, records: applied } of replayRecords(trx, { id, log }, bodies)) {
    records += applied.length
    const { rows } = await sql<HeldRow>`
        SELECT c.index, held.ver,
          coalesce(held.epoch = ${entry.epoch}::int AND held.seq = ${entry.seq}::bigint AND held.item = c.index, false) AS here,
          coalesce(held.ver = c.ver AND held.op = c.op AND held.platform = c.platform AND held.at = c.at
            AND held.why IS NOT DISTINCT FROM c.why ${region}, false) AS same,
          CASE WHEN held.body::text IS DISTINCT FROM c.body::text THEN coalesce(held.body::text, 'null') END AS other
        FROM json_to_recordset(${JSON.stringify(applied)}::json)
          AS c(index int, key text, ver int, op text, why text, at timestamptz, platform text, body ${sql.raw(replica.body)})
        LEFT JOIN ${table} held ON held.log_id = ${id}::int AND held.key = c.key`.execute(trx)
    const held = new Map(rows.map(row => [row.index, row]))
    for (const record of applied) {
      const row = held.get(record.index)
      if (row?.here === true) accounted += 1
      if (row === undefined || row.ver === null) yield finding(entry, record.index, record.key, `version ${record.ver}`, 'no row')
      else if (row.here && !(row.same && says(row.other, record)))
        yield finding(
          entry,
          record.index,
          record.key,
          `version ${record.ver} as the envelope says it`,
          `version ${row.ver}, edited`,
        )
      else if (row.ver < record.ver) yield finding(entry, record.index, record.key, `version ${record.ver}`, `version ${row.ver}`)
    }
  }
  const counted = await sql<{ rows: number }>`SELECT count(*) AS rows FROM ${table} WHERE log_id = ${id}::int`.execute(trx)
  if (counted.rows[0]?.rows === accounted) return records

  for (let after = ''; ; ) {
    const { rows } = await sql<PlacedRow>`
      SELECT key, ver, epoch, seq, item FROM ${table} WHERE log_id = ${id}::int AND key > ${after} ORDER BY key LIMIT ${CHUNK_ROWS}`.execute(
      trx,
    )
    const last = rows.at(-1)
    if (last === undefined) return records
    for (const row of rows) {
      if (base !== null && comparePositions(row, base) <= 0) continue
      if (await stands(trx, { id, log, bodies }, row)) continue
      yield finding(row, row.item, row.key, `a record of this key at ${formatPosition(row)} #${row.item}`, 'none there')
    }
    after = last.key
  }
}

/** Text that differs may still say the same: what could not be passed on as it came was written anew. */
function says(other: string | null, record: ExchangeRecord): boolean {
  if (other === null) return true
  try {
    return isSameJson(JSON.parse(other) as JsonValue, record.op === 'put' ? record.body : null)
  } catch {
    return false
  }
}

async function countUntil(trx: Transaction<LedgerTables>, dataset: OpenDatasetName, id: number, at: Position): Promise<number> {
  const { rows } = await sql<{ rows: number }>`
    SELECT count(*) AS rows FROM ${sql.table(replicaTable(dataset))}
    WHERE log_id = ${id}::int AND (epoch, seq) <= (${at.epoch}::int, ${at.seq}::bigint)`.execute(trx)
  return rows[0]?.rows ?? 0
}

async function stands(
  trx: Transaction<LedgerTables>,
  { id, log, bodies }: Pick<VerifiedLog, 'id' | 'log'> & { readonly bodies: Bodies },
  row: PlacedRow,
): Promise<boolean> {
  const entry = await appliedEntriesOf(trx, id)
    .where('envelope.epoch', '=', row.epoch)
    .where('envelope.seq', '=', row.seq)
    .executeTakeFirst()
  if (entry === undefined || (await asideOf(trx, log, row)).has(row.item)) return false
  const records = await recordsOf(trx, id, entry, bodies)
  return records === null || records.some(record => record.index === row.item && record.key === row.key)
}
