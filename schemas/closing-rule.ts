/**
 * An entry at a position that a holder has passed and holds nothing at: it was pruned there, its epoch ended before it, or its origin
 * has declared it lost. The chain alone takes all of them for a repeat. What is held beside it tells more: the opening of the next
 * epoch says where the epoch ended, and an entry behind that end is the second of two histories; so is one that follows another entry
 * than the one held before it.
 */
import { type Assertion, assertionsOfEntry, contradiction } from './assertions.ts'
import type { Arriving, Verdict } from './settlement.ts'

export type HeldBeside = { readonly token: string; readonly assertions: readonly Assertion[] }

/**
 * `beside` is what is held of the opening of the epoch that follows the entry's own, and of the entry before it. Null when all of them
 * can be true.
 */
export function judgeBehindClosing(
  { log, entry, token }: Arriving,
  beside: readonly (HeldBeside | null)[],
): (Verdict & { kind: 'fork' }) | null {
  const own = assertionsOfEntry(log, entry)
  for (const held of beside) {
    const reason = held === null ? null : contradiction(held.assertions, own)
    if (held !== null && reason !== null) return { kind: 'fork', statements: [held.token, token], reason }
  }
  return null
}
