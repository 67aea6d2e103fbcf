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
    name: 'MEMBERSHIP_FILE',
    required: true,
    parse: SETTING.file,
    en: 'members and their public keys, JSON',
    zh: '成员及其公钥（JSON）',
  },
  { name: 'KEY_FILE', required: true, parse: SETTING.file, en: "the node's private key, owner-only", zh: '节点私钥，仅属主可读' },
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
    en: 'the token that may write here; without it every write is refused',
    zh: '允许写入的令牌文件；未设置时拒绝一切写入',
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
