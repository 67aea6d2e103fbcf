/**
 * State roots in a virtual federation: an origin announces them, every holder judges them by the product's rule from the entries that
 * stand on its own disk. Small logs have small states, so a root is told of every third position.
 */
import { comparePositions, formatLogId, formatPosition, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import { compareKeys, digestState, type Place, type SnapshotMark, type StateRecord, stateLine } from '../../schemas/snapshot.ts'
import type { Head } from '../../schemas/statements.ts'
import { type DiskLog, entryAt } from './disk.ts'
import type { Ground } from './ground.ts'

const EVERY = 3

/** The root of the state that these entries give at a position: the highest version of each key, of what took effect. */
export function rootAt({ rules }: Ground, log: DiskLog, at: Position): { readonly root: string; readonly records: number } {
  const standing = new Map<string, { readonly place: Place; readonly record: StateRecord }>()
  for (const { kind, refusal, entry, records } of log.entries) {
    if (kind !== 'envelope' || refusal !== null || comparePositions(entry, at) > 0) continue
    for (const [item, record] of records.entries()) {
      const { key, op, ver, at: time, platform } = record
      if (!rules.takesEffect(standing.get(key)?.record.ver ?? null, ver)) continue
      const said = record.op === 'put' ? { body: record.body } : { why: record.why }
      standing.set(key, {
        place: { epoch: entry.epoch, seq: entry.seq, item },
        record: { key, op, ver, at: time, platform, ...said },
      })
    }
  }
  const digester = digestState()
  const sorted = [...standing.values()].sort((a, b) => compareKeys(a.record.key, b.record.key))
  for (const { place, record } of sorted) digester.add(stateLine(place, record))
  digester.end()
  return digester.sum()
}

/** What an origin announces beside the head of an own log, if anything. */
export function markOf(ground: Ground, log: DiskLog, head: LogHead): SnapshotMark | null {
  if (head.seq === 0 || head.seq % EVERY !== 0) return null
  const mark = { at: head, ...rootAt(ground, log, head) }
  ground.watch.rootTold(log.log, mark, true)
  return { at: mark.at, root: mark.root, records: mark.records }
}

/** Judges what a head announces as soon as its position is reached, once; where it cannot be told, nothing is said. */
export function judgeRoots(ground: Ground, code: string, head: Head, judged: Set<string>): void {
  for (const { log, snapshot } of head.logs) {
    const on = ground.disk(code).logs.get(formatLogId(log))
    if (snapshot == null || on?.head == null || comparePositions(on.head, snapshot.at) < 0) continue
    const id = rootId(log, snapshot)
    if (judged.has(id)) continue
    judged.add(id)
    const there = entryAt(on, snapshot.at)
    if (there === null || there.refusal !== null || there.entry.digest !== snapshot.at.digest) continue
    const { verdict } = ground.rules.judgeRoot(snapshot, rootAt(ground, on, snapshot.at))
    if (verdict === 'differs') ground.note(`${code} refuses the root of ${formatLogId(log)} at ${formatPosition(snapshot.at)}`)
    ground.watch.rootJudged(code, log, snapshot, verdict)
  }
}

export const rootId = (log: LogId, { at, root }: SnapshotMark): string =>
  `${formatLogId(log)} ${formatPosition(at)} ${at.digest} ${root}`
