/**
 * Extensions of certificates (RFC 5280 §4.2) as rows: OID, how its value is read, whether it has to be critical. An extension without a
 * row is kept as bytes and, where it is critical, refused by path validation (§4.2, §6.1.4(o)).
 */
import {
  booleanOf,
  bufferOf,
  context,
  contextOf,
  type Der,
  type DerReader,
  flagOf,
  inside,
  integerOf,
  malformed,
  namedBitsOf,
  numberOf,
  oidOf,
  readDer,
  readMany,
  TAG,
} from './der.ts'
import { INPUT_LIMITS } from './limits.ts'
import { type Attribute, type GeneralName, generalNameOf, generalNamesOf, relativeNameOf } from './names.ts'

export const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const
export type KeyUsageName = (typeof KEY_USAGES)[number]

/** `bits` numbers the uses as in KEY_USAGES; `tight` tells whether it is in DER's form of a named bit list. */
export type KeyUsage = { readonly bits: number; readonly tight: boolean }
export const allowsUse = (usage: KeyUsage, name: KeyUsageName): boolean => (usage.bits & (1 << KEY_USAGES.indexOf(name))) !== 0

/** Reasons of a scope (§4.2.1.13 ReasonFlags), as bits; bit 0 is unused. */
export const ALL_REASONS = 0b1_1111_1110

export type DistributionPoint = {
  readonly fullName?: readonly GeneralName[]
  readonly relativeName?: readonly Attribute[]
  readonly reasons?: number
  readonly crlIssuer?: readonly GeneralName[]
}
export type Subtree = { readonly base: GeneralName; readonly minimum: number; readonly maximum?: number }
export type NameConstraints = {
  readonly permitted: readonly Subtree[]
  readonly excluded: readonly Subtree[]
  readonly empty: boolean
}
export type PolicyInformation = { readonly policy: string; readonly qualifiers: readonly string[] }

export type KnownExtensions = {
  readonly authorityKeyId?: { readonly keyId?: Uint8Array; readonly issuer?: readonly GeneralName[]; readonly serial?: string }
  readonly subjectKeyId?: Uint8Array
  readonly keyUsage?: KeyUsage
  readonly certificatePolicies?: readonly PolicyInformation[]
  readonly policyMappings?: readonly { readonly issuer: string; readonly subject: string }[]
  readonly subjectAltName?: readonly GeneralName[]
  readonly issuerAltName?: readonly GeneralName[]
  readonly basicConstraints?: { readonly ca: boolean; readonly pathLength?: number }
  readonly nameConstraints?: NameConstraints
  readonly policyConstraints?: { readonly requireExplicit?: number; readonly inhibitMapping?: number }
  readonly extendedKeyUsage?: readonly string[]
  readonly crlDistributionPoints?: readonly DistributionPoint[]
  readonly inhibitAnyPolicy?: number
  readonly freshestCrl?: readonly DistributionPoint[]
  readonly authorityInfoAccess?: readonly { readonly method: string; readonly location: GeneralName }[]
}
export type ExtensionName = keyof KnownExtensions
export type Extension = { readonly oid: string; readonly critical: boolean; readonly value: Uint8Array }
export type Extensions = KnownExtensions & {
  /** all, in order, as they stand */
  readonly all: readonly Extension[]
  /** those without a row */
  readonly unknown: readonly Extension[]
}

const hexInteger = (node: Der): string => {
  integerOf(node)
  return node.bytes.toString('hex', node.from, node.to)
}

/** AuthorityKeyIdentifier, in certificates (§4.2.1.1) and CRLs (§5.2.1). */
export function authorityKeyIdOf(value: Der): NonNullable<KnownExtensions['authorityKeyId']> {
  const reader = inside(value)
  const keyId = reader.optional(context(0))
  const issuer = reader.openOptional(contextOf(1))
  const serial = reader.optional(context(2))
  reader.finish()
  return {
    ...(keyId && { keyId: keyId.bytes.subarray(keyId.from, keyId.to) }),
    ...(issuer && { issuer: generalNamesOf(issuer) }),
    ...(serial && { serial: hexInteger(serial) }),
  }
}

