/**
 * The catalogue of the unified interface for certificates, signatures and seals: what a trading system, a CA or a seal maker programs
 * against once. Guizhou's platform has 50 interfaces and 8 events (发改办法规〔2019〕876号); their list is not public. These are 50
 * operations of our own in the same groups, drawn from the interface standards that such platforms follow (GM/T 0020 for applications,
 * GM/T 0018 and GB/T 35291 for devices, GM/T 0031 and GB/T 38540 for seals), each offered or refused. The numbering is ours.
 *
 * One line runs through it: whatever needs a private key or a PIN stays with the device of its holder, and is refused here.
 */

export const CATALOGUE_VERSION = '1.0.0'

export const GROUPS = {
  device: { en: 'device', zh: '设备' },
  certificate: { en: 'certificate', zh: '证书' },
  sign: { en: 'sign', zh: '签名' },
  verify: { en: 'verify', zh: '验签' },
  encrypt: { en: 'encrypt', zh: '加密' },
  decrypt: { en: 'decrypt', zh: '解密' },
  seal: { en: 'seal', zh: '印章' },
} as const
export type Group = keyof typeof GROUPS

/** Why something is not offered, a row each. */
export const REFUSALS = {
  device: {
    en: 'Devices and PINs stay between the holder and the driver; the signer at the holder’s machine lists certificates and signs login statements, nothing else.',
    zh: '设备与口令只在持有人与驱动程序之间；本机签名程序仅列出证书并对登录声明签名。',
  },
  key: {
    en: 'A private key never leaves its device: the trading system asks the device there, and has the result checked here.',
    zh: '私钥不出设备：由交易系统调用本机设备完成，结果在此核验。',
  },
  authority: {
    en: 'It is the business of the certification authority, which knows its holders.',
    zh: '属电子认证机构的业务，由其核实持有人身份。',
  },
  secrecy: {
    en: 'What is secret until the opening must not pass through a server in the clear; it is encrypted where it is written.',
    zh: '开标前须保密的内容不得以明文经过服务器，应在编制端加密。',
  },
  list: {
    en: 'Trust lists change only by an issue that the member who operates them has signed.',
    zh: '信任列表仅由其运营成员签发新一期而变更。',
  },
  maker: {
    en: 'The federation makes no seals and puts none on documents; makers of seals do.',
    zh: '本平台不制作电子印章，也不加盖印章，由印章制作单位办理。',
  },
  xml: {
    en: 'Signatures inside XML hang on canonicalisation, whose pitfalls nobody here needs; sign the file as a whole.',
    zh: 'XML 内嵌签名依赖规范化处理，易生歧义；应对整个文件签名。',
  },
  timestamp: {
    en: 'Timestamps come from a timestamp authority; those in messages and seals are checked here.',
    zh: '时间戳由时间戳服务机构签发；消息与签章中的时间戳在此核验。',
  },
} as const
export type Refusal = keyof typeof REFUSALS

type Row = {
  readonly id: string
  readonly group: Group
  readonly en: string
  readonly zh: string
  /** functions of the standards that do the same */
  readonly basis: string
  /** `operationId` of the published OpenAPI document */
  readonly offered?: string
  readonly refused?: Refusal
}

const offered = (group: Group, name: string, en: string, zh: string, basis: string, operation: string): Row => ({
  id: `${group}.${name}`,
  group,
  en,
  zh,
  basis,
  offered: operation,
})
const refused = (group: Group, name: string, en: string, zh: string, basis: string, why: Refusal): Row => ({
  id: `${group}.${name}`,
  group,
  en,
  zh,
  basis,
  refused: why,
})

