/** What the hub reports, one function for each business event: a line in the log and a number for the metrics. */
import type { Doubts } from '../runtime/ledger/doubts.ts'
import { createLedgerEvents, type LedgerEvents } from '../runtime/ledger/events.ts'
import type { Logger } from '../runtime/log.ts'
import type { MembershipEvents } from '../runtime/membership/keeper.ts'
import { meter } from '../runtime/telemetry.ts'
import { formatLogId, formatPosition, type LogHead, type LogId, type Position } from '../schemas/log.ts'
import type { SnapshotMark } from '../schemas/snapshot.ts'

export type HubEvents = LedgerEvents &
  MembershipEvents & {
    /** a snapshot is kept here, whole */
    snapshotKept(log: LogId, mark: SnapshotMark): void
    receipted(log: LogId, head: LogHead): void
    /** a receipt is kept back, because the ledger does not hold what was receipted before: its database was set back */
    receiptKept(log: LogId, why: 'wait' | 'contradicts'): void
    /** entries held here were declared lost by their origin; they stay as evidence */
    withdrawn(log: LogId, from: Position, count: { readonly entries: number }): void
    streamsReady(origins: number): void
    streamsFailed(error: unknown): void
  }

export function createEvents(logger: Logger, doubts: Doubts): HubEvents {
  const ledger = createLedgerEvents('hub', logger, doubts)
  const receipts = meter().createCounter('hutong.hub.receipts', { description: 'receipts signed' })
  return {
    ...ledger,
    arrived(origin, outcome) {
      ledger.arrived(origin, outcome)
      if (outcome.kind === 'accepted' && outcome.refusal !== null) {
        logger.warn(
          { log: formatLogId(outcome.log), at: formatPosition(outcome.head), code: outcome.refusal.code },
          'entry takes its place, not applied',
        )
      }
    },
    withdrawn: (log, from, { entries }) =>
      logger.warn(
        { log: formatLogId(log), from: formatPosition(from), entries },
        'the origin has declared entries lost that are held here; they stay as evidence',
      ),
    snapshotKept: (log, { at, records }) =>
      logger.info({ log: formatLogId(log), at: formatPosition(at), records }, 'snapshot kept'),
    receipted(log, head) {
      receipts.add(1, { origin: log.origin })
      logger.debug({ log: formatLogId(log), at: formatPosition(head) }, 'receipt signed')
    },
    receiptKept(log, why) {
      const place = { log: formatLogId(log) }
      if (why === 'wait')
        logger.warn(place, 'this ledger was set back before what it had receipted: no receipt until that stands here again')
      else
        logger.error(
          place,
          'another entry stands where one was receipted: no receipt for this log, its origin has signed two histories',
        )
    },
    membershipMoved: (position, outcomes) => {
      for (const { entry } of outcomes)
        logger.info(
          { act: entry.claims.act, about: 'code' in entry.claims ? entry.claims.code : null, position },
          'entered into the membership log',
        )
    },
    membershipRefused: error => logger.warn({ err: error }, 'membership entry refused'),
    streamsReady: origins => logger.info({ origins }, 'streams and consumers are in place'),
    streamsFailed: error => logger.error({ err: error }, 'streams and consumers cannot be made now, will try again'),
  }
}
