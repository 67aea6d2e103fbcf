/**
 * Forks: two statements of one origin that cannot both be true. The two tokens are the proof, and anyone can check it with the
 * membership alone. The log is frozen at this holder: what it said before the fork is kept and shown as disputed, nothing more is
 * taken in. Only what an origin itself signed can freeze its log, so that nobody else, the hub included, can freeze an honest one.
 */
import type { Kysely } from 'kysely'
import { assertionsOfEntry, assertionsOfHeads, contradiction } from '../../schemas/assertions.ts'
import { comparePositions, type LogId } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { openToken } from '../../schemas/opening.ts'
import type { Head } from '../../schemas/statements.ts'
import { entriesAt, readLog } from './ledger.ts'
import type { LedgerTables } from './tables.ts'

export type ForkProof = { readonly statements: readonly [string, string]; readonly reason: string }
export type Fork = ForkProof & { readonly log: LogId; readonly found_at: Date }

/** Freezes a log; the first proof stays. True if it was not frozen before. */
export async function freeze(db: Kysely<LedgerTables>, logId: number, proof: ForkProof): Promise<boolean> {
  const [statement_a, statement_b] = proof.statements
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('fork')
    .values({ log_id: logId, reason: proof.reason, statement_a, statement_b })
    .onConflict(conflict => conflict.column('log_id').doNothing())
    .executeTakeFirst()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

export async function readForks(db: Kysely<LedgerTables>): Promise<Fork[]> {
  const rows = await db
    .selectFrom('fork')
    .innerJoin('log', 'log.id', 'fork.log_id')
    .selectAll('fork')
    .select(['origin', 'dataset', 'audience'])
    .execute()
  return rows.map(({ origin, dataset, audience, reason, statement_a, statement_b, found_at }) => ({
    log: { origin, dataset, audience },
    statements: [statement_a, statement_b] as const,
    reason,
    found_at,
  }))
}

/** Holds a head that has arrived against what its origin said before: the entries here, and its head before. Returns new forks. */
export async function checkHead(
  db: Kysely<LedgerTables>,
  head: Head,
  before: Head | null,
  membership: Membership,
): Promise<Fork[]> {
  const forks: Fork[] = []
  const earlier = before === null ? [] : assertionsOfHeads(before.logs)
  for (const at of head.logs) {
    const state = await readLog(db, at.log)
    if (state === null || state.frozen) continue
    const own = assertionsOfHeads([at])
    const clash = contradiction(earlier, own)
    let proof: ForkProof | null =
      clash === null || before === null ? null : { statements: [before.token, head.token], reason: clash }
    if (proof === null && state.head !== null && comparePositions(at.head, state.head) <= 0) {
      const held = (await entriesAt(db, [{ logId: state.id, at: at.head }])).values().next().value
      if (held !== undefined && held.digest !== at.head.digest) {
        const { log, entry } = await openToken(at.head.seq === 0 ? 'epoch' : 'envelope', held.token, membership, null)
        const reason = contradiction(assertionsOfEntry(log, entry), own)
        if (reason !== null) proof = { statements: [held.token, head.token], reason }
      }
    }
    if (proof !== null && (await freeze(db, state.id, proof))) forks.push({ ...proof, log: at.log, found_at: new Date() })
  }
  return forks
}
