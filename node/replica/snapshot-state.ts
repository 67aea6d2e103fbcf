/**
 * The state of a log at a position, read from the replica in the order of keys. A row that stands at or before the position is that
 * key's state; where a later version stands, the one before it is looked for in the ledger. What cannot be told, because it was erased
 * since or because the log began here behind it, is not guessed.
 */
import { sql, type Transaction } from 'kysely'
import { type Standing, type StateLog, type StateReader, spokenRecords, unjudged } from '../../runtime/ledger/ledger-state.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { comparePositions, formatPosition, type Position } from '../../schemas/log.ts'
import type { JsonObject } from '../../schemas/record.ts'
import { takesEffect } from '../../schemas/replica-rule.ts'
import {
  formatInstant,
  type Place,
  parseEpochSeconds,
  recordDigest,
  recordText,
  type StateLine,
  type StateRecord,
  stateLine,
} from '../../schemas/snapshot.ts'
import { REPLICAS, replicaTable } from './datasets.ts'

const CHUNK_ROWS = 2048
/** superseded keys that are looked for in the ledger; more are left to the next snapshot */
const MOST_EARLIER = 200_000

type Row = {
  key: string
  ver: number
  op: string
  why: string | null
  at: string
  platform: string
  body: JsonObject | null
} & Place

export const recordOf = ({ key, ver, op, why, at, platform, body }: Omit<Row, keyof Place>): StateRecord => ({
  key,
  op: op === 'retract' ? 'retract' : 'put',
  ver,
  at: formatInstant(parseEpochSeconds(at)),
  platform,
  ...(body === null ? {} : { body }),
  ...(why === null ? {} : { why }),
})

/** Rows of the replica of one log, all of them, in the order of keys. */
async function* readRows(trx: Transaction<LedgerTables>, { id, dataset }: StateLog): AsyncGenerator<Row, void, undefined> {
  const replica = REPLICAS.find(one => one.dataset === dataset)
  if (replica === undefined) return
  for (let after: string | null = ''; after !== null; ) {
    const { rows }: { rows: Row[] } = await sql<Row>`
      SELECT key, ver, op, why, extract(epoch FROM at)::text AS at, platform, body, epoch, seq, item
      FROM ${sql.table(replicaTable(replica.dataset))} WHERE log_id = ${id}::int AND key > ${after} ORDER BY key LIMIT ${CHUNK_ROWS}`.execute(
      trx,
    )
    yield* rows
    after = rows.at(-1)?.key ?? null
  }
}

/** The state at the end of an own log, as lines of a snapshot. */
export async function* readStateLines(trx: Transaction<LedgerTables>, log: StateLog): AsyncGenerator<StateLine, void, undefined> {
  for await (const row of readRows(trx, log)) {
    if (row.op === 'erased') throw unjudged(`what stands at ${formatPosition(row)} was erased`)
    yield stateLine({ epoch: row.epoch, seq: row.seq, item: row.item }, recordOf(row))
  }
}

type Earlier = Omit<Standing, 'digest'> & { readonly digest: string | null }

/** The versions before those that stand behind the position; a key without one was new then. */
async function readEarlier(
  trx: Transaction<LedgerTables>,
  log: StateLog,
  at: Position,
): Promise<ReadonlyMap<string, Earlier | null>> {
  const replica = REPLICAS.find(one => one.dataset === log.dataset)
  if (replica === undefined) return new Map()
  const { rows } = await sql<{ key: string }>`
    SELECT key FROM ${sql.table(replicaTable(replica.dataset))} WHERE log_id = ${log.id}::int AND ver > 1
      AND (epoch, seq) > (${at.epoch}::int, ${at.seq}::bigint) LIMIT ${MOST_EARLIER + 1}`.execute(trx)
  if (rows.length > MOST_EARLIER) throw unjudged(`more than ${MOST_EARLIER} keys have later versions by now`)
  const earlier = new Map<string, Earlier | null>(rows.map(({ key }) => [key, null]))
  if (earlier.size === 0) return earlier
  const wanted = (keys: ReadonlySet<string>): boolean => [...keys].some(key => earlier.has(key))
  for await (const spoken of spokenRecords(trx, log.id, log.base, at, wanted)) {
    for (const { key, ver, place, record } of spoken) {
      const known = earlier.get(key)
      if (known === undefined || !takesEffect(known?.ver ?? null, ver)) continue
      const text = record === null ? null : recordText(record)
      earlier.set(key, { key, ver, place, digest: text === null ? null : recordDigest(text), bytes: Buffer.byteLength(text ?? '') })
    }
  }
  return earlier
}

export const readReplicaState: StateReader = async function* readReplicaState(trx, log, at) {
  if (log.base !== null && comparePositions(at, log.base) < 0) throw unjudged('this log begins here behind that position')
  const earlier = await readEarlier(trx, log, at)
  for await (const row of readRows(trx, log)) {
    const place = { epoch: row.epoch, seq: row.seq, item: row.item }
    if (comparePositions(place, at) <= 0) {
      if (row.op === 'erased') throw unjudged(`what stood at ${formatPosition(at)} was erased since`)
      const text = recordText(recordOf(row))
      yield { place, key: row.key, ver: row.ver, digest: recordDigest(text), bytes: Buffer.byteLength(text) }
      continue
    }
    if (row.ver === 1) continue
    const before = earlier.get(row.key) ?? null
    if (before === null && log.base !== null) throw unjudged('what this log began with here was superseded since')
    if (before === null) continue
    if (before.digest === null) throw unjudged(`what stood at ${formatPosition(at)} was erased since`)
    yield { ...before, digest: before.digest }
  }
}
