/**
 * What hub and node both show of their ledger: where every log stands here, single envelopes as files that verify anywhere, ranges
 * as bundles, and the quarantine. Bodies of restricted audiences are given as ciphertext only.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Kysely } from 'kysely'
import {
  BUNDLE_MEDIA_TYPE,
  type BundleEntry,
  ENVELOPE_MEDIA_TYPE,
  formatBundleEntry,
  formatEnvelopeFile,
} from '../../schemas/bundle.ts'
import { isRestricted } from '../../schemas/content-key.ts'
import { decodeBody } from '../../schemas/encoding.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { LIMITS } from '../../schemas/limits.ts'
import { formatLogId, formatPosition, type LogId } from '../../schemas/log.ts'
import { parseToken } from '../../schemas/tokens.ts'
import type { Asked } from '../http/access/guard.ts'
import type { Doubt, Doubts } from './doubts.ts'
import { readConvictions, readForks } from './forks.ts'
import { type HeadListener, livenessOf, withheldHeads } from './heads.ts'
import { heldBehind } from './history.ts'
import { readLog, readLogs, readRange, type StoredEntry } from './ledger.ts'
import { countQuarantine } from './quarantine.ts'
import { readRedactions } from './redactions.ts'
import { readStateRoots } from './root-judge.ts'
import type { LedgerTables } from './tables.ts'

const code = { type: 'string', pattern: '^[0-9]{6}$' } as const
const name = { type: 'string', pattern: '^[a-z0-9-]{1,64}$' } as const
const count = { type: 'string', pattern: '^(0|[1-9][0-9]{0,9})$' } as const
const logParams = {
  type: 'object',
  required: ['origin', 'dataset', 'audience'],
  properties: { origin: code, dataset: name, audience: name },
} as const

const asked = ({ params }: FastifyRequest): Asked => {
  const log = params as LogId
  return { dataset: log.dataset, key: formatLogId(log) }
}

export function addLedgerRoutes(
  server: FastifyInstance,
  options: {
    readonly db: Kysely<LedgerTables>
    readonly heads: () => HeadListener
    readonly own: string | null
    readonly doubts: Doubts
    readonly clock: () => Date
  },
): void {
  const { db, own } = options

  server.get(
    '/v1/logs',
    { config: { access: { operation: 'ledger.read' } }, schema: { summary: 'Where every log stands here', tags: ['ledger'] } },
    async () => {
      const now = options.clock()
      const states = await readLogs(db)
      const missing = new Map(await Promise.all(states.map(async state => [state.id, await heldBehind(db, state)] as const)))
      const logs = states.map(({ id, log, head, issuedAt, receipt, frozen }) => {
        const behind = missing.get(id) ?? null
        const announced = options.heads().newest(log.origin, log.audience)
        const ahead = announced?.logs.find(other => formatLogId(other.log) === formatLogId(log))?.head ?? null
        return {
          ...log,
          head,
          issued_at: issuedAt?.toISOString() ?? null,
          announced: ahead,
          frozen,
          /** a log that began here with a snapshot: the newest entry that is still missing before it */
          missing_until: behind === null ? null : { epoch: behind.epoch, seq: behind.seq },
          origin_state: log.origin === own ? 'own' : livenessOf(announced, now),
          announced_at: announced?.issuedAt.toISOString() ?? null,
          lag: ahead === null || head === null ? null : ahead.epoch === head.epoch ? Math.max(0, ahead.seq - head.seq) : ahead.seq,
          ...(log.origin === own ? { receipt } : {}),
        }
      })
      const withheld = withheldHeads(options.heads().all(), own, now).map(
        ({ log, by, seen }): Doubt => ({
          kind: 'head-withheld',
          about: formatLogId(log),
          count: 1,
          first: now,
          last: now,
          reason: `${by} has seen ${formatPosition(seen)}`,
        }),
      )
      const convictions = (await readConvictions(db)).length
      return { logs, quarantine: await countQuarantine(db), doubts: [...withheld, ...options.doubts.list()], convictions }
    },
  )

  server.get(
    '/v1/forks',
    {
      config: { access: { operation: 'proof.read' } },
      schema: { summary: 'Proofs that an origin has signed two histories; each verifies anywhere', tags: ['ledger'] },
    },
    async () => ({
      forks: await readForks(db),
      hub: await readConvictions(db),
      /** state roots that an origin has signed and that do not follow from its log */
      snapshots: await readStateRoots(db, 'differs'),
    }),
  )

  async function findLog(log: LogId): Promise<number> {
    const state = await readLog(db, log)
    if (state === null) throw new ExchangeError('LOG_UNKNOWN', `expected a log held here, got ${formatLogId(log)}`)
    return state.id
  }

  /** What its origin did not encrypt for a restricted audience is not made readable by an export. */
  function checkSealed(kind: 'envelope' | 'redaction', token: string): void {
    const { aud, pdg } = parseToken(token, kind).claims as { readonly aud: string; readonly pdg?: string }
    if (isRestricted(aud) && pdg === undefined)
      throw new ExchangeError('AUDIENCE_NOT_ALLOWED', `expected an encrypted body, as everything for ${aud} is`)
  }

  const plain = async (entry: StoredEntry): Promise<BundleEntry> => {
    if (entry.body !== null) checkSealed('envelope', entry.token)
    if (entry.redaction != null) checkSealed('redaction', entry.redaction)
    return plainly(entry)
  }
  const plainly = async (entry: StoredEntry): Promise<BundleEntry> => ({
    token: entry.token,
    ...(entry.redaction == null ? {} : { redaction: entry.redaction }),
    body: entry.body === null ? new Uint8Array() : await decodeBody(entry.body, entry.encoding),
  })

  server.get<{ Params: LogId & { epoch: string; seq: string } }>(
    '/v1/logs/:origin/:dataset/:audience/envelopes/:epoch/:seq',
    {
      config: { access: { operation: 'envelope.read', asked } },
      schema: {
        summary: 'One envelope as a file: token, line feed, plain body',
        tags: ['ledger'],
        params: {
          ...logParams,
          required: [...logParams.required, 'epoch', 'seq'],
          properties: { ...logParams.properties, epoch: count, seq: count },
        },
      },
    },
    async ({ params }, reply) => {
      const id = await findLog(params)
      const [entry] = await readRange(db, id, Number(params.epoch), Number(params.seq), 1)
      if (entry === undefined || entry.position.seq !== Number(params.seq)) {
        throw new ExchangeError('ENVELOPE_UNKNOWN', `expected a position held here, got ${params.epoch}.${params.seq}`)
      }
      return reply.type(ENVELOPE_MEDIA_TYPE).send(formatEnvelopeFile(await plain(entry)))
    },
  )

  server.get<{ Params: LogId; Querystring: { epoch?: number; from?: number; limit?: number } }>(
    '/v1/logs/:origin/:dataset/:audience/envelopes',
    {
      config: { access: { operation: 'envelope.read', asked } },
      schema: {
        summary: 'A range of envelopes as a bundle; ask again from behind the last',
        tags: ['ledger'],
        params: logParams,
        querystring: {
          type: 'object',
          properties: {
            epoch: { type: 'integer', minimum: 1, default: 1 },
            from: { type: 'integer', minimum: 0, default: 0 },
            limit: { type: 'integer', minimum: 1, maximum: LIMITS.rangeEnvelopes, default: LIMITS.rangeEnvelopes },
          },
        },
      },
    },
    async ({ params, query }, reply) => {
      const entries = await readRange(
        db,
        await findLog(params),
        query.epoch ?? 1,
        query.from ?? 0,
        query.limit ?? LIMITS.rangeEnvelopes,
      )
      const parts: Buffer[] = []
      let bytes = 0
      for (const entry of entries) {
        const part = formatBundleEntry(await plain(entry))
        bytes += part.length
        if (parts.length > 0 && bytes > LIMITS.rangeBytes) break
        parts.push(part)
      }
      return reply.type(BUNDLE_MEDIA_TYPE).send(Buffer.concat(parts))
    },
  )

  server.get<{ Params: LogId; Querystring: { issued?: number; epoch?: number; seq?: number } }>(
    '/v1/logs/:origin/:dataset/:audience/redactions',
    {
      config: { access: { operation: 'envelope.read', asked } },
      schema: {
        summary:
          'What was erased, oldest first, as a bundle: each redaction with the body that it names; ask again from behind the last',
        tags: ['ledger'],
        params: logParams,
        querystring: {
          type: 'object',
          properties: {
            issued: { type: 'integer', minimum: 0, maximum: 253_402_300_799, default: 0 },
            epoch: { type: 'integer', minimum: 0, maximum: 2_147_483_647, default: 0 },
            seq: { type: 'integer', minimum: 0, default: 0 },
          },
        },
      },
    },
    async ({ params, query }, reply) => {
      const cursor = { issued: query.issued ?? 0, epoch: query.epoch ?? 0, seq: query.seq ?? 0 }
      const parts: Buffer[] = []
      let bytes = 0
      for (const entry of await readRedactions(db, await findLog(params), cursor, LIMITS.rangeEnvelopes)) {
        checkSealed('redaction', entry.redaction)
        const part = formatBundleEntry({ token: entry.redaction, body: await decodeBody(entry.body, entry.encoding) })
        bytes += part.length
        if (parts.length > 0 && bytes > LIMITS.rangeBytes) break
        parts.push(part)
      }
      return reply.type(BUNDLE_MEDIA_TYPE).send(Buffer.concat(parts))
    },
  )

  server.get<{ Querystring: { kind?: string; code?: string; after?: number; limit?: number } }>(
    '/v1/quarantine',
    {
      config: { access: { operation: 'quarantine.read' } },
      schema: {
        summary: 'What was refused, newest first: code, reason and place; the bytes stay here',
        tags: ['ledger'],
        querystring: {
          type: 'object',
          properties: {
            kind: { type: 'string', enum: ['envelope', 'record', 'row', 'proof'] },
            code: { type: 'string', pattern: '^[A-Z_]{1,40}$' },
            after: { type: 'integer', minimum: 0 },
            limit: { type: 'integer', minimum: 1, maximum: 500, default: 100 },
          },
        },
      },
    },
    async ({ query }) => {
      let rows = db
        .selectFrom('quarantine')
        .select([
          'id',
          'kind',
          'origin',
          'dataset',
          'audience',
          'epoch',
          'seq',
          'item',
          'place',
          'line',
          'field',
          'rule',
          'code',
          'reason',
        ])
        .select(['reason_zh', 'content_digest', 'content_bytes', 'arrived_at'])
        .where('released_at', 'is', null)
      if (query.kind !== undefined) rows = rows.where('kind', '=', query.kind as 'row')
      if (query.code !== undefined) rows = rows.where('code', '=', query.code)
      if (query.after !== undefined) rows = rows.where('id', '<', query.after)
      const items = await rows
        .orderBy('id', 'desc')
        .limit(query.limit ?? 100)
        .execute()
      return { items, next: items.length === (query.limit ?? 100) ? (items.at(-1)?.id ?? null) : null }
    },
  )
}
