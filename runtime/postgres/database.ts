/** One program's door to its database: a pool of `pg` connections under Kysely, with the few types that the defaults get wrong. */

import { Kysely } from 'kysely'
import { Pool, types } from 'pg'
import { ExchangeError } from '../../schemas/errors.ts'
import { PipeliningDialect } from './pipeline.ts'

export { isDataError, isOutdated, translateDatabaseError } from './faults.ts'

export type Database<Tables> = { readonly kysely: Kysely<Tables>; readonly pool: Pool } & AsyncDisposable

export type DatabaseOptions = {
  /** shown in pg_stat_activity and the server's log */
  readonly applicationName: string
  /** connections at most; 10 unless said */
  readonly poolSize?: number
}

const CONNECT_TIMEOUT_MS = 10_000
const STATEMENT_TIMEOUT_MS = 60_000

/** A JSON number is a double: a count past 2^53 is an error rather than a neighbour of the truth. */
export const parseInt8 = (text: string): number => {
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value
  throw new ExchangeError('INTERNAL', `an int8 of ${text.length} digits does not fit a number exactly`)
}

const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [types.builtins.INT8, parseInt8],
  // a calendar date has no instant: a Date would move it by the machine's time zone
  [types.builtins.DATE, text => text],
])

/** Nothing is connected yet. Disposing waits for what is under way. */
export const openDatabase = <Tables>(url: string, options: DatabaseOptions): Database<Tables> => {
  const pool = new Pool({
    connectionString: url,
    application_name: options.applicationName,
    max: options.poolSize ?? 10,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    // a server that vanished without a word sends no timeout either
    query_timeout: STATEMENT_TIMEOUT_MS + CONNECT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    keepAlive: true,
    pipeline: true,
    types: {
      getTypeParser: (oid, format) => (format === 'binary' ? undefined : PARSERS.get(oid)) ?? types.getTypeParser(oid, format),
    },
  })
  // A connection that is lost, idle or lent, emits an error that would end the process; the next query on it tells whom it concerns.
  pool.on('error', () => {})
  pool.on('connect', client => {
    client.on('error', () => {})
  })
  const kysely = new Kysely<Tables>({ dialect: new PipeliningDialect({ pool }) })
  return { kysely, pool, [Symbol.asyncDispose]: () => kysely.destroy() }
}
