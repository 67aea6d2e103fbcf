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
    required: true,
    parse: SETTING.file,
    en: 'members and their public keys, JSON',
    zh: '成员及其公钥（JSON）',
  },
] as const

export const BROKER_SETTINGS = [
  {
    name: 'BROKER_CREDENTIALS_FILE',
    default: null,
    parse: SETTING.file,
    en: 'user and password at the broker, JSON',
    zh: '消息代理的用户与口令（JSON）',
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
