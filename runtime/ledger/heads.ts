/**
 * The newest signed head of every origin. Its time says whether the origin lives, its positions how far this holder is behind;
 * the token itself is kept, because it is evidence.
 */
import { type Kysely, sql } from 'kysely'
import { isNewerHead } from '../../schemas/head-rule.ts'
import { comparePositions, formatLogId, type LogHead, type LogId } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { type Head, openHead } from '../../schemas/statements.ts'
import { heardSubject } from '../../schemas/subjects.ts'
import type { Broker } from '../nats.ts'
import { checkHead, type Fork } from './forks.ts'
import type { LedgerTables } from './tables.ts'

/** How often an idle origin states its head, and after how long without one it counts as late: three of them and a little. */
export const HEAD_INTERVAL_MS = 15_000
export const LATE_AFTER_MS = 50_000

export type HeadListener = Disposable & {
  /** takes a head that came as the answer to a question; it verifies the same */
  take(token: string): Promise<void>
  newest(origin: string, audience: string): Head | null
  all(): Head[]
}

/** `head.<origin>.<audience>` */
const originOf = (subject: string): string => subject.split('.')[1] ?? 'unknown'

export async function listenHeads(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  readonly membership: () => Membership
  /** subjects to listen to */
  readonly filters: readonly string[]
  readonly forked: (fork: Fork) => void
  /** `origin`: under whose subject it came */
  readonly refused: (error: unknown, origin: string) => void
}): Promise<HeadListener> {
  const { broker, db } = options
  const newest = new Map<string, Head>()
  const keyOf = (head: { origin: string; audience: string }): string => `${head.origin}/${head.audience}`
  for (const row of await db.selectFrom('announced').select('token').execute()) {
    const head = await openHead(row.token, options.membership()).catch((): null => null)
    if (head !== null) newest.set(keyOf(head), head)
  }

  async function take(token: string, subject: string | null): Promise<void> {
    const head = await openHead(token, options.membership())
    if (subject !== null && subject !== heardSubject(head.origin, head.audience)) return
    const before = newest.get(keyOf(head)) ?? null
    const newer = isNewerHead(before, head)
    // The statement and the forks found with it stand or fall together: a crash between them would keep one and lose the proof.
    const forks = await db.transaction().execute(async trx => {
      const found = await checkHead(trx, head, before, options.membership())
      if (!newer) return found
      await trx
        .insertInto('announced')
        .values({ origin: head.origin, audience: head.audience, issued_at: head.issuedAt, token })
        .onConflict(conflict =>
          conflict.columns(['origin', 'audience']).doUpdateSet({ issued_at: head.issuedAt, token, received_at: sql<Date>`now()` }),
        )
        .execute()
      return found
    })
    if (newer) newest.set(keyOf(head), head)
    for (const fork of forks) options.forked(fork)
  }

  const subscriptions = options.filters.map(filter =>
    broker.connection.subscribe(filter, {
      callback: (error, message) => {
        if (error === null)
          void take(message.string(), message.subject).catch(failure => options.refused(failure, originOf(message.subject)))
      },
    }),
  )
  return {
    take: token => take(token, null),
    newest: (origin, audience) => newest.get(`${origin}/${audience}`) ?? null,
    all: () => [...newest.values()],
    [Symbol.dispose]() {
      for (const subscription of subscriptions) subscription.unsubscribe()
    },
  }
}

/** Of an origin's newest head: still fresh, overdue, or never seen. */
export function livenessOf(head: Head | null, now: Date): 'current' | 'late' | 'missing' {
  if (head === null) return 'missing'
  return now.getTime() - head.issuedAt.getTime() > LATE_AFTER_MS ? 'late' : 'current'
}

/**
 * The logs of which another member has lately seen more than the origin's heads that came here say, though those are overdue: the origin
 * lives, and somebody keeps its heads from this program. Of several members the one that has seen most is named.
 */
export function withheldHeads(
  heads: readonly Head[],
  own: string | null,
  now: Date,
): { readonly log: LogId; readonly by: string; readonly seen: LogHead }[] {
  const found = new Map<string, { log: LogId; by: string; seen: LogHead }>()
  for (const witness of heads.filter(head => head.origin !== own && livenessOf(head, now) === 'current')) {
    for (const { log, head: seen } of witness.held) {
      if (log.origin === own) continue
      const announced = heads.find(head => head.origin === log.origin && head.audience === log.audience) ?? null
      const at = announced?.logs.find(one => formatLogId(one.log) === formatLogId(log))?.head
      const best = found.get(formatLogId(log))?.seen ?? at
      const further = best === undefined || comparePositions(seen, best) > 0
      if (further && livenessOf(announced, now) !== 'current') found.set(formatLogId(log), { log, by: witness.origin, seen })
    }
  }
  return [...found.values()]
}
