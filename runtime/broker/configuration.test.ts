import { expect, test } from 'vitest'
import { type BrokerConfiguration, brokerConfiguration } from './configuration.ts'

const system = { name: 'system', account: `A${'B'.repeat(55)}`, token: 'e30.e30.AA' }
const base = {
  name: 'test',
  port: 4222,
  storeDir: '/data/jetstream',
  accountsDir: '/data/accounts',
  logFile: '/data/server.log',
  trust: { operatorToken: 'e30.e30.AA', system },
}
const configured = (more: Partial<BrokerConfiguration> = {}) => JSON.parse(brokerConfiguration({ ...base, ...more }))

test('the broker listens on loopback only and syncs what it acknowledges', () => {
  const text = configured()
  expect(text.listen).toBe('127.0.0.1:4222')
  expect(text.max_payload).toBe(1_048_576)
  expect(text.jetstream.sync_interval).toBe('always')
  for (const door of ['http', 'https', 'monitor_port', 'websocket', 'mqtt', 'cluster', 'leafnodes'])
    expect(text).not.toHaveProperty(door)
})

test('the broker believes the operator’s tokens alone: no user, password or permission stands in its configuration', () => {
  const text = configured()
  expect(text).toMatchObject({ operator: 'e30.e30.AA', system_account: system.account, resolver: { type: 'full' } })
  for (const other of ['authorization', 'accounts', 'no_auth_user']) expect(text).not.toHaveProperty(other)
})

test('with a certificate TLS 1.3 is asked of every client', () => {
  expect(configured().tls).toBeUndefined()
  expect(configured({ tls: { certFile: '/c.pem', keyFile: '/c.key' } }).tls).toEqual({
    cert_file: '/c.pem',
    key_file: '/c.key',
    min_version: '1.3',
    timeout: 5,
  })
})

test.each([
  ['an operator that is no token', { operatorToken: 'x', system }],
  ['a system account that is a member’s name', { operatorToken: 'e30.e30.AA', system: { ...system, account: '530000' } }],
  ['a system account without claims', { operatorToken: 'e30.e30.AA', system: { ...system, token: '' } }],
])('%s is refused', (_what, trust) => {
  expect(() => configured({ trust })).toThrow('CONFIG_INVALID')
})
