/** The hub's settings: the only reader of its environment. */
import { type Environment, readEnvironment, SETTING, type Settings } from '../runtime/environment.ts'
import { ACCESS_SETTINGS, BROKER_SETTINGS, DOOR_SETTINGS, GROUND_SETTINGS } from '../runtime/program-settings.ts'

export const HUB_PREFIX = 'HUTONG_HUB_'

export const HUB_SETTINGS = [
  ...GROUND_SETTINGS,
  {
    name: 'FOUNDING_FILE',
    default: null,
    parse: SETTING.file,
    en: 'the founding entry that `hutong hub found` made; the membership log goes on from it',
    zh: '`hutong hub found` 生成的创立条目；成员日志由此开始',
  },
  { name: 'KEY_FILE', required: true, parse: SETTING.file, en: "the hub's private key, owner-only", zh: '枢纽私钥，仅属主可读' },
  ...BROKER_SETTINGS,
  {
    name: 'BROKER_AUTHORITY_FILE',
    default: null,
    parse: SETTING.file,
    en: "keys of the broker's operator and accounts, owner-only; with it the hub says who may do what there",
    zh: '消息代理的运营者与账户密钥，仅属主可读；据此由枢纽授予各方权限',
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
  ...ACCESS_SETTINGS,
  {
    name: 'DATA_DIR',
    default: '.hutong/hub',
    parse: SETTING.directory,
    en: 'folder of the embedded database',
    zh: '内嵌数据库目录',
  },
  ...DOOR_SETTINGS,
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
