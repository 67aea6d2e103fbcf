/**
 * The ledger's tables, the same in hub and node. `log` holds where each log stands here; `envelope` every entry of it as it came;
 * `redaction` what was erased of them; `quarantine` what was refused, with its bytes and code; `announced` the newest signed head of every origin.
 */
import { type ColumnType, type Generated, type Kysely, sql } from 'kysely'

type Bytes = ColumnType<Buffer | null, Uint8Array | null>

export type LogRow = {
  id: Generated<number>
  origin: string
  dataset: string
  audience: string
  /** position of the last entry held; epoch 0 while there is none */
  epoch: Generated<number>
  seq: Generated<number>
  digest: string | null
  issued_at: Date | null
  /** own logs: up to where the hub's receipts say that it holds them */
  receipt_epoch: Generated<number>
  receipt_seq: Generated<number>
  receipt_digest: string | null
  receipt_token: string | null
  /** a log that began here with a snapshot: the position whose state it was, and the head that announced it; epoch 0 for none */
  base_epoch: Generated<number>
  base_seq: Generated<number>
  base_digest: string | null
  base_token: string | null
}

export type EnvelopeRow = {
  log_id: number
  epoch: number
  seq: number
  digest: string
  token: string
  encoding: string
  body: Bytes
  records: number
  received_at: Generated<Date>
  /** code of the refusal, if its origin said it but nothing of it was applied */
  refusal: string | null
}

export type QuarantineRow = {
  id: Generated<number>
  /** digest over what was refused and why: the same refusal stands once */
  identity: string
  kind: 'envelope' | 'record' | 'row' | 'proof'
  origin: string | null
  dataset: string | null
  audience: string | null
  epoch: number | null
  seq: number | null
  /** of a record in its envelope */
  item: number | null
  key: string | null
  /** of a row: file and line; of an envelope: its subject; of a proof, which has no origin of its own: who sent it, as in `origin` */
  place: string | null
  line: number | null
  field: string | null
  rule: string | null
  code: string
  reason: string
  reason_zh: string | null
  /** null past the quota: digest and count remain */
  content: Bytes
  content_digest: string
  content_bytes: number
  arrived_at: Generated<Date>
  /** of an envelope: how its body is encoded */
  encoding: string | null
  /** of a row: what it takes to read it again */
  adapter: string | null
  mapping: string | null
  platform: string | null
  heading: string | null
  read_at: Date | null
  released_at: Date | null
  /** what became of it when it was released */
  outcome: string | null
}

/** A log whose origin has signed two statements that cannot both be true. The statements are the proof. */
export type ForkRow = { log_id: number; reason: string; statement_a: string; statement_b: string; found_at: Generated<Date> }

/** The hub has signed what cannot be true. It stands alone accused; the logs go on. */
export type ConvictionRow = {
  id: Generated<number>
  identity: string
  reason: string
  statement_a: string
  statement_b: string
  found_at: Generated<Date>
}

export type AnnouncedRow = {
  origin: string
  audience: string
  issued_at: Date
  received_at: Generated<Date>
  token: string
}

/** A redaction that was applied here. Of several at one position the newest names all keys erased there. */
export type RedactionRow = {
  log_id: number
  epoch: number
  seq: number
  /** number of keys that it names */
  erased: number
  newest: boolean
  token: string
  old_digest: string
  new_digest: string
  issued_at: Date
  applied_at: Generated<Date>
}

/** A snapshot kept here for others; whole once all its chunks are. */
export type SnapshotRow = {
  id: Generated<number>
  log_id: number
  epoch: number
  seq: number
  digest: string
  root: string
  records: number
  manifest: ColumnType<Buffer, Uint8Array>
  whole: boolean
  made_at: Generated<Date>
}

export type SnapshotChunkRow = {
  snapshot_id: number
  number: number
  first_key: string
  last_key: string
  encoding: string
  body: ColumnType<Buffer, Uint8Array>
}

