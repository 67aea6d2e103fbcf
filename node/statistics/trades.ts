/**
 * The first national figure: number, amount and expert seats of concluded trades, by region, class, month and platform, from what
 * this node holds. Every answer says as of which head of each origin, and which origins are late or missing: an origin that is
 * silent keeps its last known numbers and a mark, it never turns into zero. Amounts of different currencies are never added.
 */
import { type Kysely, sql } from 'kysely'
import { type HeadListener, livenessOf } from '../../runtime/ledger/heads.ts'
import { readLogs } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { comparePositions, formatLogId, type LogHead } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'

/** A trade counts in the month of its decision (成交日期); one without a date in that of its record, by the clock of Beijing. */
const MONTH = sql`coalesce(left(held.decided_on, 7), to_char(held.at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM'))`

export const GROUPINGS = {
  region: sql`held.region`,
  class: sql`held.class`,
  kind: sql`held.kind`,
  month: MONTH,
  platform: sql`held.platform`,
} as const
export type Grouping = keyof typeof GROUPINGS

/** Concluded: a deal that was awarded, contracted or performed, and still stands. */
const CONCLUDED = sql`held.op = 'put' AND held.level = 'deal' AND held.stage IN ('awarded', 'contracted', 'performed')`

/** What is being loaded from a snapshot counts once all of it stands. */
const WHOLE = sql`held.log_id NOT IN (SELECT log_id FROM bootstrap)`

export type TradeRow = { readonly [group in Grouping]?: string | null } & {
  readonly number: number
  readonly amount: string
  readonly currency: string
  readonly expert_seats: number
}

const trimAmount = (amount: string): string => (amount.includes('.') ? amount.replace(/\.?0+$/, '') : amount)

export async function sumTrades(db: Kysely<LedgerTables>, by: readonly Grouping[], month: string | null): Promise<TradeRow[]> {
  const groups = by.map(name => sql`, ${GROUPINGS[name]} AS ${sql.ref(name)}`)
  const { rows } = await sql<TradeRow>`
    SELECT count(*)::int AS number, coalesce(sum(held.amount), 0)::text AS amount, coalesce(held.currency, 'CNY') AS currency,
      coalesce(sum(held.expert_seats), 0)::int AS expert_seats ${sql.join(groups, sql``)}
    FROM replica_trade held WHERE ${CONCLUDED} AND ${WHOLE} ${month === null ? sql`` : sql`AND ${MONTH} = ${month}`}
    GROUP BY coalesce(held.currency, 'CNY') ${sql.join(
      by.map(name => sql`, ${GROUPINGS[name]}`),
      sql``,
    )}
    ORDER BY ${sql.join([...by.map(name => sql.ref(name)), sql.ref('currency')])}`.execute(db)
  return rows.map(row => ({ ...row, amount: trimAmount(row.amount) }))
}

export type OriginState = {
  readonly origin: string
  readonly zh: string
  /** `behind`: it lives, and has said more than has arrived here */
  readonly state: 'current' | 'behind' | 'late' | 'missing'
  readonly announced_at: string | null
  readonly logs: readonly { readonly audience: string; readonly head: LogHead | null; readonly announced: LogHead | null }[]
}

/** As of where each origin's trades are known here. */
export async function tradeOrigins(
  db: Kysely<LedgerTables>,
  membership: Membership,
  heads: HeadListener,
  own: string,
  now: Date,
): Promise<OriginState[]> {
  const held = (await readLogs(db)).filter(({ log }) => log.dataset === 'trade')
  return [...membership.members.values()]
    .filter(member => member.writes.includes('trade'))
    .map(member => {
      const head = heads.newest(member.code, 'all')
      const announced = new Map(head?.logs.filter(({ log }) => log.dataset === 'trade').map(at => [formatLogId(at.log), at.head]))
      const logs = held
        .filter(({ log }) => log.origin === member.code)
        .map(({ log, head: at }) => ({ audience: log.audience, head: at, announced: announced.get(formatLogId(log)) ?? null }))
      const unseen = [...announced.keys()].some(id => !held.some(({ log }) => formatLogId(log) === id))
      const behind =
        unseen || logs.some(at => at.announced !== null && (at.head === null || comparePositions(at.head, at.announced) < 0))
      const liveness = member.code === own ? 'current' : livenessOf(head, now)
      return {
        origin: member.code,
        zh: member.zh,
        state: liveness === 'current' && behind ? ('behind' as const) : liveness,
        announced_at: head?.issuedAt.toISOString() ?? null,
        logs,
      }
    })
}
