/**
 * The audit log's tables: `audit` the chain, `audit_head` where it stood when the program signed it, `deal_duty` who holds which duty
 * in which deal. Nobody stands in them by name and no key in the clear: both are keyed hashes.
 */
import { type Generated, type Kysely, sql } from 'kysely'
import type { AuditEntry } from '../../schemas/access/audit-chain.ts'

type AuditRow = { readonly [name in keyof AuditEntry]: AuditEntry[name] }
type AuditHeadRow = { seq: number; token: string; signed_at: Generated<Date> }
type DealDutyRow = { deal: string; actor: string; duty: string; since: Generated<Date> }

export type AuditTables = { audit: AuditRow; audit_head: AuditHeadRow; deal_duty: DealDutyRow }

export const auditMigration = {
  name: '0008-audit',
  async up(db: Kysely<unknown>): Promise<void> {
    // The time is text: it is part of what is hashed, and comes back as it was written.
    await sql`
      CREATE TABLE audit (
        seq bigint PRIMARY KEY, at text NOT NULL, actor text NOT NULL, roles text NOT NULL, operation text NOT NULL,
        resource text, decision text NOT NULL, purpose text, deal text, request text NOT NULL,
        prev text NOT NULL, digest text NOT NULL
      )`.execute(db)
    await sql`CREATE INDEX ON audit (resource, seq) WHERE resource IS NOT NULL`.execute(db)
    await sql`CREATE TABLE audit_head (seq bigint PRIMARY KEY, token text NOT NULL, signed_at timestamptz NOT NULL DEFAULT now())`.execute(
      db,
    )
    await sql`
      CREATE TABLE deal_duty (
        deal text NOT NULL, actor text NOT NULL, duty text NOT NULL, since timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (deal, actor, duty)
      )`.execute(db)
  },
}
