/**
 * The two forms in which certificates are sent in bulk, read as they come: NDJSON, a line `{"place","data"}` with base64 of a file as it
 * stood, whatever is wrong with it; and PEM, a row for each block. A line that cannot be read is a row all the same, and ends in
 * quarantine like any other.
 */
import { IMPORT_LIMITS, type ImportRow } from './import.ts'

const LINE_BYTES = Math.ceil((IMPORT_LIMITS.rowBytes * 4) / 3) + 1024
const LF = 0x0a

/** Lines of bytes; one that is too long comes cut off, so that it is refused and not held. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = []
  let size = 0
  const take = (part: Buffer): void => {
    if (size <= LINE_BYTES) parts.push(part)
    size += part.length
  }
  for await (const chunk of chunks) {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    for (let end = rest.indexOf(LF); end >= 0; end = rest.indexOf(LF)) {
      take(rest.subarray(0, end))
      yield Buffer.concat(parts)
      parts = []
      size = 0
      rest = rest.subarray(end + 1)
    }
    if (rest.length > 0) take(rest)
  }
  if (size > 0) yield Buffer.concat(parts)
}

function parseLine(line: Buffer, number: number): ImportRow {
  try {
    const { place, data } = JSON.parse(line.toString('utf8')) as { readonly place?: unknown; readonly data?: unknown }
    if (typeof place === 'string' && typeof data === 'string')
      return { place: place.slice(0, 255), line: number, bytes: Buffer.from(data, 'base64') }
  } catch {
    // kept as it came
  }
  return { place: `line ${number}`, line: number, bytes: line.subarray(0, IMPORT_LIMITS.rowBytes) }
}

export async function* readRows(
  chunks: AsyncIterable<Uint8Array>,
  form: 'ndjson' | 'pem',
  place: string,
): AsyncGenerator<ImportRow> {
  let number = 0
  let block: Buffer[] | null = null
  let start = 0
  for await (const line of linesOf(chunks)) {
    number += 1
    if (form === 'ndjson') {
      if (line.length > 0) yield parseLine(line, number)
      continue
    }
    const text = line.subarray(0, 80).toString('latin1')
    if (text.startsWith('-----BEGIN ')) {
      block = []
      start = number
    }
    block?.push(line, Buffer.of(LF))
    if (block !== null && text.startsWith('-----END ')) {
      yield { place, line: start, bytes: Buffer.concat(block) }
      block = null
    }
  }
  if (block !== null) yield { place, line: start, bytes: Buffer.concat(block).subarray(0, IMPORT_LIMITS.rowBytes) }
}
