/** The door for local data: mapping files and rows. */
import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import { adapterNamed } from '../../adapters/adapters.ts'
import type { Duties } from '../../runtime/audit/duties.ts'
import type { Pseudonyms } from '../../runtime/audit/pseudonyms.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { NodeEvents } from '../events.ts'
import type { Sealer } from '../ledger/sealer.ts'
import { admissionOf } from './admission.ts'
import { ingest } from './ingest.ts'
import { limitBytes } from './limit-bytes.ts'
import { mappingOf, storeMapping } from './mappings.ts'
import type { IntakeTables } from './tables.ts'

const MAPPING_BYTES = 256 * 1024
const AUDIENCE = '^(all|national|alliance-[a-z0-9][a-z0-9-]{0,30}|node-[0-9]{6})$'
const DIGEST = '^sha-256:[A-Za-z0-9_-]{43}$'

type IngestQuery = { platform?: string; file?: string; mapping?: string; audience?: string }

export function addIntakeRoutes(
  server: FastifyInstance,
  options: {
    readonly db: Kysely<LedgerTables & IntakeTables>
    readonly origin: string
    readonly sealer: Sealer
    readonly duties: Duties
    readonly pseudonyms: Pseudonyms
    readonly spoolDir: string
    readonly maxBytes: number
    readonly events: NodeEvents
    readonly clock: () => Date
  },
): void {
  const { db, origin, sealer } = options
  server.addContentTypeParser('application/yaml', { parseAs: 'string', bodyLimit: MAPPING_BYTES }, (_request, body, done) =>
    done(null, body),
  )
  server.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload))

  server.post<{ Body: string }>(
    '/v1/mappings',
    {
      config: { access: { operation: 'mapping.add' } },
      schema: { summary: 'Stores a mapping file and names it by its digest', tags: ['intake'], consumes: ['application/yaml'] },
    },
    async ({ body }, reply) => {
      const digest = await storeMapping(db.$pickTables<keyof IntakeTables>(), body)
      return reply.code(201).send({ digest })
    },
  )

  server.post<{ Params: { adapter: string }; Querystring: IngestQuery; Body: Readable }>(
    '/v1/ingest/:adapter',
    {
      config: { access: { operation: 'record.ingest' } },
      bodyLimit: options.maxBytes,
      schema: {
        summary: 'Takes rows in through an adapter and says what became of each',
        tags: ['intake'],
        consumes: ['application/octet-stream'],
        params: { type: 'object', properties: { adapter: { type: 'string', pattern: '^[a-z]{1,32}$' } } },
        querystring: {
          type: 'object',
          properties: {
            platform: { type: 'string', pattern: '^[0-9A-Za-z-]{1,32}$' },
            file: { type: 'string', maxLength: 255 },
            mapping: { type: 'string', pattern: DIGEST },
            audience: { type: 'string', pattern: AUDIENCE },
          },
        },
      },
    },
    async request => {
      const { params, query, body } = request
      const adapter = adapterNamed(params.adapter)
      const mapping = await mappingOf(db.$pickTables<keyof IntakeTables>(), query.mapping ?? null)
      await mkdir(options.spoolDir, { recursive: true, mode: 0o700 })
      const path = join(options.spoolDir, randomUUID())
      try {
        await pipeline(body, limitBytes(options.maxBytes), createWriteStream(path, { flags: 'wx', mode: 0o600 }))
        const read = { file: query.file ?? 'request', mapping, platform: query.platform ?? origin, now: options.clock() }
        const sum = await ingest(adapter, () => createReadStream(path), {
          ...read,
          admission: admissionOf(request.subject, options),
          mappingDigest: query.mapping ?? null,
          audience: query.audience ?? null,
          origin,
          sealer,
          db: db.$pickTables<keyof LedgerTables>(),
        })
        options.events.ingested(adapter.name, sum)
        return sum
      } finally {
        await rm(path, { force: true })
      }
    },
  )
}
