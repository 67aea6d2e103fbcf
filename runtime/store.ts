/** A program's database, migrated: the server named by DATABASE_URL, or an embedded one in the data folder that lives as long as the program. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type Database, openDatabase } from './postgres/database.ts'
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
    url = await server.createDatabase('hutong', 'hutong', randomBytes(24).toString('base64url'))
  }
  const database = undo.use(openDatabase<Tables>(url, { applicationName: options.program, poolSize: options.poolSize }))
  const migrated = await migrate(database, options.migrations)
  const held = undo.move()
  return { database, migrated, [Symbol.asyncDispose]: () => held.disposeAsync() }
}
