/** What a node reports, one function for each business event: a line in the log and a number for the metrics. */

import type { LedgerEvents } from '../runtime/ledger/events.ts'
import type { Logger } from '../runtime/log.ts'
import type { MembershipEvents } from '../runtime/membership/keeper.ts'
import { meter } from '../runtime/telemetry.ts'
import { formatLogId, formatPosition, type LogHead, type LogId } from '../schemas/log.ts'
import type { ForeignChange } from '../schemas/membership/own-entry.ts'

export type NodeEvents = LedgerEvents &
  MembershipEvents & {
    sealed(log: LogId, records: number): void
    published(log: LogId, entries: number): void
    /** an operator had versions of a key erased at so many positions of an own log */
    redacted(log: LogId, positions: number): void
    receipted(log: LogId, head: LogHead): void
    receiptRefused(reason: string): void
    /** the hub has signed what cannot be true; the proof is kept, the logs go on */
    hubConvicted(reason: string): void
    /** the membership log changes this member without its signature */
    alarmRaised(change: ForeignChange): void
    membershipNoticed(change: ForeignChange): void
    /** the hub's statement about this member comes to its end, or is past it; nothing stops */
    statementExpiring(state: 'soon' | 'expired', until: Date): void
    resent(log: LogId): void
    /** an own log was behind what others hold of it and was taken back */
    restored(log: LogId): void
    sealingWaits(reason: string): void
    /** these could not be asked about the own logs; sealing begins all the same */
    sealingWithout(silent: readonly string[]): void
    headRefused(error: unknown): void
    ingested(adapter: string, sum: { readonly rows: number; readonly sealed: number; readonly refused: number }): void
    figureSealed(period: string, number: number): void
  }

export function createEvents(logger: Logger): NodeEvents {
  const expiring = meter().createCounter('hutong.node.statements_expiring', {
    description: 'statements of the hub near or past their end',
  })
  const arrived = meter().createCounter('hutong.node.envelopes', { description: 'entries that arrived, by outcome' })
  const sealed = meter().createCounter('hutong.node.records.sealed', { description: 'records sealed here' })
  const applied = meter().createCounter('hutong.node.records.applied', { description: 'records of others applied here' })
  return {
    arrived(origin, outcome) {
      arrived.add(1, { origin, outcome: outcome.kind })
      if (outcome.kind === 'accepted') applied.add(outcome.records, { origin, dataset: outcome.log.dataset })
      if (outcome.kind === 'refused')
        logger.warn({ origin, code: outcome.error.code, reason: outcome.error.reason }, 'entry refused and quarantined')
      else if (outcome.kind === 'gap')
        logger.warn({ log: formatLogId(outcome.log), missing: outcome.missing }, 'entries are missing')
      else if (outcome.kind === 'forked') this.forked(outcome.log, outcome.reason)
      else if (outcome.kind === 'erased')
        logger.info({ log: formatLogId(outcome.log), at: formatPosition(outcome.at), count: outcome.keys }, 'erased by redaction')
      else if (outcome.kind === 'accepted' && (outcome.refusal !== null || outcome.refused > 0)) {
        const code = outcome.refusal?.code ?? null
        logger.warn(
          { log: formatLogId(outcome.log), at: formatPosition(outcome.head), code, refused: outcome.refused },
          'not all of an entry could be applied',
        )
      }
    },
    forked: (log, reason) =>
      logger.error({ log: formatLogId(log), reason }, 'fork: the log is frozen here, its proof is at /v1/forks'),
    repaired: (log, added) => logger.info({ log: formatLogId(log), added }, 'log repaired'),
    failed: (origin, error) => logger.error({ origin, err: error }, 'cannot go on now, will try again'),
    sealed(log, count) {
      sealed.add(count, { dataset: log.dataset })
      logger.debug({ log: formatLogId(log), count }, 'records sealed')
    },
    redacted: (log, positions) => logger.info({ log: formatLogId(log), positions }, 'redactions signed'),
    published: (log, entries) => logger.debug({ log: formatLogId(log), entries }, 'entries published'),
    receipted: (log, head) => logger.debug({ log: formatLogId(log), at: formatPosition(head) }, 'receipt taken'),
    receiptRefused: reason => logger.warn({ reason }, 'receipt refused'),
    hubConvicted: reason => logger.error({ reason }, 'the hub has signed what cannot be true, the proof is at /v1/forks'),
    membershipMoved: (position, outcomes) => {
      logger.info({ position }, 'membership log taken')
      for (const outcome of outcomes)
        if (outcome.kind === 'refused')
          logger.error(
            { seq: outcome.entry.claims.seq, about: outcome.about, code: outcome.error.code },
            'entry of the hub refused',
          )
    },
    membershipRefused: error => logger.warn({ err: error }, 'membership entry refused'),
    alarmRaised: ({ seq, act, by }) =>
      logger.fatal(
        { seq, act, by },
        'ALARM: the hub changes this member without its signature, the proof is at /v1/membership/alarms',
      ),
    statementExpiring(state, until) {
      expiring.add(1, { state })
      logger.warn(
        { state, until },
        state === 'soon' ? 'the statement of the hub ends soon' : 'the statement of the hub has ended; the exchange goes on',
      )
    },
    membershipNoticed: ({ seq, act }) => logger.warn({ seq, act }, 'the hub has entered something about this member'),
    resent: log => logger.warn({ log: formatLogId(log) }, 'no receipt came, sending again from the last one'),
    restored: log =>
      logger.warn({ log: formatLogId(log) }, 'own log taken back from others: this node was restored from an older state'),
    sealingWaits: reason => logger.warn({ reason }, 'sealing waits'),
    sealingWithout: silent =>
      logger.warn({ silent }, 'sealing begins without these witnesses: if this node was restored from a backup, its logs may fork'),
    headRefused: error => logger.warn({ err: error }, 'head refused'),
    ingested: (adapter, { rows, sealed: count, refused }) =>
      logger.info({ adapter, rows, sealed: count, refused }, 'rows taken in'),
    figureSealed: (period, number) => logger.info({ period, number }, 'monthly figure sealed'),
  }
}
