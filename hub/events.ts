/** What the hub reports, one function for each business event: a line in the log and a number for the metrics. */

import type { LedgerEvents } from '../runtime/ledger/events.ts'
import type { Logger } from '../runtime/log.ts'
import type { MembershipEvents } from '../runtime/membership/keeper.ts'
import { meter } from '../runtime/telemetry.ts'
import { formatLogId, formatPosition, type LogHead, type LogId } from '../schemas/log.ts'

export type HubEvents = LedgerEvents &
  MembershipEvents & {
    receipted(log: LogId, head: LogHead): void
    streamsReady(origins: number): void
    streamsFailed(error: unknown): void
    headRefused(error: unknown): void
  }

export function createEvents(logger: Logger): HubEvents {
  const arrived = meter().createCounter('hutong.hub.envelopes', { description: 'entries that arrived, by outcome' })
  const receipts = meter().createCounter('hutong.hub.receipts', { description: 'receipts signed' })
  return {
    arrived(origin, outcome) {
      arrived.add(1, { origin, outcome: outcome.kind })
      if (outcome.kind === 'refused')
        logger.warn({ origin, code: outcome.error.code, reason: outcome.error.reason }, 'entry refused and quarantined')
      else if (outcome.kind === 'gap')
        logger.warn({ log: formatLogId(outcome.log), missing: outcome.missing }, 'entries are missing')
      else if (outcome.kind === 'forked') this.forked(outcome.log, outcome.reason)
      else if (outcome.kind === 'erased')
        logger.info({ log: formatLogId(outcome.log), at: formatPosition(outcome.at), count: outcome.keys }, 'erased by redaction')
      else if (outcome.kind === 'accepted' && outcome.refusal !== null) {
        logger.warn(
          { log: formatLogId(outcome.log), at: formatPosition(outcome.head), code: outcome.refusal.code },
          'entry takes its place, not applied',
        )
      }
    },
    forked: (log, reason) =>
      logger.error({ log: formatLogId(log), reason }, 'fork: the log is frozen here, its proof is at /v1/forks'),
    repaired: (log, added) => logger.info({ log: formatLogId(log), added }, 'log repaired'),
    failed: (origin, error) => logger.error({ origin, err: error }, 'cannot go on now, will try again'),
    receipted(log, head) {
      receipts.add(1, { origin: log.origin })
      logger.debug({ log: formatLogId(log), at: formatPosition(head) }, 'receipt signed')
    },
    membershipMoved: (position, outcomes) => {
      for (const { entry } of outcomes)
        logger.info(
          { act: entry.claims.act, about: 'code' in entry.claims ? entry.claims.code : null, position },
          'entered into the membership log',
        )
    },
    membershipRefused: error => logger.warn({ err: error }, 'membership entry refused'),
    hubConvicted: reason => logger.error({ reason }, 'two statements of this hub cannot both be true'),
    streamsReady: origins => logger.info({ origins }, 'streams and consumers are in place'),
    streamsFailed: error => logger.error({ err: error }, 'streams and consumers cannot be made now, will try again'),
    headRefused: error => logger.warn({ err: error }, 'head refused'),
  }
}
