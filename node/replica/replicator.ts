/**
 * Applies accepted records to the replica, in the transaction that appends their envelope. A record takes effect when its `ver` is
 * higher than what stands, so that a repeat changes nothing. One record that PostgreSQL refuses never stops a cursor: the batch is
 * then tried record by record, and the one is handed back for quarantine.
 */
import { sql, type Transaction } from 'kysely'
import type { Accepted, Effect } from '../../runtime/ledger/arrival.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { isDataError, translateDatabaseError } from '../../runtime/postgres/database.ts'
import { type Statement, type Tail, wireOf } from '../../runtime/postgres/pipeline.ts'
import type { OpenDatasetName } from '../../schemas/datasets/datasets.ts'
import type { OpenedBody, RefusedRecord } from '../../schemas/opening.ts'
import type { ExchangeRecord } from '../../schemas/record.ts'
import { highestOfEachKey } from '../../schemas/replica-rule.ts'
import { isRegionTold, REPLICAS, type ReplicaRow, regionOf, replicaTable } from './datasets.ts'

export type PlacedRecord = ExchangeRecord & { readonly index: number }
/** neither a put nor a retract: nothing is shown of it, and whatever its log says later stands instead */
const ERASED = 'erased'

export type Placement = { readonly logId: number; readonly epoch: number; readonly seq: number }

/** What an entry adds to the replica: its records, and of those that were erased the version alone, which hides the ones before it. */
export const placedRecords = ({ records, erased }: OpenedBody): readonly PlacedRecord[] =>
  erased.length === 0
    ? records
    : [...records, ...erased.map(one => ({ ...one, op: ERASED, body: null }) as unknown as PlacedRecord)]

/**
 * `$4` is the list of records as bytes: as they came where every one of them is meant, in order from 0, so that what was verified is
 * what PostgreSQL reads and nothing is written anew; otherwise written here, each with its own index. `$5` are their regions, where they
 * are told. `first`: nothing stands of these keys; not to look saves a sixth of a row.
 */
const applyStatement = (replica: ReplicaRow, asTheyCame: boolean, first: boolean): Statement => {
  const told = isRegionTold(replica) ? ', region' : ''
  const index = asTheyCame ? '' : ', index'
  const record = `key text, ver int, op text, why text, at timestamptz, platform text, body ${replica.body}${asTheyCame ? '' : ', index int'}`
  const said = `ver, op, why, at, platform, body${told}`
  return {
    name: `${first ? 'first' : 'apply'}_${replica.dataset}${asTheyCame ? '' : '_some'}`,
    text: `
      INSERT INTO ${replicaTable(replica.dataset)} AS held (log_id, key, ${said}, epoch, seq, item)
      SELECT $1::int, r.key, ${said.replaceAll(/\w+/g, 'r.$&')}, $2::int, $3::bigint, ${asTheyCame ? '(r.place - 1)::int' : 'r.index'}
      FROM ROWS FROM (json_to_recordset($4::json) AS (${record})${told === '' ? '' : ', unnest($5::text[])'}) WITH ORDINALITY
        AS r(key, ver, op, why, at, platform, body${index}${told}, place)
      ${
        first
          ? ''
          : `ON CONFLICT (log_id, key) DO UPDATE SET (${said}, epoch, seq, item, applied_at)
        = ROW(${`${said}, epoch, seq, item`.replaceAll(/\w+/g, 'excluded.$&')}, now())
      WHERE excluded.ver > held.ver`
      }`,
  }
}
const APPLY = new Map(
  REPLICAS.map(replica => [
    replica.dataset,
    {
      replica,
      first: { whole: applyStatement(replica, true, true), some: applyStatement(replica, false, true) },
      later: { whole: applyStatement(replica, true, false), some: applyStatement(replica, false, false) },
    },
  ]),
)

/**
 * A record without an index stands at its place in the list. With a `tail`, sent and not waited for; then of first versions nothing is
 * believed to stand, and where something does, the transaction fails with an error of the data.
 */
export async function applyRecords(
  trx: Transaction<LedgerTables>,
  dataset: OpenDatasetName,
  { logId, epoch, seq }: Placement,
  records: readonly (ExchangeRecord & { readonly index?: number })[],
  json: Uint8Array | null = null,
  tail?: Tail,
): Promise<void> {
  const known = APPLY.get(dataset)
  if (records.length === 0 || known === undefined) return
  const { replica } = known
  const highest = highestOfEachKey(records)
  const whole = json !== null && highest === records
  const list = whole
    ? Buffer.from(json.buffer, json.byteOffset, json.byteLength)
    : Buffer.from(JSON.stringify(highestOfEachKey(records.map((record, index) => ({ index, ...record })))))
  const statements = tail !== undefined && records.every(({ ver }) => ver === 1) ? known.first : known.later
  const regions = highest.map(record => regionOf(replica, record.op === 'put' ? record.body : null))
  const send = await wireOf(trx)
  const sent = send(whole ? statements.whole : statements.some, [
    logId,
    epoch,
    seq,
    list,
    ...(isRegionTold(replica) ? [regions] : []),
  ])
  if (tail === undefined) await sent
  else tail(sent)
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
  async apply(trx, accepted, careful, tail) {
    const refused = new Map<Accepted, RefusedRecord[]>()
    for (const one of accepted) {
      const { epoch, seq } = one.token.entry
      const place = { logId: one.logId, epoch, seq }
      const dataset = one.token.log.dataset as OpenDatasetName
      if (careful) refused.set(one, await applyOneByOne(trx, dataset, place, placedRecords(one.content)))
      else await applyRecords(trx, dataset, place, placedRecords(one.content), one.content.json, tail)
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

  async standing(trx, { id, dataset }, { epoch, seq }, keys) {
    const replica = REPLICAS.find(one => one.dataset === dataset)
    if (replica === undefined) return 0
    const { rows } = await sql<{ count: number }>`
      SELECT count(*)::int AS count FROM ${sql.table(replicaTable(replica.dataset))} WHERE log_id = ${id}::int
        AND epoch = ${epoch}::int AND seq = ${seq}::bigint AND key = ANY(${keys}::text[]) AND op = 'put'`.execute(trx)
    return rows[0]?.count ?? 0
  },

  async erase(trx, { id, dataset }, { epoch, seq }, keys) {
    const replica = REPLICAS.find(one => one.dataset === dataset)
    if (replica === undefined) return
    await sql`
      UPDATE ${sql.table(replicaTable(replica.dataset))} SET op = ${ERASED}, body = NULL${isRegionTold(replica) ? sql`, region = NULL` : sql``}, applied_at = now()
      WHERE log_id = ${id}::int AND epoch = ${epoch}::int AND seq = ${seq}::bigint AND key = ANY(${keys}::text[]) AND op = 'put'`.execute(
      trx,
    )
  },
}
