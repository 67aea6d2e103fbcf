/** What tests of erasure look at: every holder's log, and whether a text still stands anywhere in its database. */
import { gunzipSync } from 'node:zlib'
import { sql } from 'kysely'
import { decodeBody } from '../../schemas/encoding.ts'
import { type Db, type Holder, type LogGround, logGround } from './log-ground.ts'
import { eventually, type Testbed } from './testbed.ts'

export type ErasureGround = LogGround & {
  /** until the text stands in none of their databases */
  nowhere(text: string, among?: readonly Holder[]): Promise<void>
}

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
  const ground = logGround(bed)
  return {
    ...ground,
    async nowhere(text, among = ground.holders()) {
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
