/**
 * Holds the replica against the ledger, in one snapshot: for every key the record with the highest `ver` that was accepted must stand,
 * as its envelope says it. Comparing is PostgreSQL's, as `jsonb`, so that what was stored meets what would be stored. Each row stands
 * for one record; a row that no record accounts for is looked for only when the count says that there is one.
 */
import { sql, type Transaction } from 'kysely'
import { storedRedaction } from '../../runtime/ledger/redactions.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Finding, VerifiedLog } from '../../runtime/ledger/verification.ts'
import type { EnvelopeClaims } from '../../schemas/generated/envelope.ts'
import { formatPosition, type Position } from '../../schemas/log.ts'
import { openBytes, openRecords } from '../../schemas/opening.ts'
import type { ExchangeRecord } from '../../schemas/record.ts'
import { parseToken } from '../../schemas/tokens.ts'
import { REPLICAS, replicaTable } from './datasets.ts'
import { placedRecords } from './replicator.ts'

const CHUNK_ENTRIES = 8
const CHUNK_ROWS = 500

type Placed = ExchangeRecord & { readonly index: number }
type EntryRow = Position & {
  readonly redaction: string | null
  readonly token: string
  readonly encoding: string
  readonly body: Buffer | null
}
type HeldRow = { index: number; ver: number | null; here: boolean; same: boolean }
type PlacedRow = { key: string; ver: number; epoch: number; seq: number; item: number }

export async function* verifyReplica(
  trx: Transaction<LedgerTables>,
  { id, log }: VerifiedLog,
): AsyncGenerator<Finding, number, undefined> {
  const replica = REPLICAS.find(one => one.dataset === log.dataset)
  if (replica === undefined) return 0
  const table = sql.table(replicaTable(replica.dataset))
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
  let accounted = 0
  for (let after: Position = { epoch: 0, seq: -1 }; ; ) {
    const entries = await readEntries(trx, id, after)
    const last = entries.at(-1)
    if (last === undefined) break
    for (const entry of entries) {
      const spoken = (await recordsOf(entry)) ?? []
      const aside = await asideOf(trx, log, entry)
      const applied = spoken.filter(record => !aside.has(record.index))
      records += applied.length
      const { rows } = await sql<HeldRow>`
        SELECT c.index, held.ver,
          coalesce(held.epoch = ${entry.epoch}::int AND held.seq = ${entry.seq}::bigint AND held.item = c.index, false) AS here,
          coalesce(held.ver = c.ver AND held.op = c.op AND held.platform = c.platform AND held.at = c.at
            AND held.why IS NOT DISTINCT FROM c.why AND held.body IS NOT DISTINCT FROM c.body, false) AS same
        FROM json_to_recordset(${JSON.stringify(applied)}::json)
          AS c(index int, key text, ver int, op text, why text, at timestamptz, platform text, body jsonb)
        LEFT JOIN ${table} held ON held.log_id = ${id}::int AND held.key = c.key`.execute(trx)
      const held = new Map(rows.map(row => [row.index, row]))
      for (const record of applied) {
        const row = held.get(record.index)
        if (row?.here === true) accounted += 1
        if (row === undefined || row.ver === null) yield finding(entry, record.index, record.key, `version ${record.ver}`, 'no row')
        else if (row.here && !row.same)
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
    after = last
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
      if (await stands(trx, log, id, row)) continue
      yield finding(row, row.item, row.key, `a record of this key at ${formatPosition(row)} #${row.item}`, 'none there')
    }
    after = last.key
  }
}

const entriesFrom = (trx: Transaction<LedgerTables>, id: number) =>
  trx
    .selectFrom('envelope')
    .leftJoin('redaction', join =>
      join
        .onRef('redaction.log_id', '=', 'envelope.log_id')
        .onRef('redaction.epoch', '=', 'envelope.epoch')
        .onRef('redaction.seq', '=', 'envelope.seq')
        .on('redaction.newest', '=', true),
    )
    .select(['envelope.epoch', 'envelope.seq', 'envelope.token', 'encoding', 'body', 'redaction.token as redaction'])
    .where('envelope.log_id', '=', id)
    .where('refusal', 'is', null)
    .where('body', 'is not', null)

const readEntries = (trx: Transaction<LedgerTables>, id: number, after: Position): Promise<EntryRow[]> =>
  entriesFrom(trx, id)
    .where(sql<boolean>`(envelope.epoch, envelope.seq) > (${after.epoch}::int, ${after.seq}::bigint)`)
    .orderBy('envelope.epoch')
    .orderBy('envelope.seq')
    .limit(CHUNK_ENTRIES)
    .execute()

/** What an entry says; null where its bytes are not what was signed, which the check of the ledger names. */
async function recordsOf(entry: EntryRow): Promise<readonly Placed[] | null> {
  try {
    const claims = parseToken(entry.token, 'envelope').claims as EnvelopeClaims
    const redaction = entry.redaction === null ? null : storedRedaction(entry.redaction)
    const plain = await openBytes(claims, entry.body ?? new Uint8Array(), entry.encoding, redaction)
    return placedRecords(openRecords(claims, plain, redaction?.keys))
  } catch {
    return null
  }
}

/** Records that stand in quarantine and so have no row. */
async function asideOf(trx: Transaction<LedgerTables>, log: VerifiedLog['log'], at: Position): Promise<Set<number>> {
  const rows = await trx
    .selectFrom('quarantine')
    .select('item')
    .where('kind', '=', 'record')
    .where('origin', '=', log.origin)
    .where('dataset', '=', log.dataset)
    .where('audience', '=', log.audience)
    .where('epoch', '=', at.epoch)
    .where('seq', '=', at.seq)
    .where('released_at', 'is', null)
    .execute()
  return new Set(rows.map(row => row.item ?? -1))
}

async function stands(trx: Transaction<LedgerTables>, log: VerifiedLog['log'], id: number, row: PlacedRow): Promise<boolean> {
  const entry = await entriesFrom(trx, id)
    .where('envelope.epoch', '=', row.epoch)
    .where('envelope.seq', '=', row.seq)
    .executeTakeFirst()
  if (entry === undefined || (await asideOf(trx, log, row)).has(row.item)) return false
  const records = await recordsOf(entry)
  return records === null || records.some(record => record.index === row.item && record.key === row.key)
}
