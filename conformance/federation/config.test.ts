import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { childEnvironment, readConfig } from './config.ts'

describe('the launcher’s settings', () => {
  test('need nothing', () => {
    expect(readConfig({})).toMatchObject({
      home: resolve('.hutong'),
      cacheDir: join(homedir(), '.cache/hutong'),
      natsUrl: undefined,
    })
  })

  test('refuse a mistyped name and leave those of hub, node and samples to their own readers', () => {
    expect(() => readConfig({ HUTONG_HOEM: 'x' })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', reason: expect.stringContaining('HUTONG_HOME') }),
    )
    expect(() => readConfig({ HUTONG_HUB_ANYTHING: 'x', HUTONG_NODE_LOG_LEVEL: 'debug' })).not.toThrow()
  })

  test.each([
    ['/var/cache', '/var/cache/hutong'],
    ['', join(homedir(), '.cache/hutong')],
    ['relative', join(homedir(), '.cache/hutong')],
  ])('read XDG_CACHE_HOME %j as its specification says', (stated, expected) => {
    expect(readConfig({ XDG_CACHE_HOME: stated }).cacheDir).toBe(expected)
  })
})

test('a program inherits its own settings and the world’s, but not the launcher’s nor its servers', () => {
  const inherited = {
    PATH: '/bin',
    OTEL_SERVICE_NAME: 'x',
    HUTONG_HOME: '/h',
    HUTONG_NODE_LOG_LEVEL: 'debug',
    DATABASE_URL: 'postgres://root',
    NATS_URL: 'nats://x',
  }
  expect(childEnvironment(inherited, { NATS_URL: 'nats://own' })).toEqual({
    PATH: '/bin',
    OTEL_SERVICE_NAME: 'x',
    HUTONG_NODE_LOG_LEVEL: 'debug',
    NATS_URL: 'nats://own',
  })
})
