/** Trust lists and certificates over HTTP. */

import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Kysely } from 'kysely'
import { formatProblem } from '../../runtime/http/problems.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { startPool } from '../../runtime/trust/pool.ts'
import { isDateTime } from '../../schemas/dates.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { certificatesOf } from '../../schemas/trust/certificate-files.ts'
import { EVIDENCE_MEDIA_TYPE } from '../../schemas/trust/evidence.ts'
import { fingerprintOf } from '../../schemas/trust/fingerprint.ts'
import { PURPOSES, type PurposeName } from '../../schemas/trust/purposes.ts'
import { REASONS, type ReasonCode } from '../../schemas/trust/reasons.ts'
import { NATIONAL_LIST, recognitionAt, SERVICE_TYPES, STATUSES, type TrustList } from '../../schemas/trust/trust-list.ts'
import { LIST_CHECKS } from '../../schemas/trust/trust-list-checks.ts'
import type { NodeEvents } from '../events.ts'
import { limitBytes } from '../intake/limit-bytes.ts'
import { listsBehind } from './certificates.ts'
import { IMPORT_LIMITS, type ImportRow, importCertificates } from './import.ts'
import { readRows } from './import-rows.ts'
import { contentOf, ISSUE_DAYS, type ListContent } from './list-operator.ts'
import type { ListReport } from './lists.ts'
import type { TrustTables } from './tables.ts'
import type { TrustRoom } from './trust-room.ts'

export const VERIFY_LIMITS = { items: 256, intermediates: 16, certificateCharacters: 400_000, bodyBytes: 8 * 1024 * 1024 } as const
const LIST_BODY_BYTES = 1024 * 1024
const NDJSON = 'application/x-ndjson'
const PEM = 'application/x-pem-file'
const tags = ['trust']

const FINGERPRINT = { type: 'string', pattern: '^[0-9a-f]{64}$' } as const
const LIST_ID = { type: 'string', pattern: '^(CN|[0-9]{6})$' } as const
const TIME = { type: 'string', maxLength: 35 } as const
const CERTIFICATE = { type: 'string', minLength: 1, maxLength: VERIFY_LIMITS.certificateCharacters } as const
const ITEM = {
  certificate: CERTIFICATE,
  intermediates: { type: 'array', maxItems: VERIFY_LIMITS.intermediates, items: CERTIFICATE },
  at: TIME,
  purpose: { type: 'string', enum: Object.keys(PURPOSES) },
} as const

type Item = { certificate: string; intermediates?: string[]; at?: string; purpose?: PurposeName }
type VerifyBody = Partial<Item> & { items?: Item[] }

const parseTime = (text: string | undefined, now: Date): number => {
  if (text === undefined) return now.getTime()
  if (!isDateTime(text)) throw new ExchangeError('REQUEST_INVALID', 'at: expected a time by RFC 3339 with offset')
  return Date.parse(text)
}

/** One certificate: PEM, or base64 of DER. @throws CERTIFICATE_MALFORMED */
function parseOne(text: string): Uint8Array {
  const [der, ...more] = certificatesOf(Buffer.from(text, 'latin1'))
  if (der === undefined || more.length > 0) throw new ExchangeError('CERTIFICATE_MALFORMED', 'expected one certificate')
  return der
}

const saidOf = (reason: string): { en: string; zh: string } | null => {
  const row = Object.hasOwn(REASONS, reason) ? REASONS[reason as ReasonCode] : undefined
  return row === undefined ? null : { en: row.en, zh: row.zh }
}

