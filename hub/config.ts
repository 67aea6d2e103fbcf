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
    name: 'MEMBERSHIP_FILE',
    required: true,
    parse: SETTING.file,
    en: 'members and their public keys, JSON',
    zh: '成员及其公钥（JSON）',
  },
  { name: 'KEY_FILE', required: true, parse: SETTING.file, en: "the hub's private key, owner-only", zh: '枢纽私钥，仅属主可读' },
  {
    name: 'BROKER_CREDENTIALS_FILE',
    default: null,
    parse: SETTING.file,
    en: 'user and password at the broker, JSON',
    zh: '消息代理的用户与口令（JSON）',
  },
  {
    name: 'OPERATOR_TOKEN_FILE',
    default: null,
    parse: SETTING.file,
    en: 'the token that may bring bundles, verify and release here; without it all of that is refused',
    zh: '允许导入文件、核验账本与解除隔离的令牌文件；未设置时一概拒绝',
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
