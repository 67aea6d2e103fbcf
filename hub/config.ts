/** The hub's settings: the only reader of its environment. */
import { type Environment, readEnvironment, SETTING, type Settings } from '../runtime/environment.ts'
import { BROKER_SETTINGS, DOOR_SETTINGS, GROUND_SETTINGS } from '../runtime/program-settings.ts'

export const HUB_PREFIX = 'HUTONG_HUB_'

export const HUB_SETTINGS = [
  ...GROUND_SETTINGS,
  { name: 'KEY_FILE', required: true, parse: SETTING.file, en: "the hub's private key, owner-only", zh: '枢纽私钥，仅属主可读' },
  ...BROKER_SETTINGS,
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
