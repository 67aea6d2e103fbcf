/**
 * What a signed statement asserts about a log, and when two of one signer cannot both be true.
 *
 * Every statement about logs comes down to two kinds of assertion: "at this position stands this digest" and "this epoch ends
 * here". An envelope asserts its own digest and that of the entry before it; the opening of an epoch its own, and the closing of the
 * epoch before; a head or a receipt the digest at the position that it names. Two statements of one signer that give one position
 * two digests, or a position behind the end of its epoch, are a contradiction: a portable proof that needs nobody's word.
 *
 * Two of an origin are a fork, and that log is frozen. Two of the hub convict the hub alone, and the logs go on.
 */
import type { Digest } from './digest.ts'
import { type ChainEntry, formatLogId, formatPosition, type LogHead, type LogId, type Position } from './log.ts'

export type Assertion =
  | { readonly kind: 'stands'; readonly log: LogId; readonly at: Position; readonly digest: Digest }
  | { readonly kind: 'ends'; readonly log: LogId; readonly at: Position }

const stands = (log: LogId, at: Position, digest: Digest): Assertion => ({
  kind: 'stands',
  log,
  at: { epoch: at.epoch, seq: at.seq },
  digest,
})

export function assertionsOfEntry(log: LogId, entry: ChainEntry): Assertion[] {
  const own = stands(log, entry, entry.digest)
  if (entry.kind === 'envelope') return [own, stands(log, { epoch: entry.epoch, seq: entry.seq - 1 }, entry.previous)]
  if (entry.closing === null) return [own]
  return [own, stands(log, entry.closing, entry.closing.digest), { kind: 'ends', log, at: entry.closing }]
}

export const assertionsOfHeads = (logs: readonly { readonly log: LogId; readonly head: LogHead }[]): Assertion[] =>
  logs.map(({ log, head }) => stands(log, head, head.digest))

/** Why two lists of assertions cannot both be true, as a sentence; null if they can. Both must be of one signer. */
export function contradiction(a: readonly Assertion[], b: readonly Assertion[]): string | null {
  for (const one of a) {
    for (const other of b) {
      if (formatLogId(one.log) !== formatLogId(other.log) || one.at.epoch !== other.at.epoch) continue
      const clash = clashOf(one, other) ?? clashOf(other, one)
      if (clash !== null) return `${formatLogId(one.log)}: ${clash}`
    }
  }
  return null
}

function clashOf(one: Assertion, other: Assertion): string | null {
  if (one.kind === 'ends') {
    if (other.kind === 'ends')
      return one.at.seq < other.at.seq ? `the epoch ends at ${formatPosition(one.at)} and at ${formatPosition(other.at)}` : null
    return other.at.seq > one.at.seq
      ? `the epoch ends at ${formatPosition(one.at)} and goes on to ${formatPosition(other.at)}`
      : null
  }
  if (other.kind === 'ends' || one.at.seq !== other.at.seq || one.digest === other.digest) return null
  return `two digests at ${formatPosition(one.at)}`
}
