/** The settings that hub and node have in common: one row each, so that they cannot come to mean two things. */
import { SETTING } from './environment.ts'

/** What both stand on. */
export const GROUND_SETTINGS = [
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
    name: 'MEMBERSHIP_FILE',
    default: null,
    parse: SETTING.file,
    en: 'for tests, in the place of the membership log: members and their public keys, JSON',
    zh: '供测试使用，替代成员日志：成员及其公钥（JSON）',
  },
] as const

/** Keys, and how it is known at the broker. */
export const BROKER_SETTINGS = [
  {
    name: 'KEY_PASSPHRASE_FILE',
    default: null,
    parse: SETTING.file,
    en: 'the passphrase of the private keys, owner-only',
    zh: '私钥口令文件，仅属主可读',
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
] as const

/** Who may enter over HTTP, and how it is told afterwards. */
export const ACCESS_SETTINGS = [
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
] as const

/** The door, and what is told of what goes on. */
export const DOOR_SETTINGS = [
  { name: 'HTTP_HOST', default: '127.0.0.1', parse: SETTING.text, en: 'address to listen on', zh: '监听地址' },
  {
    name: 'HTTP_PORT',
    default: '0',
    parse: SETTING.port,
    en: 'port to listen on; 0 takes a free one',
    zh: '监听端口；0 表示任取空闲端口',
  },
  { name: 'LOG_LEVEL', default: 'info', parse: SETTING.level, en: 'least level that is logged', zh: '日志级别' },
] as const
