/** The replica, by the same rules as PostgreSQL's statement in the product. */
import { canonicalText } from '../../schemas/jcs.ts'
import { formatPosition } from '../../schemas/log.ts'
import type { ExchangeRecord, JsonValue } from '../../schemas/record.ts'
import type { DiskLog, Row, StoredEntry } from './disk.ts'
import type { Ground } from './ground.ts'

export const rowOf = (record: ExchangeRecord, at: string): Row => ({
  ver: record.ver,
  op: record.op,
  text: record.op === 'put' ? canonicalText(record.body as JsonValue) : record.why,
  at,
})

/** What an entry adds: its records, and of those that were erased the version alone, which hides the ones before it. */
export function applyRecords({ rules }: Ground, log: DiskLog, { entry, records, erased = [] }: StoredEntry): void {
  const at = formatPosition(entry)
  const placed = [
    ...records.map(record => ({ key: record.key, ver: record.ver, row: rowOf(record, at) })),
    ...erased.map(({ key, ver }) => ({ key, ver, row: { ver, op: 'erased', text: '', at } })),
  ]
  for (const { key, ver, row } of rules.highestOfEachKey(placed))
    if (rules.takesEffect(log.rows.get(key)?.ver ?? null, ver)) log.rows.set(key, row)
  log.applied.push(at)
}
