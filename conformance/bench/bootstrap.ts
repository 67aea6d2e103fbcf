/**
 * `bench bootstrap`: rows a second that a holder which has never held anything of a log loads from its snapshot, from the moment at
 * which it begins until the log stands at the snapshot's position and every row can be read; the hub serves, each group is checked
 * against the signed root, each record against its schema. The limit copies the same rows into a temporary table of the same
 * PostgreSQL and merges them into the limit's typed table, without fetching, checking or noting anything.
 */
import { Client } from 'pg'
import { formatSpent, sideOf, spent } from './accounts.ts'
import { copyIn, copyText } from './copy-in.ts'
import { type Figure, figure, spreadOf } from './figures.ts'
import { mergeOf, TYPED_NAMES, typedColumns } from './limit-tables.ts'
import { flatRows } from './rows.ts'
import { ORIGIN, type Stage, startStage } from './stage.ts'
import { now } from './worker.ts'

const ROUND = 7
const WAIT_MS = 120_000

/** Tells when a holder begins to load and when the log stands, both as committed. */
const TRIGGER = `
  CREATE OR REPLACE FUNCTION bench_loading() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_notify('bench_loading', TG_OP); RETURN NULL; END $$;
  CREATE OR REPLACE TRIGGER bench_loading AFTER INSERT OR DELETE ON bootstrap FOR EACH ROW EXECUTE FUNCTION bench_loading()`

export async function benchBootstrap(options: {
  readonly pairs: number
  readonly rows: number
  readonly progress: (text: string) => void
  readonly signal: AbortSignal
}): Promise<Figure[]> {
  const { pairs, rows, progress } = options
  await using stage = await startStage(1, options.signal, {
    HUTONG_NODE_SNAPSHOT_ENTRIES: '1',
    HUTONG_NODE_BACKFILL_RATE_BYTES: '0',
  })
  const [code = ''] = stage.holders
  await stage.holder(code).stop()
  await using undo = new AsyncDisposableStack()
  const open = async (url: string): Promise<Client> => {
    const db = new Client({ connectionString: url, application_name: 'bench-bootstrap' })
    await db.connect()
    undo.defer(() => db.end())
    return db
  }
  const hub = await open(stage.databaseUrl('hub'))
  const holder = await open(stage.databaseUrl(code))
  const typed = await open(stage.databaseUrl(`limit_${code}`))
  const driver = await stage.driver()
  await driver.ask('prepare', { round: ROUND, rows })
  await driver.ask('open')
  await driver.ask('seal')
  await driver.ask('snapshot')
  await until(async () => (await hub.query('SELECT FROM snapshot WHERE whole')).rows.length > 0)
  progress(`${rows} rows sealed, their snapshot stands at the hub`)
  await holder.query(TRIGGER)
  await holder.query('LISTEN bench_loading')
  const copied = copyText(flatRows(ROUND, rows), TYPED_NAMES)
  const results = { ours: [] as number[], limit: [] as number[] }
  let last = ''
  for (let pair = -1; pair < pairs; pair += 1) {
    const mine = await ours(stage, code, holder, rows)
    const theirs = await limit(stage, typed, copied, rows)
    if (pair < 0) continue
    last = mine.spent
    results.ours.push(mine.rate)
    results.limit.push(theirs)
    progress(`pair ${pair + 1}: ours ${Math.round(mine.rate)} rows/s, limit ${Math.round(theirs)} rows/s; ${mine.spent}`)
  }
  const { min, max } = spreadOf(results.ours.map((rate, index) => rate / (results.limit[index] ?? Number.NaN)))
  return [
    figure(
      'bootstrap',
      'rows/s',
      results.ours,
      { name: 'COPY into a temporary table, merged into typed columns', values: results.limit },
      [
        `${rows} rows, ${pairs} pairs, ratio of each pair ${min} to ${max}`,
        `processor seconds of ours, the start of the holder included: ${last}`,
      ],
    ),
  ]
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = now() + WAIT_MS
  while (!(await holds())) {
    if (now() > end) throw new Error(`expected it within ${WAIT_MS / 1000} s`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

async function ours(stage: Stage, code: string, db: Client, rows: number): Promise<{ rate: number; spent: string }> {
  await db.query('TRUNCATE replica_entity, log, announced, quarantine, redaction CASCADE')
  await db.query('VACUUM ANALYZE')
  await stage.checkpoint()
  const heard = { INSERT: Promise.withResolvers<number>(), DELETE: Promise.withResolvers<number>() }
  const hear = ({ payload = '' }: { readonly payload?: string | undefined }): void =>
    heard[payload === 'INSERT' ? 'INSERT' : 'DELETE'].resolve(now())
  db.on('notification', hear)
  const before = await stage.accounts.read()
  await stage.holder(code).start(new AbortController().signal)
  const [since, end] = await Promise.all([heard.INSERT.promise, heard.DELETE.promise])
  const seconds = sideOf(spent(before, await stage.accounts.read()), 'ours')
  db.off('notification', hear)
  const stand = await db.query(
    'SELECT count(*)::int AS rows FROM replica_entity r JOIN log ON log.id = r.log_id WHERE log.base_seq > 0',
  )
  if (stand.rows[0]?.rows !== rows) throw new Error(`expected ${rows} rows loaded for ${ORIGIN.code}, got ${stand.rows[0]?.rows}`)
  await stage.holder(code).stop()
  return { rate: (rows / (end - since)) * 1000, spent: formatSpent(seconds) }
}

async function limit(stage: Stage, db: Client, copied: Buffer, rows: number): Promise<number> {
  await db.query('TRUNCATE entity_bare')
  await db.query('VACUUM ANALYZE entity_bare')
  await stage.checkpoint()
  const since = now()
  await db.query('BEGIN')
  await db.query(`CREATE TEMPORARY TABLE incoming (${typedColumns()}) ON COMMIT DROP`)
  await copyIn(db, `COPY incoming (${TYPED_NAMES.join(', ')}) FROM STDIN`, copied)
  await db.query(mergeOf('incoming'))
  await db.query('COMMIT')
  const end = now()
  const stand = await db.query('SELECT count(*)::int AS rows FROM entity_bare')
  if (stand.rows[0]?.rows !== rows) throw new Error(`expected ${rows} rows merged, got ${stand.rows[0]?.rows}`)
  return (rows / (end - since)) * 1000
}
