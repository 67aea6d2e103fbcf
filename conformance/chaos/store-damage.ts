/**
 * What happens to the broker's disk while the broker is down. Synchronous, because it has to be over before the broker is started
 * again: the launcher tells of its death first, and everything here is done while it is being told.
 */
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  cpSync,
  fstatSync,
  globSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import type { Random } from '../samples/random.ts'

const PAGE = 4096
const SPARE_BYTES = 96 * 1024

/** The block files that hold messages, those of consumers' states excluded. */
const blocks = (store: string): string[] =>
  globSync(join(store, '**/msgs/*.blk'))
    .filter(path => statSync(path).size > 0)
    .sort()

function change(path: string, at: number, length: number, act: (bytes: Buffer) => void): void {
  const file = openSync(path, 'r+')
  try {
    const bytes = Buffer.alloc(Math.min(length, fstatSync(file).size - at))
    readSync(file, bytes, 0, bytes.length, at)
    act(bytes)
    writeSync(file, bytes, 0, bytes.length, at)
  } finally {
    closeSync(file)
  }
}

function choose(store: string, random: Random): { path: string; size: number } | null {
  const [first, ...rest] = blocks(store)
  if (first === undefined) return null
  const path = random.pick([first, ...rest])
  return { path, size: statSync(path).size }
}

/** Returns what was done, or that there was nothing to damage. */
export function flipBit(store: string, random: Random): string {
  const block = choose(store, random)
  if (block === null) return 'no block yet'
  const at = random.integer(0, block.size - 1)
  change(block.path, at, 1, bytes => {
    bytes[0] = (bytes[0] ?? 0) ^ (1 << random.integer(0, 7))
  })
  return `${relative(store, block.path)} byte ${at}`
}

export function zeroPage(store: string, random: Random): string {
  const block = choose(store, random)
  if (block === null) return 'no block yet'
  const page = random.integer(0, Math.floor((block.size - 1) / PAGE))
  change(block.path, page * PAGE, PAGE, bytes => void bytes.fill(0))
  return `${relative(store, block.path)} page ${page}`
}

export function wipe(store: string): string {
  rmSync(store, { recursive: true, force: true })
  return 'all of it'
}

const asideOf = (store: string): string => `${store}.aside`

const bytesUnder = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).reduce(
    (sum, entry) => sum + (entry.isFile() ? Math.ceil(statSync(join(entry.parentPath, entry.name)).size / PAGE + 1) * PAGE : PAGE),
    0,
  )

/** Whether a small file system can be laid under the store: it takes root and the right to mount. */
export function canLimit(folder: string): boolean {
  const probe = join(folder, 'mount-probe')
  mkdirSync(probe, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', probe], { stdio: 'ignore' })
    execFileSync('umount', [probe], { stdio: 'ignore' })
    return true
  } catch {
    return false
  } finally {
    rmSync(probe, { recursive: true, force: true })
  }
}

const fillerOf = (store: string): string => join(store, 'filler')

export function freeBytes(store: string): number {
  const { bavail, bsize } = statfsSync(store)
  return bavail * bsize
}

/** Lays a file system under the store that is full but for a little. */
export function limit(store: string): string {
  const size = bytesUnder(store) + SPARE_BYTES
  renameSync(store, asideOf(store))
  mkdirSync(store)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', store], { stdio: 'ignore' })
  cpSync(asideOf(store), store, { recursive: true, preserveTimestamps: true })
  writeFileSync(fillerOf(store), Buffer.alloc(Math.max(0, freeBytes(store) - SPARE_BYTES)))
  return `${Math.round(freeBytes(store) / 1024)} KiB left`
}

/** Gives the store its space back, with what stands in it. Does nothing where none was taken. */
export function unlimit(store: string): void {
  const aside = asideOf(store)
  if (!statSync(aside, { throwIfNoEntry: false })?.isDirectory()) return
  rmSync(fillerOf(store), { force: true })
  rmSync(aside, { recursive: true, force: true })
  cpSync(store, aside, { recursive: true, preserveTimestamps: true })
  execFileSync('umount', ['-l', store], { stdio: 'ignore' })
  rmSync(store, { recursive: true, force: true })
  renameSync(aside, store)
}
