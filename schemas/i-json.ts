/**
 * I-JSON (RFC 7493): the only JSON that enters Hutong. `JSON.parse` lets duplicate members, lone surrogates, U+0000 and numbers
 * that a double cannot hold pass; PostgreSQL refuses some of them later and takes the whole batch down. So the text is judged
 * first, and what is stored is what was judged.
 *
 * Three roads lead to the same verdict. Text that is exactly as long as the shortest text of its own parse has no duplicate member
 * and no number that changed: what the parse dropped would have made it longer. Without an escape in it, and with small whole numbers
 * only, that length is a sum, and costs one walk. Other text is serialised again and compared; and where it differs, a scanner reads
 * it once and says where it is wrong.
 */
import { isUtf8 } from 'node:buffer'
import { ExchangeError } from './errors.ts'
import type { JsonObject, JsonValue } from './record.ts'

export type IJsonRule = 'utf-8' | 'syntax' | 'depth' | 'duplicate-member' | 'surrogate' | 'nul' | 'number-range' | 'byte-order-mark'
/** One fault: `path` is the JSON pointer (RFC 6901) of the value that it was found in. */
export type IJsonFault = { readonly rule: IJsonRule; readonly path: string; readonly reason: string }
export type IJsonReading = { readonly text: string; readonly value: JsonValue | undefined; readonly faults: readonly IJsonFault[] }

const SUSPECT = /\\u(?:0000|[dD][89a-fA-F])/

/**
 * Reads bytes as I-JSON. Faults of the whole text (`utf-8`, `syntax`, `depth` and `byte-order-mark`) leave `value` undefined; faults of single values
 * name their path and leave the value readable, so that one record of a batch can be set aside.
 */
export function readIJson(bytes: Uint8Array, maxDepth: number): IJsonReading {
  const whole = (rule: IJsonRule, reason: string, text = ''): IJsonReading => ({
    text,
    value: undefined,
    faults: [{ rule, path: '', reason }],
  })
  if (!isUtf8(bytes)) return whole('utf-8', 'expected UTF-8, found bytes that are not')
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  if (text.charCodeAt(0) === 0xfeff) return whole('byte-order-mark', 'expected JSON text, found a byte order mark', text)
  let value: JsonValue
  try {
    value = JSON.parse(text) as JsonValue
  } catch {
    return whole('syntax', 'expected JSON text (RFC 8259)', text)
  }
  return judgeParsed(text, value, maxDepth)
}

/** The same for text that `JSON.parse` has read already. */
export function judgeParsed(text: string, value: JsonValue, maxDepth: number): IJsonReading {
  if (!text.includes('\\') && shortestLength(value, maxDepth) === text.length) return { text, value, faults: [] }
  const bound = walk(value, maxDepth)
  if (bound === 'depth') {
    return {
      text,
      value: undefined,
      faults: [{ rule: 'depth', path: '', reason: `expected at most ${maxDepth} levels of nesting` }],
    }
  }
  if (bound === null && !SUSPECT.test(text) && JSON.stringify(value) === text) return { text, value, faults: [] }
  return { text, value, faults: scan(text) }
}

/** Like {@link readIJson}, for text that must be right as a whole. Throws `code` with the first fault. */
export function parseIJson(
  bytes: Uint8Array,
  maxDepth: number,
  code: 'TOKEN_MALFORMED' | 'BODY_NOT_IJSON' | 'REQUEST_INVALID',
): JsonValue {
  const { value, faults } = readIJson(bytes, maxDepth)
  const fault = faults[0]
  if (fault !== undefined || value === undefined) {
    throw new ExchangeError(code, `${fault?.reason ?? 'expected JSON'} at "${fault?.path ?? ''}"`, {
      detail: { rule: fault?.rule ?? 'syntax' },
    })
  }
  return value
}

const outOfRange = (value: number): boolean => !Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))

/**
 * Characters of the shortest text that parses to this value, if no string of it needs an escape; NaN where that is not a simple sum.
 * A number below 1000 in amount has no literal shorter than its own text (`1e2` is as long as `100`), and every literal as short is exact.
 */
function shortestLength(value: JsonValue | undefined, depth: number): number {
  if (typeof value === 'string') return value.length + 2
  if (typeof value === 'number') return Number.isInteger(value) && value > -1000 && value < 1000 ? String(value).length : Number.NaN
  if (typeof value !== 'object') return value === true ? 4 : 5
  if (value === null) return 4
  if (depth === 0) return Number.NaN
  if (Array.isArray(value)) {
    let sum = Math.max(2, value.length + 1)
    for (let at = 0; at < value.length; at += 1) sum += shortestLength(value[at], depth - 1)
    return sum
  }
  let sum = 1
  // Each member has its quotes, its colon, and a comma or the last brace behind it. `for in` makes no list of the names.
  for (const name in value) sum += name.length + 4 + shortestLength((value as JsonObject)[name], depth - 1)
  return sum === 1 ? 2 : sum
}

