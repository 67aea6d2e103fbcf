/**
 * Signed messages: CMS (RFC 5652), PKCS #7 1.5 (RFC 2315) and their Chinese form (GB/T 35275-2017, formerly GM/T 0010) with object
 * identifiers of its own. This file reads them into a value in which nothing is checked yet but form; `cms-verification.ts` judges it.
 * BER is read, because messages are written while they stream; what was hashed is kept in the bytes in which it came or must be DER.
 * Certificates and revocation lists inside are candidates like any other: nothing becomes an anchor by standing in a message.
 */
import { isExchangeError } from '../errors.ts'
import { type BerElement, BerReader, isContext, UNIVERSAL } from './ber.ts'
import { type AlgorithmIdentifier, algorithmOf, type Certificate, parseCertificate } from './certificate.ts'
import { type Crl, parseCrl } from './crl.ts'
import { bufferOf, DerReader, readDer } from './der.ts'
import { SIGNATURE_LIMITS } from './limits.ts'
import { isSameName, type Name, nameOf } from './names.ts'

/** RFC 2315 §14, GB/T 35275 §5: the same types under two arcs. */
const ARCS = { cms: '1.2.840.113549.1.7.', gm: '1.2.156.10197.6.1.4.2.' } as const
export type CmsForm = keyof typeof ARCS
export const CONTENT_TYPES = ['data', 'signedData', 'envelopedData', 'signedAndEnvelopedData'] as const
export type ContentType = (typeof CONTENT_TYPES)[number]

export const contentTypeOid = (form: CmsForm, type: ContentType): string => `${ARCS[form]}${CONTENT_TYPES.indexOf(type) + 1}`
export function contentTypeOf(oid: string): { readonly form: CmsForm; readonly type: ContentType } | null {
  for (const form of ['cms', 'gm'] as const)
    for (const type of CONTENT_TYPES) if (contentTypeOid(form, type) === oid) return { form, type }
  return null
}

/** Whose key (RFC 5652 §10.2.4, §5.3, §6.2.1); the serial number as hex of its INTEGER's content. */
export type KeyHolder =
  | { readonly kind: 'issuer-serial'; readonly issuer: Name; readonly serial: string }
  | { readonly kind: 'key-id'; readonly keyId: string }

export type SignedAttributes = {
  /** the EXPLICIT SET OF in DER, which is what is signed (RFC 5652 §5.4) */
  readonly der: Uint8Array
  /** OID → values of every attribute of that type; more than one attribute of a type gives more than one list */
  readonly values: ReadonlyMap<string, readonly (readonly BerElement[])[]>
}

export type SignerInfo = {
  readonly version: number
  readonly holder: KeyHolder
  readonly digestAlgorithm: AlgorithmIdentifier
  readonly signatureAlgorithm: AlgorithmIdentifier
  readonly signedAttributes: SignedAttributes | null
  readonly signature: Uint8Array
  /** OIDs of what is not signed, such as a timestamp */
  readonly unsignedAttributes: readonly string[]
}

export type SignedData = {
  readonly form: CmsForm
  readonly version: number
  /** OID of what is signed */
  readonly contentType: string
  /** null if the content is kept elsewhere (a detached signature) */
  readonly content: Uint8Array | null
  readonly certificates: readonly Certificate[]
  readonly crls: readonly Crl[]
  /** certificates and lists inside that are of another kind or cannot be read: they can help nobody */
  readonly passedOver: number
  readonly signers: readonly SignerInfo[]
}

const WHAT = 'a CMS or PKCS #7 message'

export const newReader = (): BerReader => new BerReader('SIGNATURE_MALFORMED', SIGNATURE_LIMITS)

/** ContentInfo (RFC 5652 §3). @throws SIGNATURE_MALFORMED */
export function readContentInfo(
  reader: BerReader,
  bytes: Uint8Array,
): { readonly oid: string; readonly content: BerElement | null } {
  return contentInfo(reader, reader.read(bytes))
}

