/** What arrives at a holder, what opening makes of it, and what becomes of it. */
import type { Transaction } from 'kysely'
import type { ExchangeError } from '../../schemas/errors.ts'
import type { LogHead, LogId, Position } from '../../schemas/log.ts'
import type { OpenedBody, OpenedToken, RefusedRecord } from '../../schemas/opening.ts'
import type { Redaction } from '../../schemas/redaction.ts'
import type { Tail } from '../postgres/pipeline.ts'
import type { ErasureEffect } from './erasure.ts'
import type { LedgerTables } from './tables.ts'

export type Arrival = {
  /** `redaction`: one by itself, with the body that it names */
  readonly kind: 'envelope' | 'epoch' | 'redaction'
  readonly token: string
  /** of an envelope whose body is the redacted one: the redaction that names it */
  readonly redaction?: string
  readonly encoding: string
  readonly body: Uint8Array
  /** NATS subject that it came under; null for a file or a repair */
  readonly subject: string | null
}

export type OpenedEntry = {
  readonly arrival: Arrival
  readonly token: OpenedToken
  /** the redaction that came beside it, if its body is the redacted one */
  readonly redaction: Redaction | null
  /** the bytes that `dig` names */
  readonly plain: Uint8Array | null
  /** null where nothing is to be read, and for a restricted audience until its opening is at hand */
  readonly content: OpenedBody | null
  readonly error: null
}
export type OpenedRedaction = {
  readonly arrival: Arrival
  readonly token: null
  readonly redaction: Redaction
  readonly plain: Uint8Array
  readonly error: null
}
export type OpenedFault = { readonly arrival: Arrival; readonly token: OpenedToken | null; readonly error: ExchangeError }
export type Opened = OpenedEntry | OpenedRedaction | OpenedFault

/** An entry whose place in the log is settled and whose records are to take effect. */
export type Accepted = {
  readonly logId: number
  readonly token: OpenedToken
  readonly content: OpenedBody
  /** the decrypted body of a restricted audience */
  readonly plain?: Uint8Array | null
}

export type Outcome =
  | {
      readonly kind: 'accepted'
      readonly log: LogId
      readonly head: LogHead
      readonly records: number
      readonly refused: number
      readonly refusal: ExchangeError | null
    }
  | { readonly kind: 'duplicate'; readonly log: LogId }
  /** a redaction took effect: `keys` were erased at this position */
  | { readonly kind: 'erased'; readonly log: LogId; readonly at: Position; readonly keys: number }
  | { readonly kind: 'gap'; readonly log: LogId; readonly missing: { readonly epoch: number; readonly from: number } }
  | { readonly kind: 'forked'; readonly log: LogId; readonly reason: string }
  | { readonly kind: 'wait'; readonly error: ExchangeError }
  | { readonly kind: 'refused'; readonly error: ExchangeError }

export interface Effect extends ErasureEffect {
  /**
   * Applies the records of accepted entries inside the transaction. `careful` says that PostgreSQL has refused one of them: then
   * each record is tried by itself and those that cannot be stored are returned. Otherwise, with a `tail`, statements are sent and not
   * waited for.
   */
  apply(
    trx: Transaction<LedgerTables>,
    accepted: readonly Accepted[],
    careful: boolean,
    tail?: Tail,
  ): Promise<Map<Accepted, RefusedRecord[]>>
}

/**
 * Takes back what entries from `lost` up to the opening did; they are marked in the ledger already. Answers how many keys. Where the log
 * was loaded from a snapshot (`base`) and the ledger cannot say what stood before, nothing is left of it.
 */
export type Withdraw = (
  trx: Transaction<LedgerTables>,
  log: { readonly id: number; readonly log: LogId; readonly base: Position | null },
  lost: Position,
  opening: Position,
) => Promise<number>

export type Receiver = {
  open(arrival: Arrival): Promise<Opened>
  receive(opened: readonly Opened[]): Promise<Outcome[]>
}
