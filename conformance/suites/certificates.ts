/**
 * Certificates and revocation lists as suites carry them, and the question that a case asks. What cannot be parsed is left out, as it
 * would be in a store that keeps the rest; a leaf that cannot be parsed is refused with the parser's code.
 */
import { isExchangeError } from '../../schemas/errors.ts'
import { type Certificate, parseCertificate } from '../../schemas/trust/certificate.ts'
import { type Crl, parseCrl } from '../../schemas/trust/crl.ts'
import { type PathQuestion, validatePath } from '../../schemas/trust/path-validation.ts'
import { accepted, type Judged, refused } from './suite.ts'

const ARMOR = /-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----/g

/** The DER of every block of a PEM text (RFC 7468), or the bytes themselves if they are none. */
export function derOf(material: string | Uint8Array): Uint8Array[] {
  const text = typeof material === 'string' ? material : Buffer.from(material).toString('latin1')
  if (!text.includes('-----BEGIN ')) return typeof material === 'string' ? [] : [material]
  return [...text.matchAll(ARMOR)].map(match => Buffer.from(match[2] ?? '', 'base64'))
}

function parsedOf<T>(material: readonly (string | Uint8Array)[], parse: (der: Uint8Array) => T): T[] {
  return material.flatMap(derOf).flatMap(der => {
    try {
      return [parse(der)]
    } catch (error) {
      if (isExchangeError(error)) return []
      throw error
    }
  })
}

export const certificatesOf = (material: readonly (string | Uint8Array)[]): Certificate[] => parsedOf(material, parseCertificate)
export const crlsOf = (material: readonly (string | Uint8Array)[]): Crl[] => parsedOf(material, parseCrl)

/** @throws CERTIFICATE_MALFORMED */
export const leafOf = (material: string | Uint8Array): Certificate => parseCertificate(derOf(material)[0] ?? Buffer.of())

/** "Cannot be checked" is no acceptance either; its reason tells the two apart. */
export function judgePath(question: PathQuestion): Judged {
  const { result, reason, detail } = validatePath(question)
  return result === 'good' ? accepted(reason) : refused(detail === '' ? reason : `${reason}: ${detail}`)
}
