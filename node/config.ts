/** A node's settings: the only reader of its environment. */
import { type Environment, readEnvironment, SETTING, type Settings } from '../runtime/environment.ts'
import { ACCESS_SETTINGS, BROKER_SETTINGS, DOOR_SETTINGS, GROUND_SETTINGS } from '../runtime/program-settings.ts'

export const NODE_PREFIX = 'HUTONG_NODE_'

export const NODE_SETTINGS = [
  { name: 'CODE', required: true, parse: SETTING.member, en: "the member's code", zh: '成员代码' },
  ...GROUND_SETTINGS,
  {
    name: 'MEMBERSHIP_DIR',
    default: null,
    parse: SETTING.directory,
    en: 'the folder that `hutong node join` left: keys, broker credentials, the membership log',
    zh: '`hutong node join` 生成的目录：密钥、消息代理凭据与成员日志',
  },
  {
    name: 'KEY_FILE',
    default: null,
    parse: SETTING.file,
    en: 'a private key of the node, owner-only; with a membership folder one beside those in it',
    zh: '节点私钥，仅属主可读；设有成员目录时为其外的另一把',
  },
  {
    name: 'SIGNING_AGENT_SOCKET',
    default: null,
    parse: SETTING.file,
    en: 'the socket of a signing agent (`runtime/keys/main.ts`) that holds the keys in place of files',
    zh: '代为保管密钥的签名代理（`runtime/keys/main.ts`）的套接字，替代密钥文件',
  },
  ...BROKER_SETTINGS,
  ...ACCESS_SETTINGS,
  {
    name: 'DATA_DIR',
    default: '.hutong/node',
    parse: SETTING.directory,
    en: 'folder of the embedded database',
    zh: '内嵌数据库目录',
  },
  ...DOOR_SETTINGS,
  {
    name: 'SNAPSHOT_ENTRIES',
    default: '256',
    parse: SETTING.integer('ENTRIES', 1, 1_000_000_000),
    en: 'entries that an own log grows by at least between two snapshots; a shorter log is read from its first entry',
    zh: '自有日志链两次快照之间至少增长的条目数；更短的日志链自首条读取',
  },
  {
    name: 'CERTIFICATES',
    default: 'off',
    parse: SETTING.oneOf('serve', 'off'),
    en: 'serve: verifies certificates, and is not ready while it holds no trust list that counts',
    zh: 'serve 表示核验证书，且没有可用信任列表时不就绪',
  },
  {
    name: 'CRL_LOOPBACK',
    default: 'refuse',
    parse: SETTING.oneOf('refuse', 'allow'),
    en: 'whether revocation lists may be fetched from this machine itself; for tests',
    zh: '是否可从本机获取吊销列表；用于测试',
  },
  {
    name: 'LOGIN_ISSUER',
    default: null,
    parse: SETTING.url('https', 'http'),
    en: 'address of the login with certificates as browsers and trading systems reach it; without it there is none',
    zh: '证书登录服务的对外地址（OpenID 颁发者）；未设置时不提供',
  },
  {
    name: 'LOGIN_CLIENTS_FILE',
    default: null,
    parse: SETTING.file,
    en: 'the trading systems whose users may be logged in, JSON (`node/login/clients.ts`)',
    zh: '可使用证书登录的交易系统（JSON，见 `node/login/clients.ts`）',
  },
  {
    name: 'LOGIN_SIGNERS_DIR',
    default: null,
    parse: SETTING.directory,
    en: "scripts of vendors' key drivers that the login page loads (`console/login/signer.ts`)",
    zh: '登录页加载的证书介质厂商驱动脚本目录（见 `console/login/signer.ts`）',
  },
  {
    name: 'LOGIN_HTTP_HOST',
    default: '127.0.0.1',
    parse: SETTING.text,
    en: 'address that the login listens on, behind the server that ends TLS',
    zh: '登录服务的监听地址，位于终止 TLS 的服务器之后',
  },
  {
    name: 'LOGIN_HTTP_PORT',
    default: '0',
    parse: SETTING.port,
    en: 'port that the login listens on; 0 takes a free one',
    zh: '登录服务的监听端口；0 表示任取空闲端口',
  },
  {
    name: 'BACKFILL_RATE_BYTES',
    default: '4194304',
    parse: SETTING.integer('BYTES', 0, 1_073_741_824),
    en: 'bytes that are fetched in a second, at most, of the history of logs that began with a snapshot; 0 leaves it with the others',
    zh: '对以快照起始的日志链，每秒最多回填的历史字节数；0 表示不回填',
  },
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
