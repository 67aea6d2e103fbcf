/**
 * An entry at a position that a holder has passed and holds nothing at: either it was pruned there, or its epoch ended before it.
 * The chain alone takes both for a repeat. The opening of the next epoch, where it is held, tells them apart: it says where the
 * epoch ended, and an entry behind that end is the second of two histories.
 */
import { type Assertion, assertionsOfEntry, contradiction } from './assertions.ts'
import type { Arriving, Verdict } from './settlement.ts'

export type HeldOpening = { readonly token: string; readonly assertions: readonly Assertion[] }

/** `after` is the opening of the epoch that follows the entry's own, if it is held. Null when the two can both be true. */
export function judgeBehindClosing(
  { log, entry, token }: Arriving,
  after: HeldOpening | null,
): (Verdict & { kind: 'fork' }) | null {
  if (after === null) return null
  const reason = contradiction(after.assertions, assertionsOfEntry(log, entry))
  return reason === null ? null : { kind: 'fork', statements: [after.token, token], reason }
}
