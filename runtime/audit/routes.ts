/** The audit log over HTTP, for the auditor: entries and signed heads in the order of their numbers, page by page. */
import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import { isExchangeError } from '../../schemas/errors.ts'
import type { HeadSigner } from './head-signer.ts'
import type { AuditTables } from './tables.ts'
import type { AuditWitness } from './witness.ts'

const PAGE = 1000

type Query = { after?: number; limit?: number; operation?: string; actor?: string; resource?: string }

export function addAuditRoutes(
  server: FastifyInstance,
  {
    db,
    signer,
    witness,
    origin,
  }: {
    readonly db: Kysely<AuditTables>
    readonly signer: HeadSigner
    readonly witness: AuditWitness
    readonly origin: string
  },
): void {
  server.get<{ Querystring: Query }>(
    '/v1/audit',
    {
      config: { access: { operation: 'audit.read' } },
      schema: {
        summary: 'The audit log in order, with the signed heads of the page; filters show a part, which no longer is a chain',
        tags: ['audit'],
        querystring: {
          type: 'object',
          properties: {
            after: { type: 'integer', minimum: 0, default: 0 },
            limit: { type: 'integer', minimum: 1, maximum: PAGE, default: PAGE },
            operation: { type: 'string', pattern: '^[a-z]{1,20}[.][a-z]{1,20}$' },
            actor: { type: 'string', maxLength: 80 },
            resource: { type: 'string', maxLength: 80 },
          },
        },
      },
    },
    async ({ query }) => {
      const { after = 0, limit = PAGE } = query
      // What is asked for now is signed now, so that the end of the log can be verified too.
      // A log that is broken is shown all the more.
      await signer.sign().catch((error: unknown) => {
        if (!isExchangeError(error) || error.code !== 'AUDIT_BROKEN') throw error
      })
      // One snapshot: a head that is signed meanwhile would name an entry that is not in the page.
      return await db
        .transaction()
        .setIsolationLevel('repeatable read')
        .setAccessMode('read only')
        .execute(async trx => {
          let rows = trx.selectFrom('audit').selectAll().where('seq', '>', after)
          if (query.operation !== undefined) rows = rows.where('operation', '=', query.operation)
          if (query.actor !== undefined) rows = rows.where('actor', '=', query.actor)
          if (query.resource !== undefined) rows = rows.where('resource', '=', query.resource)
          const entries = await rows.orderBy('seq').limit(limit).execute()
          const end = entries.length < limit ? null : (entries.at(-1)?.seq ?? null)
          let signed = trx.selectFrom('audit_head').select('token').where('seq', '>', after)
          // The heads behind the last entry come with the last page: they are what shows that the end was cut off.
          if (end !== null) signed = signed.where('seq', '<=', end)
          const heads = (await signed.orderBy('seq').execute()).map(({ token }) => token)
          // With them those that lie outside the database.
          const kept = end === null ? await witness.all() : []
          return { origin, entries, heads: [...new Set([...heads, ...kept])], next: end }
        })
    },
  )
}
