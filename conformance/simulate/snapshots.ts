/** Snapshots of a log's state, kept for newcomers: made by its origin, fetched by the hub once it has judged the root itself. */
import { comparePositions, formatLogId, formatPosition, type LogHead, type LogId } from '../../schemas/log.ts'
import {
  type ChunkLine,
  chunkOf,
  digestState,
  eraseInChunk,
  type Group,
  parseChunk,
  type StateLine,
} from '../../schemas/snapshot.ts'
import { growthForSnapshot } from '../../schemas/snapshot-rule.ts'
import type { Head } from '../../schemas/statements.ts'
import type { DiskLog, KeptSnapshot } from './disk.ts'
import type { Ground, Life } from './ground.ts'
import type { Answer, Ask, Question } from './network.ts'
import { rootKey, stateAt } from './roots.ts'

/** a snapshot is worth it from so many entries on */
export const LEAST_ENTRIES = 3
const KEPT = 2

/** The state as pieces. */
export function snapshotOf(at: LogHead, lines: readonly StateLine[]): KeptSnapshot {
  const digester = digestState()
  const groups: (Group | null)[] = lines.map(line => digester.add(line))
  groups.push(digester.end())
  const { root, manifest, records } = digester.sum()
  const chunks = groups.filter(group => group !== null).map(chunkOf)
  return { mark: { at: { epoch: at.epoch, seq: at.seq, digest: at.digest }, root, records }, manifest, chunks }
}

export const keep = (on: DiskLog, kept: KeptSnapshot): void => {
  on.kept = [kept, ...on.kept].sort((a, b) => comparePositions(b.mark.at, a.mark.at)).slice(0, KEPT)
}

/** Makes one of an own log if it is due, and it can be told. */
export function makeSnapshot(ground: Ground, on: DiskLog): void {
  const { head } = on
  if (head === null || head.seq === 0 || on.fork !== null || on.log.audience !== 'all') return
  const { grown, wanted } = growthForSnapshot(head, on.kept[0]?.mark.at ?? null, LEAST_ENTRIES)
  const lines = grown < wanted ? null : stateAt(ground, on, head)
  if (lines !== null) keep(on, snapshotOf(head, lines))
}

export function answerSnapshot(on: DiskLog | undefined, { mark, group }: Question & { what: 'snapshot' }): Answer {
  const lacks: Answer = { what: 'snapshot', said: 'lacks', piece: null }
  if (on === undefined) return lacks
  if (on.roots.get(rootKey(mark)) === 'differs') return { what: 'snapshot', said: 'refuses', piece: null }
  const kept = on.kept.find(one => comparePositions(one.mark.at, mark.at) === 0 && one.mark.root === mark.root)
  if (kept === undefined) return lacks
  const piece = group === null ? kept.manifest : kept.chunks[group]
  return piece === undefined ? lacks : { what: 'snapshot', said: 'gives', piece }
}

/** The hub's keeper: what is announced and was found true is fetched from its origin, and what was erased meanwhile stays out. */
export function createKeeper(ground: Ground, life: Life, ask: Ask): { check(heads: readonly Head[]): void } {
  const { rules } = ground
  const fetching = new Set<string>()

  function fetch(log: LogId, mark: KeptSnapshot['mark'], on: DiskLog): void {
    const id = `${formatLogId(log)} ${rootKey(mark)}`
    if (fetching.has(id)) return
    fetching.add(id)
    const piece = (group: number | null, got: (piece: Buffer | null) => void): void =>
      ask(log.origin, { what: 'snapshot', log, mark, group }, answer =>
        got(answer?.what === 'snapshot' && answer.said === 'gives' ? answer.piece : null),
      )
    const next = (manifest: Buffer, chunks: readonly Buffer[]): void => {
      if (chunks.length * 32 >= manifest.length) {
        fetching.delete(id)
        if (on.kept.every(one => one.mark.root !== mark.root)) keep(on, { mark, manifest, chunks: chunks.map(erased) })
        return
      }
      piece(chunks.length, chunk => {
        const good = chunk !== null && fits(parseChunk(chunk), manifest, chunks.length)
        if (good) next(manifest, [...chunks, chunk])
        else fetching.delete(id)
      })
    }
    const fits = (lines: readonly ChunkLine[], manifest: Buffer, group: number): boolean => {
      try {
        rules.checkGroup(lines, manifest, group)
        return true
      } catch {
        return false
      }
    }
    const erased = (chunk: Buffer): Buffer =>
      rules.order.knowErased
        ? [...on.redactions.values()].reduce((held, { position, keys }) => eraseInChunk(held, position, keys) ?? held, chunk)
        : chunk
    piece(null, manifest => {
      if (manifest !== null && rules.rootOf(manifest) === mark.root) next(manifest, [])
      else fetching.delete(id)
    })
  }

  return {
    check(heads) {
      for (const { log, snapshot } of heads.flatMap(head => head.logs)) {
        const on = ground.disk(life.code).logs.get(formatLogId(log))
        if (snapshot == null || on === undefined || on.roots.get(rootKey(snapshot)) !== 'same') continue
        if (on.kept.some(one => formatPosition(one.mark.at) === formatPosition(snapshot.at))) continue
        fetch(log, snapshot, on)
      }
    },
  }
}
