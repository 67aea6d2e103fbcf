/** A node, composed: local rows become its logs, other members' logs become its replica, and it answers from what it holds. */
import { join } from 'node:path'
import { readBrokerCredentials } from '../runtime/broker/credentials.ts'
import { openAccess } from '../runtime/http/access/access.ts'
import { listen } from '../runtime/http/listen.ts'
import type { Outcome, Withdraw } from '../runtime/ledger/arrival.ts'
import { startBackfill } from '../runtime/ledger/backfill.ts'
import { createBodies } from '../runtime/ledger/bodies.ts'
import { type Bootstrap, startBootstrap } from '../runtime/ledger/bootstrap.ts'
import { createDoubts } from '../runtime/ledger/doubts.ts'
import { followOrigin } from '../runtime/ledger/follower.ts'
import { type HeadListener, listenHeads } from '../runtime/ledger/heads.ts'
import { startHolder } from '../runtime/ledger/holder.ts'
import { readLogs } from '../runtime/ledger/ledger.ts'
import { HUB } from '../runtime/ledger/questions.ts'
import { createReceiver } from '../runtime/ledger/receiver.ts'
import { askHeads } from '../runtime/ledger/repair.ts'
import { type Repairer, startRepairer } from '../runtime/ledger/repairer.ts'
import type { LedgerTables } from '../runtime/ledger/tables.ts'
import type { Logger } from '../runtime/log.ts'
import { keepFollowers } from '../runtime/membership/followers.ts'
import { followingSigner } from '../runtime/membership/keyring.ts'
import { hearingOfLaterMembership, type MembershipRoad, startMembershipRoad } from '../runtime/membership/road.ts'
import { BROKER_PATIENCE_MS, type Broker, connectBroker, readBrokerCa } from '../runtime/nats.ts'
import { openStore } from '../runtime/store.ts'
import { ExchangeError } from '../schemas/errors.ts'
import { audiencesRead, memberOf } from '../schemas/membership.ts'
import { headFilter } from '../schemas/subjects.ts'
import type { NodeConfig } from './config.ts'
import { createEvents } from './events.ts'
import { buildHttp } from './http.ts'
import { openOwnLogs } from './ledger/own-logs.ts'
import { openLoginRoom } from './login/login-room.ts'
import { hearNewAudiences } from './membership/audiences.ts'
import { keepBrokerCredentials } from './membership/broker-credentials.ts'
import { openOwnAffairs } from './membership/own-affairs.ts'
import { createChangeSigner } from './membership/own-change.ts'
import { openOwnMembership } from './membership/own-membership.ts'
import { createSealingGate } from './membership/sealing-gate.ts'
import type { OwnMembershipTables } from './membership/tables.ts'
import { NODE_MIGRATIONS } from './migrations/migrations.ts'
import { keepFreshness } from './replica/freshness.ts'
import { replicator } from './replica/replicator.ts'
import { snapshotLoader } from './replica/snapshot-loader.ts'
import { readReplicaState } from './replica/snapshot-state.ts'
import { verifyReplica } from './replica/verification.ts'
import { withdrawRecords } from './replica/withdrawal.ts'
import { startMonthlyFigure } from './statistics/monthly-figure.ts'
import type { NodeTables } from './tables.ts'
import { openTrustRoom } from './trust/trust-room.ts'

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
  const failed = (error: unknown): void => events.failed(own, error)
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
  const bodies = createBodies(ownMembership.encKeys.keys)
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
      failed,
    }),
  )
  const ledger = db.$pickTables<keyof LedgerTables>()
  const { brokerCredentialsFile: credentialsFile, keyring } = ownMembership
  const changes = ownMembership.log === null ? null : createChangeSigner({ ...ownMembership.log, own, keyring, clock })
  let connected: Broker | null = null
  const brokerCredentials =
    ownMembership.log === null || changes === null || credentialsFile === undefined
      ? null
      : await keepBrokerCredentials({
          path: credentialsFile,
          own,
          ...ownMembership.log,
          change: nkey => changes.sign({ nkey }),
          reconnect: async () => connected?.connection.reconnect(),
          renewed: events.brokerKeyRenewed,
          failed,
        })
  if (brokerCredentials !== null) undo.use(brokerCredentials)
  const fixed = brokerCredentials !== null || credentialsFile === undefined ? null : await readBrokerCredentials(credentialsFile)
  const ca = await readBrokerCa(ownMembership.brokerCaFile)
  const broker = undo.use(
    await connectBroker({
      url: config.natsUrl,
      program: own,
      credentials: brokerCredentials?.current ?? fixed,
      ca,
      patienceMs: BROKER_PATIENCE_MS,
    }),
  )
  connected = broker
  if (brokerCredentials !== null) {
    brokerCredentials.watch(broker.trouble)
    undo.use(brokerCredentials)
  }
  const { log } = ownMembership
  if (log !== null) road = undo.use(startMembershipRoad({ broker, own, keeper: log.keeper, failed }))

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
  undo.use(
    startBackfill({
      broker,
      db: ledger,
      own,
      membership,
      receiver,
      loader: snapshotLoader,
      derived: (trx, log) => verifyReplica(trx, log, bodies),
      bytesPerSecond: config.backfillRateBytes,
      tail: repairer.repair,
      events,
    }),
  )
  const holder = undo.use(
    await startHolder({ broker, db: ledger, own, source, receiver, heads, withdraw, read: readReplicaState, events }),
  )
  const { sealer: ownSealer, ...ownLogs } = undo.use(
    await openOwnLogs({
      db,
      own,
      broker,
      signer,
      membership,
      bodies,
      markFile: join(config.dataDir, `sealed-${own}.json`),
      snapshotEntries: config.snapshotEntries,
      repair: repairer.repair,
      takeBack: holder.takeBack,
      events,
      clock,
    }),
  )
  const gate = createSealingGate(ownSealer)
  const { sealer } = gate
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
      ask: () => askHeads(broker, HUB, own),
      refused: error => events.headRefused(error, HUB),
    }),
  )
  const affairs =
    log === null || road === null || changes === null
      ? null
      : undo.use(
          await openOwnAffairs({
            db: db.$pickTables<keyof LedgerTables | keyof OwnMembershipTables>(),
            own,
            broker,
            membership: { ...log, keyring, encKeys: ownMembership.encKeys, signer },
            changes,
            brokerCredentials,
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
      failed,
    }),
  )
  const trust = undo.use(
    await openTrustRoom({
      db,
      own,
      serves: config.certificates === 'serve',
      crlLoopback: config.crlLoopback === 'allow',
      membership,
      membershipTokens: () => log?.keeper.state().tokens ?? [],
      heads,
      signer,
      sealer,
      freshness,
      pseudonyms: access.pseudonyms,
      events,
      clock,
    }),
  )
  const login = undo.use(
    await openLoginRoom(config, {
      db,
      own,
      membership,
      sealer,
      certificates: trust.certificates,
      pseudonyms: access.pseudonyms,
      events,
      logger,
      clock,
    }),
  )
  const spoolDir = join(config.dataDir, 'spool')
  const intake = { sealer, spoolDir, maxBytes: config.ingestMaxBytes, events }
  const server = await buildHttp({
    ...ownLogs,
    bodies,
    access,
    receiver,
    settled,
    freshness,
    db,
    own,
    membership,
    broker,
    followers: followers.all,
    affairs,
    heads,
    doubts,
    intake,
    trust,
    login,
    clock,
    logger,
  })
  undo.defer(() => server.close())
  const url = await listen(server, { host: config.httpHost, port: config.httpPort })
  logger.info({ url, fed: ownMembership.fed, migrated: store.migrated }, 'node is up')
  const held = undo.move()
  return { url, [Symbol.asyncDispose]: () => held.disposeAsync() }
}
