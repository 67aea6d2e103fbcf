/**
 * A certificate as RFC 5280 §4.1 writes it, read once and strictly: DER, every field in its form, no extension twice. What is well formed
 * and still not as a conforming CA issues it stays readable and is listed as `faults`; a profile decides what comes of them.
 */
import { hash } from 'node:crypto'
import { ExchangeError, isExchangeError } from '../errors.ts'
import { faultsOf } from './certificate-faults.ts'
import {
  context,
  contextOf,
  type Der,
  type DerReader,
  hexOf,
  inside,
  integerOf,
  malformed,
  numberOf,
  octetsOf,
  oidOf,
  readDer,
  TAG,
  timeOf,
  wholeOf,
} from './der.ts'
import { type Extensions, extensionsOf, NO_EXTENSIONS } from './extensions.ts'
import { INPUT_LIMITS } from './limits.ts'
import { freshNameOf, type Name, nameOf } from './names.ts'
import type { Fault } from './reasons.ts'

/** `parameters` is the DER of the parameters, absent where there are none. */
export type AlgorithmIdentifier = { readonly oid: string; readonly parameters?: Uint8Array }
export type SubjectKey = { readonly spki: Uint8Array; readonly algorithm: AlgorithmIdentifier; readonly bits: Uint8Array }

export type Certificate = {
  readonly der: Uint8Array
  /** SHA-256 of `der`, lower-case hexadecimal */
  readonly fingerprint: string
  readonly tbs: Uint8Array
  readonly version: 1 | 2 | 3
  /** the INTEGER's content, lower-case hexadecimal */
  readonly serial: string
  readonly signature: { readonly algorithm: AlgorithmIdentifier; readonly bytes: Uint8Array }
  readonly issuer: Name
  readonly subject: Name
  /** milliseconds since 1970, both inclusive */
  readonly notBefore: number
  readonly notAfter: number
  readonly key: SubjectKey
  readonly extensions: Extensions
  /** deviations that a profile may judge */
  readonly faults: readonly Fault[]
}

/** @throws DER_MALFORMED */
export function algorithmOf(reader: DerReader): AlgorithmIdentifier {
  const inner = reader.open(TAG.SEQUENCE)
  const oid = oidOf(inner.read(TAG.OID))
  if (inner.done) return { oid }
  const parameters = wholeOf(inner.any())
  inner.finish()
  return { oid, parameters }
}

/** @throws DER_MALFORMED */
export function subjectKeyOf(node: Der): SubjectKey {
  const reader = inside(node)
  const algorithm = algorithmOf(reader)
  const bits = octetsOf(reader.read(TAG.BIT_STRING))
  reader.finish()
  return { spki: wholeOf(node), algorithm, bits }
}

/** What is signed, how, and the signature: the frame of certificates and CRLs (§4.1.1, §5.1.1). @throws DER_MALFORMED */
export function signedOf(der: Buffer): {
  readonly tbs: Der
  readonly signature: Certificate['signature']
  /** the outer AlgorithmIdentifier as it stands, to be compared with the inner one */
  readonly outer: Buffer
} {
  const reader = inside(readDer(der, TAG.SEQUENCE))
  const tbs = reader.read(TAG.SEQUENCE)
  const start = reader.at
  const algorithm = algorithmOf(reader)
  const outer = der.subarray(start, reader.at)
  const bytes = octetsOf(reader.read(TAG.BIT_STRING))
  reader.finish()
  return { tbs, signature: { algorithm, bytes }, outer }
}

const VERSIONS: { readonly [written: number]: 2 | 3 } = { 1: 2, 2: 3 }

function versionOf(reader: DerReader): 1 | 2 | 3 {
  const written = reader.openOptional(contextOf(0))
  if (written === undefined) return 1
  const version = VERSIONS[numberOf(written.read(TAG.INTEGER))]
  written.finish()
  if (version === undefined) throw malformed('expected version 2 or 3, version 1 being left out')
  return version
}

const uniqueIdOf = (reader: DerReader, number: number): boolean => {
  const node = reader.optional(context(number))
  if (node !== undefined) octetsOfBits(node)
  return node !== undefined
}
const octetsOfBits = (node: Der): void => {
  if (node.to === node.from || (node.bytes[node.from] ?? 8) > 7) throw malformed('expected a BIT STRING')
}

function read(der: Buffer): Certificate {
  const { tbs, signature, outer } = signedOf(der)
  const reader = inside(tbs)
  const version = versionOf(reader)
  const serial = hexOf(integerOf(reader.read(TAG.INTEGER)))
  const start = reader.at
  algorithmOf(reader)
  const sameAlgorithm = outer.equals(der.subarray(start, reader.at))
  const issuer = nameOf(reader.read(TAG.SEQUENCE))
  const validity = reader.open(TAG.SEQUENCE)
  const [from, until] = [validity.any(), validity.any()]
  validity.finish()
  const subject = freshNameOf(reader.read(TAG.SEQUENCE))
  const key = subjectKeyOf(reader.read(TAG.SEQUENCE))
  const unique = [uniqueIdOf(reader, 1), uniqueIdOf(reader, 2)].includes(true)
  if (unique && version === 1) throw malformed('expected no unique identifiers in version 1')
  const listed = reader.openOptional(contextOf(3))
  if (listed !== undefined && version !== 3) throw malformed('expected extensions in version 3 only')
  const extensions = listed === undefined ? NO_EXTENSIONS : extensionsOf(listed.open(TAG.SEQUENCE))
  listed?.finish()
  reader.finish()
  const plain = {
    der,
    fingerprint: hash('sha256', der, 'hex'),
    tbs: wholeOf(tbs),
    version,
    serial,
    signature,
    issuer,
    subject,
    notBefore: timeOf(from),
    notAfter: timeOf(until),
    key,
    extensions,
  }
  return { ...plain, faults: faultsOf(plain, { sameAlgorithm, timeTags: [from.tag, until.tag] }) }
}

/** A copy is read, so that the caller's bytes may change. @throws CERTIFICATE_MALFORMED */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.length > INPUT_LIMITS.certificateBytes)
    throw new ExchangeError(
      'CERTIFICATE_MALFORMED',
      `expected at most ${INPUT_LIMITS.certificateBytes} bytes and found ${der.length}`,
    )
  try {
    return read(Buffer.from(der))
  } catch (error) {
    if (!isExchangeError(error)) throw error
    throw new ExchangeError('CERTIFICATE_MALFORMED', error.reason, { cause: error })
  }
}

const PEM = /-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----/g
const CERTIFICATE_LABELS = new Set(['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE'])

/** DER of each block of a label, in order; of bytes that are no text, those bytes. @throws CERTIFICATE_MALFORMED if there is none */
export function parsePem(text: string | Uint8Array, labels: ReadonlySet<string> = CERTIFICATE_LABELS): Uint8Array[] {
  if (typeof text !== 'string' && text[0] === TAG.SEQUENCE) return [text]
  const plain = typeof text === 'string' ? text : Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('latin1')
  const found = [...plain.matchAll(PEM)].filter(([, label = '']) => labels.has(label))
  if (found.length === 0) throw new ExchangeError('CERTIFICATE_MALFORMED', `expected PEM of ${[...labels].join(' or ')}, or DER`)
  return found.map(([, , body = '']) => Buffer.from(body, 'base64'))
}

/** Whether subject and issuer are the same entity (§6.1): a CA's own key rollover, or a root. */
export const isSelfIssued = ({ issuer, subject }: Certificate): boolean => issuer.canonical === subject.canonical
