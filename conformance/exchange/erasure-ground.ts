/** What tests of erasure look at: every holder's log, and whether a text still stands anywhere in its database. */
import { gunzipSync } from 'node:zlib'
import { type Kysely, sql } from 'kysely'
import { readLog } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { decodeBody } from '../../schemas/encoding.ts'
import type { LogHead } from '../../schemas/log.ts'
import type { JsonValue } from '../../schemas/record.ts'
import { eventually, type Testbed } from './testbed.ts'

export const ORIGIN = '530000'
export const LOG = { origin: ORIGIN, dataset: 'entity', audience: 'all' }
export const MEMBERS = ['530000', '520000', '000000']

export type Db = Kysely<LedgerTables>
type Holder = [name: string, db: Db]
export type ErasureGround = {
  nodeDb(code: string): Db
  holders(): Holder[]
  /** until every one of them stands where the origin does */
  spread(among?: readonly Holder[]): Promise<void>
  /** an order at the origin */
  redact(key: string, dataset?: string): Promise<{ readonly status: number; readonly body: JsonValue }>
  /** until the text stands in none of their databases */
  nowhere(text: string, among?: readonly Holder[]): Promise<void>
}

export const headAt = async (db: Db): Promise<LogHead | null> => (await readLog(db, LOG))?.head ?? null

/** Where a text stands in a database, whatever the column: as text, as bytes, and inside what is compressed. */
export async function foundIn(db: Db, text: string): Promise<string[]> {
  const found: string[] = []
  const tables = await sql<{ name: string }>`
    SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`.execute(db)
  for (const { name } of tables.rows) {
    const { rows } = await sql<{ n: number }>`
      SELECT count(*)::int AS n FROM ${sql.table(name)} AS t
      WHERE t::text LIKE ${`%${text}%`} OR t::text LIKE ${`%${Buffer.from(text).toString('hex')}%`}`.execute(db)
    if ((rows[0]?.n ?? 0) > 0) found.push(name)
  }
  for (const row of await db.selectFrom('envelope').select(['seq', 'body', 'encoding']).execute()) {
    if (row.body !== null && Buffer.from(await decodeBody(row.body, row.encoding)).includes(text)) found.push(`envelope ${row.seq}`)
  }
  for (const { id, content } of await db.selectFrom('quarantine').select(['id', 'content']).execute()) {
    const inner = content?.subarray(content.indexOf(0x0a) + 1)
    if (inner?.[0] === 0x1f && gunzipSync(inner).includes(text)) found.push(`quarantine ${id}`)
  }
  return found
}

/** `bed` may be started later than this is called. */
export function erasureGround(bed: () => Testbed): ErasureGround {
  const nodeDb = (code: string): Db => bed().nodeDb(code).$pickTables<keyof LedgerTables>()
  const holders = (): Holder[] => [['hub', bed().hubDb], ...MEMBERS.map((code): Holder => [code, nodeDb(code)])]
  return {
    nodeDb,
    holders,
    async spread(among = holders()) {
      const head = await headAt(nodeDb(ORIGIN))
      for (const [name, db] of among)
        await eventually(
          `the log at ${name}`,
          () => headAt(db),
          at => at?.digest === head?.digest,
        )
    },
    async redact(key, dataset = 'entity') {
      const answer = await fetch(`${bed().node(ORIGIN).url}/v1/redactions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${await bed().token(ORIGIN)}`, 'content-type': 'application/json' },
        body: JSON.stringify({ dataset, key, why: 'ordered' }),
      })
      return { status: answer.status, body: (await answer.json()) as JsonValue }
    },
    async nowhere(text, among = holders()) {
      for (const [name, db] of among)
        await eventually(
          `${text} gone at ${name}`,
          () => foundIn(db, text),
          found => found.length === 0,
          30_000,
        )
    },
  }
}
