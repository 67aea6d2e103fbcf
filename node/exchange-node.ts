/** A node, composed: local rows become its logs, other members' logs become its replica, and it answers from what it holds. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { listen } from '../runtime/http/listen.ts'
import { readOperator } from '../runtime/http/operator.ts'
import { readKeyFile, signerOf } from '../runtime/keys/key-file.ts'
import type { Outcome } from '../runtime/ledger/arrival.ts'
import { startEraser } from '../runtime/ledger/eraser.ts'
import { followOrigin } from '../runtime/ledger/follower.ts'
import { type HeadListener, listenHeads } from '../runtime/ledger/heads.ts'
import { readLogs } from '../runtime/ledger/ledger.ts'
import { createReceiver } from '../runtime/ledger/receiver.ts'
import { answerRedactions } from '../runtime/ledger/redaction-questions.ts'
import { answerQuestions, askHeads, HUB } from '../runtime/ledger/repair.ts'
import { startRepairer } from '../runtime/ledger/repairer.ts'
import type { LedgerTables } from '../runtime/ledger/tables.ts'
import type { Logger } from '../runtime/log.ts'
import { connectBroker, readBrokerCredentials } from '../runtime/nats.ts'
import { openStore } from '../runtime/store.ts'
import { ExchangeError } from '../schemas/errors.ts'
import { audiencesRead, memberOf, parseMembership } from '../schemas/membership.ts'
import { headFilter } from '../schemas/subjects.ts'
import type { NodeConfig } from './config.ts'
import { createEvents } from './events.ts'
import { buildHttp } from './http.ts'
import { startAnnouncer } from './ledger/announcer.ts'
import { startPublisher } from './ledger/publisher.ts'
import { createRedactor } from './ledger/redactor.ts'
import { startRestoration } from './ledger/restoration.ts'
import { createSealer } from './ledger/sealer.ts'
import { NODE_MIGRATIONS } from './migrations/migrations.ts'
import { keepFreshness } from './replica/freshness.ts'
import { replicator } from './replica/replicator.ts'
import { startMonthlyFigure } from './statistics/monthly-figure.ts'
import type { NodeTables } from './tables.ts'

export type ExchangeNode = AsyncDisposable & { readonly url: string }

export async function startNode(
  config: NodeConfig,
  options: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<ExchangeNode> {
  const { logger, signal } = options
  const { code: own } = config
  await using undo = new AsyncDisposableStack()
  const clock = (): Date => new Date()
  const events = createEvents(logger)
  const membershipText = await readFile(config.membershipFile, 'utf8').catch(cause => {
    throw new ExchangeError('MEMBERSHIP_FILE_INVALID', `${config.membershipFile}: expected a readable file`, { cause })
  })
  const members = await parseMembership(membershipText)
  const membership = () => members
  const member = memberOf(members, own)
  const key = await readKeyFile(config.keyFile)
  if (!member.keys.some(one => one.kid === key.kid)) {
    throw new ExchangeError('KEY_FILE_INVALID', `${config.keyFile}: its key is not one of ${own} in ${config.membershipFile}`)
  }
  const signer = signerOf(key)
  const operator = await readOperator(config.operatorTokenFile)
  const store = undo.use(
    await openStore<NodeTables>({
      program: `hutong-node-${own}`,
      databaseUrl: config.databaseUrl,
      dataDir: config.dataDir,
      migrations: NODE_MIGRATIONS,
      poolSize: 10,
      signal,
    }),
  )
  const db = store.database.kysely
  const ledger = db.$pickTables<keyof LedgerTables>()
  const credentials = config.brokerCredentialsFile === undefined ? null : await readBrokerCredentials(config.brokerCredentialsFile)
  const broker = undo.use(await connectBroker({ url: config.natsUrl, program: own, credentials }))

  const announcer = undo.use(
    startAnnouncer({ broker, db: ledger, origin: own, signer, membership, clock, failed: error => events.failed(own, error) }),
  )
  const publisher = undo.use(startPublisher({ broker, db: ledger, origin: own, membership, events }))
  let listener: HeadListener | null = null
  const heads = (): HeadListener => {
    if (listener === null) throw new ExchangeError('INTERNAL', 'heads are asked for before they are listened to')
    return listener
  }
  const receiver = createReceiver({
    db: ledger,
    membership,
    effect: replicator,
    announced: log => heads().newest(log.origin, log.audience),
  })
  const settled = async (_outcomes: readonly Outcome[]): Promise<void> => {}
  const filters = audiencesRead(member).map(headFilter)
  listener = undo.use(
    await listenHeads({
      broker,
      db: ledger,
      membership,
      filters,
      forked: fork => events.forked(fork.log, fork.reason),
      refused: events.headRefused,
    }),
  )
  const repairer = undo.use(startRepairer({ broker, db: ledger, own, membership, receiver, heads, events, settled }))
  const neighbours = [...members.members.keys()].filter(code => code !== own)
  const restoration = undo.use(
    startRestoration({ broker, db: ledger, own, neighbours, membership, repair: repairer.repair, events }),
  )
  const sealer = undo.use(
    createSealer({
      db,
      origin: own,
      signer,
      membership,
      clock,
      restoration,
      sealed(state, records, entries) {
        events.sealed(state.log, records)
        publisher.offer(state, entries)
        announcer.moved()
      },
    }),
  )

  const eraser = undo.use(startEraser({ broker, db: ledger, own, membership, receiver, heads, events }))
  undo.use(answerRedactions({ broker, db: ledger, membership, own, failed: error => events.failed(own, error) }))
  // A node that was restored from an old backup erases again what it had erased before others did.
  void restoration.done
    .then(async () => {
      for (const { log } of await readLogs(ledger)) if (log.origin === own) await eraser.takeBack(log)
    })
    .catch(error => events.failed(own, error))
  const redactor = undo.use(
    createRedactor({
      db: ledger,
      broker,
      signer,
      membership,
      clock,
      restoration,
      takeBack: eraser.takeBack,
      events,
      redacted: announcer.moved,
    }),
  )
  undo.use(answerQuestions({ broker, db: ledger, membership, own, heads, failed: error => events.failed(own, error) }))
  // A node that was away learns at once how far it is behind; without the hub it hears the heads within a quarter of a minute.
  void askHeads(broker, HUB, own)
    .then(tokens => Promise.all(tokens.map(token => heads().take(token))))
    .catch(events.headRefused)
  const followers = neighbours.map(origin =>
    undo.use(followOrigin({ broker, origin, reader: own, receiver, events, settled, repair: repairer.repair })),
  )
  if (member.kind === 'national') undo.use(startMonthlyFigure({ db: ledger, own, sealer, membership, heads, clock, events }))

  const freshness = undo.use(
    keepFreshness({
      own,
      membership,
      heads,
      readLogs: () => readLogs(ledger),
      async ask(log) {
        for (const token of await askHeads(broker, log.origin, own)) await heads().take(token)
        await repairer.repair(log)
      },
      clock,
      failed: error => events.failed(own, error),
    }),
  )
  const spoolDir = join(config.dataDir, 'spool')
  const intake = { sealer, operator, spoolDir, maxBytes: config.ingestMaxBytes, events }
  const server = await buildHttp({
    redactor,
    receiver,
    settled,
    freshness,
    db,
    own,
    membership,
    broker,
    publisher,
    restoration,
    followers,
    heads,
    intake,
    clock,
    logger,
  })
  undo.defer(() => server.close())
  const url = await listen(server, { host: config.httpHost, port: config.httpPort })
  logger.info({ url, fed: members.fed, migrated: store.migrated }, 'node is up')
  const held = undo.move()
  return { url, [Symbol.asyncDispose]: () => held.disposeAsync() }
}
