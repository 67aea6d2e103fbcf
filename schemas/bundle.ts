/**
 * Entries of logs as bytes outside NATS. One envelope in a file: `JWT LF body`, the body plain. Many in one: a sequence of
 * `JWT SP length LF body`, length in bytes, 0 for the opening of an epoch; several logs may follow each other. Where something was
 * erased, the redaction stands behind the envelope's token (`JWT SP REDACTION-JWT`) and the body is the one that it names; a redaction
 * may also stand by itself, with that body, for a reader who has the envelope already. Two bundles put
 * together are a bundle. It is read as it comes, an entry at a time and limits first, so that its size does not matter.
 */
import { ExchangeError } from './errors.ts'
import { LIMITS } from './limits.ts'
import { TOKEN_BYTES, TOKEN_TYPES, type TokenKind } from './tokens.ts'

export const ENVELOPE_MEDIA_TYPE = 'application/vnd.hutong.envelope'
export const BUNDLE_MEDIA_TYPE = 'application/vnd.hutong.bundle'

/** `redaction`: the one that names the body, of an envelope in which something was erased. */
export type BundleEntry = { readonly token: string; readonly redaction?: string; readonly body: Uint8Array }

const tokensOf = ({ token, redaction }: BundleEntry): string => (redaction === undefined ? token : `${token} ${redaction}`)

export const formatEnvelopeFile = (entry: BundleEntry): Buffer => Buffer.concat([Buffer.from(`${tokensOf(entry)}\n`), entry.body])
export const formatBundleEntry = (entry: BundleEntry): Buffer =>
  Buffer.concat([Buffer.from(`${tokensOf(entry)} ${entry.body.length}\n`), entry.body])

/** @throws TOKEN_MALFORMED if there is no line of text in front, TOKEN_TOO_LARGE */
export function parseEnvelopeFile(bytes: Uint8Array): BundleEntry {
  const end = bytes.indexOf(0x0a)
  if (end < 0) throw new ExchangeError('TOKEN_MALFORMED', 'expected a token, a line feed and the body')
  if (end > LIMITS.tokenBytes)
    throw new ExchangeError('TOKEN_TOO_LARGE', `expected a token of at most ${LIMITS.tokenBytes} bytes in front`)
  const line = Buffer.from(bytes.subarray(0, end)).toString('latin1')
  const [token = '', redaction] = line.split(' ', 2)
  const body = bytes.subarray(end + 1)
  return redaction === undefined ? { token, body } : { token, redaction, body }
}

/** What kind of statement a token claims to be, by its header's `typ`, before anything is believed. */
export function tokenKindOf(compact: string): TokenKind | null {
  try {
    const header = JSON.parse(Buffer.from(compact.slice(0, Math.max(0, compact.indexOf('.'))), 'base64url').toString('utf8')) as {
      typ?: unknown
    }
    return (Object.keys(TOKEN_TYPES) as TokenKind[]).find(kind => TOKEN_TYPES[kind] === header?.typ) ?? null
  } catch {
    return null
  }
}

export type BundleItem = BundleEntry & {
  readonly kind: 'envelope' | 'epoch' | 'redaction'
  /** counted from 1 */
  readonly number: number
  /** bytes of the bundle up to the end of this entry */
  readonly end: number
}

const LF = 0x0a
/** a token or an envelope's and its redaction's, which are shorter together, a space and the digits of a length */
const LINE_BYTES = LIMITS.tokenBytes + 1 + String(LIMITS.bodyBytes).length
const LINE = /^([A-Za-z0-9_.-]+)(?: ([A-Za-z0-9_.-]+))? (0|[1-9][0-9]{0,6})$/

/**
 * Reads a bundle as a stream, holding one entry at most. What was yielded before the damage is good.
 * @throws BUNDLE_MALFORMED with the number and the first byte of the entry that is cut off or damaged
 */
export async function* readBundle(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<BundleItem, void, undefined> {
  let parts: Uint8Array[] = []
  let held = 0
  let start = 0
  let number = 1
  let line: (Omit<BundleItem, 'body' | 'number' | 'end'> & { readonly size: number; readonly length: number }) | null = null
  const damaged = (expected: string): ExchangeError =>
    new ExchangeError('BUNDLE_MALFORMED', `entry ${number} at byte ${start}: expected ${expected}`, {
      detail: { entry: number, byte: start },
    })

  function parseLine(bytes: Uint8Array): NonNullable<typeof line> {
    const [, token, redaction, length] = LINE.exec(Buffer.from(bytes).toString('latin1')) ?? []
    if (token === undefined || length === undefined) throw damaged('a token, a space, a length and a line feed')
    const kind = tokenKindOf(token)
    if (kind !== 'envelope' && kind !== 'epoch' && kind !== 'redaction') {
      throw damaged('the token of an envelope, of the opening of an epoch or of a redaction')
    }
    if (token.length > TOKEN_BYTES[kind]) throw damaged(`a token of at most ${TOKEN_BYTES[kind]} bytes`)
    const most = kind === 'epoch' ? 0 : LIMITS.bodyBytes
    if (Number(length) > most) throw damaged(`a body of at most ${most} bytes`)
    const entry = { token, kind, size: bytes.length + 1, length: Number(length) }
    if (redaction === undefined) return entry
    if (kind !== 'envelope' || tokenKindOf(redaction) !== 'redaction') throw damaged('a redaction behind the token of an envelope')
    if (redaction.length > TOKEN_BYTES.redaction) throw damaged(`a redaction of at most ${TOKEN_BYTES.redaction} bytes`)
    return { ...entry, redaction }
  }

  for await (const chunk of chunks) {
    if (chunk.length === 0) continue
    parts.push(chunk)
    held += chunk.length
    // What cannot be a whole entry yet is not put together: a body that comes in many pieces is copied once.
    if (line !== null && held < line.size + line.length) continue
    let bytes: Uint8Array = parts.length === 1 ? chunk : Buffer.concat(parts)
    for (;;) {
      if (line === null) {
        const end = bytes.subarray(0, LINE_BYTES + 1).indexOf(LF)
        if (end < 0 && bytes.length > LINE_BYTES) throw damaged('a line of a token and a length')
        if (end < 0) break
        line = parseLine(bytes.subarray(0, end))
      }
      const size = line.size + line.length
      if (bytes.length < size) break
      const { size: _, length: __, ...entry } = line
      yield { ...entry, body: bytes.subarray(line.size, size), number, end: start + size }
      bytes = bytes.subarray(size)
      start += size
      number += 1
      line = null
    }
    parts = bytes.length === 0 ? [] : [bytes]
    held = bytes.length
  }
  if (held > 0) throw damaged('a whole entry, but the bundle ends in it')
}
