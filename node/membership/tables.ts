/** What this node signed about itself, and what others tried in its name. */
import { type Generated, type Kysely, sql } from 'kysely'

type OwnStatementRow = { digest: string; kind: 'join' | 'keys' | 'alliance'; token: string; signed_at: Generated<Date> }
type AlarmRow = { seq: number; act: string; by: string; proof: string; found_at: Generated<Date> }

/** keys of the hub whose fingerprint somebody compared with what was told by another way */
type AnchorConfirmationRow = { fingerprint: string; confirmed_at: Generated<Date> }

export type OwnMembershipTables = {
  own_statement: OwnStatementRow
  membership_alarm: AlarmRow
  anchor_confirmation: AnchorConfirmationRow
}

export const ownMembershipMigration = {
  name: '0012-own-membership',
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      CREATE TABLE own_statement (
        digest text PRIMARY KEY, kind text NOT NULL, token text NOT NULL, signed_at timestamptz NOT NULL DEFAULT now()
      )`.execute(db)
    await sql`
      CREATE TABLE membership_alarm (
        seq integer PRIMARY KEY, act text NOT NULL, "by" text NOT NULL, proof text NOT NULL,
        found_at timestamptz NOT NULL DEFAULT now()
      )`.execute(db)
    await sql`
      CREATE TABLE anchor_confirmation (
        fingerprint text PRIMARY KEY, confirmed_at timestamptz NOT NULL DEFAULT now()
      )`.execute(db)
  },
}
