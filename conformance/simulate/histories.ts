/** What origins really committed, as the oracle was told at the moment of each commit. */
import type { Digest } from '../../schemas/digest.ts'
import {
  type ChainEntry,
  comparePositions,
  formatLogId,
  formatPosition,
  type LogHead,
  type LogId,
  type Position,
} from '../../schemas/log.ts'
import type { ExchangeRecord } from '../../schemas/record.ts'
import type { StoredEntry } from './disk.ts'
import { fail } from './invariants.ts'

export type History = {
  readonly log: LogId
  readonly digests: Map<string, Digest>
  readonly records: Map<string, readonly ExchangeRecord[]>
  readonly bodies: Map<string, Buffer>
  /** declared lost: whoever holds it may keep it, nobody need */
  readonly lost: Map<string, Digest>
  readonly lostVersions: Map<string, number>
  /** tokens of the redactions that the origin has signed, and whether it was allowed to */
  readonly redactions: Map<string, boolean>
  head: LogHead
}

export type Histories = {
  readonly all: ReadonlyMap<string, History>
  sealed(code: string, stored: StoredEntry, log: LogId): void
  reopened(log: LogId, lost: Position, opening: ChainEntry): void
  disclosed(log: LogId, at: Position): void
  /** the furthest position that ever left the origin */
  seen(id: string): Position | undefined
  /** What nobody but the origin ever saw is gone with its disk. */
  restored(code: string, holds: (id: string, place: string) => boolean): void
}

export const positionOf = (place: string): Position => {
  const [epoch = 0, seq = 0] = place.split('.').map(Number)
  return { epoch, seq }
}

export function createHistories(isHonest: (log: LogId) => boolean): Histories {
  const all = new Map<string, History>()
  const disclosed = new Map<string, Position>()
  return {
    all,
    seen: id => disclosed.get(id),
    sealed(code, stored, log) {
      const id = formatLogId(log)
      const history = all.get(id) ?? newHistory(log, stored.entry)
      all.set(id, history)
      const place = formatPosition(stored.entry)
      if (isHonest(log) && history.digests.has(place)) fail('sealedTwice', `${code} seals ${id} ${place} again`)
      history.digests.set(place, stored.entry.digest)
      history.records.set(place, stored.records)
      if (stored.body !== null) history.bodies.set(place, stored.body)
      for (const { key, ver } of isHonest(log) ? stored.records : [])
        if (ver <= (history.lostVersions.get(key) ?? 0))
          fail('outranked', `${code} seals ${id} ${place}: version ${ver} of ${key}, and one as high was lost`)
      history.head = stored.entry
    },
    reopened(log, lost, opening) {
      const history = all.get(formatLogId(log))
      if (history === undefined) return
      const closing = opening.kind === 'opening' ? opening.closing : null
      const at = closing === null ? '' : formatPosition(closing)
      if (isHonest(log) && closing !== null && (history.digests.get(at) ?? history.lost.get(at)) !== closing.digest)
        fail('honest', `${formatLogId(log)}: its origin names ${at} as its own, and never committed it`)
      for (const [place, digest] of [...history.digests]) {
        const at = positionOf(place)
        if (comparePositions(at, lost) < 0 || comparePositions(at, opening) >= 0) continue
        history.digests.delete(place)
        history.lost.set(place, digest)
        for (const { key, ver } of history.records.get(place) ?? [])
          history.lostVersions.set(key, Math.max(ver, history.lostVersions.get(key) ?? 0))
      }
    },
    disclosed(log, at) {
      const id = formatLogId(log)
      const known = disclosed.get(id)
      if (known === undefined || comparePositions(known, at) < 0) disclosed.set(id, { epoch: at.epoch, seq: at.seq })
      const history = all.get(id)
      if (isHonest(log) && history?.digests.has(formatPosition(at)) !== true && history?.lost.has(formatPosition(at)) !== true)
        fail('sealedTwice', `${id} ${formatPosition(at)} left before its commit`)
    },
    restored(code, holds) {
      for (const [id, history] of all) {
        if (history.log.origin !== code) continue
        const seen = disclosed.get(id)
        for (const place of [...history.digests.keys()])
          if (!holds(id, place) && (seen === undefined || comparePositions(positionOf(place), seen) > 0))
            history.digests.delete(place)
      }
    },
  }
}

const newHistory = (log: LogId, head: LogHead): History => ({
  log,
  digests: new Map(),
  records: new Map(),
  bodies: new Map(),
  lost: new Map(),
  lostVersions: new Map(),
  redactions: new Map(),
  head,
})
