/**
 * Writes the audit chain. A chain has one end, so writers would queue behind each other; instead all that wait are written together
 * in one transaction (group commit), and each is told when its entry is on disk. Who acts in a transaction of its own appends inside
 * it, and entry and act stand or fall together. Several processes over one database take turns under an advisory lock.
 */
import { type Kysely, sql, type Transaction } from 'kysely'
import { AUDIT_START, type AuditFacts, chainAudit } from '../../schemas/access/audit-chain.ts'
import type { Digest } from '../../schemas/digest.ts'
import type { AuditTables } from './tables.ts'

export type AuditPosition = { readonly seq: number; readonly digest: Digest }
export type AuditLog = AsyncDisposable & {
  /** Fulfilled when the entry is committed. */
  append(facts: AuditFacts): Promise<void>
  /** Keep the transaction short: the chain waits for its end. */
  appendIn(trx: Transaction<AuditTables>, facts: readonly AuditFacts[]): Promise<void>
  /** where the chain ends; null while it is empty */
  last(): Promise<AuditPosition | null>
  /** told after entries were written here, with their number */
  onWritten(heard: (count: number) => void): void
  /** the last entry that this process wrote by `append`, from its own memory */
  written(): AuditPosition | null
}

const GROUP = 512
/** Any number that nothing else locks in this database. */
const LOCK = 4_711_029

export async function appendAudit(trx: Transaction<AuditTables>, facts: readonly AuditFacts[]): Promise<AuditPosition | null> {
  await sql`SELECT pg_advisory_xact_lock(${LOCK})`.execute(trx)
  const entries = chainAudit(facts, (await readLast(trx)) ?? { seq: 0, digest: AUDIT_START })
  await sql`
    INSERT INTO audit (seq, at, actor, roles, operation, resource, decision, purpose, deal, request, prev, digest)
    SELECT seq, at, actor, roles, operation, resource, decision, purpose, deal, request, prev, digest
    FROM json_populate_recordset(NULL::audit, ${JSON.stringify(entries)}::json)`.execute(trx)
  return entries.at(-1) ?? null
}

const readLast = async (db: Kysely<AuditTables>): Promise<AuditPosition | null> =>
  (await db.selectFrom('audit').select(['seq', 'digest']).orderBy('seq', 'desc').limit(1).executeTakeFirst()) ?? null

type Waiting = { readonly facts: AuditFacts; readonly done: PromiseWithResolvers<void> }

export function openAuditLog(db: Kysely<AuditTables>): AuditLog {
  let waiting: Waiting[] = []
  let writing: Promise<void> | null = null
  let written: AuditPosition | null = null
  let heard: (count: number) => void = () => {}

  async function write(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting.slice(0, GROUP)
      waiting = waiting.slice(GROUP)
      try {
        written = await db.transaction().execute(trx =>
          appendAudit(
            trx,
            group.map(one => one.facts),
          ),
        )
        for (const { done } of group) done.resolve()
        heard(group.length)
      } catch (error) {
        for (const { done } of group) done.reject(error)
      }
    }
    writing = null
  }

  return {
    append(facts) {
      const done = Promise.withResolvers<void>()
      waiting.push({ facts, done })
      writing ??= write()
      return done.promise
    },
    async appendIn(trx, facts) {
      await appendAudit(trx, facts)
      heard(facts.length)
    },
    onWritten(told) {
      heard = told
    },
    written: () => written,
    last: () => readLast(db),
    async [Symbol.asyncDispose]() {
      await writing
    },
  }
}
