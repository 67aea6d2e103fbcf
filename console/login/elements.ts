/** As much DER (X.690) as it takes to open a key file in a browser, where there are neither Buffer nor a library. */
import { SignerFault } from './signer.ts'

export type Bytes = Uint8Array<ArrayBuffer>
export type Element = { readonly tag: number; readonly content: Bytes; readonly whole: Bytes }

const damaged = (): SignerFault => new SignerFault('文件已损坏或格式不符。', 'The file is damaged or of another format.')

export const TAG = { integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, sequence: 0x30, set: 0x31 } as const

function elementAt(bytes: Bytes, at: number): Element {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw damaged()
  const octets = first < 0x80 ? 0 : first & 0x7f
  if (first >= 0x80 && (octets === 0 || octets > 4)) throw damaged()
  let length = octets === 0 ? first : 0
  for (let index = 0; index < octets; index += 1) length = length * 256 + (bytes[at + 2 + index] ?? 0)
  const from = at + 2 + octets
  if (from + length > bytes.length) throw damaged()
  return { tag, content: bytes.subarray(from, from + length), whole: bytes.subarray(at, from + length) }
}

/** The one element that begins the bytes. */
export const elementOf = (bytes: Bytes, tag?: number): Element => {
  const element = elementAt(bytes, 0)
  if (tag !== undefined && element.tag !== tag) throw damaged()
  return element
}

/** The elements inside one. */
export function elementsOf({ content }: Element): Element[] {
  const found: Element[] = []
  for (let at = 0; at < content.length; ) {
    const element = elementAt(content, at)
    found.push(element)
    at += element.whole.length
  }
  return found
}

/** Goes down by positions: `inside(key, 1, 0)` is the first element of the second. */
export const inside = (element: Element, ...path: readonly number[]): Element =>
  path.reduce((at, index) => {
    const next = elementsOf(at)[index]
    if (next === undefined) throw damaged()
    return next
  }, element)

export const numberOf = ({ content }: Element): number => {
  if (content.length > 4) throw damaged()
  return content.reduce((sum, octet) => sum * 256 + octet, 0)
}

export function oidOf({ tag, content }: Element): string {
  if (tag !== TAG.oid || content.length === 0) throw damaged()
  const arcs: number[] = []
  let arc = 0
  for (const octet of content) {
    arc = arc * 128 + (octet & 0x7f)
    if (octet < 0x80) {
      arcs.push(arc)
      arc = 0
    }
  }
  const [head = 0, ...rest] = arcs
  const root = Math.min(2, Math.floor(head / 40))
  return [root, head - root * 40, ...rest].join('.')
}

export const concat = (...parts: readonly Uint8Array[]): Bytes => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

export function write(tag: number, ...parts: readonly Uint8Array[]): Bytes {
  const content = concat(...parts)
  const { length } = content
  const octets: number[] = []
  for (let left = length; left > 0; left = Math.floor(left / 256)) octets.unshift(left % 256)
  return concat(Uint8Array.from(length < 0x80 ? [tag, length] : [tag, 0x80 | octets.length, ...octets]), content)
}

/** r and s of the same length, one behind the other (IEEE P1363), as the SEQUENCE that certificates have (RFC 3279 §2.2.3). */
export function signatureDer(raw: Uint8Array): Bytes {
  const integer = (half: Uint8Array): Bytes => {
    let from = 0
    while (from < half.length - 1 && half[from] === 0) from += 1
    const rest = half.subarray(from)
    return write(TAG.integer, (rest[0] ?? 0) > 0x7f ? concat(Uint8Array.of(0), rest) : rest)
  }
  return write(TAG.sequence, integer(raw.subarray(0, raw.length / 2)), integer(raw.subarray(raw.length / 2)))
}

export const fromBase64 = (text: string): Bytes => {
  try {
    return Uint8Array.from(atob(text.replace(/\s/g, '')), letter => letter.charCodeAt(0))
  } catch {
    throw damaged()
  }
}
export const toBase64 = (bytes: Uint8Array): string => {
  let text = ''
  for (const octet of bytes) text += String.fromCharCode(octet)
  return btoa(text)
}
