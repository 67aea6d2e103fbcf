/**
 * What a signed head does at a holder: whether it replaces the one before, whether it contradicts what its origin said, and whether
 * it shows that something is missing here. The caller stores a head and the forks found with it in one transaction, or neither: a
 * crash between the two would keep the statement and lose the proof.
 */
import { type Assertion, assertionsOfHeads, contradiction } from './assertions.ts'
import { comparePositions, formatLogId, type LogHead, type LogId, type Position } from './log.ts'
import type { Head } from './statements.ts'

/**
 * Whether a head is newer than the one before. Positions decide and time only breaks a tie: an origin whose clock was set back
 * would otherwise be silent for as long as its clock is behind.
 */
export function isNewerHead(before: Head | null, head: Head): boolean {
  if (before === null) return true
  const stood = new Map(before.logs.map(({ log, head: at }) => [formatLogId(log), at]))
  let further = false
  for (const { log, head: at } of head.logs) {
    const known = stood.get(formatLogId(log))
    stood.delete(formatLogId(log))
    const order = known === undefined ? 1 : comparePositions(at, known)
    if (order < 0) return false
    if (order > 0) further = true
  }
  return stood.size === 0 && (further || head.issuedAt >= before.issuedAt)
}

export type HeldHistory = {
  readonly head: LogHead | null
  readonly frozen: boolean
  /** what the entry held at a position asserts, and its token; null where nothing is held */
  at(position: Position): { readonly token: string; readonly assertions: readonly Assertion[] } | null
}
export type HeadFork = { readonly log: LogId; readonly statements: readonly [string, string]; readonly reason: string }

/** Holds a head against the head before and the entries here. `before` counts whether or not it was newer. */
export function judgeHead(head: Head, before: Head | null, historyOf: (log: LogId) => HeldHistory | null): HeadFork[] {
  const earlier = before === null ? [] : assertionsOfHeads(before.logs)
  return head.logs.flatMap((at): HeadFork[] => {
    const history = historyOf(at.log)
    if (history?.frozen === true) return []
    const own = assertionsOfHeads([at])
    const held = history?.at(at.head) ?? null
    // A position behind the end of its epoch holds no entry: what speaks against it is the opening that closed the epoch.
    const after = history?.at({ epoch: at.head.epoch + 1, seq: 0 }) ?? null
    const snapshot = at.snapshot == null ? null : (history?.at(at.snapshot.at) ?? null)
    const others = [before === null ? null : { token: before.token, assertions: earlier }, held, after, snapshot]
    for (const other of others) {
      const reason = other === null ? null : contradiction(other.assertions, own)
      if (other !== null && reason !== null) return [{ log: at.log, statements: [other.token, head.token], reason }]
    }
    return []
  })
}

/** The logs that a head shows to be further than they stand here, and how far. A frozen log is asked for no more. */
export const missingBehind = (head: Head, historyOf: (log: LogId) => HeldHistory | null): { log: LogId; until: LogHead }[] =>
  head.logs.flatMap(({ log, head: until }) => {
    const history = historyOf(log)
    if (history?.frozen === true) return []
    return history?.head == null || comparePositions(history.head, until) < 0 ? [{ log, until }] : []
  })
