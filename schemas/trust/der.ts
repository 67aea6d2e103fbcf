/**
 * A reader of DER (X.690 §10, §11) that refuses everything else. It is our own because the libraries read BER: they take indefinite
 * and padded lengths, loose INTEGERs and bytes behind the end, and so give two readings of what was signed once. It goes no deeper
 * than its caller asks, copies nothing, and its cost is linear in the bytes it is given.
 */
import { ExchangeError } from '../errors.ts'

export const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OID: 0x06,
  ENUMERATED: 0x0a,
  UTF8_STRING: 0x0c,
  NUMERIC_STRING: 0x12,
  PRINTABLE_STRING: 0x13,
  TELETEX_STRING: 0x14,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  VISIBLE_STRING: 0x1a,
  UNIVERSAL_STRING: 0x1c,
  BMP_STRING: 0x1e,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const

/** Context-specific tags: primitive, and constructed. */
export const context = (number: number): number => 0x80 | number
export const contextOf = (number: number): number => 0xa0 | number

/** One element: its identifier octet, where it starts, where its content starts and where it ends. */
export type Der = { readonly bytes: Buffer; readonly tag: number; readonly at: number; readonly from: number; readonly to: number }

export const malformed = (reason: string): ExchangeError => new ExchangeError('DER_MALFORMED', reason)
const hex = (octet: number | undefined): string => (octet === undefined ? 'the end' : `0x${octet.toString(16).padStart(2, '0')}`)

/** @throws DER_MALFORMED */
function readAt(bytes: Buffer, at: number, end: number): Der {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined || at + 2 > end) throw malformed(`expected an element at ${at} and found the end`)
  if ((tag & 0x1f) === 0x1f) throw malformed(`expected a tag below 31 at ${at}`)
  let from = at + 2
  let length = first
  if (first >= 0x80) {
    const octets = first & 0x7f
    if (octets === 0 || octets > 4) throw malformed(`expected a definite length of at most four octets at ${at}`)
    if (from + octets > end) throw malformed(`expected a length at ${at} and found the end`)
    length = 0
    for (let index = 0; index < octets; index++) length = length * 256 + (bytes[from + index] ?? 0)
    if (length < 0x80 || bytes[from] === 0) throw malformed(`expected the shortest form of a length at ${at}`)
    from += octets
  }
  const to = from + length
  if (to > end) throw malformed(`expected ${length} octets of content at ${from} and found ${end - from}`)
  return { bytes, tag, at, from, to }
}

/** Reads the elements of one constructed element, in order. */
export class DerReader {
  readonly bytes: Buffer
  readonly end: number
  at: number

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  get done(): boolean {
    return this.at >= this.end
  }

  /** the identifier octet of the next element, -1 at the end */
  get tag(): number {
    return this.at < this.end ? (this.bytes[this.at] ?? -1) : -1
  }

  /** @throws DER_MALFORMED */
  any(): Der {
    const node = readAt(this.bytes, this.at, this.end)
    this.at = node.to
    return node
  }

  /** @throws DER_MALFORMED */
  read(tag: number): Der {
    if (this.tag !== tag) throw malformed(`expected tag ${hex(tag)} at ${this.at} and found ${hex(this.bytes[this.at])}`)
    return this.any()
  }

  optional(tag: number): Der | undefined {
    return this.tag === tag ? this.any() : undefined
  }

  /** @throws DER_MALFORMED */
  open(tag: number): DerReader {
    return inside(this.read(tag))
  }

  openOptional(tag: number): DerReader | undefined {
    return this.tag === tag ? inside(this.any()) : undefined
  }

  /** @throws DER_MALFORMED */
  finish(): void {
    if (this.at !== this.end) throw malformed(`expected the end at ${this.at}`)
  }
}