function contentInfo(reader: BerReader, element: BerElement | undefined): { oid: string; content: BerElement | null } {
  const [type, wrapper, ...rest] = reader.sequence(element, WHAT)
  if (rest.length > 0) throw reader.fault('expected a content type and a content')
  const oid = reader.oid(type, 'a content type')
  if (wrapper === undefined) return { oid, content: null }
  if (!isContext(wrapper, 0)) throw reader.fault('expected the content under [0]')
  const [content, ...more] = reader.children(wrapper)
  if (content === undefined || more.length > 0) throw reader.fault('expected one content')
  return { oid, content }
}

/** IssuerAndSerialNumber or [0] SubjectKeyIdentifier. @throws SIGNATURE_MALFORMED */
export function readKeyHolder(reader: BerReader, element: BerElement | undefined): KeyHolder {
  if (isContext(element, 0)) {
    // EnvelopedData and CMS tag it implicitly; some makers wrap the OCTET STRING
    const octets = element.constructed ? reader.octets(reader.children(element)[0], 'a key identifier') : element.contents
    return { kind: 'key-id', keyId: Buffer.from(octets).toString('hex') }
  }
  const [issuer, serial, ...rest] = reader.sequence(element, 'issuer and serial number')
  if (rest.length > 0) throw reader.fault('expected an issuer and a serial number')
  const { whole } = reader.expect(issuer, UNIVERSAL.sequence, 'an issuer')
  const { contents } = reader.expect(serial, UNIVERSAL.integer, 'a serial number')
  try {
    return { kind: 'issuer-serial', issuer: nameOf(readDer(whole)), serial: Buffer.from(contents).toString('hex') }
  } catch (cause) {
    throw reader.fault('expected an issuer that is a name in DER', { cause })
  }
}

/** Whether a certificate is the one that a message means. */
export const isHolder = (holder: KeyHolder, certificate: Certificate): boolean =>
  holder.kind === 'issuer-serial'
    ? holder.serial === certificate.serial && isSameName(holder.issuer, certificate.issuer)
    : certificate.extensions.subjectKeyId !== undefined &&
      Buffer.from(certificate.extensions.subjectKeyId).toString('hex') === holder.keyId

/** @throws SIGNATURE_MALFORMED */
export function readAlgorithm(reader: BerReader, element: BerElement | undefined): AlgorithmIdentifier {
  try {
    return algorithmOf(new DerReader(bufferOf(reader.toDer(reader.expect(element, UNIVERSAL.sequence, 'an algorithm')))))
  } catch (cause) {
    throw reader.fault('expected an algorithm with its parameters', { cause })
  }
}

/** What the eContent's digest covers: the octets of the string, or of whatever else PKCS #7 1.5 put there (RFC 5652 §5.2.1). */
const contentOctets = (reader: BerReader, content: BerElement | null): Uint8Array | null =>
  content === null
    ? null
    : content.tagClass === 0 && content.tag === UNIVERSAL.octetString
      ? reader.octets(content, 'the content')
      : content.contents

function readSignedAttributes(reader: BerReader, element: BerElement): SignedAttributes {
  const attributes = reader.children(element)
  if (attributes.length === 0 || attributes.length > SIGNATURE_LIMITS.attributes)
    throw reader.fault(`expected 1 to ${SIGNATURE_LIMITS.attributes} signed attributes`)
  const values = new Map<string, BerElement[][]>()
  for (const attribute of attributes) {
    const [type, set, ...rest] = reader.sequence(attribute, 'an attribute')
    if (rest.length > 0) throw reader.fault('expected an attribute of type and values')
    const oid = reader.oid(type, "an attribute's type")
    const list = [...reader.children(reader.expect(set, UNIVERSAL.set, "an attribute's values"))]
    values.set(oid, [...(values.get(oid) ?? []), list])
  }
  return { der: reader.toDer(element, 0x31), values }
}

