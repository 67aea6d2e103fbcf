/**
 * An origin that was restored and can have its last entries back from nobody opens a new epoch and declares them lost. What it knows of
 * them are tokens of its own that others showed, and its own note of how far it had sealed. Decided here: what is lost, which epoch
 * is certainly new, and which versions no lost record can have. Whether to do it is an operator's decision, never a program's.
 *
 * The closing is no end. Somebody may still bring an entry behind it that nobody showed: it is void like the others, and no fork.
 */
import { LIMITS } from './limits.ts'
import { comparePositions, type LogHead, type Loss, type Position } from './log.ts'
import type { Witness } from './sync.ts'

export type Reopening = {
  readonly epoch: number
  /** the highest position that the origin is known to have signed, null if it holds nothing and nobody shows anything */
  readonly closing: LogHead | null
  readonly lost: Loss
  /** the last position that may be lost, as far as anything says */
  readonly until: Position
}

/** entries that may have been sealed behind the last that anything speaks of */
const UNSEEN_ENTRIES = 256
/** of an epoch whose end nobody shows */
const UNSEEN_EPOCH = 65_536
const MOST_VERSION = 2_000_000_000

/** Null if nothing is known to be lost. `highest` is the highest version of the log's records here. */
export function planReopening(
  held: LogHead | null,
  witnesses: readonly Witness[],
  mark: Position | null,
  highest: number,
): Reopening | null {
  const ahead = (at: Position): boolean => held === null || comparePositions(at, held) > 0
  const shown = witnesses
    .map(witness => witness.head)
    .filter(ahead)
    .sort((a, b) => comparePositions(b, a))
  const [furthest = null] = shown
  const reaches = [furthest, mark].filter(at => at !== null).filter(ahead)
  const [until] = reaches.sort((a, b) => comparePositions(b, a))
  if (until === undefined) return null
  const floor = Math.min(MOST_VERSION, highest + LIMITS.recordsPerEnvelope * mostLost(held, until))
  return {
    epoch: until.epoch + 1,
    closing: furthest ?? held,
    until: { epoch: until.epoch, seq: until.seq },
    lost:
      held === null
        ? { epoch: 1, seq: 0, previous: null, floor }
        : { epoch: held.epoch, seq: held.seq + 1, previous: held.digest, floor },
  }
}

/** Every lost entry may have counted a key up by as many versions as an envelope has records. */
function mostLost(held: LogHead | null, until: Position): number {
  const from = held ?? { epoch: 1, seq: -1 }
  if (from.epoch === until.epoch) return until.seq - from.seq + UNSEEN_ENTRIES
  return (until.epoch - from.epoch) * UNSEEN_EPOCH + until.seq + 1 + UNSEEN_ENTRIES
}

/** The first version that may be given behind `standing`: after a loss, above everything that was lost. */
export const versionAfter = (standing: number, floor: number): number => Math.max(standing, floor) + 1