export const inside = (node: Der): DerReader => new DerReader(node.bytes, node.from, node.to)
export const contentOf = (node: Der): Buffer => node.bytes.subarray(node.from, node.to)
export const wholeOf = (node: Der): Buffer => node.bytes.subarray(node.at, node.to)
export const hexOf = (node: Der): string => node.bytes.toString('hex', node.from, node.to)
export const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** The one element that the bytes are. @throws DER_MALFORMED */
export function readDer(bytes: Uint8Array, tag?: number): Der {
  const reader = new DerReader(bufferOf(bytes))
  const node = tag === undefined ? reader.any() : reader.read(tag)
  reader.finish()
  return node
}

/** Elements of a SEQUENCE OF or SET OF. @throws DER_MALFORMED if there are more than `most`, or fewer than `least` */
export function readMany<T>(reader: DerReader, read: (reader: DerReader) => T, most: number, least = 1): T[] {
  const found: T[] = []
  while (!reader.done) {
    if (found.length === most) throw malformed(`expected at most ${most} elements`)
    found.push(read(reader))
  }
  if (found.length < least) throw malformed(`expected at least ${least} element`)
  return found
}

/** X.690 §11.1. @throws DER_MALFORMED */
export function booleanOf(node: Der): boolean {
  const octet = node.bytes[node.from]
  if (node.to - node.from !== 1 || (octet !== 0 && octet !== 0xff)) throw malformed('expected a BOOLEAN of 00 or FF')
  return octet === 0xff
}

/** A BOOLEAN DEFAULT FALSE: present only if it is true (X.690 §11.5). @throws DER_MALFORMED */
export function flagOf(reader: DerReader, tag: number = TAG.BOOLEAN): boolean {
  const node = reader.optional(tag)
  if (node === undefined) return false
  if (!booleanOf(node)) throw malformed('expected a default value to be left out')
  return true
}

/** The content of an INTEGER or ENUMERATED in its shortest form (X.690 §8.3.2). @throws DER_MALFORMED */
export function integerOf(node: Der): Der {
  const first = node.bytes[node.from]
  const second = node.bytes[node.from + 1] ?? 0
  const length = node.to - node.from
  if (first === undefined || length === 0) throw malformed('expected an INTEGER of at least one octet')
  if (length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)))
    throw malformed('expected the shortest form of an INTEGER')
  return node
}

/** @throws DER_MALFORMED unless it lies in 0..2^31−1 */
export function numberOf(node: Der): number {
  integerOf(node)
  const length = node.to - node.from
  if (length > 4 || (node.bytes[node.from] ?? 0) >= 0x80) throw malformed('expected an INTEGER between 0 and 2147483647')
  return node.bytes.readUIntBE(node.from, length)
}

/** The octets of a BIT STRING and how many bits of the last do not count, which are zero (X.690 §11.2.1). @throws DER_MALFORMED */
export function bitsOf(node: Der): { readonly octets: Buffer; readonly unused: number } {
  const unused = node.bytes[node.from]
  if (unused === undefined || node.to === node.from || unused > 7) throw malformed('expected a BIT STRING')
  const last = node.bytes[node.to - 1] ?? 0
  if (unused > 0 && (node.to - node.from === 1 || (last & ((1 << unused) - 1)) !== 0))
    throw malformed('expected the unused bits of a BIT STRING to be zero')
  return { octets: node.bytes.subarray(node.from + 1, node.to), unused }
}

/** A BIT STRING of whole octets. @throws DER_MALFORMED */
export function octetsOf(node: Der): Buffer {
  const { octets, unused } = bitsOf(node)
  if (unused !== 0) throw malformed('expected a BIT STRING of whole octets')
  return octets
}

/** The numbers of the bits set in a named bit list; `tight` tells whether trailing zero bits are left out (X.690 §11.2.2). */
export function namedBitsOf(node: Der): { readonly set: number; readonly tight: boolean } {
  const { octets, unused } = bitsOf(node)
  if (octets.length > 4) throw malformed('expected at most 32 named bits')
  let set = 0
  for (let at = 0; at < octets.length * 8; at++) if (((octets[at >> 3] ?? 0) & (0x80 >> (at & 7))) !== 0) set |= 1 << at
  const last = octets.at(-1)
  return { set, tight: last === undefined || (last & (1 << unused)) !== 0 }
}

