/** From where on logs are held here that began with a snapshot: what stands before it may be missing, or come meanwhile (`backfill.ts`). */
import type { Kysely } from 'kysely'
import type { LogHead } from '../../schemas/log.ts'
import type { LogState } from './ledger.ts'
import type { LedgerTables } from './tables.ts'

/** Behind which entry a log is held here: the newest that is missing; null where none is. */
export async function heldBehind(db: Kysely<LedgerTables>, { id, base }: Pick<LogState, 'id' | 'base'>): Promise<LogHead | null> {
  if (base === null) return null
  const row = await db.selectFrom('backfill').selectAll().where('log_id', '=', id).executeTakeFirst()
  if (row === undefined) return { epoch: base.epoch, seq: base.seq, digest: base.digest }
  return row.digest === null ? null : { epoch: row.epoch, seq: row.seq, digest: row.digest }
}
