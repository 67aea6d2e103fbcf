/**
 * Every reason that a verdict can give, once: what it means for the result, the clause that asks for it, and one sentence in English
 * and Chinese. `bad` is checked and wrong; `unchecked` cannot be decided with what is at hand, and is no more trusted than `bad`.
 * Rows with `profile` are deviations in how a certificate was issued (RFC 5280 §4, §5): each profile says which of them it refuses.
 */
export type Result = 'good' | 'bad' | 'unchecked'
export type ReasonRow = {
  readonly result: Result
  readonly clause: string
  readonly en: string
  readonly zh: string
  readonly profile?: true
}

const bad = (clause: string, en: string, zh: string): ReasonRow => ({ result: 'bad', clause, en, zh })
const unchecked = (clause: string, en: string, zh: string): ReasonRow => ({ result: 'unchecked', clause, en, zh })
const fault = (clause: string, en: string, zh: string): ReasonRow => ({ result: 'bad', clause, en, zh, profile: true })

const ROWS = {
  GOOD: { result: 'good', clause: 'RFC 5280 §6.1.6', en: 'The certificate is good.', zh: '证书有效。' } as ReasonRow,

  // the path
  ISSUER_UNKNOWN: unchecked(
    'RFC 5280 §6.1',
    'No path leads from the certificate to a trusted certificate.',
    '没有从该证书到受信任证书的路径。',
  ),
  WORK_LIMIT: unchecked('RFC 5280 §8', 'The check would cost more work than allowed.', '核验所需工作量超过允许的上限。'),
  SIGNATURE_BAD: bad('RFC 5280 §6.1.3(a)(1)', 'The signature of a certificate does not verify.', '证书签名验证不通过。'),
  SIGNATURE_ALGORITHM_MISMATCH: bad(
    'RFC 5280 §4.1.1.2',
    'A certificate names two different signature algorithms.',
    '证书内外标明的签名算法不一致。',
  ),
  SIGNATURE_ALGORITHM_UNSUPPORTED: unchecked(
    'RFC 5280 §6.1.3(a)(1)',
    'A signature algorithm is not known here.',
    '此处不支持该签名算法。',
  ),
  SIGNATURE_ALGORITHM_REFUSED: bad(
    'RFC 5280 §4.1.1.2',
    'A signature algorithm is not accepted by the policy.',
    '策略不接受该签名算法。',
  ),
  KEY_UNSUPPORTED: unchecked('RFC 5280 §4.1.2.7', 'A public key is of a kind that is not known here.', '此处不支持该类公钥。'),
  KEY_MALFORMED: bad('RFC 5280 §4.1.2.7', 'A public key is not well formed.', '公钥格式不正确。'),
  KEY_REFUSED: bad(
    'RFC 5280 §4.1.2.7',
    'A public key is too weak or of a kind that the policy does not accept.',
    '公钥强度不足或类型不被策略接受。',
  ),
  NOT_YET_VALID: bad('RFC 5280 §6.1.3(a)(2)', 'A certificate was not yet valid at that time.', '证书在该时刻尚未生效。'),
  EXPIRED: bad('RFC 5280 §6.1.3(a)(2)', 'A certificate had expired at that time.', '证书在该时刻已过期。'),
  CRITICAL_EXTENSION_UNKNOWN: bad('RFC 5280 §6.1.4(o)', 'A critical extension cannot be processed.', '存在无法处理的关键扩展。'),
  NOT_A_CA: bad('RFC 5280 §6.1.4(k)', 'A certificate that is no CA certificate signs another.', '非 CA 证书签发了其他证书。'),
  PATH_TOO_LONG: bad('RFC 5280 §6.1.4(l)', 'The path is longer than a CA or the question allows.', '证书路径长度超过允许值。'),
  CERTIFICATE_SIGNING_NOT_ALLOWED: bad(
    'RFC 5280 §6.1.4(n)',
    'The key of an issuer may not sign certificates.',
    '签发者密钥用途不允许签发证书。',
  ),
  NAME_NOT_PERMITTED: bad('RFC 5280 §6.1.3(b)', 'A name lies outside of what a CA is permitted.', '名称不在 CA 允许的范围内。'),
  NAME_EXCLUDED: bad('RFC 5280 §6.1.3(c)', 'A name lies in what a CA is forbidden.', '名称在 CA 排除的范围内。'),
  NAME_CONSTRAINT_UNSUPPORTED: bad(
    'RFC 5280 §4.2.1.10',
    'A constraint on names cannot be processed, and such a name stands.',
    '存在受限类型的名称，但其名称约束无法处理。',
  ),
  POLICY_REQUIRED: bad(
    'RFC 5280 §6.1.3(f)',
    'No certificate policy that is asked for holds for the whole path.',
    '整个路径没有所要求的证书策略。',
  ),
  POLICY_MAPPING_INVALID: bad(
    'RFC 5280 §6.1.4(a)',
    'A policy is mapped to or from anyPolicy.',
    '证书策略不得与 anyPolicy 互相映射。',
  ),

  // what the trust lists say
  TRUST_ANCHORS_MISSING: unchecked('ETSI TS 119 615 §4.3', 'No trust list is held that could be used.', '此处没有可用的信任列表。'),
  TRUST_LIST_EXPIRED: unchecked(
    'ETSI TS 119 602 NextUpdate',
    'The list that names the authority had expired at that time.',
    '列有该机构的信任列表在该时刻已过期。',
  ),
  CA_NOT_RECOGNISED_YET: bad(
    'ETSI TS 119 602 StatusStartingTime',
    'The authority was not recognised yet at that time.',
    '该机构在该时刻尚未获认可。',
  ),
  CA_SUSPENDED: bad(
    'ETSI TS 119 602 ServiceStatus',
    'The recognition of the authority was suspended at that time.',
    '该机构的认可在该时刻已被暂停。',
  ),
  CA_WITHDRAWN: bad(
    'ETSI TS 119 602 ServiceStatus',
    'The recognition of the authority was withdrawn at that time.',
    '该机构的认可在该时刻已被撤销。',
  ),
  CA_CERTIFICATE_EXPIRED: bad(
    'RFC 5280 §6.1.3(a)(2)',
    "The authority's certificate was not valid at that time.",
    '该机构的证书在该时刻不在有效期内。',
  ),
  ALGORITHM_NOT_OF_PROFILE: bad(
    'Hutong CA profile',
    'The authority does not issue with this algorithm.',
    '该机构不使用此算法签发证书。',
  ),
  PAIR_RULE: bad('GM/T 0015', 'The key of an encryption certificate does not sign.', '加密证书的密钥不得用于签名。'),

  // the question
  KEY_USAGE_REFUSED: bad('RFC 5280 §4.2.1.3', 'The key of the certificate is not for this use.', '证书密钥不得用于此用途。'),
  EXTENDED_KEY_USAGE_REFUSED: bad(
    'RFC 5280 §4.2.1.12',
    'The certificate, or a CA above it, is not for this purpose.',
    '证书或其上级 CA 不得用于此目的。',
  ),
  PEER_NAME_MISMATCH: bad('RFC 9525 §6', 'The certificate does not carry the expected name.', '证书不含所期望的名称。'),

  // revocation
  REVOKED: bad('RFC 5280 §6.3.3(i)', 'A certificate is revoked.', '证书已被吊销。'),
  REVOCATION_UNKNOWN: unchecked(
    'RFC 5280 §6.3.3',
    'Whether a certificate is revoked cannot be told.',
    '无法确定证书是否已被吊销。',
  ),

  // signed messages and raw signatures
  DOCUMENT_SIGNATURE_BAD: bad(
    'RFC 5652 §5.6',
    'The signature does not verify with the key of the certificate.',
    '以证书公钥验签不通过。',
  ),
  SIGNER_MISSING: bad('RFC 5652 §5.1', 'Nobody has signed the message.', '消息没有任何签名者。'),
  SIGNER_CERTIFICATE_UNKNOWN: unchecked('RFC 5652 §5.3', 'The certificate of the signer is not at hand.', '此处没有签名者的证书。'),
  SIGNED_ATTRIBUTES_MISSING: bad(
    'RFC 5652 §5.3',
    'Signed attributes are missing that this content type needs.',
    '此内容类型须有签名属性，但签名属性缺失。',
  ),
  SIGNED_ATTRIBUTE_INVALID: bad(
    'RFC 5652 §11',
    'A signed attribute is missing, repeated or not of its form.',
    '签名属性缺失、重复或格式不正确。',
  ),
  CONTENT_MISSING: unchecked('RFC 5652 §5.2', 'What was signed is not at hand.', '此处没有被签名的原文。'),
  CONTENT_DIFFERS: bad(
    'RFC 5652 §5.2',
    'The message carries other content than was handed over with it.',
    '消息所载原文与一并提交的原文不一致。',
  ),
  CONTENT_AMBIGUOUS: bad(
    'RFC 5652 §5.4',
    'The content can be read as signed attributes of another message.',
    '原文可被读作另一消息的签名属性。',
  ),
  CONTENT_TYPE_DIFFERS: bad('RFC 5652 §11.1', 'The signature is over content of another type.', '签名所指内容类型与消息不符。'),
  MESSAGE_DIGEST_DIFFERS: bad('RFC 5652 §11.2', 'The signature is over other content.', '原文摘要与签名所指不符。'),
  DIGEST_ALGORITHM_UNKNOWN: unchecked('RFC 5652 §10.1.1', 'The digest algorithm is not known here.', '此处不支持该摘要算法。'),
  DIGEST_ALGORITHM_WEAK: bad('RFC 6151, RFC 6194', 'The digest algorithm is no longer safe.', '摘要算法已不安全。'),
  SIGNATURE_ALGORITHMS_DISAGREE: bad(
    'RFC 8933 §3',
    'Digest and signature algorithm do not belong together.',
    '摘要算法与签名算法不匹配。',
  ),

  // seals and seal signatures
  SEAL_VERSION_UNKNOWN: unchecked('GB/T 38540 §6.1.1', 'This version of the seal is not known here.', '此处不支持该电子印章版本。'),
  SEAL_VERSIONS_DIFFER: bad(
    'GB/T 38540 §6.2.1',
    'The seal signature is of another version than its seal.',
    '电子签章版本与电子印章版本不一致。',
  ),
  SEAL_SIGNATURE_BAD: bad('GB/T 38540 §6.1.3', "The seal maker's signature does not verify.", '制章者签名验证不通过。'),
  SEAL_EXTENSION_UNKNOWN: bad(
    'GB/T 38540 §6.1.1',
    'The seal has a critical extension that cannot be processed.',
    '电子印章含无法处理的关键自定义扩展。',
  ),
  SEAL_NOT_YET_VALID: bad('GB/T 38540 §6.1.3', 'The seal was not yet valid when it was used.', '用印之时电子印章尚未生效。'),
  SEAL_EXPIRED: bad('GB/T 38540 §6.1.3', 'The seal had expired when it was used.', '用印之时电子印章已过期。'),
  SEAL_TIME_LATER: bad('GB/T 38540 §6.2.3', 'The seal was used later than the time that is asked about.', '用印时间晚于所询时刻。'),
  SEAL_TIME_UNREADABLE: unchecked('GM/T 0031 §6.2.1', 'When the seal was used cannot be read.', '无法读取用印时间。'),
  SEAL_HOLDER_DIFFERS: bad(
    'GB/T 38540 §6.2.3',
    "The signer's certificate is not one that the seal names.",
    '签章者证书不在电子印章的证书列表中。',
  ),
  SEAL_CERTIFICATE_MALFORMED: bad('GB/T 20518', 'A certificate in the seal cannot be read.', '电子印章所载证书无法读取。'),
  DOCUMENT_DIGEST_DIFFERS: bad('GB/T 38540 §6.2.3', 'The seal signature is on another document.', '原文摘要与电子签章所载不符。'),
  DOCUMENT_MISSING: unchecked('GB/T 38540 §6.2.3', 'The sealed document is not at hand.', '此处没有被签章的原文。'),

  // encrypted messages: whether they will open
  RECIPIENT_MISSING: bad('RFC 5652 §6.1', 'The message is encrypted for nobody.', '消息没有任何接收者。'),
  RECIPIENT_UNKNOWN: unchecked('RFC 5652 §6.2', 'The certificate of the recipient is not known here.', '此处没有接收者的证书。'),
  RECIPIENT_KEY_REPLACED: unchecked(
    'GM/T 0015',
    'The certificate was replaced since: the message opens with the device that holds the old key, as long as it is kept.',
    '证书已更换：须使用保存旧密钥的设备才能解密，该设备应保留至开启之后。',
  ),
  RECIPIENT_NOT_ENCRYPTION: bad(
    'RFC 5280 §4.2.1.3',
    'The certificate of the recipient is not one to encrypt to.',
    '接收者证书不是加密证书。',
  ),
  RECIPIENT_EXPIRES: bad(
    'GM/T 0015',
    'The certificate of the recipient will have run out at the opening.',
    '开启之时接收者证书已过期。',
  ),
  RECIPIENT_KEY_DIFFERS: bad(
    'RFC 5652 §6.2.1',
    'The message is encrypted for another kind of key than the certificate has.',
    '加密所用算法与接收者证书的密钥类型不符。',
  ),
  ENCRYPTED_KEY_MALFORMED: bad(
    'GM/T 0009 §7.2',
    'The encrypted key is not of the form of its algorithm.',
    '密钥密文格式与算法不符。',
  ),
  ENCRYPTION_ALGORITHM_UNKNOWN: unchecked(
    'RFC 5652 §6.1',
    'The message is encrypted in a way that is not known here.',
    '此处不支持该加密方式。',
  ),

  // how it was issued
  SERIAL_NOT_POSITIVE: fault('RFC 5280 §4.1.2.2', 'The serial number is not positive.', '序列号不是正数。'),
  SERIAL_TOO_LONG: fault('RFC 5280 §4.1.2.2', 'The serial number is longer than 20 octets.', '序列号超过 20 字节。'),
  ISSUER_EMPTY: fault('RFC 5280 §4.1.2.4', 'The issuer has no name.', '签发者名称为空。'),
  NAME_TEXT: fault(
    'RFC 5280 §4.1.2.4',
    'A name carries text that is not of its declared encoding.',
    '名称中的文本与其声明的编码不符。',
  ),
  SUBJECT_EMPTY: fault('RFC 5280 §4.1.2.6', 'A CA has no name.', 'CA 的主体名称为空。'),
  VALIDITY_FORM: fault(
    'RFC 5280 §4.1.2.5',
    'A date through 2049 is not written as UTCTime, or one after it is.',
    '2049 年及以前的时间应采用 UTCTime，其后应采用 GeneralizedTime。',
  ),
  ALTERNATIVE_NAME_MISSING: fault(
    'RFC 5280 §4.1.2.6',
    'Neither subject nor subjectAltName name the holder.',
    '主体名称与主体备用名称均为空。',
  ),
  ALTERNATIVE_NAME_NOT_CRITICAL: fault(
    'RFC 5280 §4.2.1.6',
    'subjectAltName is not critical while the subject is empty.',
    '主体名称为空时主体备用名称扩展应为关键扩展。',
  ),
  ALTERNATIVE_NAME_MALFORMED: fault('RFC 5280 §4.2.1.6', 'An alternative name is not of its form.', '备用名称格式不正确。'),
  EXTENSION_CRITICALITY: fault(
    'RFC 5280 §4.2',
    'An extension is critical that must not be, or the reverse.',
    '扩展的关键性标志不符合规定。',
  ),
  AUTHORITY_KEY_ID_MISSING: fault(
    'RFC 5280 §4.2.1.1',
    'authorityKeyIdentifier with a key identifier is missing.',
    '缺少含密钥标识的颁发机构密钥标识扩展。',
  ),
  SUBJECT_KEY_ID_MISSING: fault(
    'RFC 5280 §4.2.1.2',
    'A CA certificate lacks subjectKeyIdentifier.',
    'CA 证书缺少主体密钥标识扩展。',
  ),
  KEY_USAGE_EMPTY: fault('RFC 5280 §4.2.1.3', 'keyUsage sets no bit.', '密钥用法扩展未设置任何用途。'),
  KEY_USAGE_PADDED: fault('X.690 §11.2.2', 'keyUsage carries trailing zero bits.', '密钥用法扩展含有多余的零位。'),
  BASIC_CONSTRAINTS_INCONSISTENT: fault(
    'RFC 5280 §4.2.1.9',
    'basicConstraints and keyUsage do not agree.',
    '基本约束与密钥用法扩展互相矛盾。',
  ),
  NAME_CONSTRAINTS_NOT_CA: fault(
    'RFC 5280 §4.2.1.10',
    'nameConstraints stands in a certificate that is no CA certificate.',
    '非 CA 证书不得含名称约束扩展。',
  ),
  NAME_CONSTRAINTS_MALFORMED: fault(
    'RFC 5280 §4.2.1.10',
    'A subtree of nameConstraints is not of its form.',
    '名称约束的子树格式不正确。',
  ),
  NAME_CONSTRAINTS_EMPTY: fault('RFC 5280 §4.2.1.10', 'nameConstraints constrains nothing.', '名称约束扩展为空。'),
  POLICY_REPEATED: fault('RFC 5280 §4.2.1.4', 'A certificate policy is named twice.', '证书策略重复出现。'),
  POLICY_CONSTRAINTS_EMPTY: fault('RFC 5280 §4.2.1.11', 'policyConstraints constrains nothing.', '策略约束扩展为空。'),
  CRL_NUMBER_MISSING: fault('RFC 5280 §5.2.3', 'The revocation list has no number.', '吊销列表没有编号。'),
  CRL_NUMBER_CRITICAL: fault(
    'RFC 5280 §5.2.3',
    'The number of the revocation list is critical.',
    '吊销列表编号扩展不得为关键扩展。',
  ),
} as const satisfies { readonly [code: string]: ReasonRow }

export type ReasonCode = keyof typeof ROWS
export const REASONS: { readonly [code in ReasonCode]: ReasonRow } = ROWS
export const resultOf = (reason: ReasonCode): Result => REASONS[reason].result

/** A deviation from the standard that a profile may judge. */
export type Fault = { readonly reason: ReasonCode; readonly detail: string }
