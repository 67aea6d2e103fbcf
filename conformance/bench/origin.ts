/**
 * Our origin without its HTTP door: the node's own store, sealer, publisher and announcer, composed as the node composes them, and
 * rows handed to the sealer directly. The publisher is started and stopped on command, so that a backlog can be sealed while the
 * road is closed.
 */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readConfig } from '../../node/config.ts'
import { createEvents } from '../../node/events.ts'
import { startAnnouncer } from '../../node/ledger/announcer.ts'
import { createEpochKeys } from '../../node/ledger/epoch-keys.ts'
import { openMark } from '../../node/ledger/mark.ts'
import { type Publisher, startPublisher } from '../../node/ledger/publisher.ts'
import { createSealer } from '../../node/ledger/sealer.ts'
import { startSnapshotter } from '../../node/ledger/snapshotter.ts'
import { NODE_MIGRATIONS } from '../../node/migrations/migrations.ts'
import type { NodeTables } from '../../node/tables.ts'
import { readBrokerCredentials } from '../../runtime/broker/credentials.ts'
import { readKeyFile, signerOf } from '../../runtime/keys/key-file.ts'
import { bodiesForAll } from '../../runtime/ledger/bodies.ts'
import { createDoubts } from '../../runtime/ledger/doubts.ts'
import { answerSnapshots } from '../../runtime/ledger/snapshot-questions.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { createLogger } from '../../runtime/log.ts'
import { connectBroker, readBrokerCa } from '../../runtime/nats.ts'
import { openStore } from '../../runtime/store.ts'
import { parseMembership } from '../../schemas/membership.ts'
import { candidates, cut } from './rows.ts'
import { now, serve } from './worker.ts'

/** submissions that wait for the sealer at once, as several connections of a trading system would */
const WAITING = 4

const config = readConfig(process.env)
const { code: own } = config
const logger = createLogger({ program: `bench-origin-${own}`, level: config.logLevel })
const events = createEvents(
  logger,
  createDoubts(() => new Date()),
)
const clock = (): Date => new Date()
const members = await parseMembership(await readFile(config.membershipFile ?? '', 'utf8'))
const membership = () => members
const key = await readKeyFile(config.keyFile ?? '')
const held = signerOf(key)
const signer = () => held
await using store = await openStore<NodeTables>({
  program: `hutong-node-${own}`,
  databaseUrl: config.databaseUrl,
  dataDir: config.dataDir,
  migrations: NODE_MIGRATIONS,
  poolSize: 10,
  signal: new AbortController().signal,
})
const db = store.database.kysely
const ledger = db.$pickTables<keyof LedgerTables>()
const credentials = config.brokerCredentialsFile === undefined ? null : await readBrokerCredentials(config.brokerCredentialsFile)
await using broker = await connectBroker({
  url: config.natsUrl,
  program: own,
  credentials,
  ca: await readBrokerCa(config.brokerCaFile),
})
await using announcer = startAnnouncer({
  broker,
  db: ledger,
  origin: own,
  signer,
  membership,
  clock,
  failed: error => events.failed(own, error),
})
const road: { publisher: Publisher | null } = { publisher: null }
let committed = 0
using mark = await openMark(join(config.dataDir, `sealed-${own}.json`))
mark.begin([])
await using sealer = createSealer({
  db,
  origin: own,
  signer,
  membership,
  epochKeys: createEpochKeys(bodiesForAll),
  clock,
  // a federation that has just been founded: nobody holds more of this log than its origin
  restoration: { done: Promise.resolve(), trouble: () => null },
  mark,
  sealed(state, records, entries) {
    committed = now()
    events.sealed(state.log, records)
    road.publisher?.offer(state, entries)
    announcer.moved()
  },
})

let prepared: ReturnType<typeof itemsOf>[] = []
const itemsOf = (rows: ReturnType<typeof candidates>) =>
  rows.map(candidate => ({ candidate, parent: null, place: 'bench', line: null }))
const submit = async (items: ReturnType<typeof itemsOf>): Promise<void> => {
  const results = await sealer.submit('entity', 'all', items)
  const other = results.find(result => result.kind !== 'sealed')
  if (other !== undefined) throw new Error(`expected every row to be sealed, one was ${JSON.stringify(other)}`)
}

async function submitAll(): Promise<void> {
  const batches = prepared.values()
  await Promise.all(
    Array.from({ length: WAITING }, async () => {
      for (const batch of batches) await submit(batch)
    }),
  )
}

using _answers = answerSnapshots({ broker, db: ledger, membership, own, failed: error => events.failed(own, error) })
await serve({
  /** makes a snapshot of the log, announces it and answers for it */
  async snapshot() {
    const restoration = { trouble: () => null }
    await using snapshotter = startSnapshotter({
      db: ledger,
      own,
      leastEntries: Number.MAX_SAFE_INTEGER,
      restoration,
      made: announcer.moved,
      failed: error => events.failed(own, error),
    })
    // awaited here: the snapshotter ends with this block
    return await snapshotter.make({ origin: own, dataset: 'entity', audience: 'all' })
  },
  /** makes the rows, so that the clock does not see it */
  async prepare({ round, rows }: { readonly round: number; readonly rows: number }) {
    prepared = cut(candidates(round, rows)).map(itemsOf)
  },
  async seal() {
    const since = now()
    await submitAll()
    return since
  },
  async open() {
    const since = now()
    road.publisher ??= startPublisher({ broker, db: ledger, origin: own, membership, events })
    return since
  },
  async close() {
    const last = road.publisher
    road.publisher = null
    await last?.[Symbol.asyncDispose]()
  },
  async one({ index, count }: { readonly index: number; readonly count: number }) {
    const items = prepared.flat().slice(index, index + count)
    const since = now()
    await submit(items)
    return { since, committed }
  },
})
await road.publisher?.[Symbol.asyncDispose]()
