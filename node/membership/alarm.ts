/**
 * The node watches its own entry. What the membership log says of it and it did not sign itself is kept with the entry that says so: the
 * proof that anybody can check. The exchange goes on; people have to act.
 */
import type { Kysely } from 'kysely'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import { type ForeignChange, foreignChangesOf } from '../../schemas/membership/own-entry.ts'
import { emptyState, type MembershipState } from '../../schemas/membership/state.ts'
import type { OwnStatements } from './own-statements.ts'
import type { OwnMembershipTables } from './tables.ts'

export type Alarm = Pick<ForeignChange, 'seq' | 'act' | 'proof'> & { readonly by: string; readonly found_at: Date }
export type OwnEntryWatch = AsyncDisposable & {
  alarms(): Promise<Alarm[]>
  /** one sentence for the health, null while nobody has to act */
  trouble(): string | null
}

export async function watchOwnEntry(options: {
  readonly db: Kysely<OwnMembershipTables>
  readonly own: string
  readonly keeper: MembershipKeeper
  readonly statements: OwnStatements
  readonly raised: (change: ForeignChange) => void
  /** an act of the hub's own about this member */
  readonly noticed: (change: ForeignChange) => void
  readonly failed: (error: unknown) => void
}): Promise<OwnEntryWatch> {
  const { db, own, keeper, statements } = options
  let trouble: string | null = null

  async function judge(before: MembershipState, after: MembershipState): Promise<void> {
    for (const change of await foreignChangesOf(own, before, after, await statements.digests())) {
      if (!change.alarm) {
        options.noticed(change)
        continue
      }
      const { seq, act, by, proof } = change
      trouble = `entry ${seq} of the membership log (${act}) changes this member without what this node signed; the proof is at /v1/membership/alarms`
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('membership_alarm')
        .values({ seq, act, by, proof })
        .onConflict(conflict => conflict.doNothing())
        .executeTakeFirst()
      if ((numInsertedOrUpdatedRows ?? 0n) > 0n) options.raised(change)
    }
  }

  const { fed, anchor } = keeper.state()
  await judge(emptyState({ fed, anchor }), keeper.state())
  let working: Promise<void> = Promise.resolve()
  const listening = keeper.onChange(({ before, after }) => {
    working = working.then(() => judge(before, after)).catch(options.failed)
  })
  return {
    alarms: () => db.selectFrom('membership_alarm').selectAll().orderBy('seq').execute(),
    trouble: () => trouble,
    async [Symbol.asyncDispose]() {
      listening[Symbol.dispose]()
      await working
    },
  }
}
