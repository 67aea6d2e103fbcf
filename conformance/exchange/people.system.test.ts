/** People enter a real node with what the identity provider says of them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatProviderFile } from '../identity/people.ts'
import { loginAs } from '../identity/person.ts'
import { type DemoProvider, startDemoProvider } from '../identity/provider.ts'
import { eventually, startTestbed, type Testbed } from './testbed.ts'

const NODE = '530000'
const AUDIENCE = 'urn:hutong:people:530000'
let folder = ''
let provider: DemoProvider
let bed: Testbed
let port = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hutong-people-'))
  provider = await startDemoProvider({ port: 0 })
  port = Number(new URL(provider.issuer).port)
  const identityProviderFile = join(folder, 'provider.json')
  await writeFile(identityProviderFile, formatProviderFile(provider.issuer, AUDIENCE, NODE))
  bed = await startTestbed(1, { identityProviderFile })
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
  await provider?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

async function get(token: string, path: string): Promise<string> {
  const response = await fetch(`${bed.node(NODE).url}${path}`, { headers: { authorization: `Bearer ${token}` } })
  const { code = 'answered' } = (await response.json()) as { code?: string }
  return response.ok ? 'answered' : code
}
const person = (login: string, audience = AUDIENCE) => loginAs(provider.issuer, login, audience)

describe('a person of the identity provider', () => {
  it.each([
    ['inspector', '/v1/credit', 'answered'],
    ['inspector', '/v1/audit', 'ACCESS_DENIED'],
    ['auditor', '/v1/audit', 'answered'],
    ['auditor', '/v1/credit', 'ACCESS_DENIED'],
    ['statistician', '/v1/statistics/trades', 'answered'],
    ['supervisor', '/v1/trade', 'answered'],
    ['sysadmin', '/v1/trade', 'ACCESS_DENIED'],
    ['visitor', '/v1/trade', 'ACCESS_DENIED'],
    ['double', '/v1/audit', 'ACCESS_DENIED'],
  ])('%s asks %s: %s', async (login, path, outcome) => {
    expect(await get(await person(login), path)).toBe(outcome)
  })

  it('stands in the audit log under a pseudonym, never by name', async () => {
    await get(await person('inspector'), '/v1/credit')
    const entries = await bed.nodeDb(NODE).selectFrom('audit').selectAll().where('roles', '=', 'discipline-inspector').execute()
    expect(entries.map(({ actor }) => actor)).toEqual(expect.arrayContaining([expect.stringMatching(/^person:[\w-]{27}$/)]))
    expect(new Set(entries.map(({ actor }) => actor)).size).toBe(1)
    expect(JSON.stringify(entries)).not.toContain('"inspector')
  })

  it('is refused with a token for another audience, of another issuer, forged, or changed', async () => {
    const good = await person('inspector')
    const claims = decodeJwt(good)
    const { privateKey } = await generateKeyPair('ES256')
    const forged = (changes: object, typ = 'at+jwt') =>
      new SignJWT({ ...claims, ...changes }).setProtectedHeader({ alg: 'ES256', typ, kid: 'forged' }).sign(privateKey)
    const [header = '', , signature = ''] = good.split('.')
    const changed = Buffer.from(JSON.stringify({ ...claims, groups: ['audit-office'] })).toString('base64url')
    for (const token of [
      await person('inspector', 'urn:hutong:people:520000'),
      await forged({}),
      await forged({ iss: 'http://127.0.0.1:1' }),
      await forged({}, 'JWT'),
      `${header}.${changed}.${signature}`,
    ])
      expect(await get(token, '/v1/credit')).toBe('REQUEST_UNAUTHORIZED')
  })

  it('enters after the provider has new keys, and the token under the old one ends', async () => {
    const old = await person('inspector')
    expect(await get(old, '/v1/credit')).toBe('answered')
    await provider[Symbol.asyncDispose]()
    provider = await startDemoProvider({ port })
    const fresh = await person('inspector')
    await eventually(
      'the new key is fetched',
      () => get(fresh, '/v1/credit'),
      outcome => outcome === 'answered',
    )
    expect(await get(old, '/v1/credit')).toBe('REQUEST_UNAUTHORIZED')
  })

  it('cannot be checked while a provider is away that was never asked before: that is no refusal', async () => {
    const token = await person('inspector')
    await bed.stopNode(NODE)
    await provider[Symbol.asyncDispose]()
    await bed.startNode(NODE)
    expect(await get(token, '/v1/credit')).toBe('IDENTITY_PROVIDER_UNAVAILABLE')
    provider = await startDemoProvider({ port })
    expect(await get(await person('inspector'), '/v1/credit')).toBe('answered')
  })
})