export const CATALOGUE: readonly Row[] = [
  refused('device', 'list', 'List devices', '枚举设备', 'GB/T 35291 SKF_EnumDev', 'device'),
  refused(
    'device',
    'watch',
    'Wait for a device to be put in or taken out',
    '监听设备插拔',
    'GB/T 35291 SKF_WaitForDevEvent',
    'device',
  ),
  refused('device', 'connect', 'Connect to a device', '连接设备', 'GB/T 35291 SKF_ConnectDev', 'device'),
  refused('device', 'information', 'Information about a device', '设备信息', 'GM/T 0020 SOF_GetDeviceInfo', 'device'),
  refused('device', 'verify-pin', 'Check a PIN', '校验口令', 'GM/T 0020 SOF_Login', 'device'),
  refused('device', 'change-pin', 'Change a PIN', '修改口令', 'GM/T 0020 SOF_ChangePassWd', 'device'),
  refused('device', 'unlock-pin', 'Unlock a PIN', '解锁口令', 'GB/T 35291 SKF_UnblockPIN', 'device'),
  refused('device', 'pin-retries', 'Tries left of a PIN', '口令剩余次数', 'GM/T 0020 SOF_GetPinRetryCount', 'device'),

  offered(
    'certificate',
    'list',
    'List the certificates of a holder’s signer',
    '枚举证书',
    'GM/T 0020 SOF_GetUserList',
    'listSignerCertificates',
  ),
  offered(
    'certificate',
    'export-signing',
    'Give out the signing certificate',
    '导出签名证书',
    'GM/T 0020 SOF_ExportUserCert',
    'listSignerCertificates',
  ),
  offered(
    'certificate',
    'find-encryption',
    'Find the encryption certificate of a holder',
    '查找加密证书',
    'GM/T 0020 SOF_ExportExChangeUserCert',
    'findEncryptionCertificate',
  ),
  offered('certificate', 'information', 'Fields of a certificate', '证书信息', 'GM/T 0020 SOF_GetCertInfo', 'verifyCertificate'),
  offered(
    'certificate',
    'holder',
    'Holder of a certificate, wherever its authority writes it',
    '证书持有人标识',
    'GM/T 0020 SOF_GetCertInfoByOid',
    'verifyCertificate',
  ),
  offered(
    'certificate',
    'verify',
    'Verify a certificate for a purpose',
    '核验证书',
    'GM/T 0020 SOF_ValidateCert',
    'verifyCertificate',
  ),
  offered(
    'certificate',
    'verify-batch',
    'Verify many certificates',
    '批量核验证书',
    'GM/T 0020 SOF_ValidateCert',
    'verifyCertificate',
  ),
  offered(
    'certificate',
    'verify-then',
    'Verify a certificate as of a past time',
    '核验历史时刻的证书',
    'RFC 5280 §6.1.1',
    'verifyCertificate',
  ),
  offered(
    'certificate',
    'revocation',
    'Whether a certificate is revoked',
    '证书吊销状态',
    'GM/T 0020 SOF_ValidateCert',
    'verifyCertificate',
  ),
  offered('certificate', 'chain', 'Chain of a certificate', '证书链', 'RFC 5280 §6.1', 'verifyCertificate'),
  offered('certificate', 'trust-lists', 'Read the trust lists', '查询信任列表', 'GM/T 0020 SOF_GetCertTrustList', 'listTrustLists'),
  refused('certificate', 'change-trust-list', 'Change a trust list', '修改信任列表', 'GM/T 0020 SOF_SetCertTrustList', 'list'),
  refused('certificate', 'request', 'Ask for a certificate', '申请证书', 'GB/T 35291 SKF_GenECCKeyPair, PKCS #10', 'authority'),
  refused(
    'certificate',
    'install',
    'Write a certificate into a device',
    '写入证书',
    'GB/T 35291 SKF_ImportCertificate',
    'authority',
  ),
  offered('certificate', 'login', 'Log in with a certificate', '证书登录', 'GM/T 0020 SOF_Login', 'login'),

  offered('sign', 'login-statement', 'Sign a login statement', '对登录声明签名', 'GM/T 0020 SOF_SignData', 'signLoginStatement'),
  refused('sign', 'data', 'Sign data', '数据签名', 'GM/T 0020 SOF_SignData', 'key'),
  refused('sign', 'file', 'Sign a file', '文件签名', 'GM/T 0020 SOF_SignFile', 'key'),
  refused('sign', 'digest', 'Sign a digest', '摘要签名', 'GB/T 35291 SKF_ECCSignData', 'key'),
  refused('sign', 'message', 'Make a signed message', '生成签名消息', 'GM/T 0020 SOF_SignMessage', 'key'),
  refused('sign', 'xml', 'Sign within XML', 'XML 签名', 'GM/T 0020 SOF_SignDataXML', 'xml'),
  refused('sign', 'timestamp', 'Issue a timestamp', '签发时间戳', 'GM/T 0020 SOF_CreateTimeStampRequest', 'timestamp'),

  offered(
    'verify',
    'data',
    'Verify a bare signature over data',
    '验证数据签名',
    'GM/T 0020 SOF_VerifySignedData',
    'verifySignature',
  ),
  offered(
    'verify',
    'digest',
    'Verify a bare signature over a digest',
    '验证摘要签名',
    'GM/T 0018 SDF_ExternalVerify_ECC',
    'verifySignature',
  ),
  offered(
    'verify',
    'file',
    'Verify the signature of a file, by its digest',
    '验证文件签名',
    'GM/T 0020 SOF_VerifySignedFile',
    'verifySignature',
  ),
  offered(
    'verify',
    'message',
    'Verify a signed message with its content',
    '验证签名消息',
    'GM/T 0020 SOF_VerifySignedMessage',
    'verifySignature',
  ),
  offered(
    'verify',
    'detached',
    'Verify a signed message whose content is elsewhere',
    '验证不含原文的签名消息',
    'GM/T 0020 SOF_VerifySignedMessageDetach',
    'verifySignature',
  ),
  offered(
    'verify',
    'information',
    'Signers, times and algorithms of a signed message',
    '解析签名消息',
    'GM/T 0020 SOF_GetInfoFromSignedMessage',
    'verifySignature',
  ),
  offered('verify', 'batch', 'Verify many signatures', '批量验签', 'GM/T 0020 SOF_VerifySignedData', 'verifySignature'),
  offered('verify', 'timestamp', 'Verify a timestamp', '验证时间戳', 'GM/T 0020 SOF_VerifyTimeStamp', 'verifySignature'),
  refused('verify', 'xml', 'Verify a signature within XML', '验证 XML 签名', 'GM/T 0020 SOF_VerifySignedDataXML', 'xml'),

  offered(
    'encrypt',
    'outlook',
    'Say before submission whether an encrypted bid will open',
    '投标文件可解密性预检',
    'GB/T 35275 §9',
    'foreseeOpening',
  ),
  refused('encrypt', 'data', 'Encrypt data', '加密数据', 'GM/T 0020 SOF_EncryptData', 'secrecy'),
  refused('encrypt', 'envelope', 'Make an encrypted message', '生成数字信封', 'GM/T 0020 SOF_PubKeyEncrypt', 'secrecy'),

  offered(
    'decrypt',
    'header',
    'Read for whom a message is encrypted, and how',
    '读取数字信封信息',
    'GB/T 35275 §9',
    'foreseeOpening',
  ),
  refused('decrypt', 'data', 'Decrypt data', '解密数据', 'GM/T 0020 SOF_DecryptData', 'key'),
  refused('decrypt', 'envelope', 'Open an encrypted message', '解密数字信封', 'GM/T 0020 SOF_PriKeyDecrypt', 'key'),

  offered('seal', 'read', 'Read a seal', '解析电子印章', 'GB/T 38540 §6.1.1', 'verifySeal'),
  offered('seal', 'verify', 'Verify a seal', '验证电子印章', 'GB/T 38540 §6.1.3', 'verifySeal'),
  offered('seal', 'verify-signature', 'Verify a sealed document', '验证电子签章', 'GB/T 38540 §6.2.3', 'verifySeal'),
  refused('seal', 'make', 'Make a seal', '制作电子印章', 'GB/T 38540 §6.1.2', 'maker'),
  refused('seal', 'apply', 'Seal a document', '加盖电子印章', 'GB/T 38540 §6.2.2', 'maker'),
]

