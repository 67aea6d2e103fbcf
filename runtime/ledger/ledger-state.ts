/**
 * The state of a log as its ledger says it: every entry up to a position is opened once more and the record with the highest version of
 * each key stands. For a holder without a replica; what stands meanwhile is in a temporary table, so that memory stays bounded.
 */
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Digest } from '../../schemas/digest.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { EnvelopeClaims } from '../../schemas/generated/envelope.ts'
import { formatPosition, type Position } from '../../schemas/log.ts'
import { openBytes, openRecords } from '../../schemas/opening.ts'
import { highestOfEachKey } from '../../schemas/replica-rule.ts'
import { type Place, recordDigest, recordText, type StateRecord } from '../../schemas/snapshot.ts'
import { parseToken } from '../../schemas/tokens.ts'
import { appliedEntriesOf, isBehind } from './ledger.ts'
import { storedRedaction } from './redactions.ts'
import type { LedgerTables } from './tables.ts'

const CHUNK_ENTRIES = 16
const CHUNK_ROWS = 2048

/** What the root needs to know of a record that stands. */
export type Standing = {
  readonly place: Place
  readonly key: string
  readonly ver: number
  readonly digest: Digest
  readonly bytes: number
}
export type SpokenRecord = {
  readonly place: Place
  readonly key: string
  readonly ver: number
  readonly record: StateRecord | null
}

/** The log whose state is read, and where it begins here. */
export type StateLog = { readonly id: number; readonly dataset: string; readonly base: Position | null }
/** @throws SNAPSHOT_UNJUDGED where it cannot be told here */
export type StateReader = (trx: Transaction<LedgerTables>, log: StateLog, at: Position) => AsyncGenerator<Standing, void, undefined>

export const unjudged = (reason: string): ExchangeError => new ExchangeError('SNAPSHOT_UNJUDGED', reason)

/** Every accepted record of the entries behind `after` up to `until`, entry by entry; `record` is null where it was erased. */
export async function* spokenRecords(
  db: Kysely<LedgerTables>,
  logId: number,
  after: Position | null,
  until: Position,
  wanted: (keys: ReadonlySet<string>) => boolean = () => true,
): AsyncGenerator<readonly SpokenRecord[], void, undefined> {
  for (let last = after; ; ) {
    const rows = await appliedEntriesOf(db, logId)
      .where(isBehind(last))
      .where(sql<boolean>`(envelope.epoch, envelope.seq) <= (${until.epoch}::int, ${until.seq}::bigint)`)
      .limit(CHUNK_ENTRIES)
      .execute()
    const end = rows.at(-1)
    if (end === undefined) return
    last = { epoch: end.epoch, seq: end.seq }
    for (const { epoch, seq, token, encoding, body, redaction } of rows) {
      const claims = parseToken(token, 'envelope').claims as EnvelopeClaims
      const erased = redaction === null ? null : storedRedaction(redaction)
      const plain = await openBytes(claims, body ?? new Uint8Array(), encoding, erased)
      if (!wanted(keysIn(plain))) continue
      const content = openRecords(claims, plain, erased?.keys)
      if (content.refusal !== null) continue
      const placed = (item: number): Place => ({ epoch, seq, item })
      yield [
        ...content.records.map(({ index, ...record }) => ({
          place: placed(index),
          key: record.key,
          ver: record.ver,
          record: record as StateRecord,
        })),
        ...content.erased.map(({ index, key, ver }) => ({ place: placed(index), key, ver, record: null })),
      ]
    }
  }
}

function keysIn(plain: Uint8Array): Set<string> {
  try {
    const { records } = JSON.parse(Buffer.from(plain).toString('utf8')) as { records: { key: string }[] }
    return new Set(records.map(one => one?.key))
  } catch {
    return new Set()
  }
}

type StateRow = { key: string; ver: number; epoch: number; seq: number; item: number; digest: string | null; bytes: number }

export const readLedgerState: StateReader = async function* readLedgerState(trx, { id, base }, at) {
  if (base !== null) throw unjudged('what this log began with here is not in the ledger')
  await sql`DROP TABLE IF EXISTS pg_temp.standing`.execute(trx)
  await sql`
    CREATE TEMPORARY TABLE standing (
      key text COLLATE "C" PRIMARY KEY, ver integer, epoch integer, seq bigint, item integer, digest text, bytes integer
    ) ON COMMIT DROP`.execute(trx)
  for await (const spoken of spokenRecords(trx, id, null, at)) {
    const rows = highestOfEachKey(spoken).map(({ place, key, ver, record }): StateRow => {
      const text = record === null ? null : recordText(record)
      return { ...place, key, ver, digest: text === null ? null : recordDigest(text), bytes: Buffer.byteLength(text ?? '') }
    })
    await sql`
      INSERT INTO standing AS held (key, ver, epoch, seq, item, digest, bytes)
      SELECT key, ver, epoch, seq, item, digest, bytes FROM json_to_recordset(${JSON.stringify(rows)}::json)
        AS r(key text, ver int, epoch int, seq bigint, item int, digest text, bytes int)
      ON CONFLICT (key) DO UPDATE SET ver = excluded.ver, epoch = excluded.epoch, seq = excluded.seq, item = excluded.item,
        digest = excluded.digest, bytes = excluded.bytes
      WHERE excluded.ver > held.ver`.execute(trx)
  }
  for (let after: string | null = ''; after !== null; ) {
    const { rows }: { rows: StateRow[] } = await sql<StateRow>`
      SELECT * FROM standing WHERE key > ${after} ORDER BY key LIMIT ${CHUNK_ROWS}`.execute(trx)
    for (const { key, ver, digest, bytes, ...place } of rows) {
      if (digest === null) throw unjudged(`what stood at ${formatPosition(at)} was erased since`)
      yield { place, key, ver, digest, bytes }
    }
    after = rows.at(-1)?.key ?? null
  }
}
