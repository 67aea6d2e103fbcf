/**
 * Stores the records of a snapshot in the replica. They are judged like arriving ones; what is wrong is set aside with its place, the
 * rest goes to PostgreSQL as the text that the root covers, a group in one statement.
 */
import { sql } from 'kysely'
import type { Loader, Prepared } from '../../runtime/ledger/bootstrap-groups.ts'
import { type Quarantined, quarantine } from '../../runtime/ledger/quarantine.ts'
import { type OpenDatasetName, parseDatasetName } from '../../schemas/datasets/datasets.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { judgeParsed } from '../../schemas/i-json.ts'
import { LIMITS } from '../../schemas/limits.ts'
import type { LogId } from '../../schemas/log.ts'
import type { JsonValue } from '../../schemas/record.ts'
import type { ChunkLine, StateRecord } from '../../schemas/snapshot.ts'
import { checkBody, checkRecord } from '../../schemas/validators.ts'
import { isRegionTold, REPLICAS, regionOf, replicaOf, replicaTable } from './datasets.ts'

function faultOf(dataset: OpenDatasetName, record: StateRecord, erased: boolean): ExchangeError | null {
  const faults = checkRecord(record)
  const put = record.op === 'put' && !erased
  const [fault] = faults.length > 0 || !put ? faults : checkBody(dataset, record.body ?? null, 'receiving')
  if (fault === undefined) return null
  return new ExchangeError('RECORD_SCHEMA_INVALID', `${fault.path === '' ? 'record' : fault.path}: ${fault.expected}`, {
    detail: { rule: fault.rule },
  })
}

/** What is wrong, by its number in the group. */
function judge(
  dataset: OpenDatasetName,
  lines: readonly ChunkLine[],
  records: readonly StateRecord[],
  text: string,
): Map<number, ExchangeError> {
  const { faults } = judgeParsed(text, records as unknown as JsonValue, LIMITS.jsonDepth)
  const wrong = new Map(
    faults.map(({ path, reason }) => [
      Number(path.split('/')[1] ?? 0),
      new ExchangeError('RECORD_NOT_IJSON', `${reason} at "${path}"`),
    ]),
  )
  for (const [index, record] of records.entries()) {
    const error = wrong.has(index) ? null : faultOf(dataset, record, lines[index]?.erased === true)
    if (error !== null) wrong.set(index, error)
  }
  return wrong
}

const textOf = (lines: readonly ChunkLine[]): string => `[${lines.map(line => line.text).join(',')}]`

const aside = (log: LogId, line: ChunkLine, error: ExchangeError): Quarantined => ({
  kind: 'record',
  ...log,
  epoch: line.place.epoch,
  seq: line.place.seq,
  item: line.place.item,
  key: line.key.isWellFormed() && !line.key.includes('\u0000') ? line.key.slice(0, 128) : null,
  rule: typeof error.detail.rule === 'string' ? error.detail.rule : null,
  code: error.code,
  reason: error.reason,
  content: Buffer.from(line.text),
})

const COMPUTED = { column: sql``, value: sql``, list: sql`` }

const list = (values: readonly number[]): string => `{${values.join(',')}}`

export const snapshotLoader: Loader = {
  prepare(log, lines): Prepared {
    const dataset = parseDatasetName(log.dataset)
    const replica = replicaOf(dataset)
    const text = textOf(lines)
    // A chunk that was parsed carries its records.
    const records = lines.map(line => line.record ?? (JSON.parse(line.text) as StateRecord))
    const wrong = judge(dataset, lines, records, text)
    const good = wrong.size === 0 ? lines : lines.filter((_, index) => !wrong.has(index))
    const json = Buffer.from(wrong.size === 0 ? text : textOf(good))
    const places = good.map(line => line.place)
    const regions = records.filter((_, index) => !wrong.has(index)).map(record => regionOf(replica, record.body))
    const told = isRegionTold(replica)
      ? { column: sql`, region`, value: sql`, r.region`, list: sql`, unnest(${regions}::text[])` }
      : COMPUTED
    return {
      async store(trx, logId) {
        await sql`
          INSERT INTO ${sql.table(replicaTable(dataset))} (log_id, key, ver, op, why, at, platform, body, epoch, seq, item${told.column})
          SELECT ${logId}::int, r.key, r.ver, CASE WHEN r.op = 'put' AND r.body IS NULL THEN 'erased' ELSE r.op END,
            r.why, r.at, r.platform, r.body, r.epoch, r.seq, r.item${told.value}
          FROM ROWS FROM (
            json_to_recordset(${json}::json)
              AS (key text, ver int, op text, why text, at timestamptz, platform text, body ${sql.raw(replica.body)}),
            unnest(${list(places.map(at => at.epoch))}::int[]), unnest(${list(places.map(at => at.seq))}::bigint[]),
            unnest(${list(places.map(at => at.item))}::int[])${told.list}
          ) AS r(key, ver, op, why, at, platform, body, epoch, seq, item${told.column})`.execute(trx)
        const refused = [...wrong].flatMap(([index, error]) => {
          const line = lines[index]
          return line === undefined ? [] : [aside(log, line, error)]
        })
        await quarantine(trx, refused)
      },
    }
  },

  async clear(trx, { id, dataset }) {
    const replica = REPLICAS.find(one => one.dataset === dataset)
    if (replica === undefined) return
    await sql`DELETE FROM ${sql.table(replicaTable(replica.dataset))} WHERE log_id = ${id}::int`.execute(trx)
  },
}
