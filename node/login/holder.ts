/**
 * What the login asks about a certificate, in the words of the login: is it good for logging in now, who holds it, at which CA, and if
 * not, why. "Cannot be checked" is an answer of its own and never means bad.
 */
export type Holder = {
  readonly kind: 'organisation' | 'person'
  /** one text for one holder: a code of an organisation, a keyed hash of a person that only this node makes */
  readonly id: string
  /** of an organisation that has one */
  readonly uscc: string | null
  /** of an organisation */
  readonly name: string | null
}

export type GoodCertificate = {
  readonly result: 'good'
  readonly holder: Holder
  readonly ca: { readonly name: string }
  /** region of registration (GB/T 2260); null if neither the certificate nor its authority tells */
  readonly region: string | null
}
export type RefusedCertificate = {
  readonly result: 'bad' | 'unchecked'
  /** stable, and one sentence in each language */
  readonly reason: { readonly code: string; readonly en: string; readonly zh: string }
}

/** @throws CERTIFICATE_MALFORMED for bytes that are no certificate */
export type HolderCheck = (
  certificate: { readonly der: Uint8Array; readonly chain: readonly Uint8Array[] },
  at: Date,
) => Promise<GoodCertificate | RefusedCertificate>
