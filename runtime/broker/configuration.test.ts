import { expect, test } from 'vitest'
import { type BrokerUser, brokerConfiguration } from './configuration.ts'

const user = { user: 'n530000', password: 's3cret', publish: ['log.530000.>'], subscribe: [] as string[] }
const base = { name: 'test', port: 4222, storeDir: '/data/jetstream', logFile: '/data/server.log' }
const configured = (users: readonly BrokerUser[]) => JSON.parse(brokerConfiguration({ ...base, users }))

test('the broker listens on loopback only and syncs what it acknowledges', () => {
  const text = configured([user])
  expect(text.listen).toBe('127.0.0.1:4222')
  expect(text.max_payload).toBe(1_048_576)
  expect(text.jetstream.sync_interval).toBe('always')
  for (const door of ['http', 'https', 'monitor_port', 'websocket', 'mqtt', 'cluster', 'leafnodes'])
    expect(text).not.toHaveProperty(door)
})

test('a user with nothing granted may do nothing, which an empty list would not say', () => {
  const [entry] = configured([user]).authorization.users
  expect(entry.permissions).toEqual({ publish: { allow: ['log.530000.>'] }, subscribe: { deny: ['>'] } })
})

test('what is withheld is taken from what is granted, and never opens what is not', () => {
  const withheld = ['head.530000.>']
  const [heard, deaf] = configured([
    { ...user, subscribe: ['head.*.all'], withheld },
    { ...user, user: 'n520000', withheld },
  ]).authorization.users
  expect(heard.permissions.subscribe).toEqual({ allow: ['head.*.all'], deny: withheld })
  expect(deaf.permissions.subscribe).toEqual({ deny: ['>'] })
})

test.each(['', 'a b', 'a..b', '.a', 'a.', 'a.>.b', 'a*', '日志', 'a\n'])(
  'a subject that the broker could read otherwise is refused: %j',
  subject => {
    expect(() => configured([{ ...user, publish: [subject] }])).toThrow('CONFIG_INVALID')
  },
)

test('a password is never one that the broker would take for a hash, and never empty', () => {
  for (const password of ['', '$2a$11$abc', 'two words', '密码'])
    expect(() => configured([{ ...user, password }])).toThrow('CONFIG_INVALID')
})

test('a user named twice, or nobody at all, is refused', () => {
  expect(() => configured([user, user])).toThrow('CONFIG_INVALID')
  expect(() => configured([])).toThrow('CONFIG_INVALID')
})