/** What an origin announced as the root of its state, and what this holder found. */
export type StateRootRow = {
  log_id: number
  epoch: number
  seq: number
  digest: string
  root: string
  records: number
  /** the head that announced it: with the own root, the evidence against its origin */
  token: string
  verdict: 'same' | 'differs' | 'unjudged' | 'loaded' | 'refused'
  own_root: string | null
  reason: string | null
  judged_at: Generated<Date>
}

/** A log that is being loaded from a snapshot, and the groups of it that stand already. */
export type BootstrapRow = {
  log_id: number
  epoch: number
  seq: number
  digest: string
  root: string
  records: number
  token: string
  manifest: ColumnType<Buffer | null, Uint8Array | null>
}
export type BootstrapGroupRow = { log_id: number; number: number; records: number; first_key: string; last_key: string }

/** Beside a base: the newest entry before it that is missing here still; no digest once the history is whole and not judged yet. */
export type BackfillRow = { log_id: number; epoch: number; seq: number; digest: string | null }

export type LedgerTables = {
  log: LogRow
  envelope: EnvelopeRow
  redaction: RedactionRow
  quarantine: QuarantineRow
  announced: AnnouncedRow
  fork: ForkRow
  conviction: ConvictionRow
  snapshot: SnapshotRow
  snapshot_chunk: SnapshotChunkRow
  state_root: StateRootRow
  bootstrap: BootstrapRow
  bootstrap_group: BootstrapGroupRow
  backfill: BackfillRow
}

