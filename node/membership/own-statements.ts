/** Everything that this node signs about itself is on disk before it leaves, so that what it did not sign is known as foreign. */
import type { Kysely } from 'kysely'
import type { Digest } from '../../schemas/digest.ts'
import { tokenDigest } from '../../schemas/envelope.ts'
import type { OwnMembershipTables } from './tables.ts'

export type OwnStatements = {
  note(kind: 'join' | 'keys' | 'alliance', token: string): Promise<void>
  digests(): Promise<ReadonlySet<Digest>>
  /** every change of its keys that this member signed */
  changes(): Promise<string[]>
}

export const openOwnStatements = (db: Kysely<OwnMembershipTables>): OwnStatements => ({
  async note(kind, token) {
    await db
      .insertInto('own_statement')
      .values({ digest: tokenDigest(token), kind, token })
      .onConflict(conflict => conflict.doNothing())
      .execute()
  },
  changes: async () =>
    (await db.selectFrom('own_statement').select('token').where('kind', '=', 'keys').orderBy('signed_at').execute()).map(
      row => row.token,
    ),
  digests: async () => new Set((await db.selectFrom('own_statement').select('digest').execute()).map(row => row.digest)),
})
