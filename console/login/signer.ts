/**
 * What the login page asks of whoever holds the key: software in the page, the signing agent of this machine, or the driver of a
 * vendor's device. A vendor's script puts one signer, or a list of them, at `window.hutongSigner`, and the page offers it by its name:
 *
 *   window.hutongSigner = {
 *     id: 'acme-key', zh: '某某智能密码钥匙', en: 'ACME key',
 *     certificates: async () => [{ certificate: 'MIIC…', label: '示例公司' }],
 *     sign: async ({ text, bytes, certificate }) => ({ certificate: 'MIIC…', algorithm: 'SM2SM3', signature: 'MEUC…' }),
 *   }
 *
 * `sign` signs exactly `bytes` (ASCII, not hashed before) with the key of a signing certificate, never of an encryption certificate,
 * asks for the PIN itself, and rejects with an Error whose message may be shown. Binary values are base64 of DER; an SM2 signature is made
 * with SM3 and the signer ID 1234567812345678. A driver shows `text` to the holder if it can.
 */
import type { LoginSignatureName } from '../../schemas/login/signatures.ts'

export type SignedLogin = {
  readonly certificate: string
  readonly algorithm: LoginSignatureName
  readonly signature: string
  /** certificates above it, where they are at hand */
  readonly chain?: readonly string[]
}
export type ListedCertificate = { readonly certificate: string; readonly label: string }
export type LoginSigner = {
  readonly id: string
  readonly zh: string
  readonly en: string
  /** to choose from; a signer without it chooses itself */
  certificates?(): Promise<readonly ListedCertificate[]>
  sign(what: { readonly text: string; readonly bytes: Uint8Array; readonly certificate?: string }): Promise<SignedLogin>
}

/** A message for the holder, in both languages. */
export class SignerFault extends Error {
  override readonly name = 'SignerFault'
  readonly zh: string
  readonly en: string
  constructor(zh: string, en: string) {
    super(en)
    this.zh = zh
    this.en = en
  }
}

/** What a vendor's script left; anything that is no signer is left out. */
export function vendorSigners(left: unknown): LoginSigner[] {
  const list: readonly unknown[] = Array.isArray(left) ? left : [left]
  return list.filter((one): one is LoginSigner => {
    if (typeof one !== 'object' || one === null) return false
    const { id, zh, en, sign } = one as Partial<LoginSigner>
    return (
      [id, zh, en].every(text => typeof text === 'string' && text.length > 0 && text.length <= 64) && typeof sign === 'function'
    )
  })
}