/** The name of a distribution point, and of the scope of a CRL (§5.2.5). */
export function pointNameOf(reader: DerReader): Pick<DistributionPoint, 'fullName' | 'relativeName'> {
  const node = reader.any()
  reader.finish()
  if (node.tag === contextOf(0)) return { fullName: generalNamesOf(inside(node)) }
  if (node.tag === contextOf(1)) return { relativeName: relativeNameOf(node) }
  throw malformed('expected the name of a distribution point')
}

function distributionPointOf(list: DerReader): DistributionPoint {
  const reader = list.open(TAG.SEQUENCE)
  const name = reader.openOptional(contextOf(0))
  const reasons = reader.optional(context(1))
  const issuer = reader.openOptional(contextOf(2))
  reader.finish()
  if (name === undefined && issuer === undefined) throw malformed('expected a distribution point with a name or an issuer')
  return {
    ...(name && pointNameOf(name)),
    ...(reasons && { reasons: namedBitsOf(reasons).set & ALL_REASONS }),
    ...(issuer && { crlIssuer: generalNamesOf(issuer) }),
  }
}
const distributionPointsOf = (value: Der): DistributionPoint[] =>
  readMany(inside(value), distributionPointOf, INPUT_LIMITS.extensions)

function subtreeOf(list: DerReader): Subtree {
  const reader = list.open(TAG.SEQUENCE)
  const base = generalNameOf(reader)
  const minimum = reader.optional(context(0))
  const maximum = reader.optional(context(1))
  reader.finish()
  const least = minimum === undefined ? 0 : numberOf(minimum)
  if (minimum !== undefined && least === 0) throw malformed('expected a default value to be left out')
  return { base, minimum: least, ...(maximum && { maximum: numberOf(maximum) }) }
}

function nameConstraintsOf(value: Der): NameConstraints {
  const reader = inside(value)
  const permitted = reader.openOptional(contextOf(0))
  const excluded = reader.openOptional(contextOf(1))
  reader.finish()
  const lists = [permitted, excluded].map(list => (list === undefined ? [] : readMany(list, subtreeOf, INPUT_LIMITS.names, 0)))
  const [allowed = [], refused = []] = lists
  return { permitted: allowed, excluded: refused, empty: allowed.length + refused.length === 0 }
}

function policyOf(list: DerReader): PolicyInformation {
  const reader = list.open(TAG.SEQUENCE)
  const policy = oidOf(reader.read(TAG.OID))
  const qualifiers = reader.openOptional(TAG.SEQUENCE)
  reader.finish()
  const qualifier = (inner: DerReader): string => {
    const one = inner.open(TAG.SEQUENCE)
    const id = oidOf(one.read(TAG.OID))
    one.any()
    one.finish()
    return id
  }
  return { policy, qualifiers: qualifiers === undefined ? [] : readMany(qualifiers, qualifier, INPUT_LIMITS.extensions) }
}

function mappingOf(list: DerReader): { readonly issuer: string; readonly subject: string } {
  const reader = list.open(TAG.SEQUENCE)
  const mapping = { issuer: oidOf(reader.read(TAG.OID)), subject: oidOf(reader.read(TAG.OID)) }
  reader.finish()
  return mapping
}

function basicConstraintsOf(value: Der): NonNullable<KnownExtensions['basicConstraints']> {
  const reader = inside(value)
  const ca = flagOf(reader)
  const length = reader.optional(TAG.INTEGER)
  reader.finish()
  return length === undefined ? { ca } : { ca, pathLength: numberOf(length) }
}

function policyConstraintsOf(value: Der): NonNullable<KnownExtensions['policyConstraints']> {
  const reader = inside(value)
  const explicit = reader.optional(context(0))
  const mapping = reader.optional(context(1))
  reader.finish()
  return { ...(explicit && { requireExplicit: numberOf(explicit) }), ...(mapping && { inhibitMapping: numberOf(mapping) }) }
}

function accessOf(list: DerReader): { readonly method: string; readonly location: GeneralName } {
  const reader = list.open(TAG.SEQUENCE)
  const access = { method: oidOf(reader.read(TAG.OID)), location: generalNameOf(reader) }
  reader.finish()
  return access
}

