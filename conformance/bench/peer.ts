/**
 * The peer: PostgreSQL's own logical replication, what a database administrator would take instead. It verifies nothing, proves nothing
 * and trusts everyone. The same rows in the limit's typed table, written in the same batches, on a server of its own with
 * `wal_level = logical`: a database for the origin and one for each holder, each with a subscription. What an operator would tune is
 * tuned: enough workers, and no wait of five seconds before a table is copied. A row of `mark` goes with each batch, and tells by a
 * trigger that the batch is visible.
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { startPostgres } from '../../runtime/postgres/server.ts'
import { temporaryHome } from '../exchange/servers.ts'
import { childEnvironment } from '../federation/config.ts'
import { TYPED_TABLE } from './limit-tables.ts'
import { now, startWorker } from './worker.ts'

export const PEER = 'logical replication of PostgreSQL, which verifies nothing'

const SETTINGS = {
  wal_level: 'logical',
  max_logical_replication_workers: '16',
  max_worker_processes: '24',
  wal_retrieve_retry_interval: '100ms',
}
const TRIGGER = `
  CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('bench', NEW.seq::text); RETURN NULL; END $$;
  CREATE TRIGGER told AFTER INSERT ON mark FOR EACH ROW EXECUTE FUNCTION told();
  ALTER TABLE mark ENABLE ALWAYS TRIGGER told`
const TABLES = `CREATE TABLE entity_bare (${TYPED_TABLE}); CREATE TABLE mark (seq bigint PRIMARY KEY)`

export type Peer = AsyncDisposable & {
  /** rows a second of the initial copy, to all holders */
  copy(round: number, rows: number): Promise<number>
  /** rows a second from the first write at the origin until the last is visible at all holders */
  live(round: number, rows: number): Promise<number>
  /** single batches: from the commit until visible at all holders, and with the own write, in ms */
  each(round: number, size: number, count: number): Promise<{ visible: number; whole: number }[]>
}

export async function startPeer(holders: readonly string[], signal: AbortSignal): Promise<Peer> {
  await using undo = new AsyncDisposableStack()
  const home = await temporaryHome(undo, 'bench-peer')
  const dataDir = join(home, 'postgres')
  {
    await using once = await startPostgres({ dataDir, signal })
    await using db = await connect(once.url)
    for (const [name, value] of Object.entries(SETTINGS)) await db.query(`ALTER SYSTEM SET ${name} = '${value}'`)
  }
  const server = undo.use(await startPostgres({ dataDir, signal }))
  const superuser = undo.use(await connect(server.url))
  const databaseOf = async (name: string): Promise<string> => {
    await superuser.query(`CREATE DATABASE ${name}`)
    return Object.assign(new URL(server.url), { pathname: name }).href
  }
  const originUrl = await databaseOf('peer_origin')
  const publisher = undo.use(await connect(originUrl))
  await publisher.query(`${TABLES}; CREATE PUBLICATION bench FOR TABLE entity_bare, mark`)
  const readers: Reader[] = []
  for (const code of holders) {
    const db = undo.use(await connect(await databaseOf(`peer_${code}`)))
    await db.query(`${TABLES}; ${TRIGGER}; LISTEN bench`)
    readers.push({ db, slot: `bench_${code}`, seen: listen(db) })
  }
  const origin = undo.use(
    await startWorker(fileURLToPath(new URL('./peer-origin.ts', import.meta.url)), {
      logFile: join(home, 'origin.log'),
      env: childEnvironment(process.env, { BENCH_DATABASE_URL: originUrl }),
    }),
  )
  let subscribed = false
  async function unsubscribe(): Promise<void> {
    if (subscribed) for (const { db } of readers) await db.query('DROP SUBSCRIPTION bench')
    subscribed = false
  }
  undo.defer(unsubscribe)
  const visible = async (seq: number): Promise<number> => Math.max(...(await Promise.all(readers.map(({ seen }) => seen(seq)))))

  const held = undo.move()
  return {
    async copy(round, rows) {
      await unsubscribe()
      for (const db of [publisher, ...readers.map(reader => reader.db)]) await db.query('TRUNCATE entity_bare, mark')
      await origin.ask('prepare', { round, rows })
      await origin.ask('write')
      // A slot of the same server cannot be made by the command that subscribes: each would wait for the other.
      for (const { slot } of readers) await publisher.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [slot])
      await superuser.query('CHECKPOINT')
      subscribed = true
      const since = now()
      await Promise.all(readers.map(reader => copied(reader, originUrl)))
      return (rows / (now() - since)) * 1000
    },
    async live(round, rows) {
      await origin.ask('prepare', { round, rows })
      await superuser.query('CHECKPOINT')
      const { since, seq } = await origin.ask<{ since: number; seq: number }>('write')
      return (rows / ((await visible(seq)) - since)) * 1000
    },
    async each(round, size, count) {
      await origin.ask('prepare', { round, rows: size * count })
      const times: { visible: number; whole: number }[] = []
      for (let index = 0; index < count; index += 1) {
        const { since, committed, seq } = await origin.ask<{ since: number; committed: number; seq: number }>('one', {
          index: index * size,
          count: size,
        })
        const until = await visible(seq)
        times.push({ visible: until - committed, whole: until - since })
      }
      return times
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

type Reader = { readonly db: Client; readonly slot: string; readonly seen: (seq: number) => Promise<number> }

/** Until every table is copied, and caught up with what was written meanwhile. */
async function copied({ db, slot }: Reader, originUrl: string): Promise<void> {
  const connection = db.escapeLiteral(originUrl)
  await db.query(
    `CREATE SUBSCRIPTION bench CONNECTION ${connection} PUBLICATION bench WITH (create_slot = false, slot_name = '${slot}')`,
  )
  for (let ready = false; !ready; ) {
    await delay(5)
    const { rows } = await db.query("SELECT bool_and(srsubstate = 'r') AS ready FROM pg_subscription_rel")
    ready = rows[0]?.ready === true
  }
}

async function connect(connectionString: string): Promise<Client & AsyncDisposable> {
  const db = new Client({ connectionString, application_name: 'bench-peer' })
  await db.connect()
  return Object.assign(db, { [Symbol.asyncDispose]: () => db.end() })
}

/** When a mark was seen, as soon as it is. */
function listen(db: Client): (seq: number) => Promise<number> {
  let last = 0
  let lastAt = 0
  let wake: () => void = () => {}
  db.on('notification', ({ payload = '' }) => {
    last = Number(payload)
    lastAt = now()
    wake()
  })
  return async seq => {
    while (last < seq) {
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
    return lastAt
  }
}
