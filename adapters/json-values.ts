/**
 * Finds the values of a JSON file one by one, as bytes: the elements of a top-level array, or values one after the other
 * (NDJSON, RFC 7464 without its marks). Only one value is held at a time, and damage costs the value that it is in: where an
 * object begins that cannot begin there by the grammar of RFC 8259, the value before it was cut, and reading goes on with the
 * first line of the cut part that begins an object. All structure is ASCII, so the split happens before decoding.
 */

export type JsonSpan = {
  /** line of its first byte, from 1 */
  readonly line: number
  /** count of the values before it */
  readonly index: number
  readonly bytes: Uint8Array
  /** `cut`: it never ends; `long`: longer than the limit, of which `bytes` is the beginning */
  readonly state: 'whole' | 'cut' | 'long'
}

const LF = 0x0a
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_LIST = 0x5b
const BACKSLASH = 0x5c
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const SPACES: ReadonlySet<number> = new Set([0x20, 0x09, 0x0d, LF])
const BOM = [0xef, 0xbb, 0xbf] as const

/** A byte buffer that grows at its end and is used up at its front, both in amortised constant time. */
class Window {
  #bytes = Buffer.alloc(1 << 16)
  #from = 0
  #to = 0

  get length(): number {
    return this.#to - this.#from
  }

  at(index: number): number {
    return this.#bytes[this.#from + index] ?? 0
  }

  append(chunk: Uint8Array): void {
    if (this.#to + chunk.length > this.#bytes.length) {
      const wanted = this.length + chunk.length
      const next = wanted * 2 > this.#bytes.length ? Buffer.alloc(wanted * 2) : this.#bytes
      this.#bytes.copy(next, 0, this.#from, this.#to)
      this.#bytes = next
      this.#to = this.length
      this.#from = 0
    }
    this.#bytes.set(chunk, this.#to)
    this.#to += chunk.length
  }

  copy(from: number, to: number): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#bytes, this.#from + from, this.#from + to)
  }

  drop(count: number): void {
    this.#from += count
  }

  /** Forgets `count` bytes that end at `end`, and keeps what is after them. */
  forget(end: number, count: number): void {
    this.#bytes.copyWithin(this.#from + end - count, this.#from + end, this.#to)
    this.#to -= count
  }

  lines(from: number, to: number): number {
    let count = 0
    for (let index = from; index < to; index += 1) if (this.at(index) === LF) count += 1
    return count
  }

  /** Index of the first LF before `end` whose line begins with `{`; -1 where there is none. */
  objectLine(from: number, end: number): number {
    for (let index = from; index < end; index += 1) {
      if (this.at(index) !== LF) continue
      let next = index + 1
      while (next < end && SPACES.has(this.at(next)) && this.at(next) !== LF) next += 1
      if (next < end && this.at(next) === OPEN_OBJECT) return index
    }
    return -1
  }
}

export async function* jsonValues(chunks: AsyncIterable<Uint8Array>, limit: number): AsyncIterable<JsonSpan> {
  const window = new Window()
  let inArray: boolean | null = null
  let line = 1
  let index = 0
  // the value being read begins at the window's front; `scan` is the next byte to look at
  let scan = 0
  let begun = false
  let long = false
  let bare = false
  let inString = false
  let escaped = false
  let skipping = false
  let before = 0
  let containers: number[] = []
  let forgottenLines = 0
  let first = true

  const reset = (): void => {
    scan = 0
    begun = long = bare = inString = escaped = skipping = false
    before = 0
    containers = []
    forgottenLines = 0
  }

  const take = (end: number, state: JsonSpan['state']): JsonSpan => {
    const span: JsonSpan = { line, index, bytes: window.copy(0, Math.min(end, limit)), state: long || end > limit ? 'long' : state }
    line += forgottenLines + window.lines(0, end)
    index += 1
    window.drop(end)
    reset()
    return span
  }

  /** Of a value that is too long only the beginning is kept. */
  const shorten = (): void => {
    if (scan <= limit) return
    long = true
    forgottenLines += window.lines(limit, scan)
    window.forget(scan, scan - limit)
    scan = limit
  }

  const cut = (end: number): JsonSpan => {
    const resume = long ? -1 : window.objectLine(0, end)
    return take(resume === -1 ? end : resume, 'cut')
  }

  /** The next value that ends inside the window, or null where more bytes are needed. */
  const next = (): JsonSpan | null => {
    while (scan < window.length) {
      const byte = window.at(scan)
      if (!begun) {
        if (byte === LF) line += 1
        const structure = inArray === true && (byte === COMMA || byte === CLOSE_LIST)
        if (SPACES.has(byte) || structure) {
          window.drop(1)
          continue
        }
        if (inArray === null) {
          inArray = byte === OPEN_LIST
          if (inArray) {
            window.drop(1)
            continue
          }
        }
        begun = true
        bare = byte !== OPEN_OBJECT && byte !== OPEN_LIST && byte !== QUOTE
      }
      scan += 1
      if (skipping) {
        if (byte === OPEN_OBJECT && window.objectLine(0, scan) !== -1) {
          skipping = false
          return cut(scan)
        }
        continue
      }
      if (bare) {
        if (byte === LF || (inArray === true && (byte === COMMA || byte === CLOSE_LIST))) return take(scan - 1, 'whole')
        continue
      }
      if (inString) {
        if (byte === LF) skipping = true
        else if (escaped) escaped = false
        else if (byte === BACKSLASH) escaped = true
        else if (byte === QUOTE) {
          inString = false
          before = QUOTE
          if (containers.length === 0) return take(scan, 'whole')
        }
        continue
      }
      if (SPACES.has(byte)) continue
      if (byte === OPEN_OBJECT && before !== 0) {
        const inside = containers.at(-1)
        const allowed = before === COLON || before === OPEN_LIST || (before === COMMA && inside === OPEN_LIST)
        if (!allowed && !long) return cut(window.objectLine(0, scan) === -1 ? scan - 1 : scan)
      }
      if (byte === QUOTE) inString = true
      else if (byte === OPEN_OBJECT || byte === OPEN_LIST) containers.push(byte)
      else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
        containers.pop()
        if (containers.length === 0) return take(scan, 'whole')
      }
      before = byte
    }
    shorten()
    return null
  }

  for await (const chunk of chunks) {
    window.append(chunk)
    if (first) {
      if (window.length < BOM.length) continue
      first = false
      if (BOM.every((byte, position) => window.at(position) === byte)) window.drop(BOM.length)
    }
    for (let span = next(); span !== null; span = next()) yield span
  }
  for (let span = next(); span !== null; span = next()) yield span
  while (begun) {
    yield bare ? take(window.length, 'whole') : cut(window.length)
    for (let span = next(); span !== null; span = next()) yield span
  }
}
