/**
 * What a receipt does at the origin that it speaks to. The outbox forgets only for the digest that this origin itself sealed at that
 * position. A receipt for more than the origin holds says that the origin has lost something (an old backup); one with another
 * digest says that the hub is wrong; two receipts of the hub that cannot both be true convict the hub, and nothing else happens.
 */
import { assertionsOfHeads, contradiction } from './assertions.ts'
import type { Digest } from './digest.ts'
import { comparePositions, formatLogId, formatPosition, type LogHead, type Position } from './log.ts'
import type { Receipt } from './statements.ts'

export type ReceiptVerdict =
  /** the outbox may forget up to here */
  | { readonly kind: 'take' }
  /** true, and known already */
  | { readonly kind: 'old' }
  /** beyond the own log: keep it as a witness, repair before sealing */
  | { readonly kind: 'ahead' }
  /** not what stands at this position of the own log: keep the token, report it */
  | { readonly kind: 'foreign'; readonly reason: string }
  /** two statements of the hub that cannot both be true: the hub's fault alone, no log is frozen for it */
  | { readonly kind: 'convicts'; readonly whom: 'hub'; readonly statements: readonly [string, string]; readonly reason: string }

export function judgeReceipt(
  receipt: Receipt,
  own: {
    readonly head: LogHead | null
    readonly noted: LogHead | null
    /** digest of the own entry at a position, null where there is none */
    digestAt(position: Position): Digest | null
  },
  /** receipts for this log that were kept before */
  earlier: readonly Receipt[],
): ReceiptVerdict {
  for (const other of earlier) {
    const reason = contradiction(assertionsOfHeads([other]), assertionsOfHeads([receipt]))
    if (reason !== null) return { kind: 'convicts', whom: 'hub', statements: [other.token, receipt.token], reason }
  }
  if (own.head === null || comparePositions(receipt.head, own.head) > 0) return { kind: 'ahead' }
  if (own.digestAt(receipt.head) !== receipt.head.digest) {
    return { kind: 'foreign', reason: `${formatLogId(receipt.log)}: not the own digest at ${formatPosition(receipt.head)}` }
  }
  return own.noted !== null && comparePositions(receipt.head, own.noted) <= 0 ? { kind: 'old' } : { kind: 'take' }
}
