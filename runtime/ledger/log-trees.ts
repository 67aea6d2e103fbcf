/**
 * The trees of logs that have one (`schemas/log-tree.ts`): the origin states the root in its head, and every live holder makes the same
 * tree of the entries that it took and compares. A root that differs proves that its origin signed what does not follow from its log; the
 * chain is whole, so the log goes on, and no proof against that root is believed.
 */
import type { Kysely } from 'kysely'
import type { Digest } from '../../schemas/digest.ts'
import { comparePositions, formatLogId, formatPosition, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import { growTree, type LogTree, rootOf, TREE_DATASETS } from '../../schemas/log-tree.ts'
import type { Head } from '../../schemas/statements.ts'
import { keepRounds } from '../rounds.ts'
import { type LogState, readLog } from './ledger.ts'
import type { LedgerTables } from './tables.ts'

const CHECK_MS = 1000

export const hasTree = ({ dataset }: Pick<LogId, 'dataset'>): boolean => TREE_DATASETS.includes(dataset)

/** Digests of an epoch from its opening up to a position; null if not all of them are held. */
export async function digestsUpTo(
  db: Kysely<LedgerTables>,
  logId: number,
  { epoch, seq }: Position,
  from = 0,
): Promise<Digest[] | null> {
  const rows = await db
    .selectFrom('envelope')
    .select('digest')
    .where('log_id', '=', logId)
    .where('epoch', '=', epoch)
    .where('seq', '>=', from)
    .where('seq', '<=', seq)
    .orderBy('seq')
    .execute()
  return rows.length === seq - from + 1 ? rows.map(({ digest }) => digest) : null
}

export type LogTrees = {
  /** of the epoch up to its position; null where not all of it is held, or the log has none */
  root(state: Pick<LogState, 'id' | 'log'>, at: LogHead): Promise<Digest | null>
}

/** Keeps each log's tree as it grows, so that a new head costs what came since the last. */
export function createLogTrees(db: Kysely<LedgerTables>): LogTrees {
  const kept = new Map<number, { readonly at: LogHead; readonly tree: LogTree }>()
  return {
    async root({ id, log }, at) {
      if (!hasTree(log)) return null
      const before = kept.get(id)
      if (before?.at.digest === at.digest) return rootOf(before.tree)
      const grows = before !== undefined && before.at.epoch === at.epoch && before.at.seq < at.seq
      const start = grows ? before.at.seq : 0
      // The last one again: what was taken back since would make another tree.
      const digests = await digestsUpTo(db, id, at, start)
      if (digests === null || digests.at(-1) !== at.digest) return null
      const goesOn = grows && digests[0] === before.at.digest
      if (grows && !goesOn) {
        kept.delete(id)
        return null
      }
      let tree: LogTree | null = goesOn ? before.tree : null
      for (const digest of goesOn ? digests.slice(1) : digests) tree = growTree(tree, digest)
      if (tree === null) return null
      kept.set(id, { at, tree })
      return rootOf(tree)
    },
  }
}

export type TreeVerdict = 'same' | 'differs' | 'unjudged'

export function startTreeJudge(options: {
  readonly db: Kysely<LedgerTables>
  /** this program's code, or `hub` */
  readonly own: string
  readonly heads: () => { all(): Head[] }
  readonly judged: (log: LogId, at: LogHead, verdict: TreeVerdict) => void
  readonly failed: (origin: string, error: unknown) => void
}): AsyncDisposable {
  const { db, own } = options
  const trees = createLogTrees(db)
  const done = new Map<string, string>()

  async function judge(log: LogId, at: LogHead, stated: Digest): Promise<boolean> {
    const state = await readLog(db, log)
    if (state?.head == null || comparePositions(state.head, at) < 0) return false
    const root = await trees.root(state, at)
    options.judged(log, at, root === null ? 'unjudged' : root === stated ? 'same' : 'differs')
    return true
  }

  async function check(stopping: AbortSignal): Promise<void> {
    for (const head of options.heads().all()) {
      if (head.origin === own) continue
      for (const { log, head: at, tree } of head.logs) {
        if (tree == null || stopping.aborted) continue
        const id = `${formatPosition(at)} ${at.digest} ${tree}`
        if (done.get(formatLogId(log)) === id) continue
        if (await judge(log, at, tree)) done.set(formatLogId(log), id)
      }
    }
  }
  return keepRounds(CHECK_MS, check, error => options.failed(own, error))
}