type Read<N extends ExtensionName> = (value: Der) => NonNullable<KnownExtensions[N]>
type ExtensionRow = {
  readonly name: ExtensionName
  readonly tag: number
  readonly read: (value: Der) => unknown
  /** what a conforming CA must set; `ca` only in CA certificates */
  readonly critical?: 'always' | 'ca' | 'never'
  readonly clause: string
}
const row = <N extends ExtensionName>(
  name: N,
  clause: string,
  read: Read<N>,
  critical?: NonNullable<ExtensionRow['critical']>,
  tag: number = TAG.SEQUENCE,
): ExtensionRow => ({ name, clause: `RFC 5280 ${clause}`, read, tag, ...(critical && { critical }) })

const bytesOf = (value: Der): Buffer => value.bytes.subarray(value.from, value.to)
const manyOf =
  <T>(one: (list: DerReader) => T) =>
  (value: Der): T[] =>
    readMany(inside(value), one, INPUT_LIMITS.names)

export const EXTENSION_ROWS: { readonly [oid: string]: ExtensionRow } = {
  '2.5.29.35': row('authorityKeyId', '§4.2.1.1', authorityKeyIdOf, 'never'),
  '2.5.29.14': row('subjectKeyId', '§4.2.1.2', bytesOf, 'never', TAG.OCTET_STRING),
  '2.5.29.15': row(
    'keyUsage',
    '§4.2.1.3',
    value => {
      const { set, tight } = namedBitsOf(value)
      return { bits: set, tight }
    },
    undefined,
    TAG.BIT_STRING,
  ),
  '2.5.29.32': row('certificatePolicies', '§4.2.1.4', manyOf(policyOf)),
  '2.5.29.33': row('policyMappings', '§4.2.1.5', manyOf(mappingOf)),
  '2.5.29.17': row('subjectAltName', '§4.2.1.6', manyOf(generalNameOf)),
  '2.5.29.18': row('issuerAltName', '§4.2.1.7', manyOf(generalNameOf)),
  '2.5.29.19': row('basicConstraints', '§4.2.1.9', basicConstraintsOf, 'ca'),
  '2.5.29.30': row('nameConstraints', '§4.2.1.10', nameConstraintsOf, 'always'),
  '2.5.29.36': row('policyConstraints', '§4.2.1.11', policyConstraintsOf, 'always'),
  '2.5.29.37': row(
    'extendedKeyUsage',
    '§4.2.1.12',
    manyOf(list => oidOf(list.read(TAG.OID))),
  ),
  '2.5.29.31': row('crlDistributionPoints', '§4.2.1.13', distributionPointsOf),
  '2.5.29.54': row('inhibitAnyPolicy', '§4.2.1.14', numberOf, 'always', TAG.INTEGER),
  '2.5.29.46': row('freshestCrl', '§4.2.1.15', distributionPointsOf, 'never'),
  '1.3.6.1.5.5.7.1.1': row('authorityInfoAccess', '§4.2.2.1', manyOf(accessOf), 'never'),
}

/** One Extension: identifier, criticality, and the octets of the value. @throws DER_MALFORMED */
export function extensionOf(list: DerReader): Extension {
  const reader = list.open(TAG.SEQUENCE)
  const oid = oidOf(reader.read(TAG.OID))
  const critical = reader.tag === TAG.BOOLEAN && criticalOf(reader.any())
  const value = reader.read(TAG.OCTET_STRING)
  reader.finish()
  return { oid, critical, value: value.bytes.subarray(value.from, value.to) }
}

function criticalOf(node: Der): boolean {
  if (!booleanOf(node)) throw malformed('expected a default value to be left out')
  return true
}

/** The content of Extensions: at least one, none twice (§4.2). @throws DER_MALFORMED */
export function extensionsOf(list: DerReader): Extensions {
  const all = readMany(list, extensionOf, INPUT_LIMITS.extensions)
  const known: { [name in ExtensionName]?: unknown } = {}
  const unknown: Extension[] = []
  const seen = new Set<string>()
  for (const extension of all) {
    if (seen.has(extension.oid)) throw malformed(`expected the extension ${extension.oid} once`)
    seen.add(extension.oid)
    const row_ = EXTENSION_ROWS[extension.oid]
    if (row_ === undefined) unknown.push(extension)
    else known[row_.name] = row_.read(readDer(bufferOf(extension.value), row_.tag))
  }
  return { ...(known as KnownExtensions), all, unknown }
}

export const NO_EXTENSIONS: Extensions = { all: [], unknown: [] }
