import { describe, expect, test } from 'vitest'
import { isExchangeError } from '../../schemas/errors.ts'
import { parseSystems, readConfig } from './config.ts'

const SYSTEM = {
  code: '530000',
  database_url: 'postgres://samples:hidden@127.0.0.1:5432/samples',
  node_url: 'http://127.0.0.1:8080',
  client_file: 'token',
}

const faultsOf = (work: () => unknown): unknown => {
  try {
    work()
  } catch (error) {
    return isExchangeError(error) && error.code === 'CONFIG_INVALID' ? error.detail.faults : error
  }
  return []
}

describe('the systems file', () => {
  test('names the systems to play', () => {
    const [system] = parseSystems(JSON.stringify([SYSTEM]))
    expect(system).toMatchObject({ profile: { zh: '云南' }, node_url: SYSTEM.node_url })
  })

  test.each([
    ['not an array', {}, ['the systems file is not a JSON array']],
    ['nothing', [], ['the systems file lists no system']],
    ['a system twice', [SYSTEM, SYSTEM], ['a system is listed twice']],
    ['an unknown code', [{ ...SYSTEM, code: '110000' }], ['system 1: code must be one of 530000, 520000, 320000, 530100']],
    ['an unknown member', [{ ...SYSTEM, token: 'x' }], [expect.stringContaining('"token" is none of')]],
    [
      'a foreign database',
      [SYSTEM, { ...SYSTEM, database_url: 'mysql://h/d' }],
      ['system 2: database_url must be a postgres:// URL'],
    ],
    ['a foreign node', [{ ...SYSTEM, node_url: 'file:///etc' }], ['system 1: node_url must be an http:// or https:// URL']],
    ['a foreign login', [{ ...SYSTEM, login_issuer: 'ftp://h' }], ['system 1: login_issuer must be an http:// or https:// URL']],
    ['no token file', [{ ...SYSTEM, client_file: undefined }], ['system 1: client_file must be the path of a file']],
  ])('is refused with %s', (_, content, faults) => {
    expect(faultsOf(() => parseSystems(JSON.stringify(content)))).toEqual(faults)
  })

  test('is refused without repeating what stands in it', () => {
    const text = JSON.stringify([{ ...SYSTEM, database_url: 'hidden://hidden' }])
    expect(JSON.stringify(faultsOf(() => parseSystems(text)))).not.toContain('hidden')
    expect(JSON.stringify(faultsOf(() => parseSystems(`${text}hidden`)))).not.toContain('hidden')
  })
})

test('the control listens on this machine only', () => {
  const file = { HUTONG_SAMPLES_SYSTEMS_FILE: 'systems.json' }
  expect(readConfig(file)).toMatchObject({ httpHost: '127.0.0.1', intervalMs: 1000, seed: 'hutong' })
  expect(faultsOf(() => readConfig({ ...file, HUTONG_SAMPLES_HTTP_HOST: '0.0.0.0' }))).toHaveLength(1)
})
