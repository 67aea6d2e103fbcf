/**
 * Keeps what origins announce, so that a newcomer is served while they are away: fetches each snapshot once its root was judged here,
 * checks every group against the manifest and the manifest against the root, and stores it. The hub does this; other holders need not.
 */
import type { Kysely } from 'kysely'
import { isRestricted } from '../../schemas/content-key.ts'
import { decodeBody } from '../../schemas/encoding.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { LIMITS } from '../../schemas/limits.ts'
import { comparePositions, type LogId } from '../../schemas/log.ts'
import { checkGroup, parseChunk, rootOf, type SnapshotMark } from '../../schemas/snapshot.ts'
import type { Head } from '../../schemas/statements.ts'
import type { Broker } from '../nats.ts'
import { keepRounds } from '../rounds.ts'
import { readLog } from './ledger.ts'
import { rootVerdict } from './root-judge.ts'
import { askSnapshot, MANIFEST, questionOf } from './snapshot-questions.ts'
import { beginSnapshot, finishSnapshot, groupsOf, keptSnapshots, storeChunk } from './snapshots.ts'
import type { LedgerTables } from './tables.ts'

const CHECK_MS = 1000
/** what cannot be had is asked for ever more seldom */
const MOST_PAUSE_MS = 300_000

/** @throws SNAPSHOT_MALFORMED unless it is the manifest of that root */
export async function fetchManifest(
  broker: Broker,
  who: { readonly holder: string; readonly asker: string },
  log: LogId,
  mark: SnapshotMark,
): Promise<Buffer> {
  const [piece] = await askSnapshot(broker, who, questionOf(log, mark, MANIFEST))
  if (piece?.number !== MANIFEST || rootOf(piece.bytes) !== mark.root)
    throw new ExchangeError('SNAPSHOT_MALFORMED', `${who.holder}: expected the manifest that the root names`)
  return piece.bytes
}

export function startSnapshotKeeper(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  readonly own: string
  readonly heads: () => { all(): Head[] }
  readonly kept: (log: LogId, mark: SnapshotMark) => void
  readonly failed: (origin: string, error: unknown) => void
}): AsyncDisposable {
  const { broker, db, own } = options
  const due = new Map<string, { at: number; pause: number }>()
  const done = new Set<string>()

  async function keep(log: LogId, mark: SnapshotMark, stopping: AbortSignal): Promise<boolean> {
    const state = await readLog(db, log)
    if (state === null) return false
    const kept = await keptSnapshots(db, state.id)
    if (kept.some(one => comparePositions(one.at, mark.at) === 0 && one.root === mark.root)) return true
    const found = await rootVerdict(db, state.id, mark)
    if (found === null) return false
    if (found.verdict === 'differs') return true
    const who = { holder: log.origin, asker: own }
    const manifest = await fetchManifest(broker, who, log, mark)
    const into = { id: await beginSnapshot(db, state.id, mark.at), logId: state.id }
    let records = 0
    for (let number = 0; number < groupsOf(manifest); ) {
      if (stopping.aborted) return false
      const pieces = await askSnapshot(broker, who, questionOf(log, mark, number))
      if (pieces.length === 0) throw new ExchangeError('SNAPSHOT_UNKNOWN', `${log.origin}: expected group ${number}`)
      for (const piece of pieces) {
        if (piece.number !== number) throw new ExchangeError('SNAPSHOT_MALFORMED', `${log.origin}: expected group ${number}`)
        const lines = parseChunk(await decodeBody(piece.bytes, piece.encoding, LIMITS.snapshotChunkBytes))
        checkGroup(lines, manifest, number)
        await storeChunk(db, into, number, lines)
        records += lines.length
        number += 1
      }
    }
    await finishSnapshot(db, into, { root: mark.root, records, manifest })
    options.kept(log, mark)
    return true
  }

  async function check(stopping: AbortSignal): Promise<void> {
    for (const { log, snapshot } of options
      .heads()
      .all()
      .flatMap(head => head.logs)) {
      if (snapshot == null || isRestricted(log.audience) || stopping.aborted) continue
      const id = JSON.stringify([log, snapshot.at, snapshot.root])
      const waits = due.get(id) ?? { at: 0, pause: CHECK_MS }
      if (done.has(id) || performance.now() < waits.at) continue
      try {
        if (await keep(log, snapshot, stopping)) done.add(id)
      } catch (error) {
        due.set(id, { at: performance.now() + waits.pause, pause: Math.min(MOST_PAUSE_MS, waits.pause * 2) })
        if (!stopping.aborted) options.failed(log.origin, error)
      }
    }
  }

  return keepRounds(CHECK_MS, check, error => options.failed(own, error))
}
