/** What the hub reports, one function for each business event: a line in the log and a number for the metrics. */
import type { Doubts } from '../runtime/ledger/doubts.ts'
import type { LedgerEvents } from '../runtime/ledger/events.ts'
import type { TakingBackEvents } from '../runtime/ledger/taking-back.ts'
import type { Logger } from '../runtime/log.ts'
import type { MembershipEvents } from '../runtime/membership/keeper.ts'
import { meter } from '../runtime/telemetry.ts'
import { isExchangeError } from '../schemas/errors.ts'
import { formatLogId, formatPosition, type LogHead, type LogId, type Position } from '../schemas/log.ts'
import type { SnapshotMark } from '../schemas/snapshot.ts'

export type HubEvents = LedgerEvents &
  MembershipEvents &
  TakingBackEvents & {
    /** a snapshot is kept here, whole */
    snapshotKept(log: LogId, mark: SnapshotMark): void
    receipted(log: LogId, head: LogHead): void
    /** entries held here were declared lost by their origin; they stay as evidence */
    withdrawn(log: LogId, from: Position, count: { readonly entries: number }): void
    streamsReady(origins: number): void
    streamsFailed(error: unknown): void
    headRefused(error: unknown, origin: string): void
  }

export function createEvents(logger: Logger, doubts: Doubts): HubEvents {
  const arrived = meter().createCounter('hutong.hub.envelopes', { description: 'entries that arrived, by outcome' })
  const receipts = meter().createCounter('hutong.hub.receipts', { description: 'receipts signed' })
  const roots = meter().createCounter('hutong.hub.roots', { description: 'announced state roots judged here, by verdict' })
  return {
    arrived(origin, outcome) {
      arrived.add(1, { origin, outcome: outcome.kind })
      if (outcome.kind === 'refused') {
        doubts.note('entry-refused', origin, outcome.error.code)
        logger.warn({ origin, code: outcome.error.code, reason: outcome.error.reason }, 'entry refused and quarantined')
      } else if (outcome.kind === 'gap') {
        doubts.note('entries-missing', formatLogId(outcome.log))
        logger.warn({ log: formatLogId(outcome.log), missing: outcome.missing }, 'entries are missing')
      } else if (outcome.kind === 'forked') this.forked(outcome.log, outcome.reason)
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
    hubConvicted(reason) {
      logger.error({ reason }, 'the hub has signed what cannot be true, the proof is at /v1/forks')
    },
    proofRefused(from, { code, reason }) {
      doubts.note('proof-refused', from, code)
      logger.warn({ from, code, reason }, 'proof refused and quarantined')
    },
    tailMissing(log) {
      doubts.note('tail-missing', formatLogId(log))
      logger.warn({ log: formatLogId(log) }, 'the road does not bring what its head names, asking for it')
    },
    answeredFalsely(holder, log, how) {
      doubts.note(how === 'refused' ? 'answer-refused' : 'answer-empty', holder, formatLogId(log))
      logger.warn({ holder, log: formatLogId(log), how }, 'a holder that was asked did not help')
    },
    withdrawn: (log, from, { entries }) =>
      logger.warn(
        { log: formatLogId(log), from: formatPosition(from), entries },
        'the origin has declared entries lost that are held here; they stay as evidence',
      ),
    rootJudged(log, { at }, { verdict, reason }) {
      roots.add(1, { origin: log.origin, verdict })
      const place = { log: formatLogId(log), at: formatPosition(at), verdict, reason }
      if (verdict === 'differs') {
        doubts.note('root-differs', formatLogId(log), formatPosition(at))
        logger.error(
          place,
          'the state root that the origin has signed is false: its snapshot is refused, the evidence is at /v1/forks',
        )
      } else if (verdict === 'unjudged') logger.warn(place, 'a state root cannot be judged here')
      else logger.debug(place, 'state root judged')
    },
    snapshotKept: (log, { at, records }) =>
      logger.info({ log: formatLogId(log), at: formatPosition(at), records }, 'snapshot kept'),
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
    takenBack: ({ log, from, entries }) =>
      logger.warn({ log: formatLogId(log), from: formatPosition(from), entries }, 'entries beyond a closing were set aside'),
    thawed: log => logger.warn({ log: formatLogId(log) }, 'the freeze rested on a stolen key and is lifted'),
    membershipRefused: error => logger.warn({ err: error }, 'membership entry refused'),
    streamsReady: origins => logger.info({ origins }, 'streams and consumers are in place'),
    streamsFailed: error => logger.error({ err: error }, 'streams and consumers cannot be made now, will try again'),
    headRefused(error, origin) {
      doubts.note('head-refused', origin, isExchangeError(error) ? error.code : 'INTERNAL')
      logger.warn({ origin, err: error }, 'head refused')
    },
  }
}
