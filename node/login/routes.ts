/** At the node's own address: where certificates were used, who is watched, how many came from elsewhere, and new keys for the login. */
import type { FastifyInstance } from 'fastify'
import { type Kysely, sql } from 'kysely'
import { judgeUscc } from '../../schemas/codes/uscc.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { CERTIFICATE_USES, type CertificateUseKind } from '../../schemas/login/scopes.ts'
import { CLIENT_ID } from '../../schemas/login/statement.ts'
import type { NodeTables } from '../tables.ts'
import type { HolderCheck } from './holder.ts'
import { refusalOf } from './proof.ts'
import type { Uses } from './uses.ts'

const BASE64 = { type: 'string', maxLength: 16_384, pattern: '^[A-Za-z0-9+/]+={0,2}$' } as const
const WATCH = /^watch\/[\w-]{27}$/
const WATCHED_MAX = 100_000
type ListQuery = { watched?: boolean; since?: string; limit?: number }
type UseShown = {
  use: string
  used_at: Date
  uscc: string | null
  certificate: string
  ca_name: string
  venue: string
  system: string
  watch: string | null
}
type WatchBody = { uscc: string; reason: string; until?: string }

export function addLoginRoutes(
  server: FastifyInstance,
  options: {
    readonly db: Kysely<NodeTables>
    readonly own: string
    readonly uses: Uses
    readonly checkFor: (use: CertificateUseKind) => HolderCheck
    /** null where no login is configured */
    readonly rotate: (() => Promise<void>) | null
    readonly clock: () => Date
  },
): void {
  const { db, own, uses, clock } = options

  server.get<{ Querystring: ListQuery }>(
    '/v1/certificate-uses',
    {
      config: { access: { operation: 'certificate-use.read' } },
      schema: {
        summary: 'Uses of certificates whose holders are at home here, wherever, and of watched holders here; the newest first',
        tags: ['supervision'],
        querystring: {
          type: 'object',
          properties: {
            watched: { type: 'boolean', default: false },
            since: { type: 'string', format: 'date-time' },
            limit: { type: 'integer', minimum: 1, maximum: 500, default: 100 },
          },
        },
      },
    },
    async ({ query }) => {
      const since = query.since === undefined ? new Date(0) : new Date(query.since)
      const now = clock()
      // What others have said about holders at home here stands in the replica; it is compared with the watch list by code.
      const { rows: watched } = await sql<{ watch: string }>`
        SELECT watch FROM watched_holder WHERE until IS NULL OR until > ${now}`.execute(db)
      const { rows } = await sql<UseShown>`
        SELECT * FROM (
          SELECT use, used_at, uscc, certificate_digest AS certificate, ca_name, ${own} AS venue, system, watch
          FROM certificate_use WHERE kept
          UNION ALL
          SELECT body->>'use', at, body->>'uscc', body->>'certificate', body->>'ca_name', body->>'venue', body->>'system', NULL
          FROM replica_supervision held JOIN log ON log.id = held.log_id
          WHERE op = 'put' AND log.origin <> ${own} AND body->>'kind' = 'certificate-use'
        ) uses WHERE used_at >= ${since} ORDER BY used_at DESC LIMIT ${query.watched === true ? WATCHED_MAX : (query.limit ?? 100)}`.execute(
        db,
      )
      const listed = new Set(watched.map(({ watch }) => watch))
      const items = rows.map(({ watch, used_at: at, ...row }) => {
        const hash = watch ?? (row.uscc === null ? null : uses.watchOf(`uscc:${row.uscc}`))
        return { ...row, at: at.toISOString(), watched: hash !== null && listed.has(hash) }
      })
      return { items: items.filter(item => query.watched !== true || item.watched).slice(0, query.limit ?? 100) }
    },
  )

  server.post<{ Body: { use: CertificateUseKind; certificate: string; chain?: readonly string[] } }>(
    '/v1/certificate-uses',
    {
      config: { access: { operation: 'certificate-use.report' } },
      schema: {
        summary: 'A trading system reports that a certificate was used; who holds it is read from the certificate',
        tags: ['supervision'],
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['use', 'certificate'],
          properties: {
            use: { type: 'string', enum: Object.keys(CERTIFICATE_USES) },
            certificate: BASE64,
            chain: { type: 'array', maxItems: 6, items: BASE64 },
          },
        },
      },
    },
    async ({ body, subject }, reply) => {
      const at = clock()
      const der = Buffer.from(body.certificate, 'base64')
      const chain = (body.chain ?? []).map(text => Buffer.from(text, 'base64'))
      const verdict = await options.checkFor(body.use)({ der, chain }, at)
      if (verdict.result !== 'good') throw refusalOf(verdict)
      await uses.note({ use: body.use, verdict, der, system: CLIENT_ID.test(subject?.id ?? '') ? (subject?.id ?? own) : own, at })
      return reply.code(201).send({ use: body.use, at: at.toISOString() })
    },
  )

  server.get(
    '/v1/watch-list',
    {
      config: { access: { operation: 'watch.read' } },
      schema: { summary: 'Who is watched here: keyed hashes, never codes', tags: ['supervision'] },
    },
    async () => {
      const rows = await db.selectFrom('watched_holder').selectAll().orderBy('added_at').execute()
      const items = rows.map(({ added_at: added, until, ...row }) => ({
        ...row,
        added_at: added.toISOString(),
        until: until?.toISOString() ?? null,
      }))
      return { items }
    },
  )

  // In the body: an address ends up in logs of servers on the way.
  server.post<{ Body: WatchBody }>(
    '/v1/watch-list',
    {
      config: { access: { operation: 'watch.change' } },
      schema: {
        summary: 'Watches an organisation, until a time if one is given; what is kept is a keyed hash of its code',
        tags: ['supervision'],
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['uscc', 'reason'],
          properties: {
            uscc: { type: 'string', pattern: '^[0-9A-Za-z]{18}$' },
            reason: { type: 'string', enum: ['penalty', 'blacklist', 'investigation', 'complaint', 'key-project'] },
            until: { type: 'string', format: 'date-time' },
          },
        },
      },
    },
    async ({ body, subject }, reply) => {
      const { normalised } = judgeUscc(body.uscc)
      const watch = uses.watchOf(`uscc:${normalised}`)
      const values = {
        reason: body.reason,
        added_by: subject?.id ?? '',
        until: body.until === undefined ? null : new Date(body.until),
      }
      await db
        .insertInto('watched_holder')
        .values({ watch, ...values })
        .onConflict(conflict => conflict.column('watch').doUpdateSet(values))
        .execute()
      return reply.code(201).send({ watch })
    },
  )

  server.post<{ Body: { watch: string } }>(
    '/v1/watch-list/removal',
    {
      config: { access: { operation: 'watch.change' } },
      schema: {
        summary: 'Watches no more',
        tags: ['supervision'],
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['watch'],
          properties: { watch: { type: 'string', pattern: WATCH.source } },
        },
      },
    },
    async ({ body }) => {
      const { numDeletedRows } = await db.deleteFrom('watched_holder').where('watch', '=', body.watch).executeTakeFirst()
      if (numDeletedRows === 0n) throw new ExchangeError('RECORD_UNKNOWN', 'nobody is watched here under this hash')
      return { watch: body.watch, removed: true }
    },
  )

  server.get<{ Querystring: { month?: string } }>(
    '/v1/statistics/logins',
    {
      config: { access: { operation: 'statistics.read' } },
      schema: {
        summary: 'Logins here with certificates of holders from elsewhere: by month, home and authority',
        tags: ['statistics'],
        querystring: { type: 'object', properties: { month: { type: 'string', pattern: '^[0-9]{4}-(0[1-9]|1[0-2])$' } } },
      },
    },
    async ({ query }) => {
      const all = db.selectFrom('cross_login').selectAll().orderBy('month').orderBy('home').orderBy('ca_name')
      const rows = await (query.month === undefined ? all : all.where('month', '=', query.month)).execute()
      return { at: own, rows, total: rows.reduce((sum, { logins }) => sum + logins, 0) }
    },
  )

  server.post(
    '/v1/login/keys',
    {
      config: { access: { operation: 'login.rotate' } },
      schema: { summary: 'New signing keys for the login; those before stay published for two days', tags: ['login'] },
    },
    async (_, reply) => {
      if (options.rotate === null) throw new ExchangeError('ROUTE_UNKNOWN', 'no login is configured at this node')
      await options.rotate()
      return reply.code(201).send({ rotated: true })
    },
  )
}
