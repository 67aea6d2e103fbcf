/**
 * Whether a log begins with a snapshot here, and whose word is enough. A newcomer cannot compute the root that an origin has signed, so
 * every other holder is asked first: one that has found another root is believed, because the log can be read from its first entry as
 * well. A false alarm costs time, a false state would cost more.
 */
import { isRestricted } from './content-key.ts'
import type { LogHead, LogId } from './log.ts'
import type { SnapshotMark } from './snapshot.ts'

/** rounds in which the hub is waited for, which gives nothing that it has not judged; the origin's own word counts after that */
export const HUB_ROUNDS = 20
/** rounds in which somebody answers and nobody gives the snapshot, before the log is read from its first entry */
export const MOST_ROUNDS = 30

/** Only a log of which nothing is held yet, and only where a snapshot is worth it. Of a restricted log there is none. */
export const mayBootstrap = (
  log: LogId,
  held: { readonly head: LogHead | null; readonly frozen: boolean } | null,
  mark: SnapshotMark,
  leastEntries: number,
): boolean =>
  !isRestricted(log.audience) && held?.head == null && held?.frozen !== true && (mark.at.epoch > 1 || mark.at.seq >= leastEntries)

/** `gives` the manifest that the root names; `refuses` because another root follows from the log; `lacks` it; `silent`: no answer. */
export type KeeperAnswer = { readonly holder: string; readonly said: 'gives' | 'refuses' | 'lacks' | 'silent' }

export type KeeperVerdict =
  | { readonly kind: 'load'; readonly keepers: readonly string[] }
  | { readonly kind: 'refused'; readonly by: string }
  /** `silence` costs no round: nobody has said anything */
  | { readonly kind: 'wait' | 'silence' }

export function judgeKeepers(answers: readonly KeeperAnswer[], round: number): KeeperVerdict {
  const by = answers.find(({ said }) => said === 'refuses')
  if (by !== undefined) return { kind: 'refused', by: by.holder }
  if (answers.every(({ said }) => said === 'silent')) return { kind: 'silence' }
  const keepers = answers.filter(({ said }) => said === 'gives').map(({ holder }) => holder)
  const hubLacks = answers.some(({ holder, said }) => holder === 'hub' && said === 'lacks')
  return hubLacks && round < HUB_ROUNDS ? { kind: 'wait' } : { kind: 'load', keepers }
}
