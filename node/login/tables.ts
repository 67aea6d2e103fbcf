/**
 * What the login keeps: the provider's state, the questions that are open, who has logged in for the few minutes in which a client may
 * ask, and for longer: events of use, the watch list, and figures without anybody in them.
 */
import { type Generated, type Kysely, sql } from 'kysely'

/** Found by digests of what clients and browsers carry, so that reading the table gives nobody a code or a token. */
type LoginStateRow = {
  kind: string
  id: string
  payload: string
  uid: string | null
  grant_id: string | null
  consumed_at: Date | null
  expires_at: Date
}
type LoginChallengeRow = { interaction: string; statement: string; expires_at: Date; attempts: Generated<number> }
/** `claims` of one login at one client; goes with its tokens */
type LoginAccountRow = { id: string; client: string; sub: string; claims: string; expires_at: Date }

type CertificateUseRow = {
  id: string
  use: string
  used_at: Date
  /** `uscc:…` and the like of an organisation, `person:…` with a keyed hash of this node */
  holder: string
  uscc: string | null
  region: string | null
  /** member where the holder is at home; null where none has that territory */
  home: string | null
  ca_name: string
  certificate_digest: string
  /** a client of the login, or the system that reported it */
  system: string
  /** keyed hash of the holder, as the watch list has it */
  watch: string
  /** at home here, or watched here: it stays. Any other goes once its home has been told. */
  kept: boolean
  /** not in a log to the home node yet */
  due: boolean
}
type WatchedRow = { watch: string; reason: string; added_by: string; added_at: Generated<Date>; until: Date | null }
type CrossLoginRow = { month: string; home: string; ca_name: string; logins: number }

export type LoginTables = {
  login_state: LoginStateRow
  login_challenge: LoginChallengeRow
  login_account: LoginAccountRow
  certificate_use: CertificateUseRow
  watched_holder: WatchedRow
  cross_login: CrossLoginRow
}

export const loginMigration = {
  name: '0014-login',
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      CREATE TABLE login_state (
        kind text NOT NULL, id text NOT NULL, payload text NOT NULL, uid text, grant_id text, consumed_at timestamptz,
        expires_at timestamptz NOT NULL, PRIMARY KEY (kind, id)
      )`.execute(db)
    await sql`CREATE INDEX ON login_state (grant_id) WHERE grant_id IS NOT NULL`.execute(db)
    await sql`CREATE INDEX ON login_state (uid) WHERE uid IS NOT NULL`.execute(db)
    await sql`CREATE INDEX ON login_state (expires_at)`.execute(db)
    await sql`
      CREATE TABLE login_challenge (
        interaction text PRIMARY KEY, statement text NOT NULL, expires_at timestamptz NOT NULL, attempts integer NOT NULL DEFAULT 0
      )`.execute(db)
    await sql`
      CREATE TABLE login_account (
        id text PRIMARY KEY, client text NOT NULL, sub text NOT NULL, claims text NOT NULL, expires_at timestamptz NOT NULL
      )`.execute(db)
    await sql`
      CREATE TABLE certificate_use (
        id text PRIMARY KEY, use text NOT NULL, used_at timestamptz NOT NULL, holder text NOT NULL, uscc text, region text, home text,
        ca_name text NOT NULL, certificate_digest text NOT NULL, system text NOT NULL, watch text NOT NULL, kept boolean NOT NULL,
        due boolean NOT NULL
      )`.execute(db)
    await sql`CREATE INDEX ON certificate_use (used_at)`.execute(db)
    await sql`CREATE INDEX ON certificate_use (used_at) WHERE due`.execute(db)
    await sql`
      CREATE TABLE watched_holder (
        watch text PRIMARY KEY, reason text NOT NULL, added_by text NOT NULL, added_at timestamptz NOT NULL DEFAULT now(),
        until timestamptz
      )`.execute(db)
    await sql`
      CREATE TABLE cross_login (
        month text NOT NULL, home text NOT NULL, ca_name text NOT NULL, logins integer NOT NULL,
        PRIMARY KEY (month, home, ca_name)
      )`.execute(db)
  },
}
