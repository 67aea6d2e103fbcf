/** What the ledger reports. Hub and node each bind these to their log and metrics in their own `events.ts`. */
import type { ExchangeError } from '../../schemas/errors.ts'
import type { LogId } from '../../schemas/log.ts'
import type { SnapshotMark } from '../../schemas/snapshot.ts'
import type { Outcome } from './arrival.ts'
import type { RootVerdict } from './root-judge.ts'

export interface LedgerEvents {
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
  /** missing entries were asked for; `added` of them came */
  repaired(log: LogId, added: number): void
  /** work on one origin's logs cannot go on now and will be tried again */
  failed(origin: string, error: unknown): void
}
