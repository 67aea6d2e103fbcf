/**
 * Seals the figure of every month that has ended as an `indicator` record of the national reader, with the digests of its inputs,
 * and so returns it to every member. A correction at home moves a past month: the figure is then sealed again, with a higher `ver`,
 * and the earlier one stays in the log. Nobody rewrites it in silence.
 */
import { type Kysely, sql } from 'kysely'
import type { HeadListener } from '../../runtime/ledger/heads.ts'
import { readLogs } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { keepRounds } from '../../runtime/rounds.ts'
import { digestOf } from '../../schemas/digest.ts'
import { formatLogId } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import type { Candidate, JsonObject } from '../../schemas/record.ts'
import type { NodeEvents } from '../events.ts'
import type { Sealer } from '../ledger/sealer.ts'
import { GROUPINGS, sumTrades, tradeOrigins } from './trades.ts'

const CHECK_MS = 5000
/** after a start, how long a silent origin is waited for before its figure is sealed with a mark */
const GRACE_MS = 10 * 60_000
const EDITION = '2026-1'
const MINUTE_MS = 60_000

type Options = {
  readonly db: Kysely<LedgerTables>
  readonly own: string
  readonly sealer: Sealer
  readonly membership: () => Membership
  readonly heads: () => HeadListener
  readonly clock: () => Date
  readonly events: NodeEvents
}

const monthIn = (now: Date): string => new Date(now.getTime() + 480 * MINUTE_MS).toISOString().slice(0, 7)

/** Inputs of one month: for each log where it stood, how many of its records count, and the digest over their (key, ver). */
async function monthInputs(db: Kysely<LedgerTables>, month: string): Promise<JsonObject[]> {
  const { rows } = await sql<{ log_id: number; records: number; listing: string }>`
    SELECT held.log_id, count(*)::int AS records, string_agg(held.key || ' ' || held.ver, E'\n' ORDER BY held.key) AS listing
    FROM replica_trade held WHERE held.op = 'put' AND held.level = 'deal' AND ${GROUPINGS.month} = ${month}
    GROUP BY held.log_id`.execute(db)
  const states = new Map((await readLogs(db)).map(state => [state.id, state]))
  return rows
    .flatMap(({ log_id, records, listing }) => {
      const state = states.get(log_id)
      if (state?.head == null) return []
      return [
        { ...state.log, epoch: state.head.epoch, seq: state.head.seq, digest: state.head.digest, records, root: digestOf(listing) },
      ]
    })
    .sort((a, b) => (formatLogId(a) < formatLogId(b) ? -1 : 1))
}

type Standing = { readonly rows?: unknown; readonly late?: unknown; readonly inputs?: readonly { readonly root?: string }[] }

/** What makes a figure another one: its rows, whose records it rests on, who was late. Where the logs stood meanwhile does not. */
const essence = (body: Standing): string => JSON.stringify([body.rows, body.inputs?.map(input => input.root), body.late])

export function startMonthlyFigure(options: Options): AsyncDisposable {
  const { db, own, sealer } = options
  const startedAt = options.clock().getTime()

  async function sealMonth(month: string, late: readonly string[], now: Date): Promise<void> {
    const rows = await sumTrades(db, ['region', 'class', 'kind', 'platform'], month)
    const body = {
      indicator: 'trade-monthly',
      edition: EDITION,
      period: month,
      rows: rows as unknown as JsonObject[],
      inputs: await monthInputs(db, month),
      late,
    }
    const key = `trade-monthly/${month}`
    const { rows: standing } = await sql<{ body: Standing }>`
      SELECT held.body FROM replica_indicator held JOIN log ON log.id = held.log_id
      WHERE log.origin = ${own} AND held.key = ${key} AND held.op = 'put'`.execute(db)
    if (standing[0] !== undefined && essence(standing[0].body) === essence(body as Standing)) return
    const candidate: Candidate = { key, op: 'put', at: now.toISOString(), platform: own, body }
    const [result] = await sealer.submit('indicator', 'all', [{ candidate, parent: null, place: 'monthly figure', line: null }])
    if (result?.kind === 'sealed')
      options.events.figureSealed(
        month,
        rows.reduce((sum, row) => sum + row.number, 0),
      )
    if (result?.kind === 'refused') throw result.error
  }

  async function check(): Promise<void> {
    const now = options.clock()
    const origins = await tradeOrigins(db, options.membership(), options.heads(), own, now)
    if (origins.some(one => one.state === 'behind')) return
    const late = origins.filter(one => one.state !== 'current').map(one => one.origin)
    if (late.length > 0 && now.getTime() - startedAt < GRACE_MS) return
    for (const { month } of await sumTrades(db, ['month'], null)) {
      if (typeof month === 'string' && month < monthIn(now)) await sealMonth(month, late, now)
    }
  }

  return keepRounds(CHECK_MS, check, error => options.events.failed(own, error))
}
