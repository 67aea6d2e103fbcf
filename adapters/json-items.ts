/** The values of a JSON file, each parsed with its numbers exact, or with the fault that keeps it from being read. */

import { RAW_BYTES } from './adapter.ts'
import { type ExactJson, parseExactJson } from './exact-json.ts'
import { jsonValues } from './json-values.ts'
import { type RowFault, rowFault } from './row-fault.ts'

type Place = {
  readonly line: number
  /** count of the values before it */
  readonly index: number
}

export type JsonItem =
  | (Place & { readonly fault: null; readonly value: ExactJson })
  /** `text` is empty where the damaged value may hold a personal field */
  | (Place & { readonly fault: RowFault; readonly text: string })

const ENCODING = rowFault('FILE_ENCODING_INVALID', null, 'encoding', 'JSON is UTF-8 (RFC 8259 §8.1)', 'JSON 应为 UTF-8 编码')
const SYNTAX = rowFault('ROW_MALFORMED', null, 'json', 'The value is JSON (RFC 8259)', '应为合法的 JSON')

const strict = new TextDecoder('utf-8', { fatal: true })
const lenient = new TextDecoder('utf-8')

/** What of a value that cannot be taken apart may be kept. */
const keptText = (bytes: Uint8Array, personal: ReadonlySet<string>): string => {
  const text = lenient.decode(bytes)
  for (const name of personal) if (text.includes(name)) return ''
  return lenient.decode(bytes.subarray(0, RAW_BYTES))
}

export async function* jsonItems(
  bytes: AsyncIterable<Uint8Array>,
  { limit, personal }: { limit: number; personal: ReadonlySet<string> },
): AsyncIterable<JsonItem> {
  const long = rowFault('ROW_MALFORMED', null, 'row-length', `A value has at most ${limit} bytes`, `一个值最多 ${limit} 字节`)
  for await (const span of jsonValues(bytes, limit)) {
    const place = { line: span.line, index: span.index }
    // of a value that is too long, what follows the part at hand is not known
    if (span.state === 'long') yield { ...place, fault: long, text: '' }
    else yield parsed(place, span.bytes, personal)
  }
}

const parsed = (place: Place, bytes: Uint8Array, personal: ReadonlySet<string>): JsonItem => {
  let text: string
  try {
    text = strict.decode(bytes)
  } catch {
    return { ...place, fault: ENCODING, text: keptText(bytes, personal) }
  }
  try {
    return { ...place, fault: null, value: parseExactJson(text) }
  } catch {
    return { ...place, fault: SYNTAX, text: keptText(bytes, personal) }
  }
}
