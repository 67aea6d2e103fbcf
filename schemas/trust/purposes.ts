/** What a certificate may be wanted for, as rows. Where a certificate says nothing of its uses, none is refused (RFC 5280 §4.2.1.3, §4.2.1.12). */
import type { KeyUsageName } from './extensions.ts'

export type Purpose = {
  /** each of these, where keyUsage is present */
  readonly keyUsage?: readonly KeyUsageName[]
  /** at least one of these, where keyUsage is present */
  readonly anyKeyUsage?: readonly KeyUsageName[]
  /** at least one of these OIDs, where extKeyUsage is present, in the certificate and in every CA below the anchor */
  readonly extendedKeyUsage?: readonly string[]
  /** extKeyUsage must be present */
  readonly extendedKeyUsageRequired?: boolean
  /** the certificate must be a CA certificate */
  readonly ca?: boolean
}

export const EXTENDED_KEY_USAGE = {
  any: '2.5.29.37.0',
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  email: '1.3.6.1.5.5.7.3.4',
  timestamp: '1.3.6.1.5.5.7.3.8',
  ocsp: '1.3.6.1.5.5.7.3.9',
} as const

const SIGNING = ['digitalSignature', 'nonRepudiation'] as const

export const PURPOSES = {
  sign: { anyKeyUsage: SIGNING },
  /** of the pair's encryption certificate; the other half never signs */
  encrypt: { anyKeyUsage: ['keyEncipherment', 'dataEncipherment', 'keyAgreement'] },
  login: { keyUsage: ['digitalSignature'], extendedKeyUsage: [EXTENDED_KEY_USAGE.client] },
  ca: { keyUsage: ['keyCertSign'], ca: true },
  server: { extendedKeyUsage: [EXTENDED_KEY_USAGE.server] },
  client: { keyUsage: ['digitalSignature'], extendedKeyUsage: [EXTENDED_KEY_USAGE.client] },
  timestamp: { anyKeyUsage: SIGNING, extendedKeyUsage: [EXTENDED_KEY_USAGE.timestamp], extendedKeyUsageRequired: true },
  seal: { anyKeyUsage: SIGNING },
} as const satisfies { readonly [name: string]: Purpose }

export type PurposeName = keyof typeof PURPOSES
