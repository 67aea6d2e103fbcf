/**
 * A log is the hash-chained sequence of what one origin said to one audience about one dataset. Identity and order live here and
 * nowhere else. Position (ep, 0) is the epoch's opening statement, (ep, 1) the first envelope; each names the digest of what
 * stands before it, and the opening of a later epoch names the closing position of the one it ends.
 *
 *   opening(1,0) ← (1,1) ← (1,2) ← (1,3)   closes at (1,3)
 *                                     ↑
 *                             opening(2,0) ← (2,1) ← …
 *
 * An origin that has lost what it said, and can have it back from nobody, opens an epoch that declares it lost: from a position on,
 * everything before this opening is void. Who stands at that position or anywhere behind it takes the opening as next.
 */
import type { Digest } from './digest.ts'

export type LogId = { readonly origin: string; readonly dataset: string; readonly audience: string }
export type Position = { readonly epoch: number; readonly seq: number }
/** The last entry of a log, as far as somebody holds it. */
export type LogHead = Position & { readonly digest: Digest }
/**
 * What an opening declares lost: everything from this position on. `previous` is the digest of the entry before it, null where not even
 * the first opening is left. No lost record has a version above `floor`, and every later one has.
 */
export type Loss = Position & { readonly previous: Digest | null; readonly floor: number }
/**
 * What the chain needs to know of an entry. `closing` stands in the opening of every epoch but the first; beside `lost` it is no end,
 * but the highest position that the origin knows to have signed.
 */
export type ChainEntry = LogHead &
  (
    | { readonly kind: 'opening'; readonly closing: LogHead | null; readonly lost?: Loss | null }
    | { readonly kind: 'envelope'; readonly previous: Digest }
  )

/**
 * `next` continues the log. `duplicate` is already held. `gap` means that entries before it are missing here. `fork` and `broken`
 * are two signed statements that cannot both be true: another entry at a held position, or one that follows another past.
 */
export type ChainVerdict = 'next' | 'duplicate' | 'gap' | 'fork' | 'broken'

export const formatLogId = (log: LogId): string => `${log.origin}/${log.dataset}/${log.audience}`
export const formatPosition = (position: Position): string => `${position.epoch}.${position.seq}`

export const comparePositions = (a: Position, b: Position): number => a.epoch - b.epoch || a.seq - b.seq

/**
 * Judges one entry against the head held. `held` is the digest that this holder has at the entry's own position, or null if it
 * has none there (the position lies past the head, or its envelope was pruned).
 */
export function judgeChain(head: LogHead | null, entry: ChainEntry, held: Digest | null): ChainVerdict {
  const lost = entry.kind === 'opening' ? (entry.lost ?? null) : null
  if (head === null) return entry.kind === 'opening' && (entry.epoch === 1 || standsAtLoss(null, lost)) ? 'next' : 'gap'
  if (comparePositions(entry, head) <= 0) return held === null || held === entry.digest ? 'duplicate' : 'fork'
  if (entry.epoch === head.epoch) {
    if (entry.kind === 'opening') return 'fork'
    if (entry.seq > head.seq + 1) return 'gap'
    return entry.previous === head.digest ? 'next' : 'broken'
  }
  if (entry.kind === 'opening' && lost !== null) return judgeReopening(head, entry.closing, lost)
  if (entry.kind !== 'opening' || entry.epoch > head.epoch + 1) return 'gap'
  const { closing } = entry
  if (closing === null || closing.epoch !== head.epoch) return 'broken'
  if (closing.seq > head.seq) return 'gap'
  return closing.seq === head.seq && closing.digest === head.digest ? 'next' : 'fork'
}

/** Whether a holder has everything before the loss; what it has behind is void. */
const standsAtLoss = (head: LogHead | null, lost: Position | null): boolean =>
  lost !== null && comparePositions({ epoch: head?.epoch ?? 1, seq: (head?.seq ?? -1) + 1 }, lost) >= 0

/** The last entry before a loss, null where everything is lost. */
export const keptBefore = ({ epoch, seq, previous }: Loss): LogHead | null =>
  previous === null ? null : { epoch, seq: seq - 1, digest: previous }

/** The positions that the opening over a loss gives digests for: a holder that has another there has proof of two histories. */
export const namedByLoss = (entry: ChainEntry): LogHead[] =>
  entry.kind === 'opening' && entry.lost != null ? [entry.closing, keptBefore(entry.lost)].filter(at => at !== null) : []

/** Whether an entry stands in what this opening declares lost: it stays as evidence where it is held, and counts nowhere. */
export const lostBy = (opening: ChainEntry, at: Position): boolean =>
  opening.kind === 'opening' && opening.lost != null && comparePositions(at, opening.lost) >= 0 && comparePositions(at, opening) < 0

function judgeReopening(head: LogHead, closing: LogHead | null, lost: Loss): ChainVerdict {
  for (const at of [closing, keptBefore(lost)])
    if (at !== null && comparePositions(head, at) === 0 && head.digest !== at.digest) return 'fork'
  return standsAtLoss(head, lost) ? 'next' : 'gap'
}

/** What a holder must ask for before `target` can follow: the first missing position of the epoch that it stands in. */
export function missingBefore(head: LogHead | null, target: Position): { readonly epoch: number; readonly from: number } {
  if (head === null) return { epoch: 1, from: 0 }
  return head.epoch === target.epoch || target.seq > 0 || target.epoch > head.epoch
    ? { epoch: head.epoch, from: head.seq + 1 }
    : { epoch: target.epoch, from: 0 }
}
