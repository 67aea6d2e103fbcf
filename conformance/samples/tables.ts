/**
 * The tables of a sample trading system, the source of truth that everything in the federation is compared with. Columns have the
 * national specification's names in small letters, as in the systems of trading centres, so a row's envelope is its row under the
 * names in capitals. `leaves` says which columns do; every other one stays at home. `push` is the outbox: a row of it is written in the
 * transaction that changes the source, holds the envelope as it will be sent, and goes when the node has answered for it.
 */
import { type Kysely, sql } from 'kysely'

type Spec = { readonly key: string; readonly leaves: readonly string[]; readonly ddl: string }

const names = (text: string): readonly string[] => text.split(' ')

const PARTIES = 'tenderer_name tenderer_code tender_agency_name tender_agency_code'
const BODY = 'body_name body_code body_type body_role government document_code'
const PERIODS = 'publish_start publish_end confined_start confined_end confined_action'
const PARTIES_DDL = 'tenderer_name text NOT NULL, tenderer_code text NOT NULL, tender_agency_name text, tender_agency_code text'
const BODY_DDL =
  'body_name text NOT NULL, body_code text NOT NULL, body_type text NOT NULL, body_role text, government text NOT NULL, document_code text'
const PERIODS_DDL = 'publish_start date, publish_end date, confined_start date, confined_end date, confined_action text'
const PLACE_DDL = 'region_code text NOT NULL, platform_code text NOT NULL, changed_at timestamptz NOT NULL'

export const SOURCES = {
  legal_person: {
    key: 'legal_code',
    leaves: names(
      'legal_code legal_name legal_role region_code legal_industry legal_type reg_capital reg_unit reg_cap_currency reg_date legal_status platform_code',
    ),
    ddl: `legal_code text PRIMARY KEY, legal_name text NOT NULL, legal_role text NOT NULL, legal_industry text, legal_type text,
      reg_capital numeric(18,2), reg_unit text, reg_cap_currency text, reg_date date, legal_status text, ${PLACE_DDL}`,
  },
  tender_project: {
    key: 'tender_project_code',
    leaves: names(
      `tender_project_code tender_project_name tender_project_type tender_mode project_stage region_code platform_code ${PARTIES} contract_reckon_price price_unit currency_code notice_send_time`,
    ),
    ddl: `tender_project_code text PRIMARY KEY, tender_project_name text NOT NULL, tender_project_type text NOT NULL, tender_mode text NOT NULL,
      project_stage text NOT NULL, ${PARTIES_DDL}, contract_reckon_price numeric(18,2), price_unit text, currency_code text, notice_send_time date, ${PLACE_DDL}`,
  },
  deal: {
    key: 'unified_deal_code',
    leaves: names(
      `unified_deal_code bid_section_code bid_section_name deal_name tender_project_code tender_project_type tender_mode project_stage region_code platform_code ${PARTIES} win_bidder_name win_bidder_code deal_amount price_unit currency_code expert_seats notice_send_time win_bid_time contract_sign_time`,
    ),
    ddl: `serial integer NOT NULL UNIQUE, unified_deal_code text PRIMARY KEY, bid_section_code text UNIQUE, bid_section_name text, deal_name text,
      tender_project_code text NOT NULL REFERENCES tender_project DEFERRABLE INITIALLY DEFERRED, tender_project_type text NOT NULL,
      tender_mode text NOT NULL, project_stage text NOT NULL, ${PARTIES_DDL}, win_bidder_name text, win_bidder_code text,
      deal_amount numeric(18,2), price_unit text, currency_code text, expert_seats integer, notice_send_time date, win_bid_time date,
      contract_sign_time date, withdrawn_at timestamptz, ${PLACE_DDL}`,
  },
  expert: {
    key: 'expert_no',
    leaves: names('expert_pseudonym major_code is_main area industry dmisson platform_code'),
    ddl: `expert_no text PRIMARY KEY, expert_pseudonym text NOT NULL UNIQUE, major_code text NOT NULL, is_main text NOT NULL, area text NOT NULL,
      industry text, dmisson text NOT NULL, ${PLACE_DDL}`,
  },
  violating: {
    key: 'violating_code',
    leaves: names(`violating_code violating_time violating_type violating_level region_code platform_code ${BODY} ${PERIODS}`),
    ddl: `violating_code text PRIMARY KEY, violating_time date NOT NULL, violating_type text, violating_level text, ${BODY_DDL}, ${PERIODS_DDL}, ${PLACE_DDL}`,
  },
  blacklist: {
    key: 'blacklist_code',
    leaves: names(`blacklist_code record_date revocation_status scope region_code platform_code ${BODY} ${PERIODS}`),
    ddl: `blacklist_code text PRIMARY KEY, record_date date NOT NULL, revocation_status text, scope text, ${BODY_DDL}, ${PERIODS_DDL}, ${PLACE_DDL}`,
  },
} as const satisfies { readonly [table: string]: Spec }

export type SourceName = keyof typeof SOURCES
export const SOURCE_NAMES = Object.keys(SOURCES) as readonly SourceName[]

/** A row as text, the way PostgreSQL writes and reads each type. */
export type SourceRow = { readonly [column: string]: string | null }

/** How many rows of each table there have been; the next one's number. */
export type Counts = { readonly [name in SourceName]: number }

export type SampleTables = {
  system_state: { code: string; seed: string; secret: Buffer; ticks: number; pushed: number; counts: Counts }
  push: {
    id: number
    source: string
    source_key: string
    document: string
    ends_batch: boolean
    queued_at: Date
    refused_code: string | null
    refused_reason: string | null
  }
}

export const sourceMigration = {
  name: '0001-source',
  async up(db: Kysely<unknown>): Promise<void> {
    for (const name of SOURCE_NAMES) await sql`CREATE TABLE ${sql.table(name)} (${sql.raw(SOURCES[name].ddl)})`.execute(db)
    await sql`
      CREATE TABLE system_state (
        code text PRIMARY KEY, seed text NOT NULL, secret bytea NOT NULL,
        ticks integer NOT NULL DEFAULT 0, pushed integer NOT NULL DEFAULT 0, counts json NOT NULL
      )`.execute(db)
    await sql`
      CREATE TABLE push (
        id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, source text NOT NULL, source_key text NOT NULL, document text NOT NULL,
        ends_batch boolean NOT NULL DEFAULT false, queued_at timestamptz NOT NULL DEFAULT now(), refused_code text, refused_reason text
      )`.execute(db)
    await sql`CREATE INDEX ON push (id) WHERE refused_code IS NULL`.execute(db)
  },
}
