/**
 * What the node keeps of trust: every issue of every list that it saw, with its verdict; the services of those that stand, with the
 * period of each status; the newest revocation list of each address; and certificates that were brought in, with their verdicts.
 */
import { type ColumnType, type Generated, type Kysely, sql } from 'kysely'

type Bytes = ColumnType<Buffer, Uint8Array>

export type TrustListRow = {
  id: Generated<number>
  list_id: string
  origin: string
  sequence: number
  digest: string
  /** where its operator's log says it */
  log_id: number
  epoch: number
  seq: number
  ver: number
  token: string
  issued_at: Date | null
  next_update: Date | null
  /** code of what it was refused with; null for one that counts or counted */
  refusal: string | null
  reason: string | null
  seen_at: Generated<Date>
  /** its operator has taken the list back */
  withdrawn_at: Date | null
}

/** One status of one service of the issue that stands, and its period. */
export type CaServiceRow = {
  list_id: string
  fingerprint: string
  type: string
  entity: string
  region: string
  name: string
  status: string
  since: Date
  until: Date | null
  why: string | null
}

export type CrlRow = {
  /** the address, or `import:` with the digest of issuer and kind */
  source: string
  /** fingerprint of the certificate whose service names the address; null for one brought in by hand */
  service: string | null
  der: ColumnType<Buffer | null, Uint8Array | null>
  number: string | null
  delta: Generated<boolean>
  this_update: Date | null
  next_update: Date | null
  etag: string | null
  last_modified: string | null
  fetched_at: Date | null
  tried_at: Date | null
  failures: Generated<number>
  /** why the last try failed */
  problem: string | null
}

export type CertificateRow = {
  fingerprint: string
  der: Bytes
  kind: 'ca' | 'end'
  /** null of a person */
  subject: string | null
  issuer: string
  serial: string
  not_before: Date
  not_after: Date
  /** what its key is for: signing, encryption or both */
  key_use: 'sign' | 'encrypt' | 'both' | 'none'
  holder_kind: string | null
  /** a code of an organisation, or the pseudonym of a person */
  holder: string | null
  /** of the listed service above it */
  ca: string | null
  region: string | null
  result: string
  reason: string
  /** what the verdict rests on: trust lists and revocation lists */
  material: string
  verified_at: Date
  place: string | null
  imported_at: Generated<Date>
}

export type TrustTables = { trust_list: TrustListRow; ca_service: CaServiceRow; crl: CrlRow; certificate: CertificateRow }

export const trustMigration = {
  name: '0013-trust',
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      CREATE TABLE trust_list (
        id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        list_id text NOT NULL, origin text NOT NULL, sequence integer NOT NULL, digest text NOT NULL,
        log_id integer NOT NULL, epoch integer NOT NULL, seq bigint NOT NULL, ver integer NOT NULL, token text NOT NULL,
        issued_at timestamptz, next_update timestamptz, refusal text, reason text,
        seen_at timestamptz NOT NULL DEFAULT now(), withdrawn_at timestamptz,
        UNIQUE (log_id, list_id, ver)
      )`.execute(db)

    await sql`
      CREATE TABLE ca_service (
        list_id text NOT NULL, fingerprint text NOT NULL, type text NOT NULL, entity text NOT NULL, region text NOT NULL,
        name text NOT NULL, status text NOT NULL, since timestamptz NOT NULL, until timestamptz, why text,
        PRIMARY KEY (list_id, type, fingerprint, since)
      )`.execute(db)
    await sql`
      CREATE TABLE crl (
        source text PRIMARY KEY, service text, der bytea, number text, delta boolean NOT NULL DEFAULT false,
        this_update timestamptz, next_update timestamptz, etag text, last_modified text,
        fetched_at timestamptz, tried_at timestamptz, failures integer NOT NULL DEFAULT 0, problem text
      )`.execute(db)
    await sql`
      CREATE TABLE certificate (
        fingerprint text PRIMARY KEY, der bytea NOT NULL, kind text NOT NULL, subject text, issuer text NOT NULL,
        serial text NOT NULL, not_before timestamptz NOT NULL, not_after timestamptz NOT NULL, key_use text NOT NULL,
        holder_kind text, holder text, ca text, region text, result text NOT NULL, reason text NOT NULL, material text NOT NULL,
        verified_at timestamptz NOT NULL, place text, imported_at timestamptz NOT NULL DEFAULT now()
      )`.execute(db)
    await sql`CREATE INDEX ON certificate (holder, key_use) WHERE holder IS NOT NULL`.execute(db)
    await sql`CREATE INDEX ON certificate (kind) WHERE kind = 'ca'`.execute(db)
  },
}
