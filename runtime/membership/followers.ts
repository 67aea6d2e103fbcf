/** One follower for each origin, those included that are admitted while the program runs. */
import type { Follower } from '../ledger/follower.ts'
import type { MembershipSource } from './keeper.ts'

export type Followers = AsyncDisposable & { all(): readonly Follower[] }

export function keepFollowers(options: {
  readonly source: MembershipSource
  /** this program's code, or `hub` */
  readonly own: string
  readonly follow: (origin: string) => Follower
}): Followers {
  const { source, own } = options
  const followers = new Map<string, Follower>()
  function keep(): void {
    for (const code of source.membership().members.keys())
      if (code !== own && !followers.has(code)) followers.set(code, options.follow(code))
  }
  keep()
  const listening = source.onChange(keep)
  return {
    /** Of origins that have left or are suspended nothing more comes: their silence is no trouble. */
    all: () =>
      [...followers].flatMap(([code, follower]) =>
        source.membership().members.get(code)?.standing === 'admitted' ? [follower] : [],
      ),
    async [Symbol.asyncDispose]() {
      listening[Symbol.dispose]()
      await Promise.all([...followers.values()].map(follower => follower[Symbol.asyncDispose]()))
    },
  }
}