export function addTrustRoutes(
  server: FastifyInstance,
  options: {
    readonly room: TrustRoom
    readonly db: Kysely<LedgerTables & TrustTables>
    readonly own: string
    readonly spoolDir: string
    readonly maxBytes: number
    readonly events: NodeEvents
    readonly clock: () => Date
  },
): void {
  const { room, db, clock } = options
  const { lists, crls, certificates, operator } = room
  const read = { access: { operation: 'trust.read' } } as const
  let importing = false

  const serving = (): void => {
    if (!room.serves)
      throw new ExchangeError(
        'CERTIFICATE_SERVICE_OFF',
        'expected a node that is set to serve certificates (HUTONG_NODE_CERTIFICATES=serve)',
      )
  }

  function verify(item: Item) {
    const now = clock()
    const { verdict, answer } = certificates.verify({
      der: parseOne(item.certificate),
      intermediates: (item.intermediates ?? []).map(parseOne),
      at: parseTime(item.at, now),
      purpose: item.purpose ?? 'sign',
    })
    return { ...answer, lists: listsBehind(verdict, lists, now.getTime()) }
  }

  server.post<{ Body: VerifyBody }>(
    '/v1/certificates/verify',
    {
      config: { access: { operation: 'certificate.verify' } },
      bodyLimit: VERIFY_LIMITS.bodyBytes,
      schema: {
        summary: 'Whether a certificate, or each of several, is good for a purpose at a time, who holds it, and why',
        tags,
        body: {
          type: 'object',
          additionalProperties: false,
          properties: {
            ...ITEM,
            items: {
              type: 'array',
              minItems: 1,
              maxItems: VERIFY_LIMITS.items,
              items: { type: 'object', additionalProperties: false, required: ['certificate'], properties: ITEM },
            },
          },
        },
      },
    },
    async ({ body, id }) => {
      serving()
      const { items, certificate, ...rest } = body
      if ((items === undefined) === (certificate === undefined))
        throw new ExchangeError('REQUEST_INVALID', 'expected either certificate or items')
      if (certificate !== undefined) return verify({ certificate, ...rest })
      // One that cannot be read is answered for by itself.
      const one = (item: Item): object => {
        try {
          return verify(item)
        } catch (error) {
          if (!isExchangeError(error)) throw error
          return { problem: formatProblem(error, id) }
        }
      }
      return { items: (items ?? []).map(one) }
    },
  )

  server.get(
    '/v1/trust-lists',
    { config: read, schema: { summary: 'The trust lists held, each with its five checks', tags } },
    async () => ({
      ready: lists.trouble() === null,
      trouble: lists.trouble(),
      lists: (await lists.report()).map(shownReport),
      refused: await lists.refused(),
      crls: await crls.report(),
    }),
  )

  server.get<{ Params: { id: string } }>(
    '/v1/trust-lists/:id',
    {
      config: read,
      schema: {
        summary: 'One list: as it is signed, as it reads, and how each service stands now',
        tags,
        params: { type: 'object', properties: { id: LIST_ID } },
      },
    },
    async ({ params }) => {
      const report = (await lists.report()).find(({ held }) => held.list.id === params.id)
      if (report === undefined) throw new ExchangeError('TRUST_LIST_UNKNOWN', `expected a list that is held here, got ${params.id}`)
      const { list } = report.held
      return {
        ...shownReport(report),
        services: shownServices(list, clock().getTime()),
        LoTE: contentOf(list.token),
        token: list.token,
      }
    },
  )

  server.post<{ Body: ListContent }>(
    '/v1/trust-lists',
    {
      config: { access: { operation: 'trust.publish' } },
      bodyLimit: LIST_BODY_BYTES,
      schema: {
        summary: 'The next issue of the list that this member operates: signed, and sealed as a record of trust',
        tags,
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['TrustedEntitiesList'],
          properties: {
            TrustedEntitiesList: { type: 'array', items: { type: 'object' } },
            PointersToOtherLoTE: { type: 'array', items: { type: 'object' } },
            days: { type: 'integer', minimum: 1, maximum: ISSUE_DAYS.most },
          },
        },
      },
    },
    async ({ body }, reply) => reply.code(201).send(await operator.publish(body)),
  )

  server.post(
    '/v1/revocation-lists',
    {
      config: { access: { operation: 'certificate.import' } },
      schema: { summary: 'Asks for every revocation list that the trust lists name, now, and says how each stands', tags },
    },
    async () => {
      await room.fetcher.fetchNow()
      return { crls: await crls.report() }
    },
  )

  server.addContentTypeParser([NDJSON, PEM], (_request, payload, done) => done(null, payload))
  server.post<{ Body: Readable; Querystring: { anchor?: string; place?: string } }>(
    '/v1/certificates',
    {
      config: { access: { operation: 'certificate.import' } },
      bodyLimit: options.maxBytes,
      schema: {
        summary:
          'Brings certificates in, and revocation lists with them: a line of JSON with the verdict of each, the last with the sums',
        tags,
        consumes: [NDJSON, PEM],
        querystring: {
          type: 'object',
          properties: {
            anchor: { type: 'string', pattern: '^[0-9a-f]{64}(,[0-9a-f]{64}){0,15}$' },
            place: { type: 'string', maxLength: 255 },
          },
        },
      },
    },
    async (request, reply) => {
      if (importing) throw new ExchangeError('CERTIFICATE_IMPORT_RUNNING', 'an import is under way here')
      importing = true
      try {
        const path = await spool(request.body)
        return reply.type(NDJSON).send(Readable.from(work(path, request)))
      } catch (error) {
        importing = false
        throw error
      }
    },
  )

  async function spool(body: Readable): Promise<string> {
    await mkdir(options.spoolDir, { recursive: true, mode: 0o700 })
    const path = join(options.spoolDir, randomUUID())
    try {
      await pipeline(body, limitBytes(options.maxBytes), createWriteStream(path, { flags: 'wx', mode: 0o600 }))
      return path
    } catch (error) {
      await rm(path, { force: true })
      throw error
    }
  }

  async function* work(
    path: string,
    { headers, query, signal }: FastifyRequest<{ Querystring: { anchor?: string; place?: string } }>,
  ): AsyncGenerator<string> {
    const wanted = query.anchor?.split(',') ?? []
    const media = headers['content-type'] ?? ''
    const rows = (): AsyncIterable<ImportRow> =>
      readRows(createReadStream(path), media.startsWith(PEM) ? 'pem' : 'ndjson', query.place ?? 'request')
    try {
      await lists.refresh()
      const anchors = await readAnchors(rows, wanted)
      const material = [certificates.materialVersion(), ...wanted].join(' ')
      await using pool = startPool(certificates.materialBytes(anchors))
      const verdicts = importCertificates(rows(), { db, own: options.own, pool, crls, material, saidOf, now: clock(), signal })
      for (;;) {
        const next = await verdicts.next()
        if (next.done === true) {
          if (next.value.certificates > 0) await certificates.reload()
          options.events.certificatesImported(next.value)
          yield `${JSON.stringify({ sum: next.value })}\n`
          return
        }
        yield `${JSON.stringify(next.value)}\n`
      }
    } catch (error) {
      if (signal.aborted) return
      server.log.error({ err: error }, 'certificates could not all be brought in')
      const known = isExchangeError(error) ? error : new ExchangeError('INTERNAL', 'broken off; begin again, nothing is doubled')
      yield `${JSON.stringify({ failed: { code: known.code, reason: known.reason } })}\n`
    } finally {
      importing = false
      await rm(path, { force: true })
    }
  }

  /** Anchors are named by fingerprint and stand among the rows. @throws REQUEST_INVALID for one that does not */
  async function readAnchors(rows: () => AsyncIterable<ImportRow>, wanted: readonly string[]): Promise<Uint8Array[]> {
    if (wanted.length === 0) return []
    const found = new Map<string, Uint8Array>()
    for await (const row of rows()) {
      if (found.size === wanted.length) break
      const ders = await Promise.resolve(row.bytes)
        .then(certificatesOf)
        .catch((): Uint8Array[] => [])
      for (const der of ders) {
        const name = fingerprintOf(der)
        if (wanted.includes(name)) found.set(name, der)
      }
    }
    const missing = wanted.filter(name => !found.has(name))
    if (missing.length > 0)
      throw new ExchangeError('REQUEST_INVALID', `anchor: expected a certificate of these rows, got ${missing.join(', ')}`)
    return [...found.values()].slice(0, IMPORT_LIMITS.anchors)
  }

  type Named = { Params: { fingerprint: string }; Querystring: { at?: string; purpose?: PurposeName } }
  const named = {
    params: { type: 'object', properties: { fingerprint: FINGERPRINT } },
    querystring: { type: 'object', properties: { at: TIME, purpose: ITEM.purpose } },
  } as const

  server.get<Named>(
    '/v1/certificates/:fingerprint',
    {
      config: { access: { operation: 'certificate.read' } },
      schema: { summary: 'A certificate that was brought in: its verdict then, and its verdict now', tags, ...named },
    },
    async ({ params, query }) => {
      serving()
      const row = await db.selectFrom('certificate').selectAll().where('fingerprint', '=', params.fingerprint).executeTakeFirst()
      if (row === undefined) throw new ExchangeError('CERTIFICATE_UNKNOWN', 'expected a certificate that was brought in here')
      const { der, material: _, ...stored } = row
      const now = clock()
      const { verdict, answer } = certificates.verify({
        der,
        at: parseTime(query.at, now),
        purpose: query.purpose ?? purposeOfRow(row),
      })
      return {
        stored,
        verdict: { ...answer, lists: listsBehind(verdict, lists, now.getTime()) },
        certificate: der.toString('base64'),
      }
    },
  )

  server.get<Named>(
    '/v1/certificates/:fingerprint/evidence',
    {
      config: { access: { operation: 'certificate.read' } },
      schema: {
        summary: 'What the verdict on a certificate rests on, as one file that `hutong verify` checks without a network',
        tags,
        ...named,
      },
    },
    async ({ params, query }, reply) => {
      serving()
      const row = await db
        .selectFrom('certificate')
        .select(['der', 'kind', 'key_use'])
        .where('fingerprint', '=', params.fingerprint)
        .executeTakeFirst()
      const found = row ?? certificates.recent(params.fingerprint)
      if (found == null)
        throw new ExchangeError('CERTIFICATE_UNKNOWN', 'expected a certificate that was brought in or verified here')
      const purpose = query.purpose ?? (row === undefined ? 'sign' : purposeOfRow(row))
      const evidence = await room.evidence.make(certificates.verify({ ...found, at: parseTime(query.at, clock()), purpose }))
      return reply.type(EVIDENCE_MEDIA_TYPE).send(JSON.stringify(evidence))
    },
  )
}

