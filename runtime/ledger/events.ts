/** What the ledger reports. Hub and node each bind these to their log and metrics in their own `events.ts`. */
import type { LogId } from '../../schemas/log.ts'
import type { Outcome } from './arrival.ts'

export interface LedgerEvents {
  /** an entry from a stream, a repair or a file was settled */
  arrived(origin: string, outcome: Outcome): void
  /** an origin has signed two statements that cannot both be true; its log is frozen here */
  forked(log: LogId, reason: string): void
  /** missing entries were asked for; `added` of them came */
  repaired(log: LogId, added: number): void
  /** work on one origin's logs cannot go on now and will be tried again */
  failed(origin: string, error: unknown): void
}
