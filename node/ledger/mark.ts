/**
 * How far each own log was sealed, noted in a file beside the database after every commit. A database that was set back to an older
 * state cannot know it; this note can. It is written in place without waiting for the disk, which outlives the death of the program
 * but not of the machine, and brought to the disk once a second and at an orderly stop.
 *
 * The note counts as more than a hint only where no backup can have brought it: written since the machine started (its boot id), in the
 * same file (inode, time of birth), changed last by a write and not by a copy that set its time back.
 */
import { createHash } from 'node:crypto'
import { closeSync, fdatasync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ExchangeError } from '../../schemas/errors.ts'
import { comparePositions, formatLogId, formatPosition, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import type { Mark } from '../../schemas/sync.ts'

const SYNC_MS = 1000

export type SealedMark = Disposable & {
  /** what the file said at the start, null if there was none that can be read */
  readonly found: Mark | null
  /** how far the log was sealed, as far as is noted */
  at(log: LogId): Position | null
  /** The log was sealed up to here and committed. Nothing is written before `begin`. */
  note(log: LogId, head: Position): void
  /** Sealing begins: from here on the file is this installation's own. */
  begin(heads: readonly { readonly log: LogId; readonly head: LogHead | null }[]): void
  /** @throws SEALING_WAITS if the database stands before what was sealed: it was exchanged under a living program */
  demand(log: LogId, head: LogHead | null): void
}

type Content = {
  readonly boot: string
  readonly inode: string
  readonly born: string
  readonly logs: { readonly [log: string]: readonly [number, number] }
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex')

export async function openMark(path: string): Promise<SealedMark> {
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim()
  await mkdir(dirname(path), { recursive: true })
  const file = openSync(path, 'a+', 0o600)
  closeSync(file)
  const fd = openSync(path, 'r+')
  const stat = fstatSync(fd, { bigint: true })
  const here = { boot, inode: String(stat.ino), born: String(stat.birthtimeNs) }
  const content = parseContent(readFileSync(fd, 'utf8'))
  const positions = new Map(Object.entries(content?.logs ?? {}).map(([log, [epoch, seq]]) => [log, { epoch, seq }]))
  const written = stat.mtimeNs === stat.ctimeNs
  const trusted = boot !== '' && written && content?.boot === boot && content.inode === here.inode && content.born === here.born
  let begun = false
  let dirty = false
  let syncing = false
  let size = 0

  function write(): void {
    const logs = Object.fromEntries([...positions].map(([log, { epoch, seq }]) => [log, [epoch, seq] as const]))
    const text = JSON.stringify({ ...here, logs } satisfies Content)
    const bytes = Buffer.from(`${digestOf(text)} ${text}\n`)
    writeSync(fd, bytes, 0, bytes.length, 0)
    if (bytes.length < size) ftruncateSync(fd, bytes.length)
    size = bytes.length
    dirty = true
  }

  const raise = (log: LogId, { epoch, seq }: Position): void => {
    const id = formatLogId(log)
    const known = positions.get(id)
    if (known === undefined || comparePositions(known, { epoch, seq }) < 0) positions.set(id, { epoch, seq })
  }

  const timer = setInterval(() => {
    if (!dirty || syncing) return
    dirty = false
    syncing = true
    fdatasync(fd, () => {
      syncing = false
    })
  }, SYNC_MS)
  timer.unref()

  return {
    found: content === null ? null : { positions: new Map(positions), trusted },
    at: log => positions.get(formatLogId(log)) ?? null,
    note(log, head) {
      raise(log, head)
      if (begun) write()
    },
    begin(heads) {
      for (const { log, head } of heads) if (head !== null) raise(log, head)
      begun = true
      size = Number(fstatSync(fd, { bigint: true }).size)
      write()
      fdatasyncSync(fd)
    },
    demand(log, head) {
      const noted = positions.get(formatLogId(log))
      if (noted === undefined || (head !== null && comparePositions(head, noted) >= 0)) return
      throw new ExchangeError(
        'SEALING_WAITS',
        `the database has ${formatLogId(log)} up to ${head === null ? 'nothing' : formatPosition(head)}, and ${formatPosition(noted)} was sealed: it was set back under this node; start the node again`,
      )
    },
    [Symbol.dispose]() {
      clearInterval(timer)
      if (begun) fdatasyncSync(fd)
      closeSync(fd)
    },
  }
}

/** Null for a file that is new, torn or not one of ours: then nothing is known. */
function parseContent(text: string): Content | null {
  const at = text.indexOf(' ')
  const body = text.slice(at + 1, text.indexOf('\n'))
  if (at < 0 || digestOf(body) !== text.slice(0, at)) return null
  return JSON.parse(body) as Content
}
