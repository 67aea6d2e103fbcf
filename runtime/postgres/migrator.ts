/**
 * Brings a database to what the program expects, at every start, before anything else reads it. Safe with several processes on one
 * database: Kysely's advisory lock makes them take turns, and all steps of one run are one transaction.
 */

import { type Kysely, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { ExchangeError } from '../../schemas/errors.ts'
import type { Database } from './database.ts'
import { translateDatabaseError } from './faults.ts'

export type Migration = { readonly name: string; readonly up: (db: Kysely<unknown>) => Promise<void> }

const TABLE = 'kysely_migration'

/** What a newer program has applied here that this one does not know. */
const foreignTo = async (kysely: Kysely<unknown>, migrations: readonly Migration[]): Promise<string[]> => {
  const table = await sql<{ there: boolean }>`SELECT to_regclass(${TABLE}) IS NOT NULL AS there`.execute(kysely)
  if (table.rows[0]?.there !== true) return []
  const { rows } = await sql<{ name: string }>`SELECT name FROM ${sql.table(TABLE)} ORDER BY name`.execute(kysely)
  return rows.map(({ name }) => name).filter(name => !migrations.some(known => known.name === name))
}

const refuseNewer = async (kysely: Kysely<unknown>, migrations: readonly Migration[]): Promise<void> => {
  const names = await foreignTo(kysely, migrations)
  if (names.length === 0) return
  throw new ExchangeError('DATABASE_NEWER', `the database holds ${names.join(', ')}, which this program does not know`, {
    detail: { migrations: names },
  })
}

/**
 * Applies what is missing and answers its names. Names are unique and ascending, the order of their application.
 * Throws DATABASE_NEWER when a newer program was here, DATABASE_UNAVAILABLE, or INTERNAL when a step fails: nothing is applied then.
 */
export const migrate = async <Tables>(database: Database<Tables>, migrations: readonly Migration[]): Promise<string[]> => {
  const misplaced = migrations.find(({ name }, index) => index > 0 && name <= (migrations[index - 1]?.name ?? ''))
  if (misplaced !== undefined) throw new ExchangeError('INTERNAL', `migration ${misplaced.name} does not follow the one before it`)
  const provider = { getMigrations: async () => Object.fromEntries(migrations.map(({ name, up }) => [name, { up }])) }
  const kysely = database.kysely.withTables<Record<never, never>>() as Kysely<unknown>
  try {
    await refuseNewer(kysely, migrations)
    const { error, results } = await new Migrator({ db: kysely, provider }).migrateToLatest()
    if (error !== undefined) {
      await refuseNewer(kysely, migrations) // applied by a newer program since we looked
      throw error
    }
    return (results ?? []).map(({ migrationName }) => migrationName)
  } catch (error) {
    throw translateDatabaseError(error)
  }
}
