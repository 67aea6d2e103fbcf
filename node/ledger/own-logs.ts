/** The own logs, composed: what was lost comes back before anything is sealed, and what is sealed goes out, is announced, and can be erased. */
import type { Kysely } from 'kysely'
import type { Bodies } from '../../runtime/ledger/bodies.ts'
import { readLogs, type StoredEntry } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Broker } from '../../runtime/nats.ts'
import type { LogId } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import type { Signer } from '../../schemas/tokens.ts'
import type { NodeEvents } from '../events.ts'
import type { IntakeTables } from '../intake/tables.ts'
import { startAnnouncer } from './announcer.ts'
import { createEpochKeys } from './epoch-keys.ts'
import { openMark } from './mark.ts'
import { type Publisher, startPublisher } from './publisher.ts'
import { createRedactor, type Redactor } from './redactor.ts'
import { createReopener, type Reopener } from './reopener.ts'
import { type Restoration, startRestoration } from './restoration.ts'
import { createSealer, type Sealer } from './sealer.ts'
import { startSnapshotter } from './snapshotter.ts'

export type OwnLogs = AsyncDisposable & {
  readonly publisher: Publisher
  readonly restoration: Restoration
  readonly sealer: Sealer
  readonly reopener: Reopener
  readonly redactor: Redactor
}

export async function openOwnLogs(options: {
  readonly db: Kysely<LedgerTables & IntakeTables>
  readonly own: string
  readonly broker: Broker
  /** the key that signs now: asked for each statement, together with the membership position that it names */
  readonly signer: () => Signer
  readonly membership: () => Membership
  readonly bodies: Bodies
  /** where it is noted, beside the database, how far each log was sealed */
  readonly markFile: string
  /** entries that a log grows by at least between two snapshots */
  readonly snapshotEntries: number
  /** asks others for what is missing here of a log */
  readonly repair: (log: LogId) => Promise<boolean>
  /** takes what others have erased of an own log */
  readonly takeBack: (log: LogId) => Promise<void>
  readonly events: NodeEvents
  readonly clock: () => Date
}): Promise<OwnLogs> {
  const { own, broker, signer, membership, bodies, repair, takeBack, events, clock } = options
  const db = options.db.$pickTables<keyof LedgerTables>()
  const failed = (error: unknown): void => events.failed(own, error)
  await using undo = new AsyncDisposableStack()
  const announcer = undo.use(
    startAnnouncer({
      broker,
      db,
      origin: own,
      signer,
      membership,
      clock,
      failed,
    }),
  )
  const publisher = undo.use(startPublisher({ broker, db, origin: own, membership, events }))
  const sealed = (state: { readonly id: number; readonly log: LogId }, entries: readonly StoredEntry[]): void => {
    publisher.offer(state, entries)
    announcer.moved()
  }
  const mark = undo.use(await openMark(options.markFile))
  const neighbours = (): string[] => [...membership().members.keys()].filter(code => code !== own)
  const asking = { broker, own, neighbours, membership, refused: events.standingRefused }
  const restoration = undo.use(startRestoration({ ...asking, db, mark, repair, events }))
  const epochKeys = createEpochKeys(bodies)
  const sealer = undo.use(
    createSealer({
      db: options.db,
      origin: own,
      signer,
      membership,
      epochKeys,
      clock,
      restoration,
      mark,
      sealed(state, records, entries) {
        events.sealed(state.log, records)
        sealed(state, entries)
      },
    }),
  )
  const reopener = createReopener({
    ...asking,
    db,
    signer,
    clock,
    epochKeys,
    mark,
    repair,
    events,
    sealed,
  })
  // A node that was restored from an old backup erases again what it had erased before others did.
  void restoration.done
    .then(async () => {
      for (const { log } of await readLogs(db)) if (log.origin === own) await takeBack(log)
    })
    .catch(failed)
  const redactor = undo.use(
    createRedactor({
      db,
      broker,
      signer,
      membership,
      clock,
      restoration,
      bodies,
      takeBack,
      events,
      redacted: announcer.moved,
    }),
  )
  undo.use(
    startSnapshotter({
      db,
      own,
      leastEntries: options.snapshotEntries,
      restoration,
      made(log, snapshot) {
        events.snapshotMade(log, snapshot)
        announcer.moved()
      },
      failed,
    }),
  )
  const held = undo.move()
  return { publisher, restoration, sealer, reopener, redactor, [Symbol.asyncDispose]: () => held.disposeAsync() }
}
