/**
 * The groups of a snapshot that a log begins with: which of them stand here, and how the others come. They are fetched ahead from one
 * holder while a few are stored at once, each in one transaction with the note that it stands.
 */
import type { Kysely, Transaction } from 'kysely'
import { decodeBody } from '../../schemas/encoding.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { LIMITS } from '../../schemas/limits.ts'
import type { LogId } from '../../schemas/log.ts'
import { type ChunkLine, checkGroup, parseChunk, type SnapshotMark } from '../../schemas/snapshot.ts'
import type { Broker } from '../nats.ts'
import { askSnapshot, type Piece, questionOf } from './snapshot-questions.ts'
import { groupsOf } from './snapshots.ts'
import type { LedgerTables } from './tables.ts'

/** groups stored at once, and fetched ahead of that */
const STORING = 3
const AHEAD = LIMITS.snapshotGroups * 2
const AHEAD_BYTES = 16 * 1024 * 1024

/** What loading means where records are read. */
export interface Loader {
  /** judges the records like arriving ones, away from the database; what is wrong is set aside, not thrown */
  prepare(log: LogId, lines: readonly ChunkLine[]): Prepared
  /** takes away everything that an attempt has stored of a log */
  clear(trx: Transaction<LedgerTables>, log: { readonly id: number; readonly dataset: string }): Promise<void>
}
export type Prepared = { store(trx: Transaction<LedgerTables>, logId: number): Promise<void> }

export type BootstrapTask = SnapshotMark & {
  readonly logId: number
  readonly log: LogId
  readonly token: string
  manifest: Buffer | null
}

export async function missingGroups(db: Kysely<LedgerTables>, logId: number, groups: number): Promise<number[]> {
  const rows = await db.selectFrom('bootstrap_group').select('number').where('log_id', '=', logId).execute()
  const stand = new Set(rows.map(row => row.number))
  return Array.from({ length: groups }, (_, number) => number).filter(number => !stand.has(number))
}

/** Fetches ahead while a few groups are stored; what is fetched and not stored yet is bounded. */
export async function loadGroups(
  options: {
    readonly broker: Broker
    readonly db: Kysely<LedgerTables>
    readonly own: string
    readonly loader: Loader
    readonly stopping: AbortSignal
  },
  holder: string,
  task: BootstrapTask,
  manifest: Buffer,
  missing: readonly number[],
): Promise<void> {
  const { broker, own } = options
  const wanted = new Set(missing)
  const fetched: Piece[] = []
  const failing = new AbortController()
  const over = AbortSignal.any([options.stopping, failing.signal])
  let wake = Promise.withResolvers<void>()
  let ended = false
  const tell = (): void => {
    wake.resolve()
    wake = Promise.withResolvers<void>()
  }

  async function fetch(): Promise<void> {
    for (let number = missing[0] ?? 0; number < groupsOf(manifest) && !over.aborted; ) {
      if (!wanted.has(number)) {
        number += 1
        continue
      }
      if (fetched.length >= AHEAD || fetched.reduce((sum, { bytes }) => sum + bytes.length, 0) >= AHEAD_BYTES) {
        await wake.promise
        continue
      }
      const pieces = await askSnapshot(broker, { holder, asker: own }, questionOf(task.log, task, number))
      if (pieces[0]?.number !== number) throw new ExchangeError('SNAPSHOT_UNKNOWN', `${holder}: expected group ${number}`)
      for (const piece of pieces) if (wanted.delete(piece.number)) fetched.push(piece)
      tell()
    }
  }

  async function store(): Promise<void> {
    for (;;) {
      if (over.aborted) return
      const piece = fetched.shift()
      if (piece === undefined) {
        if (ended) return
        await wake.promise
        continue
      }
      tell()
      const lines = parseChunk(await decodeBody(piece.bytes, piece.encoding, LIMITS.snapshotChunkBytes))
      checkGroup(lines, manifest, piece.number)
      await storeGroup(options, task, piece.number, lines)
    }
  }

  const guarded = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      failing.abort()
      throw error
    } finally {
      tell()
    }
  }
  const fetching = guarded(async () => {
    try {
      await fetch()
    } finally {
      ended = true
    }
  })
  const results = await Promise.allSettled([fetching, ...Array.from({ length: STORING }, () => guarded(store))])
  const failed = results.find(result => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

async function storeGroup(
  { db, loader }: { readonly db: Kysely<LedgerTables>; readonly loader: Loader },
  { logId, log }: BootstrapTask,
  number: number,
  lines: readonly ChunkLine[],
): Promise<void> {
  const prepared = loader.prepare(log, lines)
  await db.transaction().execute(async trx => {
    const { numInsertedOrUpdatedRows } = await trx
      .insertInto('bootstrap_group')
      .values({
        log_id: logId,
        number,
        records: lines.length,
        first_key: lines[0]?.key ?? '',
        last_key: lines.at(-1)?.key ?? '',
      })
      .onConflict(conflict => conflict.doNothing())
      .executeTakeFirst()
    if (numInsertedOrUpdatedRows !== 0n) await prepared.store(trx, logId)
  })
}
