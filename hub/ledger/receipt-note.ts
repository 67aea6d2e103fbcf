/**
 * The last receipt that was signed for each log, noted in a file beside the database before it leaves. A database that was set back has
 * forgotten it: the hub then waits until what it has receipted stands in its ledger again, and never signs for another entry there
 * (`judgeOwnReceipt`). What this process has compared once is not compared again. The note is written in place without waiting for the
 * disk, which outlives the death of the program, and brought there once a second; with no note, or another federation's, nothing is known.
 */
import { createHash } from 'node:crypto'
import { closeSync, fdatasync, fdatasyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Digest } from '../../schemas/digest.ts'
import { comparePositions, formatLogId, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import { judgeOwnReceipt } from '../../schemas/receipt-rule.ts'

const SYNC_MS = 1000

export type ReceiptNote = Disposable & {
  /** Whether a receipt may be signed; if so it is noted. `digestAt` is asked only for what this process has not compared yet. */
  mayReceipt(log: LogId, head: LogHead, digestAt: (position: Position) => Promise<Digest | null>): Promise<boolean>
}

type Content = { readonly fed: string; readonly logs: { readonly [log: string]: readonly [number, number, Digest] } }

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** `held` is told when a receipt is kept back. */
export async function openReceiptNote(
  path: string,
  fed: string,
  held: (log: LogId, why: 'wait' | 'contradicts') => void,
): Promise<ReceiptNote> {
  await mkdir(dirname(path), { recursive: true })
  closeSync(openSync(path, 'a+', 0o600))
  const fd = openSync(path, 'r+')
  const text = readFileSync(fd, 'utf8')
  const noted = new Map(Object.entries(parseContent(text, fed)).map(([log, [epoch, seq, digest]]) => [log, { epoch, seq, digest }]))
  const compared = new Set<string>()
  const kept = new Set<string>()
  let size = Buffer.byteLength(text)
  let dirty = false
  let syncing = false

  function write(): void {
    const logs = Object.fromEntries([...noted].map(([log, { epoch, seq, digest }]) => [log, [epoch, seq, digest] as const]))
    const body = JSON.stringify({ fed, logs } satisfies Content)
    const bytes = Buffer.from(`${digestOf(body)} ${body}\n`)
    writeSync(fd, bytes, 0, bytes.length, 0)
    if (bytes.length < size) ftruncateSync(fd, bytes.length)
    size = bytes.length
    dirty = true
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

  async function verdictOn(id: string, head: LogHead, digestAt: (position: Position) => Promise<Digest | null>) {
    const before = noted.get(id) ?? null
    if (before === null || compared.has(id)) return 'sign'
    const there = comparePositions(head, before) > 0 ? await digestAt(before) : null
    return judgeOwnReceipt(before, head, () => there)
  }

  return {
    async mayReceipt(log, head, digestAt) {
      const id = formatLogId(log)
      const verdict = await verdictOn(id, head, digestAt)
      if (verdict !== 'sign') {
        if (!kept.has(`${id} ${verdict}`)) held(log, verdict)
        kept.add(`${id} ${verdict}`)
        return false
      }
      compared.add(id)
      const before = noted.get(id)
      if (before !== undefined && comparePositions(before, head) >= 0) return true
      noted.set(id, { epoch: head.epoch, seq: head.seq, digest: head.digest })
      write()
      return true
    },
    [Symbol.dispose]() {
      clearInterval(timer)
      fdatasyncSync(fd)
      closeSync(fd)
    },
  }
}

/** Nothing for a file that is new, torn, or another federation's. */
function parseContent(text: string, fed: string): Content['logs'] {
  const at = text.indexOf(' ')
  const body = text.slice(at + 1, text.indexOf('\n'))
  if (at < 0 || digestOf(body) !== text.slice(0, at)) return {}
  const content = JSON.parse(body) as Content
  return content.fed === fed ? content.logs : {}
}
