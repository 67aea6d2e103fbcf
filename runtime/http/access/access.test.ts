import { fastify } from 'fastify'
import { describe, expect, it } from 'vitest'
import { formatClient, parseClient } from './client-description.ts'
import { createGuard, purposeOf } from './guard.ts'
import { parseIdentityProvider, rightsOf } from './identity-provider.ts'
import { issuerOf } from './token-server.ts'

const KEY = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
const CLIENT = { id: 'clerk-1', keys: [KEY], roles: ['centre-clerk'] }

describe('a client that is registered', () => {
  it('comes back from its description as it went in', async () => {
    const description = formatClient(await parseClient({ ...CLIENT, per_minute: 7 }))
    expect(description).toMatchObject({ id: 'clerk-1', name: 'clerk-1', roles: ['centre-clerk'], per_minute: 7 })
    expect(formatClient(await parseClient(JSON.parse(JSON.stringify(description))))).toEqual(description)
  })

  it.each([
    ['has no identifier', { id: undefined }],
    ['calls itself operator', { id: 'operator' }],
    ['has capitals in its identifier', { id: 'Clerk' }],
    ['has no key', { keys: [] }],
    ['brings its private key', { keys: [{ ...KEY, d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A' }] }],
    ['has a symmetric key', { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] }],
    ['has an RSA key that is too short', { keys: [{ kty: 'RSA', n: 'AQAB', e: 'AQAB' }] }],
    ['has a key that is none', { keys: [{ ...KEY, x: 'AA' }] }],
    ['asks for no limit', { per_minute: 1_000_000 }],
    ['has no role', { roles: [] }],
    ['has a mistyped member', { region: ['530000'] }],
  ])('is refused if it %s', async (_, change) => {
    await expect(parseClient({ ...CLIENT, ...change })).rejects.toMatchObject({ code: 'CLIENT_INVALID' })
  })
})

describe('the guard', () => {
  const never = () => Promise.reject(new Error('not asked'))
  const guard = createGuard({
    authenticate: never,
    audit: { append: never, appendIn: never, last: never, written: () => null, onWritten() {}, [Symbol.asyncDispose]: never },
    duties: { held: never, heldIn: never, take: never },
    pseudonyms: { person: String, key: String, deal: String, request: String },
    clock: () => new Date(0),
  })

  it('lets no route be built that names no operation of the table', () => {
    const server = fastify()
    guard.install(server)
    expect(() => server.get('/open', () => 'x')).toThrow(/CONFIG_INVALID: (GET|HEAD).*\/open names no operation/)
    const access = { operation: 'record.burn' as 'record.read' }
    expect(() => server.get('/typo', { config: { access } }, () => 'x')).toThrow('names no operation')
    server.get('/known', { config: { access: { operation: 'record.read' } } }, () => 'x')
  })

  it('reads a purpose from a closed list, with the deal', () => {
    expect(purposeOf(undefined)).toEqual({ purpose: null, deal: null })
    expect(purposeOf('supervision')).toEqual({ purpose: 'supervision', deal: null })
    expect(purposeOf('evaluation; deal=A99-1')).toEqual({ purpose: 'evaluation', deal: 'A99-1' })
    for (const text of ['', 'curiosity', 'evaluation deal=1', 'evaluation; deal=', '张三'])
      expect(() => purposeOf(text)).toThrow('Hutong-Purpose')
  })

  it('gives every program of every federation a name of its own', () => {
    expect(issuerOf('pilot', '530000')).toBe('urn:hutong:pilot:530000')
  })
})

describe('the identity provider', () => {
  const file = (change: object = {}) =>
    JSON.stringify({
      issuer: 'https://id.example.cn',
      audience: 'urn:x',
      groups: {
        housing: { roles: ['sector-supervisor'], regions: ['530100'], sectors: ['A01'] },
        works: { roles: ['sector-supervisor'], regions: ['530300'], sectors: ['A01'] },
        water: { roles: ['sector-supervisor'], regions: ['530300'], sectors: ['A07'] },
        audit: { roles: ['auditor'] },
        security: { roles: ['security-administrator'] },
      },
      ...change,
    })

  it('adds up the scopes of a person’s groups where that gives no more than they did, and refuses the rest', () => {
    const config = parseIdentityProvider(file(), 'f')
    expect(rightsOf(['housing', 'works', 'choir'], config)).toMatchObject({
      roles: ['sector-supervisor'],
      regions: ['530100', '530300'],
      sectors: ['A01'],
      platforms: null,
    })
    expect(() => rightsOf(['housing', 'water'], config)).toThrow('do not add up')
    expect(rightsOf(['choir'], config)).toBeNull()
    expect(() => rightsOf(['audit', 'security'], config)).toThrow('exclude each other')
  })

  it.each([
    ['an issuer in plain text', { issuer: 'http://id.example.cn' }],
    ['no audience', { audience: '' }],
    ['a mistyped member', { audiences: 'x' }],
    ['a group with an unknown role', { groups: { a: { roles: ['king'] } } }],
    ['a group with a role that lacks its scope', { groups: { a: { roles: ['sector-supervisor'] } } }],
  ])('is not configured with %s', (_, change) => {
    expect(() => parseIdentityProvider(file(change), 'f')).toThrow('CONFIG_INVALID')
  })
})
