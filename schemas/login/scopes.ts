/**
 * What a trading system may learn of who logs in, a row for each scope (OpenID Connect Core 1.0 §5.4): it is given the scopes that are
 * registered for it and asked for, no more. A person is a pseudonym of his own at each client; an organisation is public by its code.
 */

type ScopeRow = { readonly name: string; readonly claims: readonly string[]; readonly en: string; readonly zh: string }

export const LOGIN_SCOPES = [
  {
    name: 'openid',
    claims: ['sub', 'acr', 'holder_kind'],
    en: 'that it is the same holder as before, and how sure that is',
    zh: '是否为同一持有人及其可信级别',
  },
  {
    name: 'organisation',
    claims: ['uscc', 'organisation_name'],
    en: 'the organisation: code and name',
    zh: '单位：统一社会信用代码与名称',
  },
  {
    name: 'certificate',
    claims: ['ca_name', 'certificate_digest'],
    en: 'the certificate: its CA and its digest',
    zh: '数字证书：颁发机构与证书摘要',
  },
  { name: 'province', claims: ['province'], en: 'the province of registration', zh: '注册地省份' },
] as const satisfies readonly ScopeRow[]

export type LoginScope = (typeof LOGIN_SCOPES)[number]['name']
export const isLoginScope = (name: unknown): name is LoginScope => LOGIN_SCOPES.some(row => row.name === name)

/**
 * How sure a login is (`acr`). There is one level: possession of a key that a recognised authority has certified, checked now. Whether
 * the key lies in a device no certificate says in a way that could be verified, so nothing is claimed of it.
 */
export const LOGIN_ACR = 'urn:hutong:acr:recognised-certificate'

/** How a certificate is used, as it is told to supervision. */
export const CERTIFICATE_USES = {
  'sign-in': { en: 'logged in', zh: '登录' },
  unlock: { en: 'decrypted a bid', zh: '解密投标文件' },
  sign: { en: 'signed', zh: '签名' },
} as const
export type CertificateUseKind = keyof typeof CERTIFICATE_USES
