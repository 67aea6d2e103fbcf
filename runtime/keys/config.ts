/** The signing agent's settings: the only reader of its environment. */
import { type Environment, readEnvironment, SETTING, type Settings } from '../environment.ts'

export const AGENT_PREFIX = 'HUTONG_AGENT_'

export const AGENT_SETTINGS = [
  {
    name: 'ISSUER',
    required: true,
    parse: SETTING.text,
    en: "the member's code, or hub: whose statements it signs",
    zh: '成员代码或 hub：代谁签署',
  },
  {
    name: 'SOCKET',
    required: true,
    parse: SETTING.file,
    en: 'the socket to listen on, in a folder of its own',
    zh: '监听的套接字，位于专用目录中',
  },
  {
    name: 'KEY_DIR',
    default: null,
    parse: SETTING.directory,
    en: 'the folder in which new keys are made and found again; give it or key files',
    zh: '生成并存放新密钥的目录；与密钥文件二者至少其一',
  },
  {
    name: 'KEY_FILE',
    default: null,
    parse: SETTING.file,
    en: 'a private key beside those in the folder, owner-only; several with : between them',
    zh: '目录以外的私钥文件，仅属主可读；多个用 : 分隔',
  },
  {
    name: 'KEY_PASSPHRASE_FILE',
    default: null,
    parse: SETTING.file,
    en: 'the passphrase of the keys, owner-only',
    zh: '私钥口令文件，仅属主可读',
  },
  { name: 'LOG_LEVEL', default: 'info', parse: SETTING.level, en: 'least level that is logged', zh: '日志级别' },
] as const

export type AgentConfig = Settings<typeof AGENT_SETTINGS>

/** @throws CONFIG_INVALID naming every fault */
export const readConfig = (env: Environment): AgentConfig => readEnvironment(env, AGENT_PREFIX, AGENT_SETTINGS)
