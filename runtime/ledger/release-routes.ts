/** Release from quarantine over HTTP: by number, or everything that stands under one code. */
import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { noteRelease, type QuarantineItem, type Release, type Releaser, stays } from './release.ts'
import type { LedgerTables, QuarantineRow } from './tables.ts'

const CHUNK = 50
/** items named one by one in an answer; the sums count all of them */
const SHOWN = 500

type Shown = { readonly id: number; readonly kind: string } & (
  | { readonly outcome: string }
  | { readonly code: string; readonly reason: string }
)
type ReleaseBody = { readonly ids?: readonly number[]; readonly code?: string; readonly mapping?: string }

export type Releasers = { readonly [kind in QuarantineRow['kind']]?: (mapping: string | null) => Releaser }

export function addReleaseRoutes(
  server: FastifyInstance,
  options: {
    readonly db: Kysely<LedgerTables>
    readonly releasers: Releasers
    readonly clock: () => Date
  },
): void {
  const { db } = options

  const next = (body: ReleaseBody, after: number): Promise<QuarantineItem[]> => {
    let rows = db.selectFrom('quarantine').selectAll().where('released_at', 'is', null).where('id', '>', after)
    if (body.ids !== undefined) rows = rows.where('id', 'in', [...body.ids])
    if (body.code !== undefined) rows = rows.where('code', '=', body.code)
    return rows.orderBy('id').limit(CHUNK).execute()
  }

  async function take(item: QuarantineItem, mapping: string | null): Promise<Release> {
    const releaser = options.releasers[item.kind]
    if (releaser === undefined) return stays(new ExchangeError('QUARANTINE_NOT_WHOLE', `${item.kind}: nothing reads these here`))
    try {
      return await releaser(mapping)(item)
    } catch (error) {
      // One item that cannot be read costs itself; a database that is away ends the request.
      if (!isExchangeError(error) || error.retry) throw error
      return stays(error)
    }
  }

  server.post<{ Body: ReleaseBody }>(
    '/v1/quarantine/release',
    {
      config: { access: { operation: 'quarantine.release' } },
      schema: {
        summary: 'Takes up again what was refused, by number or by code; what still fails stays with its reason of today',
        tags: ['ledger'],
        body: {
          type: 'object',
          additionalProperties: false,
          anyOf: [{ required: ['ids'] }, { required: ['code'] }],
          properties: {
            ids: { type: 'array', minItems: 1, maxItems: 1000, items: { type: 'integer', minimum: 1 } },
            code: { type: 'string', pattern: '^[A-Z_]{1,40}$' },
            mapping: {
              type: 'string',
              pattern: '^sha-256:[A-Za-z0-9_-]{43}$',
              description: 'read rows with this one instead of theirs',
            },
          },
        },
      },
    },
    async ({ body }) => {
      const sum = { released: 0, stay: 0 }
      const items: Shown[] = []
      const seen = new Set<number>()
      for (let after = 0; ; ) {
        const chunk = await next(body, after)
        const last = chunk.at(-1)
        if (last === undefined) break
        after = last.id
        for (const item of chunk) {
          const release = await take(item, body.mapping ?? null)
          await noteRelease(db, item.id, release, options.clock())
          seen.add(item.id)
          sum[release.kind === 'released' ? 'released' : 'stay'] += 1
          const { id, kind } = item
          if (items.length >= SHOWN) continue
          items.push(
            release.kind === 'released'
              ? { id, kind, outcome: release.outcome }
              : { id, kind, code: release.error.code, reason: release.error.reason },
          )
        }
      }
      return { ...sum, unknown: (body.ids ?? []).filter(id => !seen.has(id)), items }
    },
  )
}
