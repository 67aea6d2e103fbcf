/**
 * Every live holder judges each root that an origin announces, once: it reaches the position, computes the state there from what it
 * holds itself, and compares. A snapshot whose root differs is never served here and its evidence kept: the signed head that announced
 * it, and the root found. The log goes on: its chain is whole, and a computation freezes nobody. Where a holder cannot tell, because
 * what stood there was erased since or it began behind that position, it says so and waits for the next snapshot.
 */
import type { Kysely } from 'kysely'
import { isRestricted } from '../../schemas/content-key.ts'
import { isExchangeError } from '../../schemas/errors.ts'
import { comparePositions, formatLogId, formatPosition, type LogId } from '../../schemas/log.ts'
import { judgeRoot } from '../../schemas/root-rule.ts'
import { digestState, type SnapshotMark } from '../../schemas/snapshot.ts'
import type { Head } from '../../schemas/statements.ts'
import { keepRounds } from '../rounds.ts'
import { entriesAt, type LogState, readLog } from './ledger.ts'
import type { StateReader } from './ledger-state.ts'
import { isLost } from './losses.ts'
import type { LedgerTables, StateRootRow } from './tables.ts'

const CHECK_MS = 1000
export type RootVerdict = {
  readonly verdict: StateRootRow['verdict']
  readonly ownRoot: string | null
  readonly reason: string | null
}

export type StateRoot = SnapshotMark & {
  readonly log: LogId
  readonly token: string
  readonly verdict: StateRootRow['verdict']
  readonly own_root: string | null
  readonly reason: string | null
  readonly judged_at: Date
}

const selectRoots = (db: Kysely<LedgerTables>) =>
  db
    .selectFrom('state_root')
    .innerJoin('log', 'log.id', 'state_root.log_id')
    .selectAll('state_root')
    .select(['origin', 'dataset', 'audience'])

/** What was found of announced roots; those that differ are evidence. */
export async function readStateRoots(
  db: Kysely<LedgerTables>,
  verdict: StateRootRow['verdict'] | null = null,
): Promise<StateRoot[]> {
  const all = selectRoots(db).orderBy('judged_at')
  const rows = await (verdict === null ? all : all.where('verdict', '=', verdict)).execute()
  return rows.map(({ origin, dataset, audience, epoch, seq, digest, root, records, ...row }) => ({
    log: { origin, dataset, audience },
    at: { epoch, seq, digest },
    root,
    records,
    token: row.token,
    verdict: row.verdict,
    own_root: row.own_root,
    reason: row.reason,
    judged_at: row.judged_at,
  }))
}

export async function rootVerdict(
  db: Kysely<LedgerTables>,
  logId: number,
  { at, root }: Pick<SnapshotMark, 'at' | 'root'>,
): Promise<{ readonly verdict: StateRootRow['verdict']; readonly own_root: string | null } | null> {
  const row = await db
    .selectFrom('state_root')
    .select(['verdict', 'own_root'])
    .where('log_id', '=', logId)
    .where('epoch', '=', at.epoch)
    .where('seq', '=', at.seq)
    .where('root', '=', root)
    .executeTakeFirst()
  return row ?? null
}

export async function noteRoot(
  db: Kysely<LedgerTables>,
  logId: number,
  { at, root, records }: SnapshotMark,
  token: string,
  { verdict, ownRoot, reason }: RootVerdict,
): Promise<void> {
  await db
    .insertInto('state_root')
    .values({ log_id: logId, ...at, root, records, token, verdict, own_root: ownRoot, reason })
    .onConflict(conflict => conflict.columns(['log_id', 'epoch', 'seq', 'root']).doNothing())
    .execute()
}

/** The root of the state that follows from what is held here, in one snapshot of the database. @throws SNAPSHOT_UNJUDGED */
export async function computeRoot(
  db: Kysely<LedgerTables>,
  read: StateReader,
  state: LogState,
  at: SnapshotMark['at'],
): Promise<{ readonly root: string; readonly records: number }> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async trx => {
      const digester = digestState()
      const log = { id: state.id, dataset: state.log.dataset, base: state.base }
      for await (const { bytes, ...standing } of read(trx, log, at)) digester.add({ ...standing, text: '' }, bytes)
      digester.end()
      return digester.sum()
    })
}

export function startRootJudge(options: {
  readonly db: Kysely<LedgerTables>
  /** this program's code, or `hub` */
  readonly own: string
  readonly heads: () => { all(): Head[] }
  readonly read: StateReader
  readonly judged: (log: LogId, mark: SnapshotMark, verdict: RootVerdict) => void
  readonly failed: (origin: string, error: unknown) => void
}): AsyncDisposable {
  const { db, own } = options
  const done = new Set<string>()

  async function judge(log: LogId, mark: SnapshotMark, token: string): Promise<boolean> {
    const state = await readLog(db, log)
    if (state?.head == null || state.loading || comparePositions(state.head, mark.at) < 0) return false
    if ((await rootVerdict(db, state.id, mark)) !== null) return true
    const known = (await entriesAt(db, [{ logId: state.id, at: mark.at }])).values().next().value?.digest ?? null
    // Another entry at its position is a fork, and the heads' own rule finds it.
    if (known !== null && known !== mark.at.digest) return true
    const verdict = await verdictOn(state, mark, known !== null)
    await noteRoot(db, state.id, mark, token, verdict)
    options.judged(log, mark, verdict)
    return true
  }

  async function verdictOn(state: LogState, mark: SnapshotMark, held: boolean): Promise<RootVerdict> {
    try {
      if (!held) return { verdict: 'unjudged', ownRoot: null, reason: 'the entry at its position is not held here' }
      if (await isLost(db, state.id, mark.at))
        return { verdict: 'unjudged', ownRoot: null, reason: 'its origin has declared that position lost' }
      return judgeRoot(mark, await computeRoot(db, options.read, state, mark.at))
    } catch (error) {
      if (isExchangeError(error) && error.code === 'SNAPSHOT_UNJUDGED')
        return { verdict: 'unjudged', ownRoot: null, reason: error.reason }
      throw error
    }
  }

  async function check(stopping: AbortSignal): Promise<void> {
    for (const head of options.heads().all()) {
      if (head.origin === own) continue
      for (const { log, snapshot } of head.logs) {
        // What stands there is not everybody's to read: of a restricted log no snapshot is made, and none is believed.
        if (snapshot == null || isRestricted(log.audience) || stopping.aborted) continue
        const id = `${formatLogId(log)} ${formatPosition(snapshot.at)} ${snapshot.root}`
        if (done.has(id)) continue
        if (await judge(log, snapshot, head.token)) done.add(id)
      }
    }
  }

  return keepRounds(CHECK_MS, check, error => options.failed(own, error))
}
