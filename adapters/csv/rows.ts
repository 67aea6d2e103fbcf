/**
 * Puts lines together into rows and rows apart into cells. A quoted cell may hold line ends, so a row ends where its quotes
 * balance; where they never do, or what they enclose is no row of the right width, only the first line is given up and reading
 * goes on with the next, so that one stray quote costs one row and not the rest of the file.
 */

import { parse } from 'csv-parse/sync'
import { byteLines } from '../byte-lines.ts'
import type { Encoding } from '../mapping.ts'

export type CsvRow =
  | { readonly kind: 'cells'; readonly line: number; readonly cells: readonly string[]; readonly text: string }
  | {
      readonly kind: 'damaged'
      readonly line: number
      readonly reason: 'encoding' | 'long' | 'quotes' | 'width'
      readonly text: string
    }

type Line = { readonly line: number; readonly text: string; readonly reason: 'encoding' | 'long' | null }

/** One row of text as cells; null where quotes are misplaced. */
const cellsOf = (text: string, delimiter: string): readonly string[] | null => {
  if (!text.includes('"') && !text.includes('\r')) return text.split(delimiter)
  try {
    const rows: readonly string[][] = parse(text, { delimiter, relax_column_count: true, record_delimiter: '\u0000' })
    return rows.length === 1 && rows[0] !== undefined ? rows[0] : null
  } catch {
    // csv-parse says where the quote stands; the row's own refusal says as much as its reader can use
    return null
  }
}

async function* textLines(chunks: AsyncIterable<Uint8Array>, encoding: Encoding, limit: number): AsyncIterable<Line> {
  const strict = new TextDecoder(encoding, { fatal: true, ignoreBOM: true })
  const lenient = new TextDecoder(encoding, { ignoreBOM: true })
  for await (const { line, bytes, tooLong } of byteLines(chunks, limit)) {
    let text: string
    let reason: Line['reason'] = tooLong ? 'long' : null
    try {
      text = tooLong ? lenient.decode(bytes) : strict.decode(bytes)
    } catch {
      text = lenient.decode(bytes)
      reason = 'encoding'
    }
    if (line === 1) text = text.replace(/^\uFEFF/u, '')
    yield { line, text: text.replace(/\r$/, ''), reason }
  }
}

const quotesIn = (text: string): number => {
  let count = 0
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) count += 1
  return count
}

/** The first row is the heading and gives the number of cells that every other row must have. Blank lines are no rows. */
export async function* csvRows(
  chunks: AsyncIterable<Uint8Array>,
  { encoding, delimiter, limit }: { encoding: Encoding; delimiter: string; limit: number },
): AsyncIterable<CsvRow> {
  let width: number | null = null
  /** lines not yet part of a row; the first begins one, and `scanned` of them with `quotes` and `size` have been looked at */
  let waiting: Line[] = []
  let scanned = 0
  let quotes = 0
  let size = 0

  const shift = (count: number): void => {
    waiting = waiting.slice(count)
    scanned = quotes = size = 0
  }

  /** Whether the scanned lines are decided: their quotes balance, or never will. */
  const scan = (last: boolean): 'balanced' | 'hopeless' | 'open' => {
    for (; scanned < waiting.length; ) {
      const line = waiting[scanned]
      if (line === undefined || line.reason !== null || size > limit) return 'hopeless'
      scanned += 1
      quotes += quotesIn(line.text)
      size += line.text.length + 1
      if (quotes % 2 === 0) return 'balanced'
    }
    return last || size > limit ? 'hopeless' : 'open'
  }

  function* rows(last: boolean): Iterable<CsvRow> {
    for (let head = waiting[0]; head !== undefined; head = waiting[0]) {
      const { line, text: first, reason } = head
      if (reason !== null) {
        shift(1)
        yield { kind: 'damaged', line, reason, text: first }
        continue
      }
      if (first.trim() === '') {
        shift(1)
        continue
      }
      const state = scan(last)
      if (state === 'open') return
      const text =
        state === 'balanced'
          ? waiting
              .slice(0, scanned)
              .map(part => part.text)
              .join('\n')
          : first
      const cells = state === 'balanced' ? cellsOf(text, delimiter) : null
      if (cells === null || (width !== null && cells.length !== width)) {
        shift(1)
        yield { kind: 'damaged', line, reason: cells === null ? 'quotes' : 'width', text: first }
        continue
      }
      shift(scanned)
      width ??= cells.length
      yield { kind: 'cells', line, cells, text }
    }
  }

  for await (const line of textLines(chunks, encoding, limit)) {
    waiting.push(line)
    yield* rows(false)
  }
  yield* rows(true)
}
