/**
 * Makes snapshots of the own logs in the background: when a log has grown enough since its last one, its replica is read in the order of
 * keys, in one snapshot of the database, cut into groups and stored; then the next signed head announces its root. Memory stays bounded
 * by a group. It waits until the log stands still for a moment, and no longer than until it has grown as much again.
 */
import type { Kysely } from 'kysely'
import { type LogState, readLog, readLogs } from '../../runtime/ledger/ledger.ts'
import { beginSnapshot, finishSnapshot, keptSnapshots, storeChunk } from '../../runtime/ledger/snapshots.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { keepRounds } from '../../runtime/rounds.ts'
import { isRestricted } from '../../schemas/content-key.ts'
import { comparePositions, formatLogId, type LogId, type Position } from '../../schemas/log.ts'
import { digestState, type Group, type SnapshotMark } from '../../schemas/snapshot.ts'
import { growthForSnapshot } from '../../schemas/snapshot-rule.ts'
import { readStateLines } from '../replica/snapshot-state.ts'

const CHECK_MS = 2000

export type Snapshotter = AsyncDisposable & {
  /** makes one now, unless the newest stands at the head already; null for a log without entries */
  make(log: LogId): Promise<SnapshotMark | null>
}

export function startSnapshotter(options: {
  readonly db: Kysely<LedgerTables>
  readonly own: string
  /** entries that a log grows by at least between two snapshots */
  readonly leastEntries: number
  /** nothing is announced before this node knows its own logs */
  readonly restoration: { trouble(): string | null }
  /** after each: the next head announces it */
  readonly made: (log: LogId, mark: SnapshotMark) => void
  readonly failed: (error: unknown) => void
}): Snapshotter {
  const { db, own } = options
  const stood = new Map<string, Position>()
  let working: Promise<unknown> = Promise.resolve()
  let stopped = false

  async function makeNow(log: LogId): Promise<SnapshotMark | null> {
    const before = await readLog(db, log)
    if (before?.head == null || before.head.seq === 0) return null
    const [newest] = await keptSnapshots(db, before.id)
    if (newest !== undefined && comparePositions(newest.at, before.head) === 0) return newest
    const trx = await db.startTransaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute()
    try {
      const head = (await readLog(trx, log))?.head
      if (head == null) return null
      const into = { id: await beginSnapshot(db, before.id, head), logId: before.id }
      const digester = digestState()
      const store = async (group: Group | null): Promise<void> => {
        const lines = group?.lines.map(line => ({ ...line, erased: false })) ?? []
        if (group !== null) await storeChunk(db, into, group.number, lines)
      }
      for await (const line of readStateLines(trx, { id: before.id, dataset: log.dataset, base: null })) {
        if (stopped) return null
        await store(digester.add(line))
      }
      await store(digester.end())
      const sum = digester.sum()
      await finishSnapshot(db, into, sum)
      const mark = { at: head, root: sum.root, records: sum.records }
      options.made(log, mark)
      return mark
    } finally {
      await trx.rollback().execute()
    }
  }

  async function isDue({ id, log, head, frozen }: LogState): Promise<boolean> {
    // Its chunks would be plain text at whoever keeps them for newcomers, the hub first.
    if (isRestricted(log.audience)) return false
    if (log.origin !== own || head === null || frozen || options.restoration.trouble() !== null) return false
    const [newest] = await keptSnapshots(db, id)
    const { grown, wanted } = growthForSnapshot(head, newest?.at ?? null, options.leastEntries)
    if (grown < wanted) return false
    const before = stood.get(formatLogId(log))
    stood.set(formatLogId(log), head)
    return grown >= wanted * 2 || (before !== undefined && comparePositions(before, head) === 0)
  }

  const make = (log: LogId): Promise<SnapshotMark | null> => {
    const next = working.then(() => makeNow(log))
    working = next.catch(() => {})
    return next
  }

  async function check(): Promise<void> {
    for (const state of await readLogs(db)) if (!stopped && (await isDue(state))) await make(state.log)
  }

  const rounds = keepRounds(CHECK_MS, check, options.failed)
  return {
    make,
    async [Symbol.asyncDispose]() {
      stopped = true
      await Promise.all([rounds[Symbol.asyncDispose](), working])
    },
  }
}
