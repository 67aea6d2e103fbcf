/**
 * Reads BER (X.690 §8) for the structures that arrive as such: CMS and PKCS #7 messages, whose makers stream with indefinite lengths
 * and cut strings into pieces. Every element keeps the bytes it came in, so that a certificate inside is judged as it was signed.
 * Elements are read when somebody looks into their parent; depth, number and bytes are bounded before anything is read, and what was
 * read twice counts twice. `toDer` writes what must be DER to be hashed.
 */
import { type ErrorCode, ExchangeError } from '../errors.ts'

export type BerLimits = { readonly bytes: number; readonly depth: number; readonly elements: number }

export type BerElement = {
  /** 0 universal, 1 application, 2 context-specific, 3 private (X.690 §8.1.2.2) */
  readonly tagClass: number
  readonly tag: number
  readonly constructed: boolean
  readonly indefinite: boolean
  /** identifier, length, contents and, for an indefinite length, the end-of-contents octets */
  readonly whole: Uint8Array
  /** the contents octets */
  readonly contents: Uint8Array
  readonly depth: number
  /** the bytes ended before it did; only where the reader was told that they may */
  readonly cut: boolean
}

export const UNIVERSAL = {
  boolean: 1,
  integer: 2,
  bitString: 3,
  octetString: 4,
  null: 5,
  oid: 6,
  enumerated: 10,
  utf8String: 12,
  sequence: 16,
  set: 17,
  printableString: 19,
  ia5String: 22,
  utcTime: 23,
  generalizedTime: 24,
} as const

const EMPTY = new Uint8Array()
/** identifier of up to four octets and length of up to seven */
const LONGEST_HEADER = 11

export class BerReader {
  readonly #code: ErrorCode
  readonly #limits: BerLimits
  readonly #partial: boolean
  #left: number

  /** `partial`: the bytes may be the beginning of a message, as when its content is large and only its head is looked at. */
  constructor(code: ErrorCode, limits: BerLimits, { partial = false } = {}) {
    this.#code = code
    this.#limits = limits
    this.#partial = partial
    this.#left = limits.elements
  }

  fault(reason: string, options: { readonly cause?: unknown } = {}): ExchangeError {
    return new ExchangeError(this.#code, reason, options)
  }

  /** One element that is all of the bytes. */
  read(bytes: Uint8Array): BerElement {
    if (bytes.length > this.#limits.bytes) throw this.fault(`expected at most ${this.#limits.bytes} bytes, got ${bytes.length}`)
    const element = this.#element(bytes, 0, 0)
    if (element.whole.length !== bytes.length) throw this.fault('expected nothing behind the outermost element')
    return element
  }

  /** The elements that a constructed one holds. */
  children(parent: BerElement): readonly BerElement[] {
    if (!parent.constructed) throw this.fault('expected a constructed element')
    const children: BerElement[] = []
    for (let at = 0; at < parent.contents.length; ) {
      const child = parent.cut
        ? this.#lastElement(parent.contents, at, parent.depth + 1)
        : this.#element(parent.contents, at, parent.depth + 1)
      if (child === null) break
      children.push(child)
      at += child.whole.length
    }
    return children
  }

  /** The elements of a SEQUENCE. */
  sequence(element: BerElement | undefined, what: string): readonly BerElement[] {
    return this.children(this.expect(element, UNIVERSAL.sequence, what))
  }

  /** The element, if it is universal and of this tag. */
  expect(element: BerElement | undefined, tag: number, what: string): BerElement {
    if (element === undefined || element.tagClass !== 0 || element.tag !== tag)
      throw this.fault(`expected ${what} as universal ${tag}, got ${describe(element)}`)
    if (element.cut && !element.constructed) throw this.fault(`expected all of ${what}: more of the message is needed`)
    return element
  }

  /** The octets of an OCTET STRING, or of an implicitly tagged one, its pieces joined (X.690 §8.7.3). */
  octets(element: BerElement | undefined, what: string): Uint8Array {
    if (element === undefined) throw this.fault(`expected ${what}`)
    if (element.tagClass === 0 && element.tag !== UNIVERSAL.octetString)
      throw this.fault(`expected ${what} as an OCTET STRING, got ${describe(element)}`)
    if (!element.constructed) return element.contents
    const pieces = this.children(element).map(piece => this.octets(this.expect(piece, UNIVERSAL.octetString, what), what))
    return pieces.length === 1 ? (pieces[0] ?? EMPTY) : Buffer.concat(pieces)
  }

  oid(element: BerElement | undefined, what: string): string {
    const { contents, constructed } = this.expect(element, UNIVERSAL.oid, what)
    const text = constructed ? null : oidOf(contents)
    if (text === null) throw this.fault(`expected ${what} as an object identifier`)
    return text
  }

  /** A number of at most 6 octets that is not negative. */
  count(element: BerElement | undefined, what: string): number {
    const { contents, constructed } = this.expect(element, UNIVERSAL.integer, what)
    if (constructed || contents.length === 0 || contents.length > 6 || (contents[0] ?? 0) > 0x7f)
      throw this.fault(`expected ${what} as a small number`)
    return contents.reduce((sum, octet) => sum * 256 + octet, 0)
  }

  /** Within a cut element the bytes may end anywhere, in the header of another one too. */
  #lastElement(bytes: Uint8Array, start: number, depth: number): BerElement | null {
    return start + LONGEST_HEADER > bytes.length && !this.#hasHeader(bytes, start) ? null : this.#element(bytes, start, depth)
  }

  #hasHeader(bytes: Uint8Array, start: number): boolean {
    const first = bytes[start + 1]
    return first !== undefined && (first <= 0x80 || start + 2 + (first & 0x7f) <= bytes.length)
  }

