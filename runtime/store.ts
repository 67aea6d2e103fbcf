/** A program's database, migrated: the server named by DATABASE_URL, or an embedded one in the data folder that lives as long as the program. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Database, openDatabase, translateDatabaseError } from './postgres/database.ts'
import { type Migration, migrate } from './postgres/migrator.ts'
import { startPostgres } from './postgres/server.ts'

export type Store<Tables> = AsyncDisposable & { readonly database: Database<Tables>; readonly migrated: readonly string[] }

export async function openStore<Tables>(options: {
  readonly program: string
  readonly databaseUrl: string | undefined
  readonly dataDir: string
  readonly migrations: readonly Migration[]
  readonly poolSize: number
  readonly signal: AbortSignal
}): Promise<Store<Tables>> {
  await using undo = new AsyncDisposableStack()
  let url = options.databaseUrl
  if (url === undefined) {
    const server = undo.use(await startPostgres({ dataDir: join(options.dataDir, 'postgres'), signal: options.signal }))
    url = await server.createDatabase('hutong', 'program', randomBytes(24).toString('base64url'))
  }
  const database = undo.use(openDatabase<Tables>(url, { applicationName: options.program, poolSize: options.poolSize }))
  const migrated = await patiently(() => migrate(database, options.migrations), options.signal)
  const held = undo.move()
  return { database, migrated, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

const WAIT_FOR_DATABASE_MS = 60_000

/** A server that is starting or recovering refuses connections for a while; a program that starts beside it waits. */
async function patiently<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const end = performance.now() + WAIT_FOR_DATABASE_MS
  for (let pause = 100; ; pause = Math.min(2000, pause * 2)) {
    try {
      return await work()
    } catch (error) {
      if (translateDatabaseError(error).code !== 'DATABASE_UNAVAILABLE' || performance.now() > end) throw error
      await delay(pause, undefined, { signal })
    }
  }
}
