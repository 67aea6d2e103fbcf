import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtempDisposable, readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Generated, sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../guarded-process.ts'
import { openDatabase } from './database.ts'
import { type Migration, migrate } from './migrator.ts'
import { type Send, transact, wireOf } from './pipeline.ts'
import { type PostgresServer, startPostgres } from './server.ts'

type Tables = { notes: { id: Generated<number>; body: unknown } }

let folder: Awaited<ReturnType<typeof mkdtempDisposable>>
let dataDir: string
let server: PostgresServer

/** Ended, whether or not its parent has taken note yet. */
const isGone = async (pid: number) => /^State:\t[ZX]/m.test(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tX'))

const parentOf = async (pid: number) => Number(/^PPid:\t(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1])

const childrenOf = async (pid: number) =>
  (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter(Boolean).map(Number)

/** A program that starts the server, says its pid, and waits to be killed. */
const owner = async () => {
  const program = `
    const { startPostgres } = await import(${JSON.stringify(new URL('./server.ts', import.meta.url).href)})
    const server = await startPostgres({ dataDir: ${JSON.stringify(dataDir)} })
    process.stdout.write(server.pid + ' ' + server.url)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [text] = await once(child.stdout.setEncoding('utf8'), 'data')
  const [pid, url] = String(text).split(' ')
  return { child, pid: Number(pid), url: String(url) }
}

const count = (url: string) => {
  const database = openDatabase<Tables>(url, { applicationName: 'test', poolSize: 2 })
  return database.kysely
    .selectFrom('notes')
    .select(({ fn }) => fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow()
    .then(({ n }) => n)
    .finally(() => database[Symbol.asyncDispose]())
}

const FIRST: Migration = {
  name: '0001-notes',
  up: async db => {
    await sql`CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body jsonb)`.execute(db)
  },
}

beforeAll(async () => {
  folder = await mkdtempDisposable(join(tmpdir(), 'hutong-postgres-'))
  await chmod(folder.path, 0o755) // the server's user walks through it
  dataDir = join(folder.path, 'data')
  server = await startPostgres({ dataDir })
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await folder.remove()
})

test('what is sent behind a statement that fails takes no effect, and the failure is the one that came first', async () => {
  await using database = openDatabase<Tables>(server.url, { applicationName: 'test', poolSize: 1 })
  const { kysely } = database
  await sql`CREATE TABLE tail (n int PRIMARY KEY)`.execute(kysely)
  const add = { name: 'add', text: 'INSERT INTO tail VALUES ($1)' }
  const held = async () => (await sql<{ n: number }>`SELECT n FROM tail ORDER BY n`.execute(kysely)).rows.map(({ n }) => n)

  await transact(kysely, async (trx, tail) => {
    const send = await wireOf(trx)
    for (const n of [1, 2]) tail(send(add, [n]))
  })
  expect(await held()).toEqual([1, 2])

  const twice = transact(kysely, async (trx, tail) => {
    const send = await wireOf(trx)
    for (const n of [3, 1, 4]) tail(send(add, [n]))
  })
  await expect(twice).rejects.toMatchObject({ code: '23505' })
  expect(await held()).toEqual([1, 2])

  const thrown = transact(kysely, async (trx, tail) => {
    const send = await wireOf(trx)
    tail(send(add, [5]))
    throw new Error('second thoughts')
  })
  await expect(thrown).rejects.toThrow('second thoughts')
  expect(await held()).toEqual([1, 2])
})

test('a statement with a name is planned once for a connection, and goes nowhere outside of its transaction', async () => {
  await using database = openDatabase<Tables>(server.url, { applicationName: 'test', poolSize: 1 })
  const { kysely } = database
  const one = { name: 'one', text: 'SELECT $1::int AS n' }
  const kept: Send[] = []
  for (const n of [1, 2, 3]) {
    const rows = await transact(kysely, async trx => {
      const send = await wireOf(trx)
      kept.push(send)
      return await send(one, [n])
    })
    expect(rows).toEqual([{ n }])
  }
  const { rows } = await sql<{ name: string; calls: number }>`
    SELECT name, (generic_plans + custom_plans)::int AS calls FROM pg_prepared_statements`.execute(kysely)
  expect(rows).toEqual([{ name: 'one', calls: 3 }])
  await expect(kept[0]?.(one, [4])).rejects.toMatchObject({ code: 'INTERNAL' })
})

test('the server is durable, on loopback, and speaks UTF-8 and UTC', async () => {
  await using database = openDatabase(server.url, { applicationName: 'test' })
  const { rows } = await database.pool.query(`SELECT name, setting FROM pg_settings WHERE name = ANY ($1) ORDER BY name`, [
    ['fsync', 'synchronous_commit', 'listen_addresses', 'password_encryption', 'max_connections', 'server_encoding', 'TimeZone'],
  ])
  expect(Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))).toEqual({
    fsync: 'on',
    synchronous_commit: 'on',
    listen_addresses: '127.0.0.1',
    password_encryption: 'scram-sha-256',
    max_connections: '200',
    server_encoding: 'UTF8',
    TimeZone: 'UTC',
  })
  expect((await stat(join(dataDir, 'superuser'))).mode & 0o777).toBe(0o600)
})

test('a second start on the same directory is refused while the first lives', async () => {
  await expect(startPostgres({ dataDir })).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE' })
})

test('a role owns its database and can enter no other', async () => {
  const [hub, node] = [await server.createDatabase('hub', 'hub', 'a b/c'), await server.createDatabase('n530000', 'n530000', 'x')]
  await using own = openDatabase<Tables>(hub, { applicationName: 'test' })
  await sql`CREATE TABLE own (id int)`.execute(own.kysely)
  const elsewhere = (name: string) => {
    const url = new URL(node)
    url.pathname = `/${name}`
    return openDatabase(url.href, { applicationName: 'test' })
  }
  for (const name of ['hub', 'postgres', 'template1']) {
    await using foreign = elsewhere(name)
    await expect(foreign.pool.query('SELECT 1')).rejects.toMatchObject({ code: '42501' })
  }
})

test('an existing role gets the password given, and the old one is refused', async () => {
  const before = await server.createDatabase('again', 'again', 'old')
  const after = await server.createDatabase('again', 'again', 'new')
  await using old = openDatabase(before, { applicationName: 'test' })
  await expect(old.pool.query('SELECT 1')).rejects.toMatchObject({ code: '28P01' })
  await using current = openDatabase(after, { applicationName: 'test' })
  expect((await current.pool.query('SELECT count(*) AS n FROM pg_class WHERE false')).rows).toEqual([{ n: 0 }])
  await expect(server.createDatabase('bad"name', 'again', 'x')).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

test('several processes may migrate at once, and a program older than the database is refused', async () => {
  const url = await server.createDatabase('migrated', 'migrated', 'x')
  await using one = openDatabase<Tables>(url, { applicationName: 'one' })
  await using two = openDatabase<Tables>(url, { applicationName: 'two' })
  const applied = await Promise.all([one, two].map(database => migrate(database, [FIRST])))
  expect(applied.flat()).toEqual(['0001-notes'])
  const second = { name: '0002-more', up: async () => {} }
  expect(await migrate(one, [FIRST, second])).toEqual(['0002-more'])
  await expect(migrate(one, [FIRST])).rejects.toMatchObject({ code: 'DATABASE_NEWER', detail: { migrations: ['0002-more'] } })
})

test('a connection cut by the server fails its query and nothing else', async () => {
  await using database = openDatabase<Tables>(server.url, { applicationName: 'cut', poolSize: 1 })
  await database.pool.query('SELECT 1')
  await using other = openDatabase(server.url, { applicationName: 'test' })
  await other.pool.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut'")
  const answers = () =>
    database.pool.query('SELECT 1').then(
      () => true,
      () => false,
    )
  expect(await until(answers, { timeoutMs: 5_000 })).toBe(true)
})

test('a killed owner takes its server along, and the next start finds the data', async () => {
  await server[Symbol.asyncDispose]()
  expect(await isGone(server.pid)).toBe(true)
  const { child, pid } = await owner()
  server = { ...server, [Symbol.asyncDispose]: async () => {} }
  child.kill('SIGKILL')
  await once(child, 'exit')
  server = await startPostgres({ dataDir })
  expect(await isGone(pid)).toBe(true)
  const url = await server.createDatabase('migrated', 'migrated', 'x')
  expect(await count(url)).toBe(0)
})

test('a server whose guard was killed too is stopped by the next start', async () => {
  const url = await server.createDatabase('migrated', 'migrated', 'x')
  await using database = openDatabase<Tables>(url, { applicationName: 'test' })
  await database.kysely.insertInto('notes').values({ body: '{}' }).execute()
  await server[Symbol.asyncDispose]()
  const { child, pid } = await owner()
  server = { ...server, [Symbol.asyncDispose]: async () => {} }
  const guard = await parentOf(pid)
  child.kill('SIGSTOP') // so that it cannot see its guard end
  for (const shell of [...(await childrenOf(guard)).filter(one => one !== pid), guard]) process.kill(shell, 'SIGKILL')
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await isGone(pid)).toBe(false)
  server = await startPostgres({ dataDir })
  expect(await isGone(pid)).toBe(true)
  expect(await count(await server.createDatabase('migrated', 'migrated', 'x'))).toBe(1)
})

test('an aborted start throws the reason and leaves nothing running', async () => {
  await server[Symbol.asyncDispose]()
  const controller = new AbortController()
  const reason = new Error('enough')
  const onProgress = () => controller.abort(reason)
  await expect(startPostgres({ dataDir, onProgress, signal: controller.signal })).rejects.toBe(reason)
  server = await startPostgres({ dataDir })
})
