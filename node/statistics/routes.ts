import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import type { HeadListener } from '../../runtime/ledger/heads.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { Membership } from '../../schemas/membership.ts'
import { GROUPINGS, type Grouping, sumTrades, tradeOrigins } from './trades.ts'

function parseGroupings(text: string): Grouping[] {
  const names = text === '' ? [] : text.split(',')
  const known = names.filter((name): name is Grouping => Object.hasOwn(GROUPINGS, name))
  if (known.length < names.length || new Set(known).size < known.length) {
    throw new ExchangeError(
      'REQUEST_INVALID',
      `by: expected some of ${Object.keys(GROUPINGS).join(', ')}, each once, with commas between them`,
    )
  }
  return known
}

export function addStatisticsRoutes(
  server: FastifyInstance,
  options: {
    readonly db: Kysely<LedgerTables>
    readonly own: string
    readonly membership: () => Membership
    readonly heads: () => HeadListener
    readonly clock: () => Date
  },
): void {
  const { db } = options
  server.get<{ Querystring: { by?: string; month?: string } }>(
    '/v1/statistics/trades',
    {
      config: { access: { operation: 'statistics.read' } },
      schema: {
        summary: 'Concluded trades: number, amount, expert seats; as of which head of each origin; who is late or missing',
        tags: ['statistics'],
        querystring: {
          type: 'object',
          properties: {
            by: { type: 'string', maxLength: 64, default: 'region,class,month,platform' },
            month: { type: 'string', pattern: '^[0-9]{4}-(0[1-9]|1[0-2])$' },
          },
        },
      },
    },
    async ({ query }) => {
      const by = parseGroupings(query.by ?? '')
      const month = query.month ?? null
      // One snapshot: the totals are the sum of the rows, and both are as of the heads beside them.
      return await db
        .transaction()
        .setIsolationLevel('repeatable read')
        .setAccessMode('read only')
        .execute(async trx => {
          const now = options.clock()
          const [rows, totals] = [await sumTrades(trx, by, month), await sumTrades(trx, [], month)]
          const origins = await tradeOrigins(trx, options.membership(), options.heads(), options.own, now)
          const named = (state: string): string[] => origins.filter(one => one.state === state).map(one => one.origin)
          return {
            at: now.toISOString(),
            by,
            month,
            rows,
            totals,
            as_of: origins,
            late: named('late'),
            missing: named('missing'),
            behind: named('behind'),
          }
        })
    },
  )
}
