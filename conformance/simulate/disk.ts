/**
 * The virtual disk of one program, as PostgreSQL is to the product: a transaction collects its writes and commits them all or, when
 * the program dies on the way, none. A backup is a copy; a restore puts the copy back. Only what stands here survives a crash.
 */
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
import type { Redaction } from '../../schemas/redaction.ts'
import type { SnapshotMark } from '../../schemas/snapshot.ts'

export type StoredEntry = {
  readonly kind: 'envelope' | 'epoch'
  readonly entry: ChainEntry
  readonly token: string
  readonly body: Buffer | null
  /** digest of the body that the envelope fixes */
  readonly dig: Digest | null
  readonly refusal: string | null
  readonly records: readonly (ExchangeRecord & { readonly index?: number })[]
  /** the redaction that names the body, where something was erased */
  readonly redaction?: string | null
  /** of records whose body a redaction took */
  readonly erased?: readonly { readonly key: string; readonly ver: number }[]
}
export type Row = { readonly ver: number; readonly op: string; readonly text: string; readonly at: string }
/** A snapshot kept for others: its pieces as they travel. */
export type KeptSnapshot = { readonly mark: SnapshotMark; readonly manifest: Buffer; readonly chunks: readonly Buffer[] }
/** A log that is being loaded from one, and the groups that stand already. */
export type Loading = {
  readonly mark: SnapshotMark
  readonly token: string
  readonly manifest: Buffer | null
  readonly groups: ReadonlyMap<number, Buffer>
}
export type Fork = { readonly statements: readonly [string, string]; readonly reason: string }

export type DiskLog = {
  readonly log: LogId
  head: LogHead | null
  readonly entries: StoredEntry[]
  readonly index: Map<string, StoredEntry>
  readonly rows: Map<string, Row>
  /** positions whose records took effect, in the order in which they did */
  readonly applied: string[]
  receipt: { readonly head: LogHead; readonly token: string } | null
  fork: Fork | null
  /** the newest of each position */
  readonly redactions: Map<string, Redaction>
  /** where it began here with a snapshot, and the head that announced it; null once everything before it is held */
  base: (LogHead & { readonly token: string; readonly root: Digest; readonly records: number }) | null
  /** beside a base: the newest entry that is missing before it */
  wanted: LogHead | null
  /** the state that was loaded there */
  readonly loaded: Map<string, Row>
  loading: Loading | null
  kept: readonly KeptSnapshot[]
  /** what was found of announced roots; `refused`: somebody else says so */
  readonly roots: Map<string, 'same' | 'differs' | 'refused'>
}

export type Disk = {
  readonly logs: Map<string, DiskLog>
  /** newest head of an origin for an audience */
  readonly announced: Map<string, string>
  /** hub receipts that were kept, by log and position */
  readonly receipts: Map<string, string>
  readonly convictions: Fork[]
  readonly quarantine: Map<string, number>
}

export const emptyDisk = (): Disk => ({
  logs: new Map(),
  announced: new Map(),
  receipts: new Map(),
  convictions: [],
  quarantine: new Map(),
})

export const copyDisk = (disk: Disk): Disk => ({
  logs: new Map(
    [...disk.logs].map(([id, log]) => [
      id,
      {
        ...log,
        entries: [...log.entries],
        index: new Map(log.index),
        rows: new Map(log.rows),
        applied: [...log.applied],
        redactions: new Map(log.redactions),
        loaded: new Map(log.loaded),
        roots: new Map(log.roots),
      },
    ]),
  ),
  announced: new Map(disk.announced),
  receipts: new Map(disk.receipts),
  convictions: [...disk.convictions],
  quarantine: new Map(disk.quarantine),
})

/** The log on this disk, made if it is new. */
export function logOn(disk: Disk, log: LogId): DiskLog {
  const id = formatLogId(log)
  const known = disk.logs.get(id)
  if (known !== undefined) return known
  const made: DiskLog = {
    log,
    head: null,
    entries: [],
    index: new Map(),
    rows: new Map(),
    applied: [],
    receipt: null,
    fork: null,
    redactions: new Map(),
    base: null,
    wanted: null,
    loaded: new Map(),
    loading: null,
    kept: [],
    roots: new Map(),
  }
  disk.logs.set(id, made)
  return made
}

export const entryAt = (log: DiskLog, at: Position): StoredEntry | null => log.index.get(formatPosition(at)) ?? null

export function append(log: DiskLog, stored: StoredEntry): void {
  log.entries.push(stored)
  log.index.set(formatPosition(stored.entry), stored)
  log.head = { epoch: stored.entry.epoch, seq: stored.entry.seq, digest: stored.entry.digest }
}

/** Puts another in the place of an entry that is held. */
export function replace(log: DiskLog, stored: StoredEntry): void {
  const at = formatPosition(stored.entry)
  const index = log.entries.findIndex(({ entry }) => formatPosition(entry) === at)
  log.entries[index] = stored
  log.index.set(at, stored)
}

/** In front of what is held. */
export function prepend(log: DiskLog, stored: StoredEntry): void {
  log.entries.unshift(stored)
  log.index.set(formatPosition(stored.entry), stored)
}

/** Empties a log, so that it is read anew. What was found of its roots stays. */
export function forgetLog(log: DiskLog): void {
  log.head = null
  log.base = null
  log.wanted = null
  log.entries.length = 0
  log.applied.length = 0
  for (const map of [log.index, log.rows, log.redactions, log.loaded]) map.clear()
}

/** How many keys were erased: what a head says as `red`. */
export const erasedIn = (log: DiskLog): number => [...log.redactions.values()].reduce((sum, { keys }) => sum + keys.size, 0)

/** Entries from a position on, over the ends of epochs, as a range question asks for them. */
export const rangeOf = (log: DiskLog, epoch: number, from: number, limit: number): StoredEntry[] =>
  log.entries.filter(({ entry }) => comparePositions(entry, { epoch, seq: from }) >= 0).slice(0, limit)

/** stands in `refusal` of an entry that its origin has declared lost */
export const LOST = 'ENTRY_DECLARED_LOST'

/** Marks what is held of a lost range. True if something of it is held. */
export function voidEntries(log: DiskLog, lost: Position, opening: Position): boolean {
  let found = false
  for (const [index, stored] of log.entries.entries()) {
    if (comparePositions(stored.entry, lost) < 0 || comparePositions(stored.entry, opening) >= 0) continue
    found = true
    const marked = { ...stored, refusal: LOST }
    log.entries[index] = marked
    log.index.set(formatPosition(stored.entry), marked)
  }
  return found
}

/** What an origin noted outside its database of how far it sealed; a restored backup may leave it, lose it, or bring an old one. */
export type Note = { positions: Map<string, Position>; trusted: boolean }