const purposeOfRow = (row: { readonly kind: string; readonly key_use: string }): PurposeName =>
  row.kind === 'ca' ? 'ca' : row.key_use === 'encrypt' ? 'encrypt' : 'sign'

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

function shownReport({ held, counts, why, checks }: ListReport) {
  const { list, withdrawnAt, origin, epoch, seq } = held
  return {
    id: list.id,
    operator: origin,
    name: list.name,
    territory: list.territory,
    sequence: list.sequence,
    digest: list.digest,
    issued_at: iso(list.issuedAt),
    next_update: iso(list.nextUpdate),
    withdrawn_at: iso(withdrawnAt),
    position: { epoch, seq },
    counts,
    why,
    checks: checks.map(check => ({ ...check, label: LIST_CHECKS[check.id] })),
    entities: list.entities.length,
    ...(list.id === NATIONAL_LIST ? { names: list.pointers } : {}),
  }
}

function shownServices(list: TrustList, now: number) {
  return list.entities.flatMap(entity =>
    entity.services.map(service => {
      const { status, since, why } = recognitionAt(service, now)
      return {
        entity: entity.name,
        code: entity.code,
        region: entity.region,
        service: service.name,
        type: service.type,
        type_label: SERVICE_TYPES.find(row => row.type === service.type),
        status,
        status_label: STATUSES.find(row => row.status === status) ?? null,
        since: iso(since),
        why,
        history: service.statuses.map(span => ({ ...span, from: iso(span.from) })),
        certificates: service.certificates.map(({ fingerprint, notAfter }) => ({ fingerprint, not_after: iso(notAfter) })),
        crl: service.crl,
        ocsp: service.ocsp,
        profile: service.profile,
      }
    }),
  )
}