export const ledgerMigration = {
  name: '0001-ledger',
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      CREATE TABLE log (
        id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        origin text NOT NULL, dataset text NOT NULL, audience text NOT NULL,
        epoch integer NOT NULL DEFAULT 0, seq bigint NOT NULL DEFAULT 0, digest text, issued_at timestamptz,
        receipt_epoch integer NOT NULL DEFAULT 0, receipt_seq bigint NOT NULL DEFAULT 0, receipt_digest text, receipt_token text,
        base_epoch integer NOT NULL DEFAULT 0, base_seq bigint NOT NULL DEFAULT 0, base_digest text, base_token text,
        UNIQUE (origin, dataset, audience)
      )`.execute(db)
    await sql`
      CREATE TABLE envelope (
        log_id integer NOT NULL REFERENCES log, epoch integer NOT NULL, seq bigint NOT NULL,
        digest text NOT NULL, token text NOT NULL, encoding text NOT NULL, body bytea, records integer NOT NULL,
        received_at timestamptz NOT NULL DEFAULT now(), refusal text,
        PRIMARY KEY (log_id, epoch, seq)
      )`.execute(db)
    await sql`
      CREATE TABLE redaction (
        log_id integer NOT NULL REFERENCES log, epoch integer NOT NULL, seq bigint NOT NULL, erased integer NOT NULL, newest boolean NOT NULL,
        token text NOT NULL, old_digest text NOT NULL, new_digest text NOT NULL,
        issued_at timestamptz NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (log_id, epoch, seq, erased)
      )`.execute(db)
    await sql`CREATE UNIQUE INDEX ON redaction (log_id, epoch, seq) WHERE newest`.execute(db)
    await sql`CREATE INDEX ON redaction (log_id, issued_at, epoch, seq) WHERE newest`.execute(db)
    // Openings, and what was declared lost: few rows, found without reading a log (`losses.ts`).
    await sql`CREATE INDEX ON envelope (log_id, epoch) WHERE seq = 0`.execute(db)
    await sql`CREATE INDEX ON envelope (log_id, epoch, seq) WHERE refusal = 'ENTRY_DECLARED_LOST'`.execute(db)
    // Bodies come compressed or incompressible; compressing them once more costs and saves nothing.
    await sql`ALTER TABLE envelope ALTER COLUMN body SET STORAGE EXTERNAL`.execute(db)
    await sql`
      CREATE TABLE quarantine (
        id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        identity text NOT NULL UNIQUE, kind text NOT NULL,
        origin text, dataset text, audience text, epoch integer, seq bigint, item integer, key text,
        place text, line integer, field text, rule text,
        code text NOT NULL, reason text NOT NULL, reason_zh text,
        content bytea, content_digest text NOT NULL, content_bytes integer NOT NULL,
        arrived_at timestamptz NOT NULL DEFAULT now(), encoding text,
        adapter text, mapping text, platform text, heading text, read_at timestamptz,
        released_at timestamptz, outcome text
      )`.execute(db)
    await sql`
      CREATE TABLE fork (
        log_id integer PRIMARY KEY REFERENCES log, reason text NOT NULL,
        statement_a text NOT NULL, statement_b text NOT NULL, found_at timestamptz NOT NULL DEFAULT now()
      )`.execute(db)
    await sql`
      CREATE TABLE conviction (
        id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, identity text NOT NULL UNIQUE, reason text NOT NULL,
        statement_a text NOT NULL, statement_b text NOT NULL, found_at timestamptz NOT NULL DEFAULT now()
      )`.execute(db)
    await sql`
      CREATE TABLE announced (
        origin text NOT NULL, audience text NOT NULL, issued_at timestamptz NOT NULL,
        received_at timestamptz NOT NULL DEFAULT now(), token text NOT NULL,
        PRIMARY KEY (origin, audience)
      )`.execute(db)
    await sql`
      CREATE TABLE snapshot (
        id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        log_id integer NOT NULL REFERENCES log, epoch integer NOT NULL, seq bigint NOT NULL, digest text NOT NULL,
        root text NOT NULL, records bigint NOT NULL, manifest bytea NOT NULL, whole boolean NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now()
      )`.execute(db)
    await sql`
      CREATE TABLE snapshot_chunk (
        snapshot_id integer NOT NULL REFERENCES snapshot ON DELETE CASCADE, number integer NOT NULL,
        first_key text COLLATE "C" NOT NULL, last_key text COLLATE "C" NOT NULL, encoding text NOT NULL, body bytea NOT NULL,
        PRIMARY KEY (snapshot_id, number)
      )`.execute(db)
    await sql`ALTER TABLE snapshot_chunk ALTER COLUMN body SET STORAGE EXTERNAL`.execute(db)
    await sql`
      CREATE TABLE state_root (
        log_id integer NOT NULL REFERENCES log, epoch integer NOT NULL, seq bigint NOT NULL, digest text NOT NULL,
        root text NOT NULL, records bigint NOT NULL, token text NOT NULL, verdict text NOT NULL, own_root text, reason text,
        judged_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (log_id, epoch, seq, root)
      )`.execute(db)
    await sql`
      CREATE TABLE bootstrap (
        log_id integer PRIMARY KEY REFERENCES log, epoch integer NOT NULL, seq bigint NOT NULL, digest text NOT NULL,
        root text NOT NULL, records bigint NOT NULL, token text NOT NULL, manifest bytea
      )`.execute(db)
    // Locks a log that is believed to stand at a position; where it does not, SQLSTATE 40001 says: read, and try again.
    await sql`
      CREATE FUNCTION expect_log(log_id integer, epoch integer, seq bigint, digest text, base_epoch integer, base_seq bigint)
      RETURNS void LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM FROM log AS l
        WHERE l.id = $1 AND l.epoch = $2 AND l.seq = $3 AND l.digest IS NOT DISTINCT FROM $4 AND l.base_epoch = $5 AND l.base_seq = $6
          AND NOT EXISTS (SELECT FROM fork AS f WHERE f.log_id = $1) AND NOT EXISTS (SELECT FROM bootstrap AS b WHERE b.log_id = $1)
        FOR UPDATE OF l;
        IF NOT FOUND THEN
          RAISE SQLSTATE '40001' USING MESSAGE = 'the log does not stand where it was believed to';
        END IF;
      END $$`.execute(db)
    await sql`
      CREATE TABLE backfill (
        log_id integer PRIMARY KEY REFERENCES log, epoch integer NOT NULL, seq bigint NOT NULL, digest text
      )`.execute(db)
    await sql`
      CREATE TABLE bootstrap_group (
        log_id integer NOT NULL REFERENCES bootstrap ON DELETE CASCADE, number integer NOT NULL, records integer NOT NULL,
        first_key text COLLATE "C" NOT NULL, last_key text COLLATE "C" NOT NULL,
        PRIMARY KEY (log_id, number)
      )`.execute(db)
  },
}
