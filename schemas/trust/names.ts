/**
 * Names (RFC 5280 §4.1.2.4, §4.2.1.6) and when two are the same (§7.1): attribute by attribute, in order of the RDNs, whatever string
 * type carries the text. Text is prepared as RFC 4518 asks: NFKC, letters folded, runs of spaces one, none at the ends. A name's
 * `canonical` is that form as one string, and of each RDN; equal names have equal ones, so that maps of names need no comparison.
 */
import {
  bufferOf,
  context,
  contextOf,
  type Der,
  type DerReader,
  inside,
  malformed,
  oidOf,
  readDer,
  readMany,
  TAG,
  wholeOf,
} from './der.ts'
import { INPUT_LIMITS } from './limits.ts'

export type Attribute = {
  readonly type: string
  readonly tag: number
  readonly value: Uint8Array
  readonly text: string | undefined
}
export type Name = {
  readonly der: Uint8Array
  readonly rdns: readonly (readonly Attribute[])[]
  readonly canonical: string
  /** `canonical` of each RDN, for prefixes (§4.2.1.10) */
  readonly parts: readonly string[]
}

/** What is not of its form stays readable as Latin-1, and matches nothing. */
export type GeneralName =
  | { readonly kind: 'email' | 'dns' | 'uri'; readonly value: string }
  | { readonly kind: 'ip'; readonly octets: Uint8Array }
  | { readonly kind: 'directory'; readonly name: Name }
  | { readonly kind: 'other'; readonly type: string; readonly der: Uint8Array }
  | { readonly kind: 'registered'; readonly oid: string }
  | { readonly kind: 'x400' | 'ediParty'; readonly der: Uint8Array }
export type NameKind = GeneralName['kind']

export const EMAIL_ADDRESS = '1.2.840.113549.1.9.1'
export const COMMON_NAME = '2.5.4.3'

const ASCII = /^[\x20-\x7e]*$/
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const utf16 = new TextDecoder('utf-16be', { fatal: true, ignoreBOM: true })
const latin1 = (octets: Buffer): string => octets.toString('latin1')
/** Text of a declared encoding; undefined of octets that are not of it, which then compare as octets. */
type Decode = (octets: Buffer) => string | undefined
const ascii: Decode = octets => (octets.some(octet => octet > 0x7f) ? undefined : latin1(octets))
const decoded =
  (decoder: InstanceType<typeof TextDecoder>): Decode =>
  octets => {
    try {
      return decoder.decode(octets)
    } catch {
      return undefined
    }
  }
const fromUtf8 = decoded(utf8)
const utf32: Decode = octets => {
  let text = ''
  for (let at = 0; at + 4 <= octets.length; at += 4) {
    const point = octets.readUInt32BE(at)
    if (point > 0x10ffff) return undefined
    text += String.fromCodePoint(point)
  }
  return octets.length % 4 === 0 ? text : undefined
}

const STRINGS: { readonly [tag: number]: Decode } = {
  [TAG.UTF8_STRING]: octets => {
    const plain = latin1(octets)
    return ASCII.test(plain) ? plain : fromUtf8(octets)
  },
  [TAG.PRINTABLE_STRING]: ascii,
  [TAG.NUMERIC_STRING]: ascii,
  [TAG.IA5_STRING]: ascii,
  [TAG.VISIBLE_STRING]: ascii,
  // T.61 as it is used: Latin-1
  [TAG.TELETEX_STRING]: latin1,
  [TAG.BMP_STRING]: decoded(utf16),
  [TAG.UNIVERSAL_STRING]: utf32,
}

/** Mapped to SPACE, and to nothing (RFC 4518 §2.2): controls and formats, variation selectors, the grapheme joiner. */
const SPACES = /[\t\n\v\f\r\u{85}]/gu
const NOTHING = /\p{Cc}|\p{Cf}|\p{Variation_Selector}|\u{34f}|\u{fffc}/gu

/** RFC 4518 §2, for caseIgnoreMatch. */
export function prepareText(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase().replace(/ +/g, ' ').trim()
  return text
    .replace(SPACES, ' ')
    .replace(NOTHING, '')
    .normalize('NFKC')
    .toLowerCase()
    .normalize('NFKC')
    .replace(/\s+/gu, ' ')
    .trim()
}

/** ASCII and the ideographs of Chinese: they have no case and no other form, and NFKC leaves them alone. */
const PLAIN = /^[\x20-\x7e\u3400-\u4dbf\u4e00-\u9fff]*$/

const canonicalOf = ({ type, tag, value, text }: Attribute): string =>
  text === undefined ? `${type}#${tag}:${bufferOf(value).toString('hex')}` : `${type}=${JSON.stringify(prepareText(text))}`

function attributeOf(reader: DerReader): Attribute {
  const inner = reader.open(TAG.SEQUENCE)
  const type = oidOf(inner.read(TAG.OID))
  const node = inner.any()
  inner.finish()
  const value = node.bytes.subarray(node.from, node.to)
  return { type, tag: node.tag, value, text: STRINGS[node.tag]?.(value) }
}

function rdnOf(reader: DerReader): Attribute[] {
  return readMany(reader.open(TAG.SET), attributeOf, 64)
}

/** A name that is not expected again, as that of a holder is not. @throws DER_MALFORMED */
export function freshNameOf(node: Der): Name {
  const rdns = readMany(inside(node), rdnOf, INPUT_LIMITS.names, 0)
  const parts = rdns.map(rdn => {
    const [first] = rdn
    return rdn.length === 1 && first !== undefined ? canonicalOf(first) : rdn.map(canonicalOf).sort().join('+')
  })
  return { der: wholeOf(node), rdns, parts, canonical: parts.join(',') }
}