  #element(bytes: Uint8Array, start: number, depth: number): BerElement {
    if (depth > this.#limits.depth) throw this.fault(`expected at most ${this.#limits.depth} levels`)
    if (--this.#left < 0) throw this.fault(`expected at most ${this.#limits.elements} elements`)
    const first = this.#octet(bytes, start)
    let at = start + 1
    let tag = first & 0x1f
    if (tag === 0x1f) {
      tag = 0
      for (let octet = 0x80; octet & 0x80; at += 1) {
        octet = this.#octet(bytes, at)
        tag = tag * 128 + (octet & 0x7f)
        if (tag > 0xffff) throw this.fault('expected a tag number of at most 65535')
      }
    }
    const constructed = (first & 0x20) !== 0
    const head = { tagClass: first >> 6, tag, constructed, depth }
    const long = this.#octet(bytes, at)
    at += 1
    if (long === 0x80) {
      if (!constructed) throw this.fault('expected a definite length of a primitive element (X.690 §8.1.3.2)')
      const end = this.#endOfContents(bytes, at, depth)
      const cut = end + 2 > bytes.length
      return { ...head, indefinite: true, cut, whole: bytes.subarray(start, end + 2), contents: bytes.subarray(at, end) }
    }
    let length = long
    if (long > 0x80) {
      const octets = long & 0x7f
      if (octets > 6) throw this.fault('expected a length of at most 6 octets')
      length = 0
      for (let index = 0; index < octets; index += 1) length = length * 256 + this.#octet(bytes, at + index)
      at += octets
    }
    const cut = at + length > bytes.length
    if (cut && !this.#partial) throw this.fault('expected as many octets as the length says')
    return { ...head, indefinite: false, cut, whole: bytes.subarray(start, at + length), contents: bytes.subarray(at, at + length) }
  }

  /** Where the end-of-contents octets of an indefinite length stand (X.690 §8.1.5). */
  #endOfContents(bytes: Uint8Array, from: number, depth: number): number {
    let at = from
    while (!(bytes[at] === 0 && bytes[at + 1] === 0)) {
      const next = this.#partial ? this.#lastElement(bytes, at, depth + 1) : this.#element(bytes, at, depth + 1)
      // the end of the bytes is the end that can be seen
      if (next === null || next.cut) return bytes.length
      at += next.whole.length
    }
    return at
  }

  #octet(bytes: Uint8Array, at: number): number {
    const octet = bytes[at]
    if (octet === undefined) throw this.fault('expected more octets: the element is cut off')
    return octet
  }

  /**
   * The element as DER (X.690 §10, §11.6): definite shortest lengths, strings in one piece, elements of a SET OF in the order of their
   * encodings. `tag` replaces the identifier octet.
   */
  toDer(element: BerElement, tag?: number): Uint8Array {
    const identifier = (element.tagClass << 6) | (element.constructed ? 0x20 : 0) | element.tag
    if (element.tag > 30) throw this.fault('expected a tag number below 31')
    if (!element.constructed) return der(tag ?? identifier, element.contents)
    if (element.tagClass === 0 && element.tag === UNIVERSAL.octetString)
      return der(tag ?? UNIVERSAL.octetString, this.octets(element, 'a string'))
    const parts = this.children(element).map(child => this.toDer(child))
    const isSet = (tag ?? identifier) === 0x31
    return der(tag ?? identifier, Buffer.concat(isSet ? parts.sort((a, b) => Buffer.compare(a, b)) : parts))
  }
}

const describe = (element: BerElement | undefined): string =>
  element === undefined ? 'nothing' : `class ${element.tagClass} tag ${element.tag}`

function der(identifier: number, contents: Uint8Array): Buffer {
  const { length } = contents
  if (length < 0x80) return Buffer.concat([Buffer.of(identifier, length), contents])
  const octets: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256)
  return Buffer.concat([Buffer.of(identifier, 0x80 | octets.length, ...octets), contents])
}

/** X.690 §8.19; null if the octets are none, do not end, or have an arc beyond exact numbers. */
export function oidOf(contents: Uint8Array): string | null {
  const arcs: number[] = []
  let arc = 0
  let open = false
  for (const octet of contents) {
    if (!open && octet === 0x80) return null
    arc = arc * 128 + (octet & 0x7f)
    if (arc > Number.MAX_SAFE_INTEGER) return null
    open = (octet & 0x80) !== 0
    if (open) continue
    if (arcs.length === 0) {
      const top = Math.min(2, Math.floor(arc / 40))
      arcs.push(top, arc - top * 40)
    } else arcs.push(arc)
    arc = 0
  }
  return open || arcs.length === 0 ? null : arcs.join('.')
}

/** Whether an element is context-specific with this tag. */
export const isContext = (element: BerElement | undefined, tag: number): element is BerElement =>
  element !== undefined && element.tagClass === 2 && element.tag === tag
