/**
 * Suspension, its end, and marks. A suspension ends every log of the member where this hub's ledger holds it: read while nothing can be
 * appended, and until it is in force no receipt is signed for the member, so that none ever speaks of what comes after.
 */
import { type Kysely, sql } from 'kysely'
import { readLogs } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { comparePositions, formatLogId, type LogHead, type LogId } from '../../schemas/log.ts'
import type { MembershipEntry } from '../../schemas/membership/entries.ts'
import { wireClosing } from '../../schemas/membership/keys.ts'
import type { Membership } from '../../schemas/membership.ts'
import type { MembershipLog } from './log.ts'
import type { ReceiptHold } from './receipt-hold.ts'

export type Standings = {
  suspend(code: string, why: string): Promise<MembershipEntry>
  resume(code: string): Promise<MembershipEntry>
  mark(code: string, mark: { readonly mark: string; readonly until: Date; readonly digest: string }): Promise<MembershipEntry>
}

export function createStandings(options: {
  readonly db: Kysely<LedgerTables>
  readonly log: MembershipLog
  readonly hold: ReceiptHold
}): Standings {
  const { db, log, hold } = options
  return {
    suspend: (code, why) =>
      hold.during(code, async () => {
        const closings = await db.transaction().execute(async trx => {
          // Whatever is being appended is waited for; what comes after it gets no receipt.
          await sql`LOCK TABLE log IN EXCLUSIVE MODE`.execute(trx)
          return (await readLogs(trx)).flatMap(({ log: id, head }) =>
            id.origin === code && head !== null ? [wireClosing(id, head)] : [],
          )
        })
        return log.append({ act: 'suspend', code, closings, why })
      }),
    resume: code => log.append({ act: 'resume', code }),
    mark: (code, { mark, until, digest }) => {
      if (Number.isNaN(until.getTime())) throw new ExchangeError('REQUEST_INVALID', 'until: expected a time')
      return log.append({ act: 'mark', code, mark, until: Math.floor(until.getTime() / 1000), dig: digest })
    },
  }
}

/**
 * Whether the hub may still say that it holds a log up to there: never past where the log was closed, nor while it is being closed. A
 * receipt that is held back is asked for again.
 */
export function mayReceipt(membership: Membership, closingNow: ReadonlySet<string>, log: LogId, head: LogHead): boolean {
  if (closingNow.has(log.origin)) return false
  const closings = membership.members.get(log.origin)?.closings ?? null
  if (closings === null) return true
  const closing = closings.get(formatLogId(log))
  return closing !== undefined && comparePositions(head, closing) <= 0
}
