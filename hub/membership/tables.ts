/** The hub's office: whom it invited, who asked to join, and alliances that wait for consents. What it entered stands in the log. */
import { type ColumnType, type Generated, type Kysely, sql } from 'kysely'

type Json<Type> = ColumnType<Type, string, string>

type InvitationRow = {
  ticket: string
  code: string
  /** kind, names, datasets, territory, platforms of the admission */
  admission: Json<object>
  /** of the one-time secret, which is stored nowhere */
  secret_digest: string
  invited_by: string
  invited_at: Generated<Date>
  expires_at: Date
  withdrawn_at: Date | null
}
type JoinRequestRow = {
  ticket: string
  token: string
  fingerprint: string
  received_at: Generated<Date>
  approved_by: string | null
  refused_by: string | null
  reason: string | null
  decided_at: Date | null
}
type ProposalRow = {
  alliance: string
  zh: string
  en: string
  members: Json<readonly string[]>
  past: boolean
  proposed_at: Generated<Date>
}
type ConsentRow = { alliance: string; code: string; token: string; received_at: Generated<Date> }

export type OfficeTables = {
  invitation: InvitationRow
  join_request: JoinRequestRow
  alliance_proposal: ProposalRow
  alliance_consent: ConsentRow
}

export const officeMigration = {
  name: '0011-office',
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      CREATE TABLE invitation (
        ticket text PRIMARY KEY, code text NOT NULL, admission jsonb NOT NULL, secret_digest text NOT NULL,
        invited_by text NOT NULL, invited_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL,
        withdrawn_at timestamptz
      )`.execute(db)
    await sql`CREATE INDEX ON invitation (code, invited_at)`.execute(db)
    await sql`
      CREATE TABLE join_request (
        ticket text PRIMARY KEY REFERENCES invitation, token text NOT NULL, fingerprint text NOT NULL,
        received_at timestamptz NOT NULL DEFAULT now(), approved_by text, refused_by text, reason text, decided_at timestamptz
      )`.execute(db)
    await sql`
      CREATE TABLE alliance_proposal (
        alliance text PRIMARY KEY, zh text NOT NULL, en text NOT NULL, members jsonb NOT NULL, past boolean NOT NULL,
        proposed_at timestamptz NOT NULL DEFAULT now()
      )`.execute(db)
    await sql`
      CREATE TABLE alliance_consent (
        alliance text NOT NULL, code text NOT NULL, token text NOT NULL, received_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (alliance, code)
      )`.execute(db)
  },
}
