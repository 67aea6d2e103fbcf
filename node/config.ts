/** A node's settings: the only reader of its environment. */
import { type Environment, readEnvironment, SETTING, type Settings } from '../runtime/environment.ts'

export const NODE_PREFIX = 'HUTONG_NODE_'

export const NODE_SETTINGS = [
  { name: 'CODE', required: true, parse: SETTING.member, en: "the member's code", zh: '成员代码' },
  { name: 'NATS_URL', unprefixed: true, required: true, parse: SETTING.url('nats', 'tls'), en: 'the broker', zh: '消息代理地址' },
  {
    name: 'DATABASE_URL',
    unprefixed: true,
    secret: true,
    default: null,
    parse: SETTING.url('postgres', 'postgresql'),
    en: 'a PostgreSQL server; without it an embedded one runs in the data folder',
    zh: 'PostgreSQL 服务器；未设置时在数据目录内运行内嵌服务器',
  },
  {
    name: 'MEMBERSHIP_DIR',
    default: null,
    parse: SETTING.directory,
    en: 'the folder that `hutong node join` left: keys, broker credentials, the membership log',
    zh: '`hutong node join` 生成的目录：密钥、消息代理凭据与成员日志',
  },
  {
    name: 'MEMBERSHIP_FILE',
    default: null,
    parse: SETTING.file,
    en: 'in its place, for tests: members and their public keys, JSON',
    zh: '替代上者，供测试使用：成员及其公钥（JSON）',
  },
  {
    name: 'KEY_FILE',
    default: null,
    parse: SETTING.file,
    en: 'a private key of the node, owner-only; with a membership folder one beside those in it',
    zh: '节点私钥，仅属主可读；设有成员目录时为其外的另一把',
  },
  {
    name: 'KEY_PASSPHRASE_FILE',
    default: null,
    parse: SETTING.file,
    en: 'the passphrase of the private keys, owner-only',
    zh: '私钥口令文件，仅属主可读',
  },
  {
    name: 'SIGNING_AGENT_SOCKET',
    default: null,
    parse: SETTING.file,
    en: 'the socket of a signing agent (`runtime/keys/main.ts`) that holds the keys in place of files',
    zh: '代为保管密钥的签名代理（`runtime/keys/main.ts`）的套接字，替代密钥文件',
  },
  {
    name: 'BROKER_CREDENTIALS_FILE',
    default: null,
    parse: SETTING.file,
    en: "the program's own key at the broker and the hub's token for it, JSON, owner-only",
    zh: '本程序在消息代理的密钥及枢纽签发的令牌（JSON），仅属主可读',
  },
  {
    name: 'BROKER_CA_FILE',
    default: null,
    parse: SETTING.file,
    en: "certificates that the broker's must lead to, PEM; plaintext is then refused",
    zh: '校验消息代理证书的 CA（PEM）；设置后拒绝明文连接',
  },
  {
    name: 'OPERATOR_TOKEN_FILE',
    default: null,
    parse: SETTING.file,
    en: 'a token for whoever runs this program; it has no right on clients and audit. Without it only clients and people enter',
    zh: '运维令牌文件；无权管理客户端与审计。未设置时仅客户端与人员可访问',
  },
  {
    name: 'ACCESS_CLIENTS_FILE',
    default: null,
    parse: SETTING.file,
    en: 'clients registered at a first start, JSON: the officers who register the others',
    zh: '首次启动时登记的客户端（JSON）：由其中的三员登记其他客户端',
  },
  {
    name: 'IDENTITY_PROVIDER_FILE',
    default: null,
    parse: SETTING.file,
    en: 'the OpenID provider of the people who enter, and the roles of its groups, JSON',
    zh: '人员所用的 OpenID 身份认证服务及其群组对应的角色（JSON）',
  },
  {
    name: 'AUDIT_KEY_FILE',
    default: null,
    parse: SETTING.file,
    en: 'key of the pseudonyms in the audit log, owner-only; made in the data folder unless given',
    zh: '审计日志化名所用密钥，仅属主可读；未设置时在数据目录内生成',
  },
  {
    name: 'DATA_DIR',
    default: '.hutong/node',
    parse: SETTING.directory,
    en: 'folder of the embedded database',
    zh: '内嵌数据库目录',
  },
  { name: 'HTTP_HOST', default: '127.0.0.1', parse: SETTING.text, en: 'address to listen on', zh: '监听地址' },
  {
    name: 'HTTP_PORT',
    default: '0',
    parse: SETTING.port,
    en: 'port to listen on; 0 takes a free one',
    zh: '监听端口；0 表示任取空闲端口',
  },
  { name: 'LOG_LEVEL', default: 'info', parse: SETTING.level, en: 'least level that is logged', zh: '日志级别' },
  {
    name: 'INGEST_MAX_BYTES',
    default: '268435456',
    parse: SETTING.integer('BYTES', 1024, 17_179_869_184),
    en: 'largest file that one ingest takes',
    zh: '单次导入文件的最大字节数',
  },
] as const

export type NodeConfig = Settings<typeof NODE_SETTINGS>

/** @throws CONFIG_INVALID naming every fault */
export const readConfig = (env: Environment): NodeConfig => readEnvironment(env, NODE_PREFIX, NODE_SETTINGS)
