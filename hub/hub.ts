/** The hub, composed: it reads every origin's stream, appends to its ledger, signs receipts, answers for ranges. */
import { join } from 'node:path'
import { brokerMembers } from '../runtime/broker/accounts.ts'
import { openAuthority } from '../runtime/broker/authority.ts'
import { keepClaims } from '../runtime/broker/claims.ts'
import { passingCredentials, readHubCredentials, renewCredentials } from '../runtime/broker/credentials.ts'
import { openAccess } from '../runtime/http/access/access.ts'
import { listen } from '../runtime/http/listen.ts'
import { createDoubts } from '../runtime/ledger/doubts.ts'
import { followOrigin } from '../runtime/ledger/follower.ts'
import { listenHeads } from '../runtime/ledger/heads.ts'
import { startHolder } from '../runtime/ledger/holder.ts'
import { readLedgerState } from '../runtime/ledger/ledger-state.ts'
import { createReceiver } from '../runtime/ledger/receiver.ts'
import { startRepairer } from '../runtime/ledger/repairer.ts'
import { startSnapshotKeeper } from '../runtime/ledger/snapshot-keeper.ts'
import type { LedgerTables } from '../runtime/ledger/tables.ts'
import type { Logger } from '../runtime/log.ts'
import { keepFollowers } from '../runtime/membership/followers.ts'
import { followingSigner } from '../runtime/membership/keyring.ts'
import type { MembershipTables } from '../runtime/membership/tables.ts'
import { BROKER_PATIENCE_MS, connectBroker, readBrokerCa } from '../runtime/nats.ts'
import { openStore } from '../runtime/store.ts'
import { ALL_HEADS } from '../schemas/subjects.ts'
import type { HubConfig } from './config.ts'
import { createEvents } from './events.ts'
import { buildHttp } from './http.ts'
import { openReceiptNote } from './ledger/receipt-note.ts'
import { startReceipts } from './ledger/receipts.ts'
import { HUB_READER, keepStreams } from './ledger/streams.ts'
import { openMembershipAffairs } from './membership/affairs.ts'
import { openHubMembership } from './membership/hub-membership.ts'
import { createReceiptHold, NO_HOLD } from './membership/receipt-hold.ts'
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
  const doubts = createDoubts(clock)
  const events = createEvents(logger, doubts)
  const failed = (error: unknown): void => events.failed(HUB_READER, error)
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
  const { fed, source, keeper, keyring, signer } = await openHubMembership(
    config,
    db.$pickTables<keyof LedgerTables | keyof MembershipTables>(),
    events,
  )
  const membership = source.membership
  const access = undo.use(
    await openAccess({
      ...config,
      db,
      fed,
      program: 'hub',
      clientsFile: config.accessClientsFile,
      signer: followingSigner(signer),
      clock,
      failed,
    }),
  )
  const ca = await readBrokerCa(config.brokerCaFile)
  const authority = config.brokerAuthorityFile === undefined ? null : await openAuthority(config.brokerAuthorityFile)
  const claims =
    authority === null
      ? null
      : undo.use(await keepClaims({ url: config.natsUrl, ca, authority, members: () => brokerMembers(membership()), failed }))
  const first = await readHubCredentials(config.brokerCredentialsFile, authority)
  const own = first === null ? null : { credentials: first }
  const broker = undo.use(
    await connectBroker({
      url: config.natsUrl,
      program: HUB_READER,
      credentials: own === null ? null : () => own.credentials,
      ca,
      patienceMs: BROKER_PATIENCE_MS,
    }),
  )
  const maxBytes = config.streamMaxBytes
  const streams = undo.use(keepStreams({ broker, membership, replicas: Number(config.streamReplicas), maxBytes, events }))
  const hold = keeper === null ? NO_HOLD : createReceiptHold({ db: db.$pickTables<keyof LedgerTables>(), refresh: keeper.refresh })
  const note = undo.use(await openReceiptNote(join(config.dataDir, 'receipted-hub.json'), fed, events.receiptKept))
  const receipts = undo.use(
    startReceipts({ broker, db, fed, signer: followingSigner(signer), membership, hold, note, clock, events }),
  )
  const heads = undo.use(
    await listenHeads({
      broker,
      db,
      membership,
      filters: [ALL_HEADS],
      forked: fork => events.forked(fork.log, fork.reason),
      refused: events.headRefused,
    }),
  )
  const receiver = createReceiver({
    db,
    membership,
    effect: null,
    withdrawn: events.withdrawn,
    announced: log => heads.newest(log.origin, log.audience),
  })
  const { settled } = receipts
  const repairer = undo.use(
    startRepairer({ broker, db, own: HUB_READER, membership, receiver, heads: () => heads, events, settled }),
  )
  undo.use(
    await startHolder({
      broker,
      db,
      own: HUB_READER,
      source,
      receiver,
      heads: () => heads,
      withdraw: null,
      read: readLedgerState,
      events,
    }),
  )
  undo.use(
    startSnapshotKeeper({ broker, db, own: HUB_READER, heads: () => heads, kept: events.snapshotKept, failed: events.failed }),
  )
  const follow = (origin: string) =>
    followOrigin({ broker, origin, reader: HUB_READER, receiver, events, settled, repair: repairer.repair })
  const followers = undo.use(keepFollowers({ source, own: HUB_READER, follow }))
  let ownUrl = ''
  const affairs =
    keeper === null
      ? null
      : undo.use(
          await openMembershipAffairs({
            db,
            broker,
            keeper,
            keyring,
            authority,
            place: () => ({ hub: config.publicUrl ?? ownUrl, brokers: config.publicNatsUrl ?? config.natsUrl, ca }),
            push: async () => claims?.push(),
            async renewOwn() {
              const { brokerCredentialsFile: path } = config
              const admit = async (key: string): Promise<string> => (await authority?.admit(HUB_READER, key)) ?? ''
              if (own !== null)
                own.credentials = path === undefined ? await passingCredentials(admit) : await renewCredentials(path, admit)
              await claims?.push()
              await broker.connection.reconnect()
            },
            followed: () => streams.again(),
            hold,
            signer,
            statementLifetimeMs: config.statementLifetimeMs,
            clock,
            failed,
          }),
        )
  const server = await buildHttp({
    receiver,
    settled,
    claimsTrouble: () => claims?.trouble() ?? null,
    access,
    events,
    doubts,
    db,
    membership,
    broker,
    streams,
    followers: followers.all,
    affairs,
    heads,
    clock,
    logger,
  })
  undo.defer(() => server.close())
  ownUrl = await listen(server, { host: config.httpHost, port: config.httpPort })
  const url = ownUrl
  logger.info({ url, fed, members: membership().members.size, migrated: store.migrated }, 'hub is up')
  const held = undo.move()
  return { url, [Symbol.asyncDispose]: () => held.disposeAsync() }
}
