/**
 * What this node knows, of its own and of others: records of every dataset, each with its origin, the position of the envelope that
 * says it, how far that was verified, and how fresh it is. Nothing unverified is ever applied, so there is nothing unverified to show.
 * What is older than its dataset's contract allows is marked, withheld or asked for again; a record that is not found counts as
 * unknown, not as absent, while a log that may hold it is withheld.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import { type Asked, scopeOf } from '../../runtime/http/access/guard.ts'
import { readLogs } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { DATASETS, type OpenDatasetName } from '../../schemas/datasets/datasets.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { replicaTable } from './datasets.ts'
import { ageHeader, expired, type FreshnessKeeper, type LogFreshness } from './freshness.ts'

type Row = {
  key: string
  op: string
  ver: number
  at: Date
  platform: string
  body: object | null
  why: string | null
  log_id: number
  epoch: number
  seq: number
  item: number
  origin: string
  audience: string
  /** null for what was loaded from a snapshot: its envelope is not held here */
  digest: string | null
  token: string | null
  received_at: Date
}

const kidOf = (token: string | null): string | null => {
  if (token === null) return null
  const header = JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString('utf8')) as { kid?: string }
  return header.kid ?? null
}

const shown = (row: Row, own: string, log: LogFreshness | undefined) => ({
  key: row.key,
  op: row.op,
  ver: row.ver,
  at: row.at.toISOString(),
  platform: row.platform,
  body: row.body,
  origin: row.origin,
  audience: row.audience,
  position: { epoch: row.epoch, seq: row.seq, item: row.item },
  envelope: row.digest,
  verification: {
    // its origin has signed two histories: which of them is true, nobody can tell
    state: log?.state.frozen === true ? 'disputed' : row.origin === own ? 'own' : row.digest === null ? 'snapshot' : 'verified',
    signer: row.origin,
    kid: kidOf(row.token),
    at: row.received_at.toISOString(),
  },
  freshness: log?.freshness ?? null,
})

type Cursor = readonly [logId: number, key: string]
const formatCursor = (cursor: Cursor): string => Buffer.from(JSON.stringify(cursor)).toString('base64url')

function parseCursor(text: string): Cursor {
  try {
    const value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as unknown
    if (Array.isArray(value) && value.length === 2 && Number.isSafeInteger(value[0]) && typeof value[1] === 'string') {
      return [Number(value[0]), value[1]]
    }
  } catch {
    // what cannot be read was not given out here
  }
  throw new ExchangeError('CURSOR_INVALID', 'expected the "next" of a page that was given out here')
}

const dataset = { type: 'string', enum: DATASETS.filter(row => !row.reserved).map(row => row.name) } as const
const code = { type: 'string', pattern: '^[0-9]{6}$' } as const
type ListQuery = { key?: string; region?: string; origin?: string; cursor?: string; limit?: number }

const asked = ({ params, query }: FastifyRequest): Asked => {
  const { dataset, key } = { ...(query as { key?: string }), ...(params as { dataset: string; key?: string }) }
  // a name that is no dataset is the schema's to refuse
  if (!DATASETS.some(row => row.name === dataset && !row.reserved)) return {}
  return key === undefined ? { dataset } : { dataset, key }
}

/** What the caller is limited to, as conditions on the rows: a page counts what it shows. */
function withinScope(request: FastifyRequest, name: OpenDatasetName): RawBuilder<unknown>[] {
  const { regions, sectors } = scopeOf(request, name)
  const begins = (column: string, starts: readonly string[]): RawBuilder<unknown> =>
    sql`${sql.ref(`held.${column}`)} LIKE ANY (${starts.map(start => `${start}%`)}::text[])`
  return [...(regions === null ? [] : [begins('region', regions)]), ...(sectors === null ? [] : [begins('class', sectors)])]
}

