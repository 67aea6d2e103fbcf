/** Clients with their public keys and rights, the keys that tokens are signed with here, and the assertions that were used up. */
import { type Generated, type Kysely, sql } from 'kysely'

type ClientRow = {
  id: string
  /** as registered: name, keys, roles, scope, rate */
  description: string
  added_at: Generated<Date>
  added_by: string
  removed_at: Date | null
}
type TokenKeyRow = { kid: string; jwk: string; good_until: Date | null }
type UsedAssertionRow = { client: string; jti: string; good_until: Date }

export type AccessTables = { client: ClientRow; token_key: TokenKeyRow; used_assertion: UsedAssertionRow }

export const accessMigration = {
  name: '0009-access',
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      CREATE TABLE client (
        id text PRIMARY KEY, description text NOT NULL, added_at timestamptz NOT NULL DEFAULT now(), added_by text NOT NULL,
        removed_at timestamptz
      )`.execute(db)
    await sql`CREATE TABLE token_key (kid text PRIMARY KEY, jwk text NOT NULL, good_until timestamptz)`.execute(db)
    await sql`
      CREATE TABLE used_assertion (
        client text NOT NULL, jti text NOT NULL, good_until timestamptz NOT NULL, PRIMARY KEY (client, jti)
      )`.execute(db)
  },
}
