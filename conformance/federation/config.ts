/** The launcher's settings: the only reader of its environment. What belongs to hub, node and samples goes on to them unread. */
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { type Environment, readEnvironment, SETTING } from '../../runtime/environment.ts'

export const LAUNCHER_PREFIX = 'HUTONG_'
/** Settings of the programs that the launcher starts; their own readers judge them. */
const PASSED_ON = /^HUTONG_(HUB|NODE|SAMPLES)_/

export const LAUNCHER_SETTINGS = [
  {
    name: 'HOME',
    default: '.hutong',
    parse: SETTING.directory,
    en: 'folder of the federation on this machine: data, keys, logs',
    zh: '本机联盟的目录：数据、密钥、日志',
  },
  {
    name: 'DATABASE_URL',
    unprefixed: true,
    secret: true,
    default: null,
    parse: SETTING.url('postgres', 'postgresql'),
    en: 'a PostgreSQL server, as a superuser: databases and roles are made on it; without it an embedded one runs',
    zh: '以超级用户身份连接的 PostgreSQL，用于建库建角色；未设置时运行内嵌服务器',
  },
  {
    name: 'NATS_URL',
    unprefixed: true,
    default: null,
    parse: SETTING.url('nats', 'tls'),
    en: 'a broker of your own; without it one is started',
    zh: '自备的消息代理；未设置时自动启动一个',
  },
  {
    name: 'BROKER_CA_FILE',
    default: null,
    parse: SETTING.file,
    en: 'with NATS_URL: certificates that the broker’s must lead to, PEM; plaintext is then refused',
    zh: '与 NATS_URL 同用：校验消息代理证书的 CA（PEM）；设置后拒绝明文连接',
  },
  {
    name: 'BROKER_BINARY',
    default: null,
    parse: SETTING.file,
    en: 'nats-server to start, instead of the one that is found or fetched',
    zh: '指定要启动的 nats-server，不再查找或下载',
  },
] as const

export type LauncherConfig = {
  readonly home: string
  readonly cacheDir: string
  readonly databaseUrl: string | undefined
  readonly natsUrl: string | undefined
  readonly brokerCaFile: string | undefined
  readonly brokerBinary: string | undefined
}

/** @throws CONFIG_INVALID naming every fault */
export function readConfig(env: Environment): LauncherConfig {
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !PASSED_ON.test(name)))
  const { home, databaseUrl, natsUrl, brokerCaFile, brokerBinary } = readEnvironment(own, LAUNCHER_PREFIX, LAUNCHER_SETTINGS)
  return { home: resolve(home), cacheDir: cacheFolder(env), databaseUrl, natsUrl, brokerCaFile, brokerBinary }
}

/** XDG Base Directory Specification: unset, empty and relative all mean `~/.cache`. */
export function cacheFolder({ XDG_CACHE_HOME: stated = '' }: Environment): string {
  return join(isAbsolute(stated) ? stated : join(homedir(), '.cache'), 'hutong')
}

/** What a started program inherits: everything but the launcher's own settings and what `set` overrules. */
export const childEnvironment = (env: Environment, set: Environment): { [name: string]: string | undefined } => ({
  ...Object.fromEntries(
    Object.entries(env).filter(
      ([name]) => PASSED_ON.test(name) || !(name.startsWith(LAUNCHER_PREFIX) || name === 'DATABASE_URL' || name === 'NATS_URL'),
    ),
  ),
  ...set,
})
