/**
 * State roots in a virtual federation: an origin announces them, every holder judges them by the product's rule from the entries that
 * stand on its own disk. Small logs have small states, so a root is told of every third position; where somebody joins, of the
 * snapshots that its origin keeps.
 */
import type { Digest } from '../../schemas/digest.ts'
import { comparePositions, formatLogId, formatPosition, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import {
  compareKeys,
  digestState,
  type Place,
  type SnapshotMark,
  type StateLine,
  type StateRecord,
  stateLine,
} from '../../schemas/snapshot.ts'
import type { Head } from '../../schemas/statements.ts'
import { type DiskLog, entryAt } from './disk.ts'
import type { Ground } from './ground.ts'

const EVERY = 3

export type RootSum = { readonly root: Digest; readonly records: number }
type Standing = { readonly ver: number; readonly place: Place; readonly record: StateRecord | null }

/**
 * The state that the entries on a disk give at a position: the highest version of each key, of what took effect. Null where something of
 * it was erased since.
 */
export function stateIn({ rules }: Ground, log: DiskLog, at: Position): StateLine[] | null {
  const standing = new Map<string, Standing>()
  for (const { kind, refusal, entry, records, erased = [] } of log.entries) {
    if (kind !== 'envelope' || refusal !== null || comparePositions(entry, at) > 0) continue
    const { epoch, seq } = entry
    for (const [index, record] of records.entries()) {
      const { key, op, ver, at: time, platform, index: item = index } = record
      if (!rules.takesEffect(standing.get(key)?.ver ?? null, ver)) continue
      const said = record.op === 'put' ? { body: record.body } : { why: record.why }
      standing.set(key, { ver, place: { epoch, seq, item }, record: { key, op, ver, at: time, platform, ...said } })
    }
    for (const { key, ver } of erased)
      if (rules.takesEffect(standing.get(key)?.ver ?? null, ver))
        standing.set(key, { ver, place: { epoch, seq, item: 0 }, record: null })
  }
  const lines: StateLine[] = []
  for (const { place, record } of standing.values()) {
    if (record === null) return null
    lines.push(stateLine(place, record))
  }
  return lines.sort((a, b) => compareKeys(a.key, b.key))
}

/** The same where the log is held from its first entry on; what a log began with elsewhere is not in its entries. */
export const stateAt = (ground: Ground, log: DiskLog, at: Position): StateLine[] | null =>
  log.base === null ? stateIn(ground, log, at) : null

export function rootOfState(lines: readonly StateLine[] | null): RootSum | null {
  if (lines === null) return null
  const digester = digestState()
  for (const line of lines) digester.add(line)
  digester.end()
  return digester.sum()
}

/** What an origin announces beside the head of an own log, if anything. */
export function markOf(ground: Ground, log: DiskLog, head: LogHead): SnapshotMark | null {
  if (ground.plan.newcomer !== null && log.log.audience === 'all') {
    const mark = log.kept[0]?.mark ?? null
    if (mark !== null) ground.watch.rootTold(log.log, mark, true)
    return mark
  }
  if (head.seq === 0 || head.seq % EVERY !== 0) return null
  const sum = rootOfState(stateAt(ground, log, head))
  if (sum === null) return null
  const mark = { at: head, root: sum.root, records: sum.records }
  ground.watch.rootTold(log.log, mark, true)
  return mark
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
    const own = rootOfState(stateAt(ground, on, snapshot.at))
    if (own === null) continue
    const { verdict } = ground.rules.judgeRoot(snapshot, own)
    on.roots.set(rootKey(snapshot), verdict)
    if (verdict === 'differs') ground.note(`${code} refuses the root of ${formatLogId(log)} at ${formatPosition(snapshot.at)}`)
    ground.watch.rootJudged(code, log, snapshot, verdict)
  }
}

export const rootKey = ({ at, root }: SnapshotMark): string => `${formatPosition(at)} ${at.digest} ${root}`
export const rootId = (log: LogId, mark: SnapshotMark): string => `${formatLogId(log)} ${rootKey(mark)}`
