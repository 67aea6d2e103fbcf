/**
 * Every error of Hutong is an {@link ExchangeError} with a stable code from this one table. A code tells three things that a
 * caller acts on: the HTTP status, whether trying again unchanged can help, and one sentence in English and Chinese.
 * "Cannot be checked now" (retry) is never the same code as "checked and wrong".
 */

export type ErrorRow = { readonly status: number; readonly retry: boolean; readonly en: string; readonly zh: string }

const row = (status: number, retry: boolean, en: string, zh: string): ErrorRow => ({ status, retry, en, zh })

export const ERRORS = {
  // tokens (RFC 7515, RFC 7519, RFC 8725)
  TOKEN_MALFORMED: row(400, false, 'The token is not a well-formed compact JWS.', '令牌不是格式正确的紧凑 JWS。'),
  TOKEN_TOO_LARGE: row(413, false, 'The token is larger than allowed.', '令牌超过允许的大小。'),
  TOKEN_HEADER_FORBIDDEN: row(400, false, 'The token header carries a member that is not allowed.', '令牌头部带有不允许的成员。'),
  TOKEN_TYPE_FOREIGN: row(400, false, 'The token is of another type than expected here.', '令牌类型与此处要求不符。'),
  TOKEN_ALGORITHM_REFUSED: row(400, false, 'The signature algorithm is not accepted.', '不接受该签名算法。'),
  TOKEN_CLAIM_INVALID: row(400, false, 'A claim of the token is missing or wrong.', '令牌的某个声明缺失或有误。'),
  TOKEN_SIGNATURE_INVALID: row(400, false, 'The signature does not verify.', '签名验证不通过。'),
  FEDERATION_FOREIGN: row(403, false, 'The token belongs to another federation.', '令牌属于其他联盟。'),
  MEMBER_UNKNOWN: row(403, false, 'The member is not in the federation.', '该成员不在联盟之中。'),
  KEY_UNKNOWN: row(403, false, 'The key is not known for this member.', '该成员名下没有此密钥。'),
  KEY_OUT_OF_RANGE: row(403, false, 'The key is not valid for this position of the log.', '该密钥对日志链的此位置无效。'),
  KEY_INVALID: row(400, false, 'The key is not a usable key of an accepted algorithm.', '该密钥不是可接受算法的可用密钥。'),
  MEMBERSHIP_BEHIND: row(
    503,
    true,
    'This holder is behind the membership position that the envelope names.',
    '本持有方的成员信息落后于信封所指位置。',
  ),

  // membership: who is a member, with which keys, by whose signature
  MEMBERSHIP_FORGED: row(
    403,
    false,
    'The entry changes a member without what that member itself signed.',
    '该条目未经成员本人签署即变更该成员。',
  ),
  MEMBERSHIP_GAP: row(409, true, 'Entries of the membership log before this one are missing.', '成员日志在此条目之前有缺失。'),
  MEMBERSHIP_CONTRADICTION: row(
    409,
    false,
    'The hub has signed two membership entries that cannot both be true.',
    '枢纽签署了两个互相矛盾的成员日志条目。',
  ),
  MEMBERSHIP_UNTRUSTED: row(
    403,
    false,
    'No entry of this membership log is signed with the anchor key that is trusted here.',
    '该成员日志中没有由此处所信任的锚密钥签署的条目。',
  ),
  MEMBER_SUSPENDED: row(
    403,
    false,
    'The member is suspended or has left, and this stands past its closing position.',
    '该成员已暂停或退出，此内容位于其终止位置之后。',
  ),
  MEMBER_STATE_INVALID: row(409, false, 'The member is not in a state that allows this.', '成员当前状态不允许此操作。'),
  MEMBER_CODE_INVALID: row(
    422,
    false,
    'The code is not one in force for a member of this kind.',
    '该代码不是此类成员当时有效的代码。',
  ),
  TERRITORY_FOREIGN: row(403, false, "It lies outside the member's territory.", '不在该成员的管辖区域之内。'),
  TERRITORY_TAKEN: row(409, false, 'Another member has this territory.', '该区域已属于其他成员。'),
  JOIN_ANCHOR_FOREIGN: row(
    403,
    false,
    'The joiner trusts another anchor than this federation has.',
    '申请方信任的锚不属于本联盟。',
  ),
  JOIN_FILE_INVALID: row(400, false, 'The join file is not one of this kind, or is damaged.', '加入文件格式不符或已损坏。'),
  JOIN_UNKNOWN: row(404, false, 'There is no such invitation or request to join.', '没有这份邀请函或加入申请。'),
  JOIN_EXPIRED: row(410, false, 'The invitation has expired; a new one is needed.', '邀请函已过期，须重新邀请。'),
  JOIN_FINGERPRINT_MISMATCH: row(
    403,
    false,
    'The fingerprint is not that of the key that asks to join.',
    '指纹与申请加入的密钥不符。',
  ),
  JOIN_APPROVER_SAME: row(403, false, 'Whoever invited may not also approve.', '邀请人不得兼任批准人。'),
  JOIN_REFUSED: row(403, false, 'The request to join was refused.', '加入申请已被拒绝。'),
  JOIN_TICKET_USED: row(409, false, 'The invitation was used before.', '该邀请函已被使用。'),
  KEY_NOT_ACTIVE: row(403, false, 'The key was not active yet when this was signed.', '签署之时该密钥尚未启用。'),
  KEY_TAKEN: row(409, false, 'The key is or was registered already.', '该密钥已登记或曾经登记。'),
  KEY_POSSESSION_UNPROVEN: row(403, false, 'Nothing proves that the signer holds the new key.', '无法证明签署方持有新密钥。'),
  KEY_RECOVERY_REQUIRED: row(403, false, 'Only the recovery key may sign this.', '仅恢复密钥可签署此内容。'),
  KEY_CHANGE_INVALID: row(422, false, 'The change does not fit the keys that are registered.', '该变更与已登记的密钥不符。'),
  POLICY_LOCKS_OUT: row(
    422,
    false,
    'The policy would leave somebody without a key of an accepted algorithm.',
    '该政策将使某方没有任何一把受认可算法的密钥。',
  ),
  KEY_CHANGE_REPLAYED: row(
    409,
    false,
    'The change was made before, or one before it is missing.',
    '该变更此前已作出，或缺少其前的变更。',
  ),
  CLOSING_BELOW_RECEIPT: row(
    409,
    false,
    'A closing position lies below what the hub has receipted.',
    '终止位置低于枢纽已出具回执的位置。',
  ),
  ALLIANCE_CONSENT_MISSING: row(403, false, 'A member of the alliance has not consented.', '协作体有成员尚未同意。'),
  ALLIANCE_CONSENT_INVALID: row(403, false, 'A consent is to another membership than this.', '某份同意所指的构成与此不符。'),

  // OpenID Federation 1.0
  STATEMENT_MALFORMED: row(400, false, 'The entity statement is not well-formed.', '实体声明格式不正确。'),
  STATEMENT_EXPIRED: row(403, false, 'The entity statement is not valid at this time.', '实体声明此时无效。'),
  TRUST_CHAIN_BROKEN: row(403, false, 'The trust chain does not lead to a trusted anchor.', '信任链未通达受信任的锚。'),
  TRUST_CHAIN_CONSTRAINED: row(403, false, 'A constraint of the trust chain forbids this entity.', '信任链的约束不允许该实体。'),
  TRUST_MARK_INVALID: row(403, false, 'The trust mark does not hold.', '信任标记无效。'),

  // trust lists
  TRUST_LIST_VERSION_UNKNOWN: row(422, false, 'This version of the trust list is not spoken here.', '此处不支持该版本的信任列表。'),
  TRUST_LIST_STRUCTURE_INVALID: row(422, false, 'The trust list is not of sound structure.', '信任列表的结构有误。'),
  TRUST_LIST_SIGNATURE_INVALID: row(403, false, 'The trust list is not signed by its operator.', '信任列表并非由其运营方签署。'),
  TRUST_LIST_OPERATOR_FOREIGN: row(403, false, 'The member may not operate this trust list.', '该成员无权运营此信任列表。'),
  TRUST_LIST_EXPIRED: row(403, false, 'The trust list has expired.', '信任列表已过期。'),
  TRUST_LIST_STALE: row(
    503,
    true,
    'It is not known here whether the trust list is still the newest.',
    '此处无法确认信任列表是否仍为最新一期。',
  ),
  TRUST_LIST_OLDER: row(409, false, 'A later issue of the trust list is held.', '已持有该信任列表较新的一期。'),
  TRUST_LIST_ISSUE_TWICE: row(409, false, 'Another trust list bears the same number.', '另有一份信任列表使用同一期号。'),
  TRUST_LIST_HISTORY_LOST: row(409, false, 'The issue leaves out what a former issue said.', '该期遗漏了以往各期所述。'),
  TRUST_LIST_UNKNOWN: row(404, false, 'No such trust list is held here.', '此处没有这份信任列表。'),
  CERTIFICATE_UNKNOWN: row(404, false, 'No such certificate is held here.', '此处没有这张证书。'),
  CERTIFICATE_SERVICE_OFF: row(503, false, 'Certificates are not verified here.', '此处不提供证书核验服务。'),
  CERTIFICATE_IMPORT_RUNNING: row(503, true, 'Certificates are being brought in here already.', '此处正在导入证书。'),
  CRL_UNAVAILABLE: row(503, true, 'The revocation list cannot be had.', '无法取得吊销列表。'),
  CRL_SIGNER_UNKNOWN: row(
    403,
    false,
    'The revocation list is not signed by an authority that is known here.',
    '吊销列表并非由此处所知的机构签发。',
  ),
  CRL_OLDER: row(409, false, 'A later revocation list is held.', '已持有较新的吊销列表。'),
  EVIDENCE_MALFORMED: row(
    400,
    false,
    'The file is not evidence about a certificate, or is damaged.',
    '该文件不是证书证据文件，或已损坏。',
  ),
  EVIDENCE_INVALID: row(
    422,
    false,
    'A piece of the evidence does not bear out what it is to prove.',
    '证据中有内容不足以证明其所主张的事项。',
  ),
  TRUST_ANCHORS_MISSING: row(503, true, 'No trust list is held here that could be used.', '此处没有可用的信任列表。'),

  // logs
  SUBJECT_MISMATCH: row(403, false, 'The envelope came under a subject that is not its own.', '信封出现在不属于它的主题下。'),
  DATASET_UNKNOWN: row(404, false, 'There is no such dataset.', '没有这个数据集。'),
  DATASET_NOT_ALLOWED: row(403, false, 'The origin may not write this dataset.', '该来源无权写入此数据集。'),
  AUDIENCE_NOT_ALLOWED: row(403, false, 'The origin may not address this audience.', '该来源无权使用此范围。'),
  AUDIENCE_KEYS_MISSING: row(
    409,
    true,
    'A restricted body needs an encryption key of every reader, and one is missing.',
    '受限内容须以每个读取方的加密密钥封装，现缺少其一。',
  ),
  LOG_UNKNOWN: row(404, false, 'No such log is held here.', '此处没有这条日志链。'),
  LOG_GAP: row(409, true, 'Envelopes before this one are missing.', '此信封之前有缺失的信封。'),
  LOG_FORK: row(409, false, 'The log already holds another statement at this position.', '日志链的此位置已有另一份声明。'),
  SEALING_WAITS: row(
    503,
    true,
    'Nothing is sealed yet: the node first makes sure that it knows its own logs.',
    '暂不签封：节点须先确认已掌握自己的全部日志链。',
  ),
  REOPENING_REFUSED: row(
    409,
    true,
    'Nothing is declared lost while something speaks against it.',
    '尚有不符条件之处，不得声明遗失。',
  ),
  LOG_FROZEN: row(
    409,
    false,
    'The log is frozen: its origin has signed two histories.',
    '日志链已冻结：其来源签署了两份互相矛盾的历史。',
  ),
  TREE_MALFORMED: row(400, false, 'The stored state of the hash tree is not well-formed.', '散列树的存储状态格式不正确。'),
  BUNDLE_MALFORMED: row(
    400,
    false,
    'The bundle is damaged from a stated entry on; the entries before it count.',
    '文件自所述条目起损坏；此前的条目有效。',
  ),
  REDACTION_INVALID: row(
    400,
    false,
    'The redaction changes something else than the bodies of the keys that it names.',
    '该删除声明改动了所列键的内容以外的部分。',
  ),
  REDACTION_NOT_ALLOWED: row(
    409,
    false,
    'Only retracted or superseded records may be erased.',
    '仅已撤回或已被取代的记录可以删除。',
  ),
  REDACTION_VERSION_SHARED: row(
    409,
    false,
    'The superseded version stands in one batch with the version that still stands; a redaction erases a key in its whole batch.',
    '已被取代的版本与仍有效的版本同在一批；删除声明按键作用于整批。',
  ),
  BODY_REDACTED: row(
    410,
    true,
    'The body was erased by a redaction; the redacted one is expected.',
    '该内容已依声明删除，应提供删除后的内容。',
  ),
  PROOF_MALFORMED: row(400, false, 'The proof is not two statements about logs.', '证明不是两份关于日志链的声明。'),
  PROOF_SIGNERS_DIFFER: row(
    422,
    false,
    'The two statements are of different signers, so they prove nothing against either.',
    '两份声明出自不同签署方，对任何一方都不构成证明。',
  ),
  PROOF_LOGS_DIFFER: row(422, false, 'The two statements are about different logs.', '两份声明所述并非同一日志链。'),
  PROOF_STATEMENTS_AGREE: row(422, false, 'The two statements can both be true.', '两份声明可以同时成立。'),
  PROOF_UNKNOWN: row(404, false, 'No such proof is held here.', '此处没有这份证明。'),
  SNAPSHOT_UNKNOWN: row(404, false, 'No such snapshot is kept here.', '此处没有这份快照。'),
  SNAPSHOT_UNJUDGED: row(
    503,
    true,
    'The state of the log at this position cannot be computed here.',
    '此处无法计算日志链在该位置的状态。',
  ),
  SNAPSHOT_REFUSED: row(
    409,
    false,
    'The state root that the origin has signed is not the one that follows from its log.',
    '来源签署的状态根与其日志链得出的状态根不符。',
  ),
  SNAPSHOT_MALFORMED: row(
    400,
    false,
    'A piece of the snapshot is not the one that the state root names.',
    '快照的某一部分与状态根不符。',
  ),
  ENTRY_DECLARED_LOST: row(
    410,
    false,
    'The origin has declared this entry lost; it has no effect.',
    '来源已声明此条目遗失，不再生效。',
  ),
  ENVELOPE_UNKNOWN: row(404, false, 'There is no envelope at this position here.', '此处该位置没有信封。'),

  // bodies and records
  BODY_TOO_LARGE: row(413, false, 'The body is larger than allowed.', '内容超过允许的大小。'),
  BODY_ENCODING_UNKNOWN: row(415, false, 'The encoding of the body is not understood.', '无法识别内容的编码方式。'),
  BODY_UNREADABLE: row(
    403,
    false,
    'The body is encrypted for others, or not under the key that its epoch names.',
    '内容为他方加密，或未使用该世代所定的密钥。',
  ),
  BODY_DIGEST_MISMATCH: row(400, false, 'The body is not the one that the envelope names.', '内容与信封所记摘要不符。'),
  BODY_NOT_IJSON: row(400, false, 'The body is not I-JSON (RFC 7493).', '内容不是 I-JSON（RFC 7493）。'),
  BODY_MALFORMED: row(400, false, 'The body is not a batch of records.', '内容不是一批记录。'),
  SCHEMA_MAJOR_UNKNOWN: row(422, false, 'This major version of the schema is not spoken here.', '此处不支持该模式的主版本。'),
  RECORD_NOT_IJSON: row(422, false, 'The record is not I-JSON (RFC 7493).', '记录不是 I-JSON（RFC 7493）。'),
  RECORD_SCHEMA_INVALID: row(422, false, 'The record does not match its schema.', '记录不符合其模式。'),
  RECORD_NOT_STORABLE: row(422, false, 'The database refuses the record.', '数据库拒绝存储该记录。'),
  RECORD_UNKNOWN: row(404, false, 'There is no such record here.', '此处没有这条记录。'),
  RECORD_TOO_LARGE: row(413, false, 'The record is larger than one envelope can carry.', '记录超过单个信封的容量。'),
  FRESHNESS_EXPIRED: row(
    503,
    true,
    'What is held here is older than this dataset may get.',
    '此处所存数据已超过该数据集允许的陈旧时限。',
  ),
  QUARANTINE_NOT_WHOLE: row(
    422,
    false,
    'What stands in quarantine is not whole, so it cannot be taken up again.',
    '隔离区所存内容不完整，无法重新处理。',
  ),
  DEAL_CODE_MALFORMED: row(422, false, 'The text is not a unified deal code.', '该文本不是统一交易标识码。'),

  // rows of local trading systems
  ADAPTER_UNKNOWN: row(404, false, 'There is no such adapter.', '没有这个适配器。'),
  MAPPING_INVALID: row(400, false, 'The mapping file is not valid.', '映射文件无效。'),
  FILE_MALFORMED: row(400, false, 'The file cannot be read in the stated format.', '文件无法按所述格式读取。'),
  FILE_ENCODING_INVALID: row(400, false, 'The file is not in the stated character encoding.', '文件与所述字符编码不符。'),
  ROW_MALFORMED: row(422, false, 'The row cannot be read.', '该行无法读取。'),
  ROW_FIELD_MISSING: row(422, false, 'A required field of the row is empty.', '该行的必填字段为空。'),
  ROW_FIELD_INVALID: row(422, false, 'A field of the row cannot be mapped.', '该行的某字段无法映射。'),

  // certificates and revocation lists (X.690, RFC 5280); what a verdict says about a well-formed one stands in trust/reasons.ts
  DER_MALFORMED: row(400, false, 'The bytes are not DER of the expected type.', '字节不是所要求类型的 DER 编码。'),
  CERTIFICATE_MALFORMED: row(
    400,
    false,
    'The certificate is not a well-formed X.509 certificate.',
    '证书不是格式正确的 X.509 证书。',
  ),
  CRL_MALFORMED: row(400, false, 'The revocation list is not a well-formed X.509 CRL.', '吊销列表不是格式正确的 X.509 CRL。'),

  // signed messages, seals, encrypted messages (RFC 5652, GB/T 35275, GM/T 0031, GB/T 38540); verdicts stand in trust/reasons.ts
  SIGNATURE_MALFORMED: row(
    400,
    false,
    'The message is not a well-formed CMS or PKCS #7 message.',
    '消息不是格式正确的 CMS 或 PKCS #7 消息。',
  ),
  SIGNATURE_KIND_UNKNOWN: row(400, false, 'The message is of another kind than expected here.', '消息类型与此处要求不符。'),
  SEAL_MALFORMED: row(
    400,
    false,
    'The bytes are not a well-formed electronic seal or seal signature.',
    '字节不是格式正确的电子印章或电子签章。',
  ),

  // published suites of test cases
  SUITE_MALFORMED: row(400, false, 'The file or folder does not hold cases of this suite.', '该文件或目录不含此测试套件的用例。'),
  SUITE_FILE_MISSING: row(400, false, 'A file that the suite names is not there.', '缺少测试套件所引用的文件。'),

  // requests
  REQUEST_INVALID: row(400, false, 'The request is not valid.', '请求无效。'),
  REQUEST_TOO_LARGE: row(413, false, 'The request is larger than allowed.', '请求超过允许的大小。'),
  REQUEST_MEDIA_TYPE_REFUSED: row(415, false, 'The media type of the body is not accepted here.', '此处不接受该内容类型。'),
  REQUEST_UNAUTHORIZED: row(401, false, 'The request carries no valid credential.', '请求没有有效凭证。'),
  REQUEST_RATE_LIMITED: row(429, true, 'Too many requests; try again later.', '请求过于频繁，请稍后再试。'),
  ACCESS_DENIED: row(403, false, 'No role of this subject may do that.', '该主体的角色均无权执行此操作。'),
  ACCESS_OUT_OF_SCOPE: row(403, false, 'It lies outside what this subject is limited to.', '超出该主体的权限范围。'),
  ACCESS_DUTY_CONFLICT: row(
    403,
    false,
    'The duty does not go with another that this subject holds in the same deal.',
    '该职责与该主体在同一项目中已承担的职责不相容。',
  ),
  AUDIT_BROKEN: row(500, false, 'The audit log is not what was written.', '审计日志与所写内容不符。'),
  CLIENT_INVALID: row(400, false, 'The description of the client is not valid.', '客户端登记信息无效。'),
  CLIENT_UNKNOWN: row(404, false, 'There is no such client here.', '此处没有这个客户端。'),
  // login with a certificate
  LOGIN_STATEMENT_INVALID: row(400, false, 'The text is not a login statement.', '该文本不是登录声明。'),
  LOGIN_REQUEST_UNKNOWN: row(
    410,
    false,
    'No such login is under way in this browser; begin again at the trading system.',
    '此浏览器中没有进行中的登录，请回到交易系统重新开始。',
  ),
  LOGIN_REQUEST_REFUSED: row(
    400,
    false,
    'The trading system asked in a way that is not accepted.',
    '交易系统的登录请求不符合要求。',
  ),
  LOGIN_ORIGIN_FOREIGN: row(403, false, 'A login is answered by its own page only.', '登录只能由其自身页面应答。'),
  LOGIN_CHALLENGE_UNKNOWN: row(
    403,
    false,
    'The signature answers no open question of this login; each question is answered once.',
    '签名所答并非本次登录尚未使用的随机数；每个随机数只用一次。',
  ),
  LOGIN_CHALLENGE_EXPIRED: row(403, false, 'The text to be signed has expired; ask for a new one.', '待签内容已过期，请重新获取。'),
  LOGIN_ATTEMPTS_EXCEEDED: row(429, false, 'Too many attempts in one login; begin again.', '一次登录中尝试过多，请重新开始。'),
  LOGIN_SIGNATURE_INVALID: row(
    403,
    false,
    'The signature was not made over the text of this login with the key of the certificate.',
    '签名并非以该证书的私钥对本次登录内容所作。',
  ),
  LOGIN_CERTIFICATE_BAD: row(403, false, 'The certificate is not good for logging in.', '该证书不能用于登录。'),
  LOGIN_CERTIFICATE_UNCHECKED: row(
    503,
    true,
    'Whether the certificate is good cannot be checked now; that does not mean that it is bad.',
    '目前无法核验该证书；这并不表示证书有问题。',
  ),
  IDENTITY_PROVIDER_UNAVAILABLE: row(503, true, 'The identity provider does not answer.', '身份认证服务没有应答。'),
  CURSOR_INVALID: row(400, false, 'The page cursor is not one that was given out here.', '分页游标不是此处给出的。'),
  ROUTE_UNKNOWN: row(404, false, 'There is no such address.', '没有这个地址。'),
  INTERNAL: row(500, true, 'Something went wrong here; the log has the details.', '内部出错，详见日志。'),

  // the ground both programs stand on
  CONFIG_INVALID: row(500, false, 'The configuration is not valid.', '配置无效。'),
  KEY_FILE_INVALID: row(500, false, 'The key file cannot be used.', '密钥文件无法使用。'),
  SIGNER_UNAVAILABLE: row(503, true, 'The signing agent does not answer.', '签名代理没有应答。'),
  SIGNER_REFUSED: row(403, false, 'The signing agent does not sign this.', '签名代理拒绝签署此声明。'),
  MEMBERSHIP_FILE_INVALID: row(500, false, 'The membership file is not valid.', '成员文件无效。'),
  ADDRESS_UNAVAILABLE: row(500, false, 'The address to listen on cannot be used.', '无法使用该监听地址。'),
  PROGRAM_UNKNOWN: row(404, false, 'No hub or node of that name is known here.', '此处没有这个枢纽或节点。'),
  PROGRAM_UNREACHABLE: row(503, true, 'The program does not answer.', '程序没有应答。'),
  PROGRAM_FAILED: row(500, false, 'A program ended or hung while it was starting.', '程序在启动过程中退出或停滞。'),
  DIRECTORY_IN_USE: row(409, false, 'The data directory is in use by a running program.', '数据目录正被运行中的程序使用。'),
  DATABASE_UNAVAILABLE: row(503, true, 'The database cannot be reached.', '无法连接数据库。'),
  DATABASE_NOT_FOUND: row(500, false, 'No PostgreSQL server can be started here.', '此处无法启动 PostgreSQL 服务器。'),
  DATABASE_NEWER: row(500, false, 'The database was made by a newer version of this program.', '数据库由本程序的更新版本建立。'),
  BROKER_UNAVAILABLE: row(503, true, 'The broker cannot be reached.', '无法连接消息代理。'),
  BROKER_NOT_FOUND: row(500, false, 'No nats-server can be found or fetched.', '找不到也取不到 nats-server。'),
} as const satisfies { readonly [code: string]: ErrorRow }

export type ErrorCode = keyof typeof ERRORS

/** What a caller may know about a fault: names, expectations and positions, never bodies, keys, tokens or personal identifiers. */
export type ErrorDetail = { readonly [name: string]: string | number | boolean | null | readonly string[] }

export class ExchangeError extends Error {
  override readonly name = 'ExchangeError'
  readonly code: ErrorCode
  /** What was expected and what came, in one English sentence; the table's sentence is the title. */
  readonly reason: string
  readonly detail: ErrorDetail

  constructor(code: ErrorCode, reason: string, options: { detail?: ErrorDetail; cause?: unknown } = {}) {
    super(`${code}: ${reason}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.reason = reason
    this.detail = options.detail ?? {}
  }

  get status(): number {
    return ERRORS[this.code].status
  }

  get retry(): boolean {
    return ERRORS[this.code].retry
  }
}

export const isExchangeError = (error: unknown): error is ExchangeError => error instanceof ExchangeError
