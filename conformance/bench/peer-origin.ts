/** The peer's origin as a process of its own, like ours and the limit's: rows into the published table, batch by batch. */
import { Client } from 'pg'
import { batchText, upsertOf } from './limit-tables.ts'
import { cut, flatRows } from './rows.ts'
import { now, serve } from './worker.ts'

const db = new Client({ connectionString: process.env.BENCH_DATABASE_URL ?? '', pipeline: true })
await db.connect()
let prepared: readonly object[][] = []
let seq = 0

async function write(rows: readonly object[]): Promise<void> {
  seq += 1
  const upsert = { name: 'upsert', text: upsertOf('bare'), values: [batchText('bare', rows)] }
  const mark = { name: 'mark', text: 'INSERT INTO mark VALUES ($1)', values: [seq] }
  await Promise.all([db.query('BEGIN'), db.query(upsert), db.query(mark), db.query('COMMIT')])
}

await serve({
  /** makes the rows, so that the clock does not see it */
  async prepare({ round, rows }: { readonly round: number; readonly rows: number }) {
    prepared = cut(flatRows(round, rows))
  },
  async write() {
    const since = now()
    for (const batch of prepared) await write(batch)
    return { since, seq }
  },
  async one({ index, count }: { readonly index: number; readonly count: number }) {
    const rows = prepared.flat().slice(index, index + count)
    const since = now()
    await write(rows)
    return { since, committed: now(), seq }
  },
})
await db.end()
