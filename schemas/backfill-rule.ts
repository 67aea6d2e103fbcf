/**
 * How a holder that began a log with a snapshot fetches what stands before it: backwards, the newest first. The entry at the snapshot's
 * position is named by digest in the head that the origin signed; each entry names the one before it. So every entry that is taken is
 * shown to be the one by what is held already, nothing has to be taken back later, and what is held is one piece at any time.
 */
import type { Digest } from './digest.ts'
import { type ChainEntry, comparePositions, formatPosition, keptBefore, type LogHead, type Position } from './log.ts'

/** The entry that stands before this one; null in front of the first of all, and where an origin has lost everything before. */
export function entryBefore(entry: ChainEntry): LogHead | null {
  if (entry.kind === 'envelope') return { epoch: entry.epoch, seq: entry.seq - 1, digest: entry.previous }
  // What was declared lost counts nowhere: nobody has to have it.
  return entry.lost == null ? entry.closing : keptBefore(entry.lost)
}

/** From where to ask so that an answer of so many entries ends with the one that is wanted. */
export const askBackFrom = ({ epoch, seq }: Position, entries: number): { readonly epoch: number; readonly from: number } => ({
  epoch,
  from: Math.max(0, seq - entries + 1),
})

export type Backward<One> = {
  /** what may be stored, the newest first */
  readonly taken: readonly One[]
  /** the entry to ask for next, null when the log is whole */
  readonly wanted: LogHead | null
  /** stands where the wanted entry should, with another digest: with what is held behind it a second history, if its origin signed it */
  readonly against: One | null
}

/** Of what an answer brings, in any order, what joins on to the oldest entry held. Signatures and bodies were checked before. */
export function joinBackward<One extends { readonly entry: ChainEntry }>(from: LogHead, arriving: readonly One[]): Backward<One> {
  const there = new Map(arriving.map(one => [formatPosition(one.entry), one]))
  const taken: One[] = []
  for (let wanted: LogHead | null = from; wanted !== null; ) {
    const one = there.get(formatPosition(wanted))
    if (one === undefined) return { taken, wanted, against: null }
    if (one.entry.digest !== wanted.digest) return { taken, wanted, against: one }
    taken.push(one)
    wanted = entryBefore(one.entry)
  }
  return { taken, wanted: null, against: null }
}

/** Whether an entry is brought with the body that counts: that of the newest redaction known here, or the first where none is. */
export const bodyIsNewest = (known: { readonly new: Digest } | null, brought: { readonly new: Digest } | null): boolean =>
  (known?.new ?? null) === (brought?.new ?? null)

/** Whether a question for a range from a position on can be answered whole: `wanted` is the newest entry that is missing here. */
export const holdsFrom = (wanted: Position | null, from: Position): boolean => wanted === null || comparePositions(from, wanted) > 0
