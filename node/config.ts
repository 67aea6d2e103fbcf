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
