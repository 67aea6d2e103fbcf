/**
 * What PostgreSQL and its driver throw, translated once. The table asks one question of a SQLSTATE: is the database away for now, is
 * it the data, or is it us? Messages of data errors quote the data ("Key (name)=(…) already exists"), so that neither they nor the
 * error itself as cause are passed on: SQLSTATE, table, column and constraint name the place.
 */

import { DatabaseError } from 'pg'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'

type Kind = 'unavailable' | 'data' | 'internal'

/** SQLSTATE prefixes, PostgreSQL's Appendix A; the first that fits decides. */
const KINDS: readonly (readonly [prefix: string, kind: Kind])[] = [
  ['08', 'unavailable'], // connection exception
  ['53', 'unavailable'], // no more connections, memory or disk
  ['57014', 'unavailable'], // cancelled: the statement took longer than allowed
  ['57P', 'unavailable'], // shutting down, starting up, crashed
  ['58030', 'unavailable'], // I/O error
  ['21', 'data'], // one batch names a row twice
  ['22', 'data'], // among them 22P05, the escape \\u0000 in jsonb
  ['23', 'data'], // a constraint
  ['54', 'data'], // past a limit: an index row too large, nesting too deep
]

const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
])

/** The driver gives these no code. */
const LOST =
  /^(Connection terminated|timeout e(xceeded|xpired)|Query read timeout|Client has encountered a connection error|Cannot use a pool after)/

const kindOf = (error: unknown): Kind => {
  if (error instanceof DatabaseError) return KINDS.find(([prefix]) => error.code?.startsWith(prefix))?.[1] ?? 'internal'
  if (error instanceof AggregateError) return error.errors.some(one => kindOf(one) === 'unavailable') ? 'unavailable' : 'internal'
  if (!(error instanceof Error)) return 'internal'
  if ('code' in error && typeof error.code === 'string' && NETWORK.has(error.code)) return 'unavailable'
  return LOST.test(error.message) ? 'unavailable' : 'internal'
}

/** Whether what the transaction rested on has changed since it was read: read it again, and repeat. */
export const isOutdated = (error: unknown): boolean => error instanceof DatabaseError && error.code === '40001'

/** Whether the data were refused, so that a batch is worth trying row by row. */
export const isDataError = (error: unknown): boolean =>
  isExchangeError(error) ? error.code === 'RECORD_NOT_STORABLE' : kindOf(error) === 'data'

const placeOf = (error: DatabaseError): Record<string, string> => {
  const { code, table, column, constraint } = error
  const named = Object.entries({ sqlstate: code, table, column, constraint })
  return Object.fromEntries(named.filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** DATABASE_UNAVAILABLE, RECORD_NOT_STORABLE or INTERNAL; an ExchangeError passes as it is. */
export const translateDatabaseError = (error: unknown): ExchangeError => {
  if (isExchangeError(error)) return error
  const kind = kindOf(error)
  const detail = error instanceof DatabaseError ? placeOf(error) : {}
  const place = Object.entries(detail).map(([name, value]) => `${name} ${value}`)
  if (kind === 'data')
    return new ExchangeError('RECORD_NOT_STORABLE', `PostgreSQL refuses the data (${place.join(', ')})`, { detail })
  const said = [error instanceof Error ? error.message : String(error), ...place].filter(part => part !== '').join(', ')
  if (kind === 'unavailable')
    return new ExchangeError('DATABASE_UNAVAILABLE', `PostgreSQL does not answer: ${said}`, { detail, cause: error })
  return new ExchangeError('INTERNAL', `PostgreSQL: ${said}`, { detail, cause: error })
}
