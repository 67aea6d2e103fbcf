/**
 * What becomes of entries that arrive at a holder: the one rule that hub, nodes and simulation share. Pure: the heads that the holder
 * has, what it holds at the positions in question, and the entries go in; verdicts and the new heads come out. The caller stores both
 * in one transaction, or neither.
 */
import { type Assertion, assertionsOfEntry, contradiction } from './assertions.ts'
import type { Digest } from './digest.ts'
import {
  type ChainEntry,
  comparePositions,
  formatLogId,
  formatPosition,
  judgeChain,
  type LogHead,
  type LogId,
  missingBefore,
  namedByLoss,
} from './log.ts'

export type Arriving = { readonly log: LogId; readonly entry: ChainEntry; readonly token: string }

/** What a holder knows of one log before the entries come. */
export type HeldLog = {
  readonly head: LogHead | null
  /** a proven fork: nothing more of this log is taken in */
  readonly frozen: boolean
  /** its state is being loaded from a snapshot: entries wait until that is done */
  readonly loading?: boolean
  /** token and digest held at a position; null where nothing is held */
  at(position: { readonly epoch: number; readonly seq: number }): { readonly digest: Digest; readonly token: string } | null
  /** the newest head that the origin signed for this log, with what it asserts */
  readonly announced: { readonly token: string; readonly assertions: readonly Assertion[] } | null
}

export type Verdict =
  | { readonly kind: 'next' }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'gap'; readonly missing: { readonly epoch: number; readonly from: number } }
  | { readonly kind: 'frozen' }
  /** two statements of the origin that cannot both be true: the proof, and why */
  | { readonly kind: 'fork'; readonly statements: readonly [string, string]; readonly reason: string }

export type Settlement = { readonly verdicts: readonly Verdict[]; readonly heads: ReadonlyMap<string, LogHead> }

export function settle(held: ReadonlyMap<string, HeldLog>, arriving: readonly Arriving[]): Settlement {
  const heads = new Map<string, LogHead>()
  const frozen = new Set<string>()
  const added = new Map<string, Arriving>()
  const placeOf = (id: string, at: { epoch: number; seq: number }): string => `${id}@${formatPosition(at)}`
  const verdicts = arriving.map((one): Verdict => {
    const id = formatLogId(one.log)
    const log = held.get(id)
    if (log?.frozen === true || frozen.has(id)) return { kind: 'frozen' }
    if (log?.loading === true) return { kind: 'gap', missing: missingBefore(null, one.entry) }
    const head = heads.get(id) ?? log?.head ?? null
    const heldAt = (at: { epoch: number; seq: number }): { digest: Digest; token: string } | null => {
      const fresh = added.get(placeOf(id, at))
      return fresh === undefined ? (log?.at(at) ?? null) : { digest: fresh.entry.digest, token: fresh.token }
    }
    const verdict = judge(one, head, heldAt, log?.announced ?? null)
    // The opening of the next epoch, or the entry before, may have come in this very group and speak against it.
    const repeats = verdict.kind === 'duplicate' && heldAt(one.entry) === null
    const against = repeats ? besideInGroup(one, at => added.get(placeOf(id, at))) : null
    if (against !== null) {
      frozen.add(id)
      return against
    }
    if (verdict.kind === 'fork') frozen.add(id)
    if (verdict.kind === 'next') {
      heads.set(id, { epoch: one.entry.epoch, seq: one.entry.seq, digest: one.entry.digest })
      added.set(placeOf(id, one.entry), one)
    }
    return verdict
  })
  return { verdicts, heads }
}

function besideInGroup(
  { log, entry, token }: Arriving,
  addedAt: (at: { epoch: number; seq: number }) => Arriving | undefined,
): Verdict | null {
  const { epoch, seq } = entry
  for (const beside of [addedAt({ epoch: epoch + 1, seq: 0 }), addedAt({ epoch, seq: seq - 1 })]) {
    const reason = beside === undefined ? null : contradiction(assertionsOfEntry(log, beside.entry), assertionsOfEntry(log, entry))
    if (beside !== undefined && reason !== null) return { kind: 'fork', statements: [beside.token, token], reason }
  }
  return null
}

function judge(
  { log, entry, token }: Arriving,
  head: LogHead | null,
  heldAt: (at: { epoch: number; seq: number }) => { digest: Digest; token: string } | null,
  announced: HeldLog['announced'],
): Verdict {
  const past = head !== null && comparePositions(entry, head) <= 0
  const held = past ? heldAt(entry) : null
  const verdict = judgeChain(head, entry, held?.digest ?? null)
  if (verdict === 'duplicate') return { kind: 'duplicate' }
  if (verdict === 'gap') return { kind: 'gap', missing: missingBefore(head, entry) }
  const assertions = assertionsOfEntry(log, entry)
  const against = announced === null ? null : contradiction(announced.assertions, assertions)
  if (announced !== null && against !== null) return { kind: 'fork', statements: [announced.token, token], reason: against }
  if (verdict === 'next') {
    for (const named of namedByLoss(entry)) {
      const there = heldAt(named)
      if (there === null || there.digest === named.digest) continue
      const reason = `${formatLogId(log)}: two digests at ${formatPosition(named)}`
      return { kind: 'fork', statements: [there.token, token], reason }
    }
    return { kind: 'next' }
  }
  // The entry contradicts one that is held: the one at its position, or the last one, which it does not follow.
  const other = held ?? (head === null ? null : heldAt(head))
  return {
    kind: 'fork',
    statements: [other?.token ?? '', token],
    reason: `${formatLogId(log)}: two histories at ${formatPosition(entry)}`,
  }
}