const oids = new Map<string, string>()
const OIDS_KEPT = 4096
/** 2.5.29.0 to 2.5.29.127 */
const EXTENSION_OIDS: readonly string[] = Array.from({ length: 128 }, (_, arc) => `2.5.29.${arc}`)

/** Dotted form (X.690 §8.19). @throws DER_MALFORMED */
export function oidOf(node: Der): string {
  const { bytes, from, to } = node
  // the arc of extensions, which is most of what is asked
  if (to - from === 3 && bytes[from] === 0x55 && bytes[from + 1] === 0x1d) {
    const extension = EXTENSION_OIDS[bytes[from + 2] ?? 0x80]
    if (extension !== undefined) return extension
  }
  const key = bytes.toString('latin1', from, to)
  const known = oids.get(key)
  if (known !== undefined) return known
  const length = node.to - node.from
  if (length === 0 || length > 64 || (node.bytes[node.to - 1] ?? 0) >= 0x80) throw malformed('expected an OBJECT IDENTIFIER')
  const arcs: bigint[] = []
  let arc = 0n
  let fresh = true
  for (let index = node.from; index < node.to; index++) {
    const octet = node.bytes[index] ?? 0
    if (fresh && octet === 0x80) throw malformed('expected the shortest form of an arc')
    arc = (arc << 7n) | BigInt(octet & 0x7f)
    fresh = octet < 0x80
    if (fresh) {
      arcs.push(arc)
      arc = 0n
    }
  }
  const [head = 0n, ...rest] = arcs
  const root = head < 40n ? 0n : head < 80n ? 1n : 2n
  const oid = [root, head - root * 40n, ...rest].join('.')
  if (oids.size < OIDS_KEPT) oids.set(key, oid)
  return oid
}

/** Digits of the year in the two forms. */
const YEAR_DIGITS: { readonly [tag: number]: number | undefined } = { [TAG.UTC_TIME]: 2, [TAG.GENERALIZED_TIME]: 4 }
const NINE = 9

/** A number of so many decimal digits; NaN if one is none. */
function digitsAt(bytes: Buffer, at: number, count: number): number {
  let number = 0
  for (let index = 0; index < count; index++) {
    const digit = (bytes[at + index] ?? 0) - 0x30
    if (digit < 0 || digit > NINE) return Number.NaN
    number = number * 10 + digit
  }
  return number
}

/** Milliseconds since 1970 of the two forms of RFC 5280 §4.1.2.5: to the second, in UTC. @throws DER_MALFORMED */
export function timeOf({ bytes, tag, from, to }: Der): number {
  const digits = YEAR_DIGITS[tag] ?? 0
  const at = from + digits
  if (digits === 0 || to - at !== 11 || bytes[to - 1] !== 0x5a)
    throw malformed('expected a UTCTime or GeneralizedTime to the second, in UTC')
  const written = digitsAt(bytes, from, digits)
  const year = digits === 2 ? written + (written < 50 ? 2000 : 1900) : written
  const [month, day] = [digitsAt(bytes, at, 2), digitsAt(bytes, at + 2, 2)]
  const [hour, minute, second] = [digitsAt(bytes, at + 4, 2), digitsAt(bytes, at + 6, 2), digitsAt(bytes, at + 8, 2)]
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  const longest = month === 2 && leap ? 29 : (MONTHS[month - 1] ?? 0)
  if (!(hour < 24 && minute < 60 && second < 60 && day >= 1 && day <= longest)) throw malformed('expected a time that exists')
  // Date.UTC takes years below 100 for those of the last century
  const days = Date.UTC(year + 400, month - 1, day) - GREGORIAN_CYCLE_MS
  return days + ((hour * 60 + minute) * 60 + second) * 1000
}
const MONTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
/** 400 years are always as long. */
const GREGORIAN_CYCLE_MS = 146_097 * 86_400_000