/** Events, of what the logs of the federation carry: whoever may read a log sees them by reading it. */
type EventRow = {
  readonly id: string
  readonly group: Group
  readonly en: string
  readonly zh: string
  readonly dataset: 'supervision' | 'trust' | 'entity'
  readonly audience: string
  /** what a record says if it is one of these */
  readonly record: {
    readonly op: 'put' | 'retract'
    readonly ver?: 'first' | 'later'
    readonly body?: { readonly [name: string]: string }
  }
}

const USES = { dataset: 'supervision', audience: 'node-{home}' } as const
const use = (id: string, en: string, zh: string, group: Group, how: string): EventRow => ({
  id,
  group,
  en,
  zh,
  ...USES,
  record: { op: 'put', body: { kind: 'certificate-use', use: how } },
})

export const EVENTS: readonly EventRow[] = [
  use('certificate.signed-in', 'A certificate was used to log in', '证书用于登录', 'certificate', 'sign-in'),
  use('certificate.signed', 'A certificate was used to sign', '证书用于签名', 'sign', 'sign'),
  use('certificate.unlocked', 'A certificate was used to decrypt a bid', '证书用于解密投标文件', 'decrypt', 'unlock'),
  {
    id: 'trust-list.issued',
    group: 'certificate',
    en: 'A trust list was issued: authorities recognised, suspended or withdrawn',
    zh: '签发信任列表：机构的认可、暂停或撤销',
    dataset: 'trust',
    audience: 'all',
    record: { op: 'put' },
  },
  {
    id: 'trust-list.withdrawn',
    group: 'certificate',
    en: 'A trust list was taken back',
    zh: '撤回信任列表',
    dataset: 'trust',
    audience: 'all',
    record: { op: 'retract' },
  },
  {
    id: 'party.registered',
    group: 'certificate',
    en: 'A party was registered at its home: it need not register again',
    zh: '主体在属地登记，无须重复注册',
    dataset: 'entity',
    audience: 'all',
    record: { op: 'put', ver: 'first' },
  },
  {
    id: 'party.changed',
    group: 'certificate',
    en: 'The registration of a party changed',
    zh: '主体登记信息变更',
    dataset: 'entity',
    audience: 'all',
    record: { op: 'put', ver: 'later' },
  },
  {
    id: 'party.withdrawn',
    group: 'certificate',
    en: 'The registration of a party was taken back',
    zh: '撤回主体登记',
    dataset: 'entity',
    audience: 'all',
    record: { op: 'retract' },
  },
]
