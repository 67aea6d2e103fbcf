/** Certificates and revocation lists of every shape, for tests: each extension can be replaced or left out, each name be any DER. */
import { type Certificate, parseCertificate } from './certificate.ts'
import { type Crl, parseCrl } from './crl.ts'
import { type PathQuestion, type PathVerdict, validatePath } from './path-validation.ts'
import {
  bits,
  bool,
  context,
  ed25519Key,
  extension,
  generalizedTime,
  ia5,
  int,
  keyId,
  keyUsage,
  name,
  oct,
  oid,
  type SampleKey,
  type SampleUsage,
  seq,
  tlv,
  utcTime,
  utf8,
} from './sample-der.ts'

export const AT = Date.UTC(2026, 5, 1)
const FROM = Date.UTC(2024, 0, 1)
const UNTIL = Date.UTC(2034, 0, 1)
const DAY = 86_400_000

export const named = (...attributes: readonly string[]): Buffer => name(...attributes.map(text => attributeOf(text)))
const TYPES: { readonly [label: string]: string } = {
  CN: '2.5.4.3',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  C: '2.5.4.6',
  E: '1.2.840.113549.1.9.1',
}
function attributeOf(text: string): readonly [string, Buffer] {
  const [label = '', value = ''] = text.split('=')
  return [TYPES[label] ?? label, label === 'E' ? ia5(value) : utf8(value)]
}

export const dns = (text: string): Buffer => tlv(0x82, Buffer.from(text, 'latin1'))
export const email = (text: string): Buffer => tlv(0x81, Buffer.from(text, 'latin1'))
export const uri = (text: string): Buffer => tlv(0x86, Buffer.from(text, 'latin1'))
export const ip = (...octets: readonly number[]): Buffer => tlv(0x87, Buffer.from(octets))
export const directory = (dn: Buffer): Buffer => context(4, dn)
export const other = (type: string): Buffer => context(0, Buffer.concat([oid(type), context(0, tlv(0x05, Buffer.of()))]))

export const alternatives = (...names: readonly Buffer[]): Buffer => extension('2.5.29.17', seq(...names))
const subtrees = (bases: readonly Buffer[]): Buffer => Buffer.concat(bases.map(base => seq(base)))
export const constraints = (permitted: readonly Buffer[], excluded: readonly Buffer[] = [], critical = true): Buffer =>
  extension(
    '2.5.29.30',
    seq(
      ...(permitted.length > 0 ? [context(0, subtrees(permitted))] : []),
      ...(excluded.length > 0 ? [context(1, subtrees(excluded))] : []),
    ),
    critical,
  )
export const policies = (...oids: readonly string[]): Buffer => extension('2.5.29.32', seq(...oids.map(one => seq(oid(one)))))
export const mappings = (...pairs: readonly (readonly [string, string])[]): Buffer =>
  extension('2.5.29.33', seq(...pairs.map(([from, to]) => seq(oid(from), oid(to)))), true)
const small = (tag: number, value: number): Buffer => tlv(0x80 | tag, Buffer.of(value))
export const policyConstraints = (explicit?: number, mapping?: number): Buffer =>
  extension(
    '2.5.29.36',
    seq(...(explicit === undefined ? [] : [small(0, explicit)]), ...(mapping === undefined ? [] : [small(1, mapping)])),
    true,
  )
export const inhibitAny = (skip: number): Buffer => extension('2.5.29.54', int(skip), true)
export const purposes = (...oids: readonly string[]): Buffer => extension('2.5.29.37', seq(...oids.map(oid)))

export type Made = { readonly certificate: Certificate; readonly key: SampleKey; readonly subject: Buffer }
export type Shape = {
  readonly subject: Buffer
  /** who signs; itself if left out */
  readonly by?: Made
  readonly key?: SampleKey
  readonly signer?: SampleKey
  readonly issuer?: Buffer
  readonly ca?: boolean
  readonly pathLength?: number
  readonly usages?: readonly SampleUsage[]
  readonly serial?: number | Buffer
  readonly from?: number
  readonly until?: number
  readonly version?: 1 | 3
  /** in addition, replacing those of the same OID */
  readonly extensions?: readonly Buffer[]
  /** OIDs of extensions to leave out */
  readonly without?: readonly string[]
  readonly algorithm?: Buffer
}

let serials = 1000
const oidOfExtension = (der: Buffer): string => der.subarray(2, 2 + 2 + (der[3] ?? 0)).toString('hex')
const timeOf = (at: number): Buffer => (at < Date.UTC(2050, 0, 1) ? utcTime(at) : generalizedTime(at))

