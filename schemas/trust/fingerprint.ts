/** SHA-256 of a certificate's DER in lower-case hexadecimal: by which it is named everywhere, known before it is read. */
import { hash } from 'node:crypto'

export const fingerprintOf = (der: Uint8Array): string => hash('sha256', der, 'hex')
