/** What a federation in a temporary folder stands on, whoever founds it: the folder, a database for each program, a broker's binary. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import type { NodeTables } from '../../node/tables.ts'
import { resolveBroker } from '../../runtime/broker/resolver.ts'
import { createLogger, type Logger } from '../../runtime/log.ts'
import { openDatabase } from '../../runtime/postgres/database.ts'
import { startPostgres } from '../../runtime/postgres/server.ts'
import { cacheFolder } from '../federation/config.ts'
import { databaseName, givenServer } from '../federation/databases.ts'
import { newSecret } from '../federation/secrets.ts'

/** Gone with `undo`. */
export async function temporaryHome(undo: AsyncDisposableStack, name: string): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), `hutong-${name}-`))
  undo.defer(() => rm(home, { recursive: true, force: true }))
  // Started by root, PostgreSQL runs as nobody and must be able to walk in.
  await chmod(home, 0o755)
  return home
}

export const brokerBinary = async (): Promise<string> => (await resolveBroker({ cacheDir: cacheFolder(process.env) })).path

/** Silent unless `TEST_LOG` is set. */
export const testLogger = (): Logger =>
  createLogger({ program: 'test', level: process.env.TEST_LOG === undefined ? 'silent' : 'debug' })

export type Databases = {
  url(program: string): string
  /** a connection beside the program's own; the hub has the tables of a ledger only */
  of(program: string): Kysely<NodeTables>
}

/** Of the embedded server, or of the one that `DATABASE_URL` names. */
export async function startDatabases(
  undo: AsyncDisposableStack,
  { home, fed, programs }: { readonly home: string; readonly fed: string; readonly programs: readonly string[] },
): Promise<Databases> {
  const given = process.env.DATABASE_URL
  const server = given === undefined ? undo.use(await startPostgres({ dataDir: join(home, 'postgres') })) : givenServer(given)
  const databases = new Map<string, { readonly url: string; readonly kysely: Kysely<NodeTables> }>()
  for (const program of programs) {
    const name = databaseName(fed, program)
    const url = await server.createDatabase(name, name, newSecret())
    databases.set(program, {
      url,
      kysely: undo.use(openDatabase<NodeTables>(url, { applicationName: 'test', poolSize: 3 })).kysely,
    })
  }
  const named = (program: string) => {
    const database = databases.get(program)
    if (database === undefined) throw new Error(`no database of ${program}`)
    return database
  }
  return { url: program => named(program).url, of: program => named(program).kysely }
}
