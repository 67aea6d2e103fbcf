/**
 * Where certificates are used. A list of who signs in where is a list of bidders (招标投标法 art. 22), so an event goes to two places only:
 * to the member where the holder is at home, in a log that nobody else can read, and to the watch list of the member where it happened.
 * What neither keeps is deleted once home has been told. Figures are counted by month, home and authority, and know nobody.
 */
import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Pseudonyms } from '../../runtime/audit/pseudonyms.ts'
import { digestOf } from '../../schemas/digest.ts'
import type { CertificateUseKind } from '../../schemas/login/scopes.ts'
import { chineseDay, voucherFor } from '../../schemas/membership/territory.ts'
import type { Membership } from '../../schemas/membership.ts'
import type { GoodCertificate } from './holder.ts'
import type { LoginTables } from './tables.ts'

export type CertificateUse = {
  readonly use: CertificateUseKind
  readonly verdict: GoodCertificate
  readonly der: Uint8Array
  readonly system: string
  readonly at: Date
}
export type Uses = {
  note(use: CertificateUse): Promise<void>
  /** what the watch list has for a holder; no code or hash of a person comes back out of it */
  watchOf(holder: string): string
}

const DAY_MS = 86_400_000
/** how long events of holders at home, and of watched ones, are kept */
const KEPT_DAYS = 366

export function createUses(options: {
  readonly db: Kysely<LoginTables>
  readonly own: string
  readonly membership: () => Membership
  readonly pseudonyms: Pick<Pseudonyms, 'key'>
  /** an event of a watched holder */
  readonly watched: (use: CertificateUseKind) => void
  /** an event stands that another member is to be told of */
  readonly due: () => void
}): Uses {
  const { db, own, membership, pseudonyms } = options
  const watchOf = (holder: string): string => pseudonyms.key('watch', holder)
  return {
    watchOf,
    async note({ use, verdict, der, system, at }) {
      const { holder, ca, region } = verdict
      const home = region === null ? null : (voucherFor(membership().members.values(), region, chineseDay(at))?.code ?? null)
      const watch = watchOf(holder.id)
      const elsewhere = home !== null && home !== own
      const isWatched = await db.transaction().execute(async trx => {
        const entry = await trx
          .selectFrom('watched_holder')
          .select('watch')
          .where('watch', '=', watch)
          .where(row => row.or([row('until', 'is', null), row('until', '>', at)]))
          .executeTakeFirst()
        const kept = home === own || entry !== undefined
        if (kept || elsewhere)
          await trx
            .insertInto('certificate_use')
            .values({
              id: randomUUID(),
              use,
              used_at: at,
              holder: holder.id,
              uscc: holder.uscc,
              region,
              home,
              ca_name: ca.name,
              certificate_digest: digestOf(der),
              system,
              watch,
              kept,
              due: elsewhere,
            })
            .execute()
        if (use === 'sign-in' && elsewhere)
          await trx
            .insertInto('cross_login')
            .values({ month: chineseDay(at).slice(0, 7), home, ca_name: ca.name, logins: 1 })
            .onConflict(conflict =>
              conflict.columns(['month', 'home', 'ca_name']).doUpdateSet(row => ({ logins: row('cross_login.logins', '+', 1) })),
            )
            .execute()
        return entry !== undefined
      })
      if (isWatched) options.watched(use)
      if (elsewhere) options.due()
    },
  }
}

export async function purgeUses(db: Kysely<LoginTables>, now: Date): Promise<void> {
  await db
    .deleteFrom('certificate_use')
    .where('used_at', '<', new Date(now.getTime() - KEPT_DAYS * DAY_MS))
    .execute()
}
