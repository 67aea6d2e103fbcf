/** The settings of the sample trading systems: the only reader of their environment, and of the file that lists them. */
import { type Environment, readEnvironment, SETTING, type Settings } from '../../runtime/environment.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { PROFILES, type Profile } from './profiles.ts'

export const SAMPLES_PREFIX = 'HUTONG_SAMPLES_'

export const SAMPLES_SETTINGS = [
  {
    name: 'SYSTEMS_FILE',
    required: true,
    parse: SETTING.file,
    en: 'the systems to play, JSON: [{code, database_url, node_url, client_file, login_issuer}]; holds passwords',
    zh: '样例系统清单（JSON）：[{code, database_url, node_url, client_file, login_issuer}]；含口令',
  },
  {
    name: 'HTTP_HOST',
    default: '127.0.0.1',
    parse: SETTING.oneOf('127.0.0.1', '::1'),
    en: 'address to listen on; this machine only',
    zh: '监听地址；仅限本机',
  },
  {
    name: 'HTTP_PORT',
    default: '0',
    parse: SETTING.port,
    en: 'port to listen on; 0 takes a free one',
    zh: '监听端口；0 表示任取空闲端口',
  },
  { name: 'LOG_LEVEL', default: 'info', parse: SETTING.level, en: 'least level that is logged', zh: '日志级别' },
  {
    name: 'INTERVAL_MS',
    default: '1000',
    parse: SETTING.integer('MS', 10, 3_600_000),
    en: 'time between two steps of each system',
    zh: '每个系统两次产生数据的间隔',
  },
  {
    name: 'SEED',
    default: 'hutong',
    parse: SETTING.text,
    en: 'what the sample rows are made from, at the first start',
    zh: '首次启动时生成样例数据的种子',
  },
] as const

/** @throws CONFIG_INVALID naming every fault */
export const readConfig = (env: Environment): Settings<typeof SAMPLES_SETTINGS> =>
  readEnvironment(env, SAMPLES_PREFIX, SAMPLES_SETTINGS)

export type SystemSettings = {
  readonly profile: Profile
  readonly database_url: string
  readonly node_url: string
  readonly client_file: string
  /** of its node, where people log in with certificates; a system may have none */
  readonly login_issuer?: string
}

const MEMBERS = ['code', 'database_url', 'node_url', 'client_file', 'login_issuer'] as const

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isUrl = (text: string, ...protocols: readonly string[]): boolean =>
  URL.canParse(text) && protocols.includes(new URL(text).protocol)

const parseSystem = (value: unknown, index: number): SystemSettings | string => {
  const where = `system ${index + 1}`
  if (typeof value !== 'object' || value === null) return `${where} is not an object`
  const { code, database_url, node_url, client_file, login_issuer, ...unknown } = value as { readonly [name: string]: unknown }
  const [surplus] = Object.keys(unknown)
  if (surplus !== undefined) return `${where}: ${JSON.stringify(surplus)} is none of ${MEMBERS.join(', ')}`
  const profile = PROFILES.find(one => one.code === code)
  if (profile === undefined) return `${where}: code must be one of ${PROFILES.map(one => one.code).join(', ')}`
  if (typeof database_url !== 'string' || !isUrl(database_url, 'postgres:', 'postgresql:'))
    return `${where}: database_url must be a postgres:// URL`
  if (typeof node_url !== 'string' || !isUrl(node_url, 'http:', 'https:'))
    return `${where}: node_url must be an http:// or https:// URL`
  if (typeof client_file !== 'string' || client_file === '') return `${where}: client_file must be the path of a file`
  if (login_issuer !== undefined && (typeof login_issuer !== 'string' || !isUrl(login_issuer, 'http:', 'https:')))
    return `${where}: login_issuer must be an http:// or https:// URL`
  return { profile, database_url, node_url, client_file, ...(login_issuer === undefined ? {} : { login_issuer }) }
}

/** @throws CONFIG_INVALID naming every fault, never a value: the file holds passwords */
export const parseSystems = (text: string): readonly SystemSettings[] => {
  const list = parseJson(text)
  const systems = Array.isArray(list) ? list.map(parseSystem) : ['the systems file is not a JSON array']
  const read = systems.filter(one => typeof one !== 'string')
  const faults = systems.filter(one => typeof one === 'string')
  const codes = read.map(({ profile }) => profile.code)
  if (new Set(codes).size < codes.length) faults.push('a system is listed twice')
  if (systems.length === 0) faults.push('the systems file lists no system')
  if (faults.length > 0) throw new ExchangeError('CONFIG_INVALID', faults.join('; '), { detail: { faults } })
  return read
}
