/**
 * Files in which certificates are handed around: DER, PEM with one or many, and PKCS #7 (RFC 5652 §5.1, a SignedData that signs nothing),
 * as PEM or DER. Only the frame is read here; each certificate is judged by itself afterwards.
 */
import { ExchangeError, isExchangeError } from '../errors.ts'
import { parsePem } from './certificate.ts'
import { contextOf, inside, oidOf, readDer, TAG, wholeOf } from './der.ts'

const SIGNED_DATA = new Set(['1.2.840.113549.1.7.2', '1.2.156.10197.6.1.4.2.2'])
const PKCS7_LABELS: ReadonlySet<string> = new Set(['PKCS7', 'CMS'])
const MOST = 4096

/** The certificates of a SignedData (RFC 5652 §5.1, CertificateSet); null for DER of another shape. */
function ofSignedData(der: Uint8Array): Uint8Array[] | null {
  const outer = inside(readDer(Buffer.from(der.buffer, der.byteOffset, der.byteLength), TAG.SEQUENCE))
  const first = outer.any()
  if (first.tag !== TAG.OID || !SIGNED_DATA.has(oidOf(first))) return null
  const signed = outer.open(contextOf(0)).open(TAG.SEQUENCE)
  signed.read(TAG.INTEGER)
  signed.read(TAG.SET)
  signed.read(TAG.SEQUENCE)
  const set = signed.openOptional(contextOf(0))
  const found: Uint8Array[] = []
  while (set !== undefined && !set.done && found.length < MOST) {
    const one = set.any()
    if (one.tag === TAG.SEQUENCE) found.push(Buffer.from(wholeOf(one)))
  }
  return found
}

/**
 * DER of every certificate of a file, not read yet.
 * @throws CERTIFICATE_MALFORMED for what is none of the forms, or holds none
 */
export function certificatesOf(bytes: Uint8Array): Uint8Array[] {
  try {
    if (bytes[0] === TAG.SEQUENCE) return ofSignedData(bytes) ?? [bytes]
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
    if (/-----BEGIN (?:PKCS7|CMS)-----/.test(text)) return parsePem(text, PKCS7_LABELS).flatMap(der => ofSignedData(der) ?? [])
    if (text.includes('-----BEGIN ')) return parsePem(text)
    // bare base64, as some authorities hand it out
    const bare = text.replace(/\s+/g, '')
    const der = Buffer.from(bare, 'base64')
    if (der[0] === TAG.SEQUENCE && der.toString('base64') === bare) return ofSignedData(der) ?? [der]
  } catch (error) {
    if (!isExchangeError(error)) throw error
    throw new ExchangeError('CERTIFICATE_MALFORMED', error.reason, { cause: error })
  }
  throw new ExchangeError('CERTIFICATE_MALFORMED', 'expected a certificate in DER, PEM or PKCS #7')
}

/** Whether a file looks like a revocation list: PEM of one, or its DER. */
export function isCrlFile(bytes: Uint8Array): boolean {
  if (bytes[0] !== TAG.SEQUENCE) return Buffer.from(bytes.subarray(0, 4096)).toString('latin1').includes('-----BEGIN X509 CRL-----')
  try {
    // RFC 5280 §5.1: behind version and algorithm stands the issuer, then a time; of a certificate there stands a serial number.
    const tbs = inside(readDer(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), TAG.SEQUENCE)).open(TAG.SEQUENCE)
    const first = tbs.any()
    const second = first.tag === TAG.INTEGER ? tbs.any() : first
    return (
      first.tag !== contextOf(0) &&
      second.tag === TAG.SEQUENCE &&
      tbs.any().tag === TAG.SEQUENCE &&
      [0x17, 0x18].includes(tbs.any().tag)
    )
  } catch (error) {
    if (!isExchangeError(error)) throw error
    return false
  }
}
