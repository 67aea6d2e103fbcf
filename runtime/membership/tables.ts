/** The membership log as this program holds it: every entry that took its position, applied or refused. */
import { type Generated, type Kysely, sql } from 'kysely'

type MembershipEntryRow = {
  seq: number
  digest: string
  token: string
  /** code of the rule that refused it; it then changed nothing */
  refusal: string | null
  received_at: Generated<Date>
}

/** Entries of a thief of the hub's key that stood here until the hub said so: evidence. */
type DroppedEntryRow = { digest: string; seq: number; token: string; dropped_at: Generated<Date> }

export type MembershipTables = { membership_entry: MembershipEntryRow; membership_dropped: DroppedEntryRow }

export const membershipMigration = {
  name: '0010-membership',
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      CREATE TABLE membership_entry (
        seq integer PRIMARY KEY, digest text NOT NULL, token text NOT NULL, refusal text,
        received_at timestamptz NOT NULL DEFAULT now()
      )`.execute(db)
    await sql`
      CREATE TABLE membership_dropped (
        digest text PRIMARY KEY, seq integer NOT NULL, token text NOT NULL, dropped_at timestamptz NOT NULL DEFAULT now()
      )`.execute(db)
  },
}
