/**
 * What electronic seals of both standards are made of (GM/T 0031-2014 §6, GB/T 38540-2020 §6), and readers of the parts that they share.
 * The standards ask for DER, and the bytes that were signed are taken as they stand. Two freedoms are given to seals in use: text in
 * any of the usual string types, and a `critical` of FALSE written out.
 */
import { ExchangeError, isExchangeError } from '../errors.ts'
import {
  booleanOf,
  contentOf,
  contextOf,
  type Der,
  DerReader,
  inside,
  integerOf,
  malformed,
  numberOf,
  octetsOf,
  oidOf,
  readDer,
  readMany,
  TAG,
  timeOf,
  wholeOf,
} from './der.ts'
import { SIGNATURE_LIMITS } from './limits.ts'

export const SEAL_EDITIONS = [
  { edition: 'GM/T 0031-2014', versions: [1, 2, 3] },
  { edition: 'GB/T 38540-2020', versions: [4] },
] as const
export type SealEdition = (typeof SEAL_EDITIONS)[number]['edition']

export type SealExtension = { readonly oid: string; readonly critical: boolean; readonly value: Uint8Array }
/** Who may use the seal: certificates in DER, or digests of them under a name of the vendor's choice. */
export type SealHolders =
  | { readonly kind: 'certificates'; readonly certificates: readonly Uint8Array[] }
  | { readonly kind: 'digests'; readonly digests: readonly { readonly type: string; readonly value: Uint8Array }[] }

/** A certificate, the OID of a signature algorithm, a signature, and the bytes it is over. */
export type Signed = {
  readonly certificate: Uint8Array
  readonly algorithm: string
  readonly signature: Uint8Array
  readonly message: Uint8Array
}

export type SealInfo = {
  readonly version: number
  readonly vendor: string
  readonly id: string
  readonly type: number
  readonly name: string
  readonly holders: SealHolders
  /** ms since 1970 */
  readonly createdAt: number
  readonly validFrom: number
  readonly validUntil: number
  readonly picture: { readonly type: string; readonly data: Uint8Array; readonly width: number; readonly height: number }
  readonly extensions: readonly SealExtension[]
}
export type Seal = SealInfo & { readonly edition: SealEdition; readonly maker: Signed }

/** When a seal was used, as its signer wrote it; or a timestamp in its place. */
export type SealTime =
  | { readonly kind: 'time'; readonly at: number }
  | { readonly kind: 'token'; readonly token: Uint8Array }
  | { readonly kind: 'unreadable' }