export function derOf(shape: Shape, key: SampleKey): Buffer {
  const { subject, by, ca = false, pathLength, usages = ca ? ['keyCertSign', 'cRLSign'] : ['digitalSignature'] } = shape
  const signer = shape.signer ?? by?.key ?? key
  const given = shape.extensions ?? []
  const replaced = new Set([...given.map(oidOfExtension), ...(shape.without ?? []).map(text => oid(text).toString('hex'))])
  const usual = [
    ...(ca ? [extension('2.5.29.19', seq(bool(true), ...(pathLength === undefined ? [] : [int(pathLength)])), true)] : []),
    keyUsage(...usages),
    extension('2.5.29.14', oct(keyId(key))),
    ...(by === undefined ? [] : [extension('2.5.29.35', seq(context(0, keyId(by.key), false)))]),
  ].filter(one => !replaced.has(oidOfExtension(one)))
  const extensions = [...usual, ...given]
  const tbs = seq(
    ...(shape.version === 1 ? [] : [context(0, int(2))]),
    typeof shape.serial === 'object' ? tlv(0x02, shape.serial) : int(shape.serial ?? serials++),
    shape.algorithm ?? signer.algorithm,
    shape.issuer ?? by?.subject ?? subject,
    seq(timeOf(shape.from ?? FROM), timeOf(shape.until ?? UNTIL)),
    subject,
    key.spki,
    ...(shape.version === 1 ? [] : [context(3, seq(...extensions))]),
  )
  return seq(tbs, signer.algorithm, bits(signer.sign(tbs)))
}

export function made(shape: Shape): Made {
  const key = shape.key ?? ed25519Key()
  return { certificate: parseCertificate(derOf(shape, key)), key, subject: shape.subject }
}

export const root = (text: string, shape: Partial<Shape> = {}): Made => made({ subject: named(`CN=${text}`), ca: true, ...shape })
export const authority = (text: string, by: Made, shape: Partial<Shape> = {}): Made =>
  made({ subject: named(`CN=${text}`), ca: true, by, ...shape })
export const holder = (text: string, by: Made, shape: Partial<Shape> = {}): Made =>
  made({ subject: named(`CN=${text}`), by, ...shape })

export type Entry = {
  readonly serial: string
  readonly reason?: number
  readonly issuer?: Buffer
  readonly extensions?: readonly Buffer[]
}
export type ListShape = {
  readonly entries?: readonly Entry[]
  readonly number?: number | null
  readonly base?: number
  readonly scope?: Buffer
  readonly from?: number
  readonly until?: number | null
  readonly extensions?: readonly Buffer[]
  readonly signer?: SampleKey
}
const entryOf = ({ serial, reason, issuer, extensions = [] }: Entry): Buffer => {
  const all = [
    ...(reason === undefined ? [] : [extension('2.5.29.21', tlv(0x0a, Buffer.of(reason)))]),
    ...(issuer === undefined ? [] : [extension('2.5.29.29', seq(directory(issuer)), true)]),
    ...extensions,
  ]
  return seq(tlv(0x02, Buffer.from(serial, 'hex')), utcTime(AT - 30 * DAY), ...(all.length > 0 ? [seq(...all)] : []))
}

export function list(by: Made, shape: ListShape = {}): Crl {
  const { entries = [], number = 7, base, scope, from = AT - 10 * DAY, until = AT + 10 * DAY, signer = by.key } = shape
  const extensions = [
    extension('2.5.29.35', seq(context(0, keyId(signer), false))),
    ...(number === null ? [] : [extension('2.5.29.20', int(number))]),
    ...(base === undefined ? [] : [extension('2.5.29.27', int(base), true)]),
    ...(scope === undefined ? [] : [extension('2.5.29.28', scope, true)]),
    ...(shape.extensions ?? []),
  ]
  const tbs = seq(
    int(1),
    signer.algorithm,
    by.subject,
    utcTime(from),
    ...(until === null ? [] : [utcTime(until)]),
    ...(entries.length === 0 ? [] : [seq(...entries.map(entryOf))]),
    context(0, seq(...extensions)),
  )
  return parseCrl(seq(tbs, signer.algorithm, bits(signer.sign(tbs))))
}

/** A question about a chain, leaf first, anchor last; the rest is taken as between. */
export function ask(chain: readonly Made[], question: Partial<PathQuestion> = {}): PathVerdict {
  const certificates = chain.map(({ certificate }) => certificate)
  const [leaf] = certificates
  const anchor = certificates.at(-1)
  if (leaf === undefined || anchor === undefined) throw new RangeError('expected a chain')
  return validatePath({
    leaf,
    intermediates: certificates.slice(1, -1),
    anchors: [anchor],
    crls: [],
    at: AT,
    revocation: 'ignored',
    ...question,
  })
}
