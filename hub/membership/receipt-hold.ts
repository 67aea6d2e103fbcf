/**
 * While a suspension is under way nobody of this hub signs a receipt for the member, in whatever process over this database. The hold is a
 * lock of the database and goes with the connection that has it, so a process that is killed leaves none behind. Whoever finds it free
 * asks next what was entered into the membership log: a suspension that ended the moment before is known then. An entry that was
 * appended before the hold began stands before the closings, because these are read under the ledger's own lock.
 */
import { type Kysely, sql } from 'kysely'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'

export type ReceiptHold = {
  /** No receipt for the member is signed until the work is done. */
  during<Type>(code: string, work: () => Promise<Type>): Promise<Type>
  /** Of these origins, those for which nothing may be signed now. What the others' membership says is known when it answers. */
  held(origins: readonly string[]): Promise<ReadonlySet<string>>
}

/** Any number that nothing else locks in this database. */
const LOCK = 4_711_030

export function createReceiptHold({
  db,
  refresh,
}: {
  readonly db: Kysely<LedgerTables>
  readonly refresh: () => Promise<void>
}): ReceiptHold {
  return {
    during: (code, work) =>
      db.connection().execute(async connection => {
        await sql`SELECT pg_advisory_lock(${LOCK}, ${code}::int)`.execute(connection)
        try {
          return await work()
        } finally {
          await sql`SELECT pg_advisory_unlock(${LOCK}, ${code}::int)`.execute(connection)
        }
      }),
    async held(origins) {
      if (origins.length === 0) return new Set()
      // Taken for this statement alone.
      const { rows } = await sql<{ code: string; free: boolean }>`
        SELECT code, pg_try_advisory_xact_lock_shared(${LOCK}, code::int) AS free FROM unnest(${[...new Set(origins)]}::text[]) AS o(code)`.execute(
        db,
      )
      await refresh()
      return new Set(rows.flatMap(({ code, free }) => (free ? [] : [code])))
    },
  }
}

/** For a membership that never changes. */
export const NO_HOLD: ReceiptHold = { during: (_code, work) => work(), held: async () => new Set() }
