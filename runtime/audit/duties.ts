/** Who holds which duty in which deal. Deals and people are keyed hashes here. */
import type { Kysely } from 'kysely'
import { DUTIES, type Duty } from '../../schemas/access/duties.ts'
import type { AuditTables } from './tables.ts'

export type Duties = {
  held(deal: string, actor: string): Promise<readonly Duty[]>
  /** of several deals at once; a deal without any is not in the answer */
  heldIn(deals: readonly string[], actor: string): Promise<ReadonlyMap<string, readonly Duty[]>>
  /** Taken before the act, so that no crash between the two leaves it unknown. */
  take(deals: readonly string[], actor: string, duty: Duty): Promise<void>
}

const isDuty = (text: string): text is Duty => Object.hasOwn(DUTIES, text)

export const openDuties = (db: Kysely<AuditTables>): Duties => ({
  async held(deal, actor) {
    const rows = await db.selectFrom('deal_duty').select('duty').where('deal', '=', deal).where('actor', '=', actor).execute()
    return rows.map(({ duty }) => duty).filter(isDuty)
  },
  async heldIn(deals, actor) {
    if (deals.length === 0) return new Map()
    const rows = await db
      .selectFrom('deal_duty')
      .select(['deal', 'duty'])
      .where('deal', 'in', [...deals])
      .where('actor', '=', actor)
      .execute()
    const byDeal = Map.groupBy(rows, row => row.deal)
    return new Map([...byDeal].map(([deal, held]) => [deal, held.map(({ duty }) => duty).filter(isDuty)]))
  },
  async take(deals, actor, duty) {
    if (deals.length === 0) return
    await db
      .insertInto('deal_duty')
      .values([...new Set(deals)].map(deal => ({ deal, actor, duty })))
      .onConflict(conflict => conflict.doNothing())
      .execute()
  },
})
