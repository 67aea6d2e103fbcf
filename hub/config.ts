/** The hub's settings: the only reader of its environment. */
import { type Environment, readEnvironment, SETTING, type Settings } from '../runtime/environment.ts'

export const HUB_PREFIX = 'HUTONG_HUB_'

export const HUB_SETTINGS = [
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
    name: 'FOUNDING_FILE',
    default: null,
    parse: SETTING.file,
    en: 'the founding entry that `hutong hub found` made; the membership log goes on from it',
    zh: '`hutong hub found` 生成的创立条目；成员日志由此开始',
  },
  {
    name: 'MEMBERSHIP_FILE',
    default: null,
    parse: SETTING.file,
    en: 'in its place, for tests: members and their public keys, JSON',
    zh: '替代上者，供测试使用：成员及其公钥（JSON）',
  },
  { name: 'KEY_FILE', required: true, parse: SETTING.file, en: "the hub's private key, owner-only", zh: '枢纽私钥，仅属主可读' },
  {
    name: 'KEY_PASSPHRASE_FILE',
    default: null,
    parse: SETTING.file,
    en: 'the passphrase of the private keys, owner-only',
    zh: '私钥口令文件，仅属主可读',
  },
  {
    name: 'PUBLIC_URL',
    default: null,
    parse: SETTING.url('http', 'https'),
    en: 'the address of this HTTP that join files name; the one listened on unless given',
    zh: '加入文件中写明的本服务地址；默认取监听地址',
  },
  {
    name: 'PUBLIC_NATS_URL',
    default: null,
    parse: SETTING.url('nats', 'tls'),
    en: 'the address of the broker that join files name; NATS_URL unless given',
    zh: '加入文件中写明的消息代理地址；默认取 NATS_URL',
  },
  {
    name: 'STATEMENT_LIFETIME_MS',
    default: '2592000000',
    parse: SETTING.integer('MS', 10_000, 31_536_000_000),
    en: 'how long a statement of the federation is good',
    zh: '联盟声明的有效期',
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
    name: 'BROKER_AUTHORITY_FILE',
    default: null,
    parse: SETTING.file,
    en: "keys of the broker's operator and accounts, owner-only; with it the hub says who may do what there",
    zh: '消息代理的运营者与账户密钥，仅属主可读；据此由枢纽授予各方权限',
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
    default: '.hutong/hub',
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
    name: 'STREAM_REPLICAS',
    default: '1',
    parse: SETTING.oneOf('1', '3', '5'),
    en: 'copies of each stream in a broker cluster',
    zh: '消息代理集群中每条流的副本数',
  },
  {
    name: 'STREAM_MAX_BYTES',
    default: '2147483648',
    parse: SETTING.integer('BYTES', 1_048_576, 1_099_511_627_776),
    en: 'most that the broker keeps of one origin; PostgreSQL is the memory',
    zh: '消息代理为每个来源保留的上限；长期保存在 PostgreSQL',
  },
] as const

export type HubConfig = Settings<typeof HUB_SETTINGS>

/** @throws CONFIG_INVALID naming every fault */
export const readConfig = (env: Environment): HubConfig => readEnvironment(env, HUB_PREFIX, HUB_SETTINGS)
