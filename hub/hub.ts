/** The hub, composed: it reads every origin's stream, appends to its ledger, signs receipts, answers for ranges. */
import { readFile } from 'node:fs/promises'
import { listen } from '../runtime/http/listen.ts'
import { readOperator } from '../runtime/http/operator.ts'
import { readKeyFile, signerOf } from '../runtime/keys/key-file.ts'
import { startEraser } from '../runtime/ledger/eraser.ts'
import { followOrigin } from '../runtime/ledger/follower.ts'
import { listenHeads } from '../runtime/ledger/heads.ts'
import { createReceiver } from '../runtime/ledger/receiver.ts'
import { answerRedactions } from '../runtime/ledger/redaction-questions.ts'
import { answerQuestions } from '../runtime/ledger/repair.ts'
import { startRepairer } from '../runtime/ledger/repairer.ts'
import type { Logger } from '../runtime/log.ts'
import { connectBroker, readBrokerCredentials } from '../runtime/nats.ts'
import { openStore } from '../runtime/store.ts'
import { ExchangeError } from '../schemas/errors.ts'
import { parseMembership } from '../schemas/membership.ts'
import { ALL_HEADS } from '../schemas/subjects.ts'
import type { HubConfig } from './config.ts'
import { createEvents } from './events.ts'
import { buildHttp } from './http.ts'
import { startReceipts } from './ledger/receipts.ts'
import { HUB_READER, keepStreams } from './ledger/streams.ts'
import { HUB_MIGRATIONS } from './migrations/migrations.ts'
import type { HubTables } from './tables.ts'

export type Hub = AsyncDisposable & { readonly url: string }

export async function startHub(
  config: HubConfig,
  options: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<Hub> {
  const { logger, signal } = options
  await using undo = new AsyncDisposableStack()
  const clock = (): Date => new Date()
  const events = createEvents(logger)
  const membershipText = await readFile(config.membershipFile, 'utf8').catch(cause => {
    throw new ExchangeError('MEMBERSHIP_FILE_INVALID', `${config.membershipFile}: expected a readable file`, { cause })
  })
  const members = await parseMembership(membershipText)
  const membership = () => members
  const key = await readKeyFile(config.keyFile)
  if (!members.hubKeys.some(one => one.kid === key.kid)) {
    throw new ExchangeError('KEY_FILE_INVALID', `${config.keyFile}: its key is not the hub's in ${config.membershipFile}`)
  }
  const signer = signerOf(key)
  const operator = await readOperator(config.operatorTokenFile)
  const store = undo.use(
    await openStore<HubTables>({
      program: 'hutong-hub',
      databaseUrl: config.databaseUrl,
      dataDir: config.dataDir,
      migrations: HUB_MIGRATIONS,
      poolSize: 8,
      signal,
    }),
  )
  const db = store.database.kysely
  const credentials = config.brokerCredentialsFile === undefined ? null : await readBrokerCredentials(config.brokerCredentialsFile)
  const broker = undo.use(await connectBroker({ url: config.natsUrl, program: HUB_READER, credentials }))
  const maxBytes = config.streamMaxBytes
  const streams = undo.use(keepStreams({ broker, membership, replicas: Number(config.streamReplicas), maxBytes, events }))
  const receipts = undo.use(startReceipts({ broker, db, fed: members.fed, signer, clock, events }))
  const heads = undo.use(
    await listenHeads({
      broker,
      db,
      membership,
      filters: [ALL_HEADS],
      forked: fork => events.forked(fork.log, fork.reason),
      refused: error => events.headRefused(error),
    }),
  )
  undo.use(
    answerQuestions({
      broker,
      db,
      membership,
      own: HUB_READER,
      heads: () => heads,
      failed: error => events.failed(HUB_READER, error),
    }),
  )
  const receiver = createReceiver({ db, membership, effect: null, announced: log => heads.newest(log.origin, log.audience) })
  const { settled } = receipts
  const repairer = undo.use(
    startRepairer({ broker, db, own: HUB_READER, membership, receiver, heads: () => heads, events, settled }),
  )
  undo.use(startEraser({ broker, db, own: HUB_READER, membership, receiver, heads: () => heads, events }))
  undo.use(answerRedactions({ broker, db, membership, own: HUB_READER, failed: error => events.failed(HUB_READER, error) }))
  const followers = [...members.members.keys()].map(origin =>
    undo.use(followOrigin({ broker, origin, reader: HUB_READER, receiver, events, settled, repair: repairer.repair })),
  )
  const server = await buildHttp({
    receiver,
    settled,
    operator,
    events,
    db,
    membership,
    broker,
    streams,
    followers,
    heads,
    clock,
    logger,
  })
  undo.defer(() => server.close())
  const url = await listen(server, { host: config.httpHost, port: config.httpPort })
  logger.info({ url, fed: members.fed, members: members.members.size, migrated: store.migrated }, 'hub is up')
  const held = undo.move()
  return { url, [Symbol.asyncDispose]: () => held.disposeAsync() }
}