function readSigner(reader: BerReader, element: BerElement): SignerInfo {
  const [version, holder, digest, ...rest] = reader.sequence(element, 'a signer')
  const signed = isContext(rest[0], 0) ? rest.shift() : undefined
  const [algorithm, signature, unsigned, ...more] = rest
  if (more.length > 0 || (unsigned !== undefined && !isContext(unsigned, 1))) throw reader.fault('expected nothing behind a signer')
  return {
    version: reader.count(version, "a signer's version"),
    holder: readKeyHolder(reader, holder),
    digestAlgorithm: readAlgorithm(reader, digest),
    signatureAlgorithm: readAlgorithm(reader, algorithm),
    signedAttributes: signed === undefined ? null : readSignedAttributes(reader, signed),
    signature: reader.octets(reader.expect(signature, UNIVERSAL.octetString, 'a signature'), 'a signature'),
    unsignedAttributes:
      unsigned === undefined
        ? []
        : reader.children(unsigned).map(one => reader.oid(reader.sequence(one, 'an attribute')[0], "an attribute's type")),
  }
}

const attempt = <T>(parse: (der: Uint8Array) => T, der: Uint8Array): T | null => {
  try {
    return parse(der)
  } catch (error) {
    if (isExchangeError(error)) return null
    throw error
  }
}

/** Reads what stands in a set, as far as it can be read: the rest helps nobody and harms nobody. */
function readCandidates<T>(
  reader: BerReader,
  set: BerElement | undefined,
  most: number,
  parse: (der: Uint8Array) => T,
): [T[], number] {
  if (set === undefined) return [[], 0]
  const elements = reader.children(set)
  if (elements.length > most) throw reader.fault(`expected at most ${most} certificates, and as many revocation lists`)
  const found = elements.map(({ whole, tagClass }) => (tagClass === 0 ? attempt(parse, whole) : null)).filter(one => one !== null)
  return [found, elements.length - found.length]
}

/**
 * SignedData (RFC 5652 §5.1, RFC 2315 §9.1, GB/T 35275 §8) in its ContentInfo, BER or DER.
 * @throws SIGNATURE_MALFORMED, and for another content type SIGNATURE_KIND_UNKNOWN
 */
export function parseSignedData(bytes: Uint8Array): SignedData {
  const reader = newReader()
  const { oid, content } = readContentInfo(reader, bytes)
  const kind = contentTypeOf(oid)
  if (kind?.type !== 'signedData')
    throw new BerReader('SIGNATURE_KIND_UNKNOWN', SIGNATURE_LIMITS).fault(`expected a signed message, got content type ${oid}`)
  const [version, digests, encapsulated, ...rest] = reader.sequence(content ?? undefined, 'SignedData')
  reader.children(reader.expect(digests, UNIVERSAL.set, 'digest algorithms'))
  const inner = contentInfo(reader, encapsulated)
  const certificateSet = isContext(rest[0], 0) ? rest.shift() : undefined
  const crlSet = isContext(rest[0], 1) ? rest.shift() : undefined
  const [signerSet, ...more] = rest
  if (more.length > 0) throw reader.fault('expected nothing behind the signers')
  const signers = reader.children(reader.expect(signerSet, UNIVERSAL.set, 'signers'))
  if (signers.length > SIGNATURE_LIMITS.signers) throw reader.fault(`expected at most ${SIGNATURE_LIMITS.signers} signers`)
  const [certificates, strangeCertificates] = readCandidates(
    reader,
    certificateSet,
    SIGNATURE_LIMITS.certificates,
    parseCertificate,
  )
  const [crls, strangeCrls] = readCandidates(reader, crlSet, SIGNATURE_LIMITS.crls, parseCrl)
  return {
    form: kind.form,
    version: reader.count(version, 'a version'),
    contentType: inner.oid,
    content: contentOctets(reader, inner.content),
    certificates,
    crls,
    passedOver: strangeCertificates + strangeCrls,
    signers: signers.map(signer => readSigner(reader, signer)),
  }
}
