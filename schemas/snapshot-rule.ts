/** When a log is worth another snapshot: it has grown by half of what it was, so that all of them together cost a bounded share of it. */
import type { Position } from './log.ts'

/** Entries since the last snapshot, as far as positions tell, and how many make the next one due. */
export function growthForSnapshot(
  head: Position,
  last: Position | null,
  leastEntries: number,
): { readonly grown: number; readonly wanted: number } {
  const from = last === null || last.epoch !== head.epoch ? 0 : last.seq
  return { grown: head.seq - from, wanted: Math.max(leastEntries, Math.ceil((last?.seq ?? 0) / 2)) }
}
