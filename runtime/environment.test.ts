import { expect, test } from 'vitest'
import { isExchangeError } from '../schemas/errors.ts'
import { describeEnvironment, type Environment, readEnvironment, SETTING, type Setting } from './environment.ts'

const ROWS = [
  { name: 'PORT', parse: SETTING.port, default: '0', en: 'port of the HTTP service', zh: 'HTTP 服务端口' },
  { name: 'MEMBER', parse: SETTING.member, required: true, en: 'code of this member', zh: '本成员代码' },
  { name: 'BATCH_MAX_BYTES', parse: SETTING.integer('BYTES', 1024, 786_432), default: '786432', en: 'size | batch', zh: '批大小' },
  { name: 'KEY_FILE', parse: SETTING.file, default: null, en: 'private key', zh: '私钥文件' },
  {
    name: 'DATABASE_URL',
    parse: SETTING.url('postgres', 'postgresql'),
    default: null,
    secret: true,
    unprefixed: true,
    en: 'a server of your own',
    zh: '自有数据库',
  },
] as const satisfies readonly Setting[]

const faultsOf = (env: Environment, rows: readonly Setting[] = ROWS): readonly string[] => {
  try {
    readEnvironment(env, 'HUTONG_HUB_', rows)
  } catch (error) {
    if (isExchangeError(error) && error.code === 'CONFIG_INVALID' && Array.isArray(error.detail.faults)) return error.detail.faults
    throw error
  }
  return []
}

test('reads every row into a typed value under its camel-case name, defaults included', () => {
  const settings = readEnvironment({ HUTONG_HUB_MEMBER: '530000', HUTONG_NODE_PORT: 'not ours', PATH: '/bin' }, 'HUTONG_HUB_', ROWS)
  const port: number = settings.port
  const keyFile: string | undefined = settings.keyFile
  expect({ ...settings, port, keyFile }).toEqual({
    port: 0,
    member: '530000',
    batchMaxBytes: 786_432,
    keyFile: undefined,
    databaseUrl: undefined,
  })
})

test('reports every fault at once', () => {
  const faults = faultsOf({ HUTONG_HUB_PORT: '70000', HUTONG_HUB_BATCH_MAX_BYTES: '1e4', HUTONG_HUB_KEY_FILE: '' })
  expect(faults).toEqual([
    'HUTONG_HUB_PORT must be a port number (0 means any free one) from 0 to 65535, not "70000"',
    'HUTONG_HUB_MEMBER is required (code of this member)',
    'HUTONG_HUB_BATCH_MAX_BYTES must be a whole number from 1024 to 786432, not "1e4"',
    'HUTONG_HUB_KEY_FILE is set but empty; give it a value or unset it',
  ])
})

test('refuses an unknown variable with our prefix, whatever its case, and names the nearest setting', () => {
  const faults = faultsOf({ HUTONG_HUB_MEMBER: '530000', HUTONG_HUB_PROT: '80', hutong_hub_port: '80', HUTONG_HUB_QUITE_ELSE: '1' })
  expect(faults).toEqual([
    'HUTONG_HUB_PROT is not a setting; did you mean HUTONG_HUB_PORT?',
    'HUTONG_HUB_QUITE_ELSE is not a setting',
    'hutong_hub_port is not a setting; did you mean HUTONG_HUB_PORT?',
  ])
})

test('never shows the value of a secret', () => {
  const faults = faultsOf({ HUTONG_HUB_MEMBER: '530000', DATABASE_URL: 'mysql://root:swordfish@db/x' })
  expect(faults).toEqual(['DATABASE_URL must be a URL that starts with postgres:// or postgresql://'])
})

test('refuses a row whose name does not end in its unit', () => {
  const row = { name: 'WAIT', parse: SETTING.integer('MS', 0, 10), default: '1', en: '', zh: '' } as const
  expect(faultsOf({}, [row])).toEqual(['the name WAIT must end in its unit _MS'])
})

test.each([
  ['text', SETTING.text, ['a b', '云南'], ['a\nb']],
  ['url', SETTING.url('nats', 'tls'), ['nats://127.0.0.1:4222'], ['http://a', 'nats:a', 'nats://', 'a']],
  ['postgres socket', SETTING.url('postgres'), ['postgres:///db?host=/run/pg'], ['postgres:///db']],
  ['port', SETTING.port, ['0', '65535'], ['65536', '-1', '08', '8 ', '0x10', '1.0']],
  ['directory', SETTING.directory, ['/var/lib', './x', '/', 'a b'], ['~/x', ' /x', '/x ', '/x\n', '/a\u0000b']],
  ['file', SETTING.file, ['/etc/key.jwk', 'x'], ['/etc/', '~/key']],
  ['member', SETTING.member, ['530000'], ['53000', '5300000', '*', '53000a', '530000\n']],
  ['boolean', SETTING.boolean, ['true', 'false'], ['1', 'yes', 'TRUE']],
  ['level', SETTING.level, ['info', 'silent'], ['verbose', 'INFO']],
])('%s takes what it states and refuses the rest', (_, parser, good, bad) => {
  for (const text of good) expect(parser.read(text), text).toHaveProperty('value')
  for (const text of bad) expect(parser.read(text), JSON.stringify(text)).toEqual({ fault: true })
})

test('every default is a value that its own parser takes', () => {
  expect(readEnvironment({ HUTONG_HUB_MEMBER: '530000' }, 'HUTONG_HUB_', ROWS).port).toBe(0)
  const row = { name: 'PORT', parse: SETTING.port, default: 'any', en: '', zh: '' } as const
  expect(faultsOf({}, [row])).toHaveLength(1)
})

test('describes each setting as a row of a Markdown table', () => {
  expect(describeEnvironment('HUTONG_HUB_', ROWS)).toEqual([
    '| `HUTONG_HUB_PORT` | `0` | port of the HTTP service | HTTP 服务端口 |',
    '| `HUTONG_HUB_MEMBER` | required 必填 | code of this member | 本成员代码 |',
    '| `HUTONG_HUB_BATCH_MAX_BYTES` | `786432` | size \\| batch | 批大小 |',
    '| `HUTONG_HUB_KEY_FILE` | – | private key | 私钥文件 |',
    '| `DATABASE_URL` | – | a server of your own | 自有数据库 |',
  ])
})
