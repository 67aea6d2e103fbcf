/**
 * Forks: two statements of one origin that cannot both be true. The two tokens are the proof, and anyone can check it with the
 * membership alone. The log is frozen at this holder: what it said before the fork is kept and shown as disputed, nothing more is
 * taken in. Only what an origin itself signed can freeze its log, so that nobody else, the hub included, can freeze an honest one.
 */
import type { Kysely } from 'kysely'
import { type Assertion, assertionsOfEntry, assertionsOfHeads } from '../../schemas/assertions.ts'
import { digestOf } from '../../schemas/digest.ts'
import { type HeldHistory, judgeHead } from '../../schemas/head-rule.ts'
import { formatLogId, formatPosition, type LogId, type Position } from '../../schemas/log.ts'
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

/** Keeps two statements that convict the hub. True if they are new. */
export async function convict(db: Kysely<LedgerTables>, proof: ForkProof): Promise<boolean> {
  const [statement_a, statement_b] = proof.statements
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('conviction')
    .values({ identity: digestOf(`${statement_a} ${statement_b}`), reason: proof.reason, statement_a, statement_b })
    .onConflict(conflict => conflict.column('identity').doNothing())
    .executeTakeFirst()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

export async function readConvictions(db: Kysely<LedgerTables>): Promise<(ForkProof & { readonly found_at: Date })[]> {
  const rows = await db.selectFrom('conviction').selectAll().orderBy('id').execute()
  return rows.map(({ reason, statement_a, statement_b, found_at }) => ({
    reason,
    statements: [statement_a, statement_b] as const,
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
  const histories = new Map<string, HeldHistory & { readonly id: number }>()
  for (const at of head.logs) {
    const state = await readLog(db, at.log)
    if (state === null || state.frozen) continue
    const positions = [at.head, { epoch: at.head.epoch + 1, seq: 0 }, ...(at.snapshot == null ? [] : [at.snapshot.at])]
    const entries = await entriesAt(
      db,
      positions.map(position => ({ logId: state.id, at: position })),
    )
    const held = new Map<string, { token: string; assertions: Assertion[] }>()
    for (const position of positions) {
      const entry = entries.get(`${state.id}@${formatPosition(position)}`)
      if (entry !== undefined)
        held.set(formatPosition(position), {
          token: entry.token,
          assertions: await assertionsOf(at.log, position, entry, membership),
        })
    }
    const history = {
      id: state.id,
      head: state.head,
      frozen: false,
      at: (position: Position) => held.get(formatPosition(position)) ?? null,
    }
    histories.set(formatLogId(at.log), history)
  }
  const forks: Fork[] = []
  for (const { log, statements, reason } of judgeHead(head, before, one => histories.get(formatLogId(one)) ?? null)) {
    const id = histories.get(formatLogId(log))?.id
    if (id !== undefined && (await freeze(db, id, { statements, reason })))
      forks.push({ log, statements, reason, found_at: new Date() })
  }
  return forks
}

/** An envelope asserts what its digest says; the opening of a later epoch also where the one before it ends. */
async function assertionsOf(
  log: LogId,
  at: Position,
  entry: { digest: string; token: string },
  membership: Membership,
): Promise<Assertion[]> {
  if (at.seq > 0 || at.epoch === 1) return assertionsOfHeads([{ log, head: { ...at, digest: entry.digest } }])
  return assertionsOfEntry(log, (await openToken('epoch', entry.token, membership, null)).entry)
}