export function addReplicaRoutes(
  server: FastifyInstance,
  options: { readonly db: Kysely<LedgerTables>; readonly own: string; readonly freshness: FreshnessKeeper },
): void {
  const { db, own } = options

  /** The logs that an answer may rest on, and those too old to rest anything on. @throws FRESHNESS_EXPIRED if none may be used */
  async function usable(name: string, origin: string | undefined) {
    const logs = await options.freshness.judge(name, await readLogs(db))
    const asked = [...logs.values()].filter(({ state }) => origin === undefined || state.log.origin === origin)
    const withheld = asked.filter(one => one.withheld)
    if (withheld.length > 0 && withheld.length === asked.length) throw expired(name, withheld)
    return { logs, withheld, used: asked.filter(one => !one.withheld) }
  }

  const states = (reply: FastifyReply, used: readonly LogFreshness[]): void => {
    const foreign = used.filter(({ state }) => state.log.origin !== own)
    if (foreign.length > 0) reply.header('age', ageHeader(foreign.map(({ freshness }) => freshness)))
  }
  const named = (withheld: readonly LogFreshness[]) =>
    withheld.map(({ state: { log }, freshness }) => ({ ...log, code: 'FRESHNESS_EXPIRED', freshness }))
  const select = (table: string) => sql<Row>`
    SELECT held.key, held.op, held.ver, held.at, held.platform, held.body, held.why, held.log_id, held.epoch, held.seq, held.item,
      log.origin, log.audience, envelope.digest, coalesce(envelope.token, log.base_token) AS token,
      coalesce(envelope.received_at, held.applied_at) AS received_at
    FROM ${sql.table(table)} held JOIN log ON log.id = held.log_id AND log.digest IS NOT NULL
      LEFT JOIN envelope ON envelope.log_id = held.log_id AND envelope.epoch = held.epoch AND envelope.seq = held.seq`

  server.get<{ Params: { dataset: OpenDatasetName }; Querystring: ListQuery }>(
    '/v1/:dataset',
    {
      config: { access: { operation: 'record.read', asked } },
      schema: {
        summary: 'Records of a dataset that stand, page by page',
        tags: ['records'],
        params: { type: 'object', properties: { dataset } },
        querystring: {
          type: 'object',
          properties: {
            key: { type: 'string', minLength: 1, maxLength: 128 },
            region: code,
            origin: code,
            cursor: { type: 'string', maxLength: 512 },
            limit: { type: 'integer', minimum: 1, maximum: 500, default: 100 },
          },
        },
      },
    },
    async (request, reply) => {
      const { params, query } = request
      const { logs, withheld, used } = await usable(params.dataset, query.origin)
      const limit = query.limit ?? 100
      const where = [sql`held.op = 'put'`, ...withinScope(request, params.dataset)]
      if (withheld.length > 0) where.push(sql`held.log_id <> ALL(${withheld.map(({ state }) => state.id)}::int[])`)
      if (query.key !== undefined) where.push(sql`held.key = ${query.key}`)
      if (query.region !== undefined) where.push(sql`held.region = ${query.region}`)
      if (query.origin !== undefined) where.push(sql`log.origin = ${query.origin}`)
      if (query.cursor !== undefined) {
        const [logId, key] = parseCursor(query.cursor)
        where.push(sql`(held.log_id, held.key) > (${logId}::int, ${key}::text)`)
      }
      const { rows } = await sql<Row>`
        ${select(replicaTable(params.dataset))} WHERE ${sql.join(where, sql` AND `)}
        ORDER BY held.log_id, held.key LIMIT ${limit + 1}`.execute(db)
      const page = rows.slice(0, limit)
      const last = page.at(-1)
      states(reply, used)
      return {
        items: page.map(row => shown(row, own, logs.get(row.log_id))),
        ...(withheld.length > 0 ? { withheld: named(withheld) } : {}),
        next: rows.length > limit && last !== undefined ? formatCursor([last.log_id, last.key]) : null,
      }
    },
  )

  server.get<{ Params: { dataset: OpenDatasetName; key: string }; Querystring: { origin?: string } }>(
    '/v1/:dataset/:key',
    {
      config: { access: { operation: 'record.read', asked } },
      schema: {
        summary: 'What every origin says of one key; a withdrawn record is not shown',
        tags: ['records'],
        params: { type: 'object', properties: { dataset, key: { type: 'string', minLength: 1, maxLength: 128 } } },
        querystring: { type: 'object', properties: { origin: code } },
      },
    },
    async (request, reply) => {
      const { params, query } = request
      const { logs, withheld } = await usable(params.dataset, query.origin)
      const hidden = new Set(withheld.map(({ state }) => state.id))
      const origin = query.origin === undefined ? sql`` : sql`AND log.origin = ${query.origin}`
      const where = [sql`held.key = ${params.key} AND held.op = 'put'`, ...withinScope(request, params.dataset)]
      const { rows: all } = await sql<Row>`
        ${select(replicaTable(params.dataset))} WHERE ${sql.join(where, sql` AND `)} ${origin} ORDER BY log.origin, log.audience`.execute(
        db,
      )
      const rows = all.filter(row => !hidden.has(row.log_id))
      if (rows.length === 0) {
        if (withheld.length > 0) throw expired(params.dataset, withheld)
        throw new ExchangeError('RECORD_UNKNOWN', `expected a ${params.dataset} record that stands here under this key`)
      }
      states(
        reply,
        [...logs.values()].filter(({ state }) => rows.some(row => row.log_id === state.id)),
      )
      return {
        dataset: params.dataset,
        key: params.key,
        items: rows.map(row => shown(row, own, logs.get(row.log_id))),
        ...(withheld.length > 0 ? { withheld: named(withheld) } : {}),
      }
    },
  )
}
