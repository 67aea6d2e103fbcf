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
import { type ChainEntry, formatLogId, formatPosition, keptBefore, type LogHead, type LogId, type Position } from './log.ts'

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
  const { closing, lost = null } = entry
  const kept = lost === null ? null : keptBefore(lost)
  const past = [closing, kept].flatMap(at => (at === null ? [] : [stands(log, at, at.digest)]))
  // Who has lost its own log cannot say where it ended: what turns up behind is void, and no second history.
  return closing === null || lost !== null ? [own, ...past] : [own, ...past, { kind: 'ends', log, at: closing }]
}

/** A snapshot asserts the entry at its position too. */
export const assertionsOfHeads = (
  logs: readonly { readonly log: LogId; readonly head: LogHead; readonly snapshot?: { readonly at: LogHead } | null }[],
): Assertion[] =>
  logs.flatMap(({ log, head, snapshot = null }) => [
    stands(log, head, head.digest),
    ...(snapshot === null ? [] : [stands(log, snapshot.at, snapshot.at.digest)]),
  ])

/** Two assertions of one signer that cannot both be true: `at` in the one, `other` in the other. */
export type Contradiction = {
  readonly kind: keyof typeof CLASHES
  readonly log: LogId
  readonly at: Position
  readonly other: Position
}
type Sentence = (at: string, other: string) => string

const CLASHES = {
  'two digests': { en: at => `two digests at ${at}`, zh: at => `位置 ${at} 有两个摘要` },
  'two ends': {
    en: (at, other) => `the epoch ends at ${at} and at ${other}`,
    zh: (at, other) => `纪元既止于 ${at}，又止于 ${other}`,
  },
  'past the end': {
    en: (at, other) => `the epoch ends at ${at} and goes on to ${other}`,
    zh: (at, other) => `纪元已止于 ${at}，却又延至 ${other}`,
  },
} as const satisfies { readonly [kind: string]: { readonly en: Sentence; readonly zh: Sentence } }

export function formatContradiction({ kind, log, at, other }: Contradiction): { readonly en: string; readonly zh: string } {
  const sentence: { readonly en: Sentence; readonly zh: Sentence } = CLASHES[kind]
  const [one, two] = [formatPosition(at), formatPosition(other)]
  return { en: `${formatLogId(log)}: ${sentence.en(one, two)}`, zh: `${formatLogId(log)}：${sentence.zh(one, two)}` }
}

/** What two lists of assertions contradict each other in; null if both can be true. Both must be of one signer. */
export function findContradiction(a: readonly Assertion[], b: readonly Assertion[]): Contradiction | null {
  for (const one of a) {
    for (const other of b) {
      if (formatLogId(one.log) !== formatLogId(other.log) || one.at.epoch !== other.at.epoch) continue
      const found = clashOf(one, other) ?? clashOf(other, one)
      if (found !== null) return found
    }
  }
  return null
}

/** Why two lists of assertions cannot both be true, as a sentence; null if they can. Both must be of one signer. */
export function contradiction(a: readonly Assertion[], b: readonly Assertion[]): string | null {
  const found = findContradiction(a, b)
  return found === null ? null : formatContradiction(found).en
}

function clashOf(one: Assertion, other: Assertion): Contradiction | null {
  const clash = (kind: Contradiction['kind']): Contradiction => ({ kind, log: one.log, at: one.at, other: other.at })
  if (one.kind === 'ends') {
    if (other.kind === 'ends') return one.at.seq < other.at.seq ? clash('two ends') : null
    return other.at.seq > one.at.seq ? clash('past the end') : null
  }
  if (other.kind === 'ends' || one.at.seq !== other.at.seq || one.digest === other.digest) return null
  return clash('two digests')
}
