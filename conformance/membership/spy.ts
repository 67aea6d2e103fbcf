/**
 * Looks for a text in everything that a program keeps: every row of every table, as text and as the bytes that stand in it, compressed
 * or not, in base64 wherever it begins; and every file below a folder. A test that finds nothing shows first that it would have.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { type Kysely, sql } from 'kysely'

/** The text as it is, in hex, and within base64 at each of three places: only the part that its neighbours do not change. */
function formsOf(text: string): Buffer[] {
  const plain = Buffer.from(text)
  const base64 = [0, 1, 2].map(shift => {
    const padded = Buffer.concat([Buffer.alloc(shift), plain]).toString('base64url')
    return padded.slice(shift === 0 ? 0 : 4, -4)
  })
  return [text, plain.toString('hex'), ...base64].map(form => Buffer.from(form))
}

const inflated = (bytes: Buffer): Buffer => {
  try {
    return gunzipSync(bytes)
  } catch {
    return Buffer.alloc(0)
  }
}

/** Tables of a database that hold the text. */
export async function tablesWith<Tables>(db: Kysely<Tables>, text: string): Promise<string[]> {
  const forms = formsOf(text)
  const holds = (bytes: Buffer): boolean => forms.some(form => bytes.includes(form))
  const tables = await sql<{ name: string; binary: string[] }>`
    SELECT c.oid::regclass::text AS name, coalesce(array_agg(quote_ident(a.attname)) FILTER (WHERE a.atttypid = 'bytea'::regtype), '{}') AS binary
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') GROUP BY c.oid`.execute(db)
  const found: string[] = []
  for (const { name, binary } of tables.rows) {
    const rows = await sql<{ row: string }>`SELECT t::text AS row FROM ${sql.raw(name)} t`.execute(db)
    let here = rows.rows.some(({ row }) => holds(Buffer.from(row)))
    for (const column of binary) {
      const { rows: values } = await sql<{
        value: Buffer | null
      }>`SELECT ${sql.raw(column)} AS value FROM ${sql.raw(name)}`.execute(db)
      here ||= values.some(({ value }) => value !== null && (holds(value) || holds(inflated(value))))
    }
    if (here) found.push(name)
  }
  return found.sort()
}

/** Files below a folder that hold the text. */
export async function filesWith(folder: string, text: string): Promise<string[]> {
  const forms = formsOf(text)
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter(one => one.isFile())
  const found: string[] = []
  for (const file of files) {
    const path = join(file.parentPath, file.name)
    const bytes = await readFile(path).catch(() => Buffer.alloc(0))
    if (forms.some(form => bytes.includes(form))) found.push(path)
  }
  return found
}
