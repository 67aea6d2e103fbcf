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

export type StoredEntry = {
  readonly kind: 'envelope' | 'epoch'
  readonly entry: ChainEntry
  readonly token: string
  readonly body: Buffer | null
  /** digest of the body that the envelope fixes */
  readonly dig: Digest | null
  readonly refusal: string | null
  readonly records: readonly ExchangeRecord[]
}
export type Row = { readonly ver: number; readonly op: string; readonly text: string }
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
      { ...log, entries: [...log.entries], index: new Map(log.index), rows: new Map(log.rows), applied: [...log.applied] },
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
