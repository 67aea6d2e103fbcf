import { describe, expect, it } from 'vitest'
import { isExchangeError } from '../../schemas/errors.ts'
import { parseLoginClients } from './clients.ts'

const GOOD = {
  id: 'yunnan-trading',
  zh: '云南交易系统',
  en: 'Yunnan trading system',
  redirect_uris: ['https://jy.example.cn/callback'],
  scopes: ['openid', 'organisation'],
}
const faultsOf = (...clients: readonly object[]): readonly string[] => {
  try {
    parseLoginClients(JSON.stringify(clients))
    return []
  } catch (error) {
    if (!isExchangeError(error)) throw error
    expect(error.code).toBe('CONFIG_INVALID')
    return error.detail.faults as readonly string[]
  }
}

describe('the clients file', () => {
  it('gives what it does not say: a public client, ES256, a sector of its own', () => {
    expect(parseLoginClients(JSON.stringify([GOOD]))).toEqual([
      {
        id: 'yunnan-trading',
        zh: '云南交易系统',
        en: 'Yunnan trading system',
        redirectUris: ['https://jy.example.cn/callback'],
        scopes: ['openid', 'organisation'],
        auth: 'none',
        secretSha256: null,
        keys: [],
        idTokenAlgorithm: 'ES256',
        sector: 'yunnan-trading',
      },
    ])
  })

  it.each([
    ['http outside this machine', 'http://jy.example.cn/callback'],
    ['a fragment', 'https://jy.example.cn/#x'],
    ['a wildcard', 'https://*.example.cn/callback'],
    ['a user', 'https://me@jy.example.cn/callback'],
    ['a form that a parser changes', 'https://JY.example.cn/callback'],
    ['dots', 'https://jy.example.cn/a/../callback'],
    ['another scheme', 'javascript:alert(1)'],
  ])('refuses a redirect URI with %s', (_, uri) => {
    expect(faultsOf({ ...GOOD, redirect_uris: [uri] })).toEqual([expect.stringContaining('redirect_uris')])
  })

  it('allows http on this machine, for a sample', () => {
    expect(faultsOf({ ...GOOD, redirect_uris: ['http://127.0.0.1:8080/callback'] })).toEqual([])
  })

  it('names every fault of every client at once', () => {
    const faults = faultsOf({ ...GOOD, id: 'X', scopes: ['everything'], colour: 'red' }, GOOD, { ...GOOD, auth: 'private_key_jwt' })
    expect(faults.map(fault => fault.split(':').slice(0, 2).join(':'))).toEqual([
      'client 1: colour is none of id, zh, en, redirect_uris, scopes, auth, secret_sha256, keys, id_token_alg, sector',
      'client 1: id',
      'client 1: scopes',
      'client 1: sector',
      'client 3: keys',
      'id yunnan-trading stands twice',
    ])
  })

  it('holds no secrets: neither a secret itself nor a private key is taken', () => {
    expect(faultsOf({ ...GOOD, auth: 'client_secret_basic', secret_sha256: 'my secret' })).toHaveLength(1)
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: 'x', d: 'd' }
    expect(faultsOf({ ...GOOD, auth: 'private_key_jwt', keys: [jwk] })).toEqual([expect.stringContaining('keys')])
  })

  it('refuses what is no list, without quoting it', () => {
    for (const text of ['{', '{}', 'secret'])
      expect(() => parseLoginClients(text)).toThrow('CONFIG_INVALID: expected a JSON list of clients')
  })
})
