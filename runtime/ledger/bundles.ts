/**
 * Takes a bundle in: a file of entries that crossed an air gap. Each group goes through the same receiver as what a stream brings, so
 * the same checks hold; nothing is trusted for having come by hand. A damaged file ends at the entry that is damaged, what was read
 * before stays. What is held already is skipped, so an import that was interrupted is simply repeated.
 */
import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import { BUNDLE_MEDIA_TYPE, type BundleItem, readBundle } from '../../schemas/bundle.ts'
import { encodeBody } from '../../schemas/encoding.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { formatLogId, type LogHead, type LogId } from '../../schemas/log.ts'
import type { Opened, Outcome, Receiver } from './arrival.ts'
import type { LedgerEvents } from './events.ts'
import { readLogs } from './ledger.ts'
import type { LedgerTables } from './tables.ts'

/** entries and bytes settled in one transaction */
const GROUP_ENTRIES = 32
const GROUP_BYTES = 4 * 1024 * 1024
/** gaps named in one answer */
const GAPS_SHOWN = 100

export type ImportSum = {
  entries: number
  accepted: number
  duplicate: number
  /** redactions that took effect */
  erased: number
  /** refused, forked or frozen: each stands in the quarantine with its reason */
  refused: number
  /** cannot be judged yet, because this holder is behind in the membership */
  waiting: number
  /** the first position missing of each log that does not follow on */
  gaps: { log: LogId; missing: { epoch: number; from: number } }[]
  logs: { log: LogId; head: LogHead | null }[]
}

type Importing = {
  readonly db: Kysely<LedgerTables>
  readonly receiver: Receiver
  readonly events: LedgerEvents
  readonly settled: (outcomes: readonly Outcome[]) => Promise<void>
}

/** @throws BUNDLE_MALFORMED, whose detail says how far the import came */
export async function importBundle(chunks: AsyncIterable<Uint8Array>, options: Importing): Promise<ImportSum> {
  const sum: ImportSum = { entries: 0, accepted: 0, duplicate: 0, erased: 0, refused: 0, waiting: 0, gaps: [], logs: [] }
  const touched = new Set<string>()
  const gaps = new Map<string, ImportSum['gaps'][number]>()

  function count(outcome: Outcome): void {
    sum.entries += 1
    if (outcome.kind === 'accepted' || outcome.kind === 'duplicate' || outcome.kind === 'erased') sum[outcome.kind] += 1
    else if (outcome.kind === 'wait') sum.waiting += 1
    else if (outcome.kind !== 'gap') sum.refused += 1
    else if (!gaps.has(formatLogId(outcome.log)) && gaps.size < GAPS_SHOWN)
      gaps.set(formatLogId(outcome.log), { log: outcome.log, missing: outcome.missing })
    if ('log' in outcome) touched.add(formatLogId(outcome.log))
  }

  async function settle(group: readonly BundleItem[]): Promise<void> {
    if (group.length === 0) return
    const opened = await Promise.all(group.map(item => openItem(options.receiver, item)))
    const outcomes = await options.receiver.receive(opened)
    await options.settled(outcomes)
    for (const [index, outcome] of outcomes.entries()) {
      options.events.arrived(opened[index]?.token?.log.origin ?? 'unknown', outcome)
      count(outcome)
    }
  }

  let group: BundleItem[] = []
  let bytes = 0
  try {
    for await (const item of readBundle(chunks)) {
      group.push(item)
      bytes += item.body.length
      if (group.length < GROUP_ENTRIES && bytes < GROUP_BYTES) continue
      await settle(group)
      group = []
      bytes = 0
    }
  } catch (error) {
    if (!isExchangeError(error) || error.code !== 'BUNDLE_MALFORMED') throw error
    await settle(group)
    const { entries, accepted, duplicate, refused } = sum
    const before = `of the ${entries} before it ${accepted} were accepted, ${duplicate} were held already`
    throw new ExchangeError('BUNDLE_MALFORMED', `${error.reason}; ${before}`, {
      detail: { ...error.detail, entries, accepted, duplicate, refused },
    })
  }
  await settle(group)
  sum.gaps = [...gaps.values()]
  sum.logs = (await readLogs(options.db)).filter(({ log }) => touched.has(formatLogId(log))).map(({ log, head }) => ({ log, head }))
  return sum
}

/** Bodies are plain in a file and compressed in the ledger, like those that came by the road. */
async function openItem(receiver: Receiver, { kind, token, redaction, body }: BundleItem): Promise<Opened> {
  const sent = await encodeBody(body)
  const arrival = { kind, token, encoding: sent.encoding, body: sent.bytes, subject: null }
  return receiver.open(redaction === undefined ? arrival : { ...arrival, redaction })
}

export function addBundleRoutes(server: FastifyInstance, options: Importing): void {
  server.addContentTypeParser(BUNDLE_MEDIA_TYPE, (_request, payload, done) => done(null, payload))
  server.post<{ Body: AsyncIterable<Uint8Array> }>(
    '/v1/bundles',
    {
      config: { access: { operation: 'bundle.import' } },
      bodyLimit: Number.MAX_SAFE_INTEGER,
      schema: {
        summary: 'Takes entries of logs in from a file, with the same checks as from a stream',
        tags: ['ledger'],
        consumes: [BUNDLE_MEDIA_TYPE],
      },
    },
    ({ body }) => importBundle(body, options),
  )
}
