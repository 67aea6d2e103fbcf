/**
 * What a trading system says of its own trade, by one SQL over its own tables: the figure that the national reader's has to equal
 * after everything has crossed. A deal counts when it is awarded, contracted or performed, has a day of decision and stands.
 */
import { sql } from 'kysely'
import { openDatabase } from '../../runtime/postgres/database.ts'

export type TradeDimension = 'region' | 'class' | 'month' | 'platform'

export type TradeTotal = { readonly [dimension in TradeDimension]?: string } & {
  readonly number: number
  /** yuan, the shortest plain decimal: `1234.5` */
  readonly amount: string
  readonly expert_seats: number
}

const COLUMNS: { readonly [dimension in TradeDimension]: ReturnType<typeof sql> } = {
  region: sql`region_code`,
  class: sql`tender_project_type`,
  month: sql`to_char(win_bid_time, 'YYYY-MM')`,
  platform: sql`platform_code`,
}

/** One row for each combination that there is, in order; without dimensions the whole in one row. */
export const tradeTotals = async (databaseUrl: string, by: readonly TradeDimension[]): Promise<TradeTotal[]> => {
  await using database = openDatabase<Record<never, never>>(databaseUrl, { applicationName: 'hutong-samples-totals', poolSize: 1 })
  const names = by.map(dimension => sql`${COLUMNS[dimension]} AS ${sql.ref(dimension)}, `)
  const places = by.map((_, index) => sql.lit(index + 1))
  const grouping = by.length === 0 ? sql`` : sql`GROUP BY ${sql.join(places)} ORDER BY ${sql.join(places)}`
  const { rows } = await sql<TradeTotal>`
    SELECT ${sql.join(names, sql``)} count(*) AS number, trim_scale(coalesce(sum(deal_amount), 0))::text AS amount,
      coalesce(sum(expert_seats), 0)::bigint AS expert_seats
    FROM deal
    WHERE project_stage IN ('3', '4', '5') AND win_bid_time IS NOT NULL AND withdrawn_at IS NULL
    ${grouping}`.execute(database.kysely)
  return rows
}