/** Depth and integer range of a parsed value. V8 parses without recursion, so depth is bounded here, before anything recursive. */
function walk(value: JsonValue | undefined, depth: number): 'depth' | 'number' | null {
  if (typeof value === 'number') return outOfRange(value) ? 'number' : null
  if (typeof value !== 'object' || value === null) return null
  if (depth === 0) return 'depth'
  let found: 'number' | null = null
  for (const inner of Object.values(value) as (JsonValue | undefined)[]) {
    const fault = walk(inner, depth - 1)
    if (fault === 'depth') return fault
    found ??= fault
  }
  return found
}

/** The same rules for a value that this program holds already, where no text is left to judge. Returns the first fault. */
export function judgeIJson(value: JsonValue | undefined, maxDepth: number): IJsonFault | null {
  if (typeof value === 'string') return judgeText(value)
  if (typeof value === 'number') {
    return outOfRange(value) ? { rule: 'number-range', path: '', reason: 'expected a number that a double holds exactly' } : null
  }
  if (typeof value !== 'object' || value === null) return null
  if (maxDepth === 0) return { rule: 'depth', path: '', reason: 'expected fewer levels of nesting' }
  for (const name of Object.keys(value)) {
    const named = judgeText(name)
    if (named !== null) return named
    const fault = judgeIJson((value as JsonObject)[name], maxDepth - 1)
    // The place is put together on the way back: nearly every value has no fault, and needs none.
    if (fault !== null) return { ...fault, path: `/${escapePointer(name)}${fault.path}` }
  }
  return null
}

function judgeText(text: string): IJsonFault | null {
  if (text.includes('\u0000')) return { rule: 'nul', path: '', reason: 'expected no U+0000 in a string' }
  return text.isWellFormed() ? null : { rule: 'surrogate', path: '', reason: 'expected no lone surrogate in a string' }
}

const escapePointer = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1')
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[[\]{},]/gs

/** Faults of single values, in text that `JSON.parse` has accepted: so the scanner need not judge syntax, only keep the place. */
function scan(text: string): IJsonFault[] {
  type Level = { readonly path: string; readonly names: Set<string> | null; name: string; index: number; expectName: boolean }
  const faults: IJsonFault[] = []
  const levels: Level[] = []
  const here = (): string => {
    const level = levels.at(-1)
    if (level === undefined) return ''
    return `${level.path}/${level.names === null ? level.index : escapePointer(level.name)}`
  }
  for (const [token] of text.matchAll(TOKENS)) {
    const level = levels.at(-1)
    const first = token[0]
    if (first === '{' || first === '[') {
      levels.push({ path: here(), names: first === '{' ? new Set() : null, name: '', index: 0, expectName: first === '{' })
    } else if (first === '}' || first === ']') {
      levels.pop()
    } else if (first === ',') {
      if (level?.names === null) level.index += 1
      else if (level !== undefined) level.expectName = true
    } else if (first === '"') {
      const value = JSON.parse(token) as string
      if (level?.names != null && level.expectName) {
        level.expectName = false
        level.name = value
        if (level.names.has(value))
          faults.push({ rule: 'duplicate-member', path: here(), reason: 'expected each member once, found one twice' })
        level.names.add(value)
      }
      if (value.includes('\u0000')) faults.push({ rule: 'nul', path: here(), reason: 'expected no U+0000 in a string' })
      if (!value.isWellFormed()) faults.push({ rule: 'surrogate', path: here(), reason: 'expected no lone surrogate in a string' })
    } else if (!isExact(token)) {
      faults.push({ rule: 'number-range', path: here(), reason: 'expected a number that a double holds exactly as written' })
    }
  }
  return faults
}

/** A literal is exact when the shortest text of the double that it denotes is the same number (RFC 7493 §2.2). */
function isExact(literal: string): boolean {
  const value = Number(literal)
  return !outOfRange(value) && normalise(literal) === normalise(String(value))
}

/** `digits e exponent` without leading or trailing zeros: two literals of one number give one text. */
function normalise(literal: string): string {
  const [mantissa = '', exponent = '0'] = literal.replace(/^-/, '').toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const digits = (whole + fraction).replace(/^0+/, '')
  const trimmed = digits.replace(/0+$/, '')
  if (trimmed === '') return '0'
  return `${literal.startsWith('-') ? '-' : ''}${trimmed}e${Number(exponent) - fraction.length + (digits.length - trimmed.length)}`
}
