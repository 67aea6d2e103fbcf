/** What a holder finds of the root that an origin announces, once it has computed its own. */
import type { Digest } from './digest.ts'
import type { SnapshotMark } from './snapshot.ts'

export type RootFinding = { readonly verdict: 'same' | 'differs'; readonly ownRoot: Digest; readonly reason: string | null }

export function judgeRoot(
  announced: Pick<SnapshotMark, 'root' | 'records'>,
  own: { readonly root: Digest; readonly records: number },
): RootFinding {
  if (announced.root !== own.root) return { verdict: 'differs', ownRoot: own.root, reason: 'another root follows from the log' }
  if (announced.records === own.records) return { verdict: 'same', ownRoot: own.root, reason: null }
  return { verdict: 'differs', ownRoot: own.root, reason: `expected ${own.records} records, announced are ${announced.records}` }
}
