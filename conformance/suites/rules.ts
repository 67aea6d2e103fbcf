/** Why a case of a published suite does not concern the product. Each is a property of the case that the suite itself states. */
export type RuleRow = { readonly en: string; readonly zh: string }

export const RULES = {
  'web-pki': {
    en: 'policy of public TLS servers (the namespace webpki:: and the features pedantic-webpki… of the suite)',
    zh: '公共 TLS 服务器的政策（套件的 webpki:: 命名空间及 pedantic-webpki… 特性）',
  },
  'public-suffix': {
    en: 'needs the list of public suffixes, which belongs to public TLS servers (feature pedantic-public-suffix-wildcard)',
    zh: '需要公共后缀列表，属公共 TLS 服务器的政策（特性 pedantic-public-suffix-wildcard）',
  },
  'policies-unsupported': {
    en: 'for implementations without certificate policies, which this one has (feature no-cert-policies)',
    zh: '仅适用于不支持证书策略的实现（特性 no-cert-policies）',
  },
  'feature-unknown': {
    en: 'carries a feature that this runner does not know; the suite asks to skip it then',
    zh: '带有本程序未知的特性；套件要求此时略过',
  },
  'file-missing': {
    en: 'a file that the case names is not in the folder',
    zh: '用例所引用的文件不在目录中',
  },
  'not-decided': {
    en: 'the suite leaves open whether it is accepted',
    zh: '套件未规定应否接受',
  },
  encryption: {
    en: 'is about encryption (JWE), not about a signature',
    zh: '所测为加密（JWE），并非签名',
  },
  'algorithm-absent': {
    en: 'a registered JWS algorithm that the platform does not have (ES256K, Ed448)',
    zh: '平台不具备的已登记 JWS 算法（ES256K、Ed448）',
  },
} as const satisfies { readonly [rule: string]: RuleRow }

export type Rule = keyof typeof RULES
