/** A node, composed: local rows become its logs, other members' logs become its replica, and it answers from what it holds. */
import { join } from 'node:path'
import { readBrokerCredentials } from '../runtime/broker/credentials.ts'
import { openAccess } from '../runtime/http/access/access.ts'
import { listen } from '../runtime/http/listen.ts'
import type { Outcome, Withdraw } from '../runtime/ledger/arrival.ts'
import { createBodies } from '../runtime/ledger/bodies.ts'
import { type Bootstrap, startBootstrap } from '../runtime/ledger/bootstrap.ts'
import { createDoubts } from '../runtime/ledger/doubts.ts'
import { startEraser } from '../runtime/ledger/eraser.ts'
import { followOrigin } from '../runtime/ledger/follower.ts'
import { type HeadListener, listenHeads } from '../runtime/ledger/heads.ts'
import { readLogs } from '../runtime/ledger/ledger.ts'
import { startProofs } from '../runtime/ledger/proofs.ts'
import { createReceiver } from '../runtime/ledger/receiver.ts'
import { answerRedactions } from '../runtime/ledger/redaction-questions.ts'
import { answerQuestions, askHeads, HUB } from '../runtime/ledger/repair.ts'
import { type Repairer, startRepairer } from '../runtime/ledger/repairer.ts'
import { startRootJudge } from '../runtime/ledger/root-judge.ts'
import { answerSnapshots } from '../runtime/ledger/snapshot-questions.ts'
import type { LedgerTables } from '../runtime/ledger/tables.ts'
import { startTakingBack } from '../runtime/ledger/taking-back.ts'
import type { Logger } from '../runtime/log.ts'
import { keepFollowers } from '../runtime/membership/followers.ts'
import { followingSigner } from '../runtime/membership/keyring.ts'
import { hearingOfLaterMembership, type MembershipRoad, startMembershipRoad } from '../runtime/membership/road.ts'
import { BROKER_PATIENCE_MS, connectBroker, readBrokerCa } from '../runtime/nats.ts'
import { openStore } from '../runtime/store.ts'
import { ExchangeError } from '../schemas/errors.ts'
import { audiencesRead, memberOf } from '../schemas/membership.ts'
import { headFilter } from '../schemas/subjects.ts'
import type { NodeConfig } from './config.ts'
import { createEvents } from './events.ts'
import { buildHttp } from './http.ts'
import { startAnnouncer } from './ledger/announcer.ts'
import { createEpochKeys } from './ledger/epoch-keys.ts'
import { openMark } from './ledger/mark.ts'
import { startPublisher } from './ledger/publisher.ts'
import { createRedactor } from './ledger/redactor.ts'
import { createReopener } from './ledger/reopener.ts'
import { startRestoration } from './ledger/restoration.ts'
import { createSealer } from './ledger/sealer.ts'
import { startSnapshotter } from './ledger/snapshotter.ts'
import { hearNewAudiences } from './membership/audiences.ts'
import { openOwnAffairs } from './membership/own-affairs.ts'
import { openOwnMembership } from './membership/own-membership.ts'
import { createSealingGate } from './membership/sealing-gate.ts'
import type { OwnMembershipTables } from './membership/tables.ts'
import { NODE_MIGRATIONS } from './migrations/migrations.ts'
import { keepFreshness } from './replica/freshness.ts'
import { replicator } from './replica/replicator.ts'
import { snapshotLoader } from './replica/snapshot-loader.ts'
import { readReplicaState } from './replica/snapshot-state.ts'
import { withdrawRecords } from './replica/withdrawal.ts'
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
  const doubts = createDoubts(clock)
  let road: MembershipRoad | null = null
  const events = hearingOfLaterMembership(createEvents(logger, doubts), () => road?.behind())
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
  const ownMembership = await openOwnMembership(config, db, events)
  const { source, signer } = ownMembership
  const bodies = createBodies(ownMembership.unwrappingKeys)
  const epochKeys = createEpochKeys(bodies)
  const membership = source.membership
  const member = memberOf(membership(), own)
  signer()
  const access = undo.use(
    await openAccess({
      ...config,
      db,
      fed: ownMembership.fed,
      program: own,
      clientsFile: config.accessClientsFile,
      signer: followingSigner(signer),
      clock,
      failed: error => events.failed(own, error),
    }),
  )
  const ledger = db.$pickTables<keyof LedgerTables>()
  const credentials =
    ownMembership.brokerCredentialsFile === undefined ? null : await readBrokerCredentials(ownMembership.brokerCredentialsFile)
  const ca = await readBrokerCa(ownMembership.brokerCaFile)
  const broker = undo.use(
    await connectBroker({ url: config.natsUrl, program: own, credentials, ca, patienceMs: BROKER_PATIENCE_MS }),
  )
  const failed = (error: unknown): void => events.failed(own, error)
  const { log } = ownMembership
  if (log !== null) road = undo.use(startMembershipRoad({ broker, own, keeper: log.keeper, failed }))

  const announcer = undo.use(
    startAnnouncer({
      broker,
      db: ledger,
      origin: own,
      get signer() {
        return signer()
      },
      membership,
      clock,
      failed,
    }),
  )
  const publisher = undo.use(startPublisher({ broker, db: ledger, origin: own, membership, events }))
  let listener: HeadListener | null = null
  const heads = (): HeadListener => {
    if (listener === null) throw new ExchangeError('INTERNAL', 'heads are asked for before they are listened to')
    return listener
  }
  const withdraw: Withdraw = (trx, log, lost, opening) => withdrawRecords(trx, log, lost, opening, bodies)
  const receiver = createReceiver({
    db: ledger,
    membership,
    effect: replicator,
    bodies,
    withdraw,
    withdrawn: events.withdrawn,
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
  const bootstrap: Bootstrap = undo.use(
    startBootstrap({
      broker,
      db: ledger,
      own,
      membership,
      heads,
      loader: snapshotLoader,
      leastEntries: config.snapshotEntries,
      tail: (log): Promise<boolean> => repairer.repair(log),
      events,
    }),
  )
  const repairer: Repairer = undo.use(
    startRepairer({ broker, db: ledger, own, membership, receiver, heads, events, settled, claimed: bootstrap.claims }),
  )
  const neighbours = (): string[] => [...membership().members.keys()].filter(code => code !== own)
  const mark = undo.use(await openMark(join(config.dataDir, `sealed-${own}.json`)))
  const asking = { broker, own, neighbours, membership, refused: events.standingRefused }
  const restoration = undo.use(startRestoration({ ...asking, db: ledger, mark, repair: repairer.repair, events }))
  const ownSealer = undo.use(
    createSealer({
      db,
      origin: own,
      // Read together with the membership position that an envelope names.
      get signer() {
        return signer()
      },
      membership,
      epochKeys,
      clock,
      restoration,
      mark,
      sealed(state, records, entries) {
        events.sealed(state.log, records)
        publisher.offer(state, entries)
        announcer.moved()
      },
    }),
  )
  const gate = createSealingGate(ownSealer)
  const { sealer } = gate

  const reopener = createReopener({
    ...asking,
    db: ledger,
    get signer() {
      return signer()
    },
    clock,
    epochKeys,
    mark,
    repair: repairer.repair,
    events,
    sealed(state, entries) {
      publisher.offer(state, entries)
      announcer.moved()
    },
  })
  const eraser = undo.use(startEraser({ broker, db: ledger, own, membership, receiver, heads, events }))
  undo.use(startTakingBack({ db: ledger, source, own, withdraw, events }))
  undo.use(startProofs({ broker, db: ledger, own, membership, events }))
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
      get signer() {
        return signer()
      },
      membership,
      clock,
      restoration,
      bodies,
      takeBack: eraser.takeBack,
      events,
      redacted: announcer.moved,
    }),
  )
  undo.use(answerQuestions({ broker, db: ledger, membership, own, heads, failed: error => events.failed(own, error) }))
  undo.use(answerSnapshots({ broker, db: ledger, membership, own, failed }))
  undo.use(startRootJudge({ db: ledger, own, heads, read: readReplicaState, judged: events.rootJudged, failed: events.failed }))
  undo.use(
    startSnapshotter({
      db: ledger,
      own,
      leastEntries: config.snapshotEntries,
      restoration,
      made(log, mark) {
        events.snapshotMade(log, mark)
        announcer.moved()
      },
      failed,
    }),
  )
  // A node that was away learns at once how far it is behind; without the hub it hears the heads within a quarter of a minute.
  await askHeads(broker, HUB, own)
    .then(tokens => Promise.all(tokens.map(token => heads().take(token))))
    .catch(error => events.headRefused(error, HUB))
  // What has a snapshot begins with it, before a stream brings the first of its entries.
  for (const { log: announced } of heads()
    .all()
    .flatMap(head => head.logs)) {
    await bootstrap.claims(announced)
  }
  const follow = (origin: string) =>
    followOrigin({
      broker,
      origin,
      reader: own,
      receiver,
      events,
      settled,
      repair: repairer.repair,
      isLoading: bootstrap.isLoading,
    })
  const followers = undo.use(keepFollowers({ source, own, follow }))
  undo.use(
    hearNewAudiences({
      broker,
      own,
      source,
      heard: filters,
      take: token => heads().take(token),
      refused: error => events.headRefused(error, HUB),
    }),
  )
  const affairs =
    log === null || road === null
      ? null
      : undo.use(
          await openOwnAffairs({
            db: db.$pickTables<keyof LedgerTables | keyof OwnMembershipTables>(),
            own,
            broker,
            membership: { ...log, keyring: ownMembership.keyring, signer },
            road,
            gate,
            events,
            clock,
          }),
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
  const intake = { sealer, spoolDir, maxBytes: config.ingestMaxBytes, events }
  const server = await buildHttp({
    redactor,
    reopener,
    bodies,
    access,
    receiver,
    settled,
    freshness,
    db,
    own,
    membership,
    broker,
    publisher,
    restoration,
    followers: followers.all,
    affairs,
    heads,
    doubts,
    intake,
    clock,
    logger,
  })
  undo.defer(() => server.close())
  const url = await listen(server, { host: config.httpHost, port: config.httpPort })
  logger.info({ url, fed: ownMembership.fed, migrated: store.migrated }, 'node is up')
  const held = undo.move()
  return { url, [Symbol.asyncDispose]: () => held.disposeAsync() }
}
