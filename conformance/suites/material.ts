/** Files of a published suite, as they lie in the folder that somebody unpacked. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import { ExchangeError } from '../../schemas/errors.ts'

export type JsonFile = { readonly path: string; readonly value: unknown }
export type Json = { readonly [name: string]: unknown }

const missing = (path: string, cause: unknown): ExchangeError =>
  new ExchangeError('SUITE_FILE_MISSING', `expected a file or folder at ${path}`, { cause })

export const malformed = (path: string, expectation: string, cause?: unknown): ExchangeError =>
  new ExchangeError('SUITE_MALFORMED', `${basename(path)}: ${expectation}`, cause === undefined ? {} : { cause })

/** @throws SUITE_FILE_MISSING */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(cause => Promise.reject(missing(path, cause)))).isDirectory()
}

/** @throws SUITE_FILE_MISSING, SUITE_MALFORMED */
export async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch(cause => Promise.reject(missing(path, cause)))
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw malformed(path, 'expected JSON', cause)
  }
}

/**
 * The JSON files at a path: itself, or those of a folder and the folders in it, by name. Their names are relative to the folder, with
 * slashes everywhere.
 * @throws SUITE_FILE_MISSING, SUITE_MALFORMED
 */
export async function readJsonTree(path: string): Promise<JsonFile[]> {
  if (!(await isFolder(path))) return [{ path: basename(path), value: await readJson(path) }]
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const names = entries
    .filter(entry => entry.isFile() && entry.name.endsWith('.json'))
    .map(entry => relative(path, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort()
  const files: JsonFile[] = []
  for (const name of names) files.push({ path: name, value: await readJson(join(path, name)) })
  return files
}

export const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
export const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)
export const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []

/**
 * The files of a suite among those at a path. A folder may hold other JSON beside; a file that was named must be one of the suite.
 * @throws SUITE_MALFORMED if none is
 */
export function filesOf<T>(path: string, files: readonly JsonFile[], read: (file: JsonFile) => T | null, expectation: string): T[] {
  const found = files.map(read).filter(one => one !== null)
  if (found.length === 0) throw malformed(path, expectation)
  return found
}

/** A time as suites write it: RFC 3339, or seconds or milliseconds since 1970. None is now. */
export function timeOf(value: unknown, now: number): number | null {
  if (value === undefined || value === null) return now
  if (typeof value === 'number') return value < 1e11 ? value * 1000 : value
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(time) ? null : time
}
