/**
 * What a receipt does at the origin that it speaks to. The outbox forgets only for the digest that this origin itself sealed at that
 * position. A receipt for more than the origin holds says that the origin has lost something (an old backup); one with another
 * digest says that the hub is wrong; two receipts of the hub that cannot both be true convict the hub, and nothing else happens.
 */
import { assertionsOfHeads, contradiction } from './assertions.ts'
import type { Digest } from './digest.ts'
import { comparePositions, type LogHead, type Position } from './log.ts'
import type { Receipt } from './statements.ts'

/**
 * `take`: the outbox may forget up to here. `old`: true, and known already. `ahead`: beyond the own log; keep it as a witness and repair
 * before sealing. `foreign`: not what stands at this position of the own log; keep the token and report it.
 */
export type ReceiptVerdict = {
  readonly kind: 'take' | 'old' | 'ahead' | 'foreign'
  /**
   * Two statements of the hub that cannot both be true: its fault alone. No log is frozen for it, and a receipt that names the own
   * digest counts all the same, or a hub that lied once could keep an outbox full for ever.
   */
  readonly convicts: { readonly whom: 'hub'; readonly statements: readonly [string, string]; readonly reason: string } | null
}

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
  return { kind: kindOf(receipt, own), convicts: convictionOf(receipt, earlier) }
}

/**
 * Whether the hub may sign that its ledger holds a log up to `head`. `noted` is the last receipt that it signed for this log, as it noted
 * beside its database: one that was set back has forgotten it, and an origin that lies could have it sign a second history there. So it
 * waits until what it has receipted stands here again. Where that was declared lost in the meantime, it goes on behind it.
 */
export function judgeOwnReceipt(
  noted: LogHead | null,
  head: LogHead,
  digestAt: (position: Position) => Digest | null,
): 'sign' | 'wait' | 'contradicts' {
  if (noted === null) return 'sign'
  if (comparePositions(head, noted) < 0) return 'wait'
  const there = comparePositions(head, noted) === 0 ? head.digest : digestAt(noted)
  return there === null || there === noted.digest ? 'sign' : 'contradicts'
}

function kindOf({ head }: Receipt, own: Parameters<typeof judgeReceipt>[1]): ReceiptVerdict['kind'] {
  if (own.head === null || comparePositions(head, own.head) > 0) return 'ahead'
  if (own.digestAt(head) !== head.digest) return 'foreign'
  return own.noted !== null && comparePositions(head, own.noted) <= 0 ? 'old' : 'take'
}

function convictionOf(receipt: Receipt, earlier: readonly Receipt[]): ReceiptVerdict['convicts'] {
  for (const other of earlier) {
    const reason = contradiction(assertionsOfHeads([other]), assertionsOfHeads([receipt]))
    if (reason !== null) return { whom: 'hub', statements: [other.token, receipt.token], reason }
  }
  return null
}