export type SealSignature = {
  readonly edition: SealEdition
  readonly version: number
  readonly seal: Seal
  readonly time: SealTime
  /** of the document */
  readonly digest: Uint8Array
  /** what of the document is covered, in the vendor's words */
  readonly property: string
  readonly extensions: readonly SealExtension[]
  readonly signer: Signed
  /** over the signature, if there is one */
  readonly timestamp: Uint8Array | null
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
const TEXTS: readonly number[] = [TAG.IA5_STRING, TAG.UTF8_STRING, TAG.PRINTABLE_STRING, TAG.VISIBLE_STRING, TAG.NUMERIC_STRING]

export function textOf(reader: DerReader): string {
  const node = reader.any()
  if (!TEXTS.includes(node.tag)) throw malformed('expected a string')
  try {
    return utf8.decode(contentOf(node))
  } catch {
    throw malformed('expected a string of UTF-8')
  }
}

export const bytesOf = (reader: DerReader): Uint8Array => contentOf(reader.read(TAG.OCTET_STRING))
export const numberIn = (reader: DerReader): number => numberOf(reader.read(TAG.INTEGER))
export const bitsIn = (reader: DerReader): Uint8Array => octetsOf(reader.read(TAG.BIT_STRING))
export const oidIn = (reader: DerReader): string => oidOf(reader.read(TAG.OID))

/** UTCTime in the older standard, GeneralizedTime in the newer; makers mix them. */
export function timeIn(reader: DerReader): number {
  const node = reader.any()
  if (node.tag !== TAG.UTC_TIME && node.tag !== TAG.GENERALIZED_TIME) throw malformed('expected a time')
  return timeOf(node)
}

/** Sizes in millimetres; some makers write more than four octets or a sign. */
function sizeIn(reader: DerReader): number {
  const node = integerOf(reader.read(TAG.INTEGER))
  return node.to - node.from > 4 ? 0 : node.bytes.readIntBE(node.from, node.to - node.from)
}

function extensionOf(list: DerReader): SealExtension {
  const reader = list.open(TAG.SEQUENCE)
  const oid = oidIn(reader)
  const flag = reader.optional(TAG.BOOLEAN)
  const value = bytesOf(reader)
  reader.finish()
  return { oid, critical: flag !== undefined && booleanOf(flag), value }
}

/** `[0] EXPLICIT ExtensionDatas OPTIONAL`; older makers left the tag away, or took it for the list's own. */
export function extensionsIn(reader: DerReader): SealExtension[] {
  const tagged = reader.openOptional(contextOf(0))
  const list = tagged === undefined ? reader.openOptional(TAG.SEQUENCE) : isWrapped(tagged) ? tagged.open(TAG.SEQUENCE) : tagged
  return list === undefined ? [] : readMany(list, extensionOf, SIGNATURE_LIMITS.sealExtensions, 0)
}

/** Whether one SEQUENCE of SEQUENCEs stands in the tag, and not the extensions themselves. */
function isWrapped(tagged: DerReader): boolean {
  if (tagged.tag !== TAG.SEQUENCE) return false
  const copy = new DerReader(tagged.bytes, tagged.at, tagged.end)
  const first = inside(copy.any())
  return copy.done && (first.done || first.tag === TAG.SEQUENCE)
}

type Property = Pick<SealInfo, 'type' | 'name' | 'holders' | 'createdAt' | 'validFrom' | 'validUntil'>

/** SES_SealInfo, but for the property that the standards write differently. */
export function sealInfoOf(node: Der, property: (reader: DerReader) => Property): SealInfo {
  const reader = inside(node)
  const header = reader.open(TAG.SEQUENCE)
  if (textOf(header) !== 'ES') throw malformed('expected a header that begins with ES')
  const version = numberIn(header)
  const vendor = textOf(header)
  header.finish()
  const id = textOf(reader)
  const about = reader.open(TAG.SEQUENCE)
  const read = property(about)
  about.finish()
  const image = reader.open(TAG.SEQUENCE)
  const picture = { type: textOf(image), data: bytesOf(image), width: sizeIn(image), height: sizeIn(image) }
  image.finish()
  const extensions = extensionsIn(reader)
  reader.finish()
  return { version, vendor, id, ...read, picture, extensions }
}

export const certificatesIn = (reader: DerReader): SealHolders => ({
  kind: 'certificates',
  certificates: readMany(reader.open(TAG.SEQUENCE), bytesOf, SIGNATURE_LIMITS.sealHolders),
})

/** What of two standards a value is of is seen from its elements. @throws SEAL_MALFORMED */
export function readSeal<T>(bytes: Uint8Array, read: (node: Der) => T): T {
  if (bytes.length > SIGNATURE_LIMITS.bytes)
    throw new ExchangeError('SEAL_MALFORMED', `expected at most ${SIGNATURE_LIMITS.bytes} bytes, got ${bytes.length}`)
  try {
    return read(readDer(bytes, TAG.SEQUENCE))
  } catch (error) {
    if (!isExchangeError(error)) throw error
    throw new ExchangeError('SEAL_MALFORMED', error.reason, { cause: error })
  }
}

/** The elements of a SEQUENCE, unread. */
export function elementsOf(node: Der): Der[] {
  const reader = inside(node)
  const found: Der[] = []
  while (!reader.done && found.length < 16) found.push(reader.any())
  return found
}

/** A SEQUENCE of elements as they stand. */
export function sequenceOf(...parts: readonly Der[]): Buffer {
  const contents = Buffer.concat(parts.map(wholeOf))
  const octets: number[] = []
  for (let rest = contents.length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256)
  const length = contents.length < 0x80 ? [contents.length] : [0x80 | octets.length, ...octets]
  return Buffer.concat([Buffer.of(TAG.SEQUENCE, ...length), contents])
}