const kept = new Map<string, Name>()
const NAMES_KEPT = 4096

/** Issuers repeat: a name of bytes that were read before is that name. @throws DER_MALFORMED */
export function nameOf(node: Der): Name {
  const key = node.to - node.at > 1024 ? undefined : node.bytes.toString('latin1', node.at, node.to)
  const known = key === undefined ? undefined : kept.get(key)
  if (known !== undefined) return known
  // read from a copy: what is kept must not hold the whole certificate
  const name = freshNameOf(readDer(Buffer.from(wholeOf(node))))
  if (key === undefined) return name
  if (kept.size >= NAMES_KEPT) kept.clear()
  kept.set(key, name)
  return name
}

export const isSameName = (a: Name, b: Name): boolean => a === b || a.canonical === b.canonical

/** Whether `name` lies in the subtree of `base`: it begins with the RDNs of `base` (§4.2.1.10). */
export const isWithinName = (name: Name, base: Name): boolean => base.parts.every((part, index) => name.parts[index] === part)

/** A name one RDN below another (§4.2.1.13, nameRelativeToCRLIssuer). */
export const nameBelow = (base: Name, rdn: readonly Attribute[]): Name => {
  const parts = [...base.parts, rdn.map(canonicalOf).sort().join('+')]
  return { der: base.der, rdns: [...base.rdns, rdn], parts, canonical: parts.join(',') }
}

/** Whether every string is of its declared encoding. */
export const isSoundText = (name: Name): boolean =>
  name.rdns.every(rdn => rdn.every(({ tag, text }) => text !== undefined || STRINGS[tag] === undefined))

/** Values of an attribute type, in order. */
export const attributesOf = (name: Name, type: string): string[] =>
  name.rdns.flatMap(rdn => rdn.filter(one => one.type === type).map(one => one.text ?? ''))

const LABELS: { readonly [type: string]: string } = {
  [COMMON_NAME]: 'CN',
  [EMAIL_ADDRESS]: 'E',
  '2.5.4.5': 'SERIALNUMBER',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.25': 'DC',
}

/** For people: RFC 4514, most significant last. */
export const textOfName = (name: Name): string =>
  name.rdns
    .toReversed()
    .map(rdn =>
      rdn
        .map(
          one =>
            `${LABELS[one.type] ?? one.type}=${(one.text ?? `#${bufferOf(one.value).toString('hex')}`).replace(/[,+"\\<>;]/g, '\\$&')}`,
        )
        .join('+'),
    )
    .join(',')

const GENERAL: { readonly [tag: number]: (node: Der) => GeneralName } = {
  [contextOf(0)]: node => {
    const inner = inside(node)
    const type = oidOf(inner.read(TAG.OID))
    inner.open(contextOf(0))
    inner.finish()
    return { kind: 'other', type, der: wholeOf(node) }
  },
  [context(1)]: node => ({ kind: 'email', value: latin1(node.bytes.subarray(node.from, node.to)) }),
  [context(2)]: node => ({ kind: 'dns', value: latin1(node.bytes.subarray(node.from, node.to)) }),
  [contextOf(3)]: node => ({ kind: 'x400', der: wholeOf(node) }),
  [contextOf(4)]: node => {
    const inner = inside(node)
    const name = nameOf(inner.read(TAG.SEQUENCE))
    inner.finish()
    return { kind: 'directory', name }
  },
  [contextOf(5)]: node => ({ kind: 'ediParty', der: wholeOf(node) }),
  [context(6)]: node => ({ kind: 'uri', value: latin1(node.bytes.subarray(node.from, node.to)) }),
  [context(7)]: node => ({ kind: 'ip', octets: node.bytes.subarray(node.from, node.to) }),
  [context(8)]: node => ({ kind: 'registered', oid: oidOf(node) }),
}

/** @throws DER_MALFORMED */
export function generalNameOf(reader: DerReader): GeneralName {
  const node = reader.any()
  const read = GENERAL[node.tag]
  if (read === undefined) throw malformed(`expected a GeneralName and found tag ${node.tag}`)
  return read(node)
}

/** The content of a GeneralNames: at least one. @throws DER_MALFORMED */
export const generalNamesOf = (reader: DerReader): GeneralName[] => readMany(reader, generalNameOf, INPUT_LIMITS.names)

/** One RDN, as a distribution point may name itself. @throws DER_MALFORMED */
export const relativeNameOf = (node: Der): Attribute[] => readMany(inside(node), attributeOf, 64)

/** Same kind and same value; hosts and schemes without regard to case. */
export function isSameGeneralName(a: GeneralName, b: GeneralName): boolean {
  if (a.kind === 'directory' && b.kind === 'directory') return isSameName(a.name, b.name)
  if (a.kind === 'ip' && b.kind === 'ip') return bufferOf(a.octets).equals(b.octets)
  if ('value' in a && 'value' in b)
    return a.kind === b.kind && (a.kind === 'dns' ? a.value.toLowerCase() === b.value.toLowerCase() : a.value === b.value)
  if ('der' in a && 'der' in b) return a.kind === b.kind && bufferOf(a.der).equals(b.der)
  return a.kind === 'registered' && b.kind === 'registered' && a.oid === b.oid
}
