/** What the ledger reports, and what hub and node make of it alike: a line in the log, a number for the metrics, a doubt. */
import { type ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { formatLogId, formatPosition, type LogHead, type LogId } from '../../schemas/log.ts'
import type { SnapshotMark } from '../../schemas/snapshot.ts'
import type { Logger } from '../log.ts'
import { meter } from '../telemetry.ts'
import type { Outcome } from './arrival.ts'
import type { Doubts } from './doubts.ts'
import type { TreeVerdict } from './log-trees.ts'
import type { RootVerdict } from './root-judge.ts'
import type { TakingBackEvents } from './taking-back.ts'

export interface LedgerEvents extends TakingBackEvents {
  /** an entry from a stream, a repair or a file was settled */
  arrived(origin: string, outcome: Outcome): void
  /** an origin has signed two statements that cannot both be true; its log is frozen here */
  forked(log: LogId, reason: string): void
  /** the hub has signed what cannot be true; the proof is kept, the logs go on */
  hubConvicted(reason: string): void
  /** a program sent a proof that does not hold */
  proofRefused(from: string, error: ExchangeError): void
  /** the origin's head names entries that the road did not bring */
  tailMissing(log: LogId): void
  /** a holder that was asked for entries gave some that were refused, or none that another then gave */
  answeredFalsely(holder: string, log: LogId, how: 'refused' | 'empty'): void
  /** an announced state root was judged; `differs` is evidence against its origin, and the snapshot is refused */
  rootJudged(log: LogId, mark: SnapshotMark, found: RootVerdict): void
  /** the root of a log's tree was compared; `differs` says that its origin signed what does not follow from its log */
  treeJudged(log: LogId, at: LogHead, verdict: TreeVerdict): void
  headRefused(error: unknown, origin: string): void
  /** missing entries were asked for; `added` of them came */
  repaired(log: LogId, added: number): void
  /** work on one origin's logs cannot go on now and will be tried again */
  failed(origin: string, error: unknown): void
}

/** What an accepted entry means, each program adds itself. */
export function createLedgerEvents(program: 'hub' | 'node', logger: Logger, doubts: Doubts): LedgerEvents {
  const arrived = meter().createCounter(`hutong.${program}.envelopes`, { description: 'entries that arrived, by outcome' })
  const roots = meter().createCounter(`hutong.${program}.roots`, { description: 'announced state roots judged here, by verdict' })
  const forked = (log: LogId, reason: string): void =>
    logger.error({ log: formatLogId(log), reason }, 'fork: the log is frozen here, its proof is at /v1/forks')
  return {
    arrived(origin, outcome) {
      arrived.add(1, { origin, outcome: outcome.kind })
      if (outcome.kind === 'refused') {
        doubts.note('entry-refused', origin, outcome.error.code)
        logger.warn({ origin, code: outcome.error.code, reason: outcome.error.reason }, 'entry refused and quarantined')
      } else if (outcome.kind === 'gap') {
        doubts.note('entries-missing', formatLogId(outcome.log))
        logger.warn({ log: formatLogId(outcome.log), missing: outcome.missing }, 'entries are missing')
      } else if (outcome.kind === 'forked') forked(outcome.log, outcome.reason)
      else if (outcome.kind === 'erased')
        logger.info({ log: formatLogId(outcome.log), at: formatPosition(outcome.at), count: outcome.keys }, 'erased by redaction')
    },
    forked,
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
    treeJudged(log, at, verdict) {
      const place = { log: formatLogId(log), at: formatPosition(at), verdict }
      if (verdict !== 'differs') return logger.debug(place, 'root of a log judged')
      doubts.note('tree-differs', formatLogId(log), formatPosition(at))
      logger.error(place, "the root over its log's entries that the origin has signed is false: no proof against it is believed")
    },
    repaired: (log, added) => logger.info({ log: formatLogId(log), added }, 'log repaired'),
    failed: (origin, error) => logger.error({ origin, err: error }, 'cannot go on now, will try again'),
    takenBack: ({ log, from, entries }) =>
      logger.warn({ log: formatLogId(log), from: formatPosition(from), entries }, 'entries beyond a closing were set aside'),
    thawed: log => logger.warn({ log: formatLogId(log) }, 'the freeze rested on a stolen key and is lifted'),
    headRefused(error, origin) {
      doubts.note('head-refused', origin, isExchangeError(error) ? error.code : 'INTERNAL')
      logger.warn({ origin, err: error }, 'head refused')
    },
  }
}
