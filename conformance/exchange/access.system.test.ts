/** Who may do what at a real hub and a real node: every role against every operation, and what a thief or a forger would try. */
import { createHmac } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWTPayload, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signAssertion } from '../../runtime/http/access/client.ts'
import { decide } from '../../schemas/access/decision.ts'
import { OPERATIONS } from '../../schemas/access/operations.ts'
import type { RoleName } from '../../schemas/access/roles.ts'
import { DEMO_CLIENTS } from '../federation/clients.ts'
import { accessGround, NODE, PROBES, refusedForAccess, subjectOf } from './access-ground.ts'
import { deal, legalPerson, project } from './rows.ts'
import { eventually, ingestRows, operator, startTestbed, type Testbed } from './testbed.ts'

const roads = project('P-3', '530100')
let bed: Testbed
const { ask, exchange } = accessGround(() => bed)
beforeAll(async () => {
  bed = await startTestbed()
  await ingestRows(bed, NODE, [
    legalPerson('91530100MA6K00001A', '云企'),
    project('P-1', '530100'),
    deal('S-1', 'P-1', '100.00', { region: '530100' }),
    { ...roads, DATA: { ...roads.DATA, TENDER_PROJECT_TYPE: 'A03' } },
    project('P-2', '520100'),
    deal('S-2', 'P-2', '100.00', { region: '520100' }),
  ])
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

describe('the matrix of roles and operations', () => {
  it('has a probe for every operation that a program offers today', () => {
    const later = /^(membership|key|alliance|federation|policy|broker)\./
    const probed = new Set(PROBES.map(({ operation }) => operation))
    const missing = OPERATIONS.filter(({ name, kind }) => kind !== 'open' && !later.test(name) && !probed.has(name))
    expect(missing).toEqual([])
  })

  it.each(DEMO_CLIENTS)('admits a %s to what the table grants, and to nothing else', async role => {
    const tokens = new Map(await Promise.all([NODE, 'hub'].map(async at => [at, await bed.tokenOf(at, role)] as const)))
    const wrong: string[] = []
    for (const { operation, at, resource, call } of PROBES) {
      const answer = await ask(at, tokens.get(at) ?? '', ...call)
      const expected = decide(subjectOf(role), operation, resource).allow
      if (refusedForAccess(answer) === expected)
        wrong.push(`${role} ${call[0]} ${call[1]} at ${at}: ${answer.status} ${answer.code}`)
    }
    expect(wrong).toEqual([])
  })

  it.each<readonly [RoleName, string, string, number]>([
    ['system-administrator', NODE, '/v1/credit', 403],
    ['system-administrator', NODE, '/v1/access/clients', 403],
    ['security-administrator', NODE, '/v1/access/clients', 200],
    ['security-administrator', NODE, '/v1/audit', 403],
    ['security-administrator', NODE, '/v1/entity', 403],
    ['auditor', NODE, '/v1/audit?limit=1', 200],
    ['auditor', NODE, '/v1/trade', 403],
    ['statistician', NODE, '/v1/statistics/trades', 200],
    ['statistician', NODE, '/v1/expert', 403],
    ['discipline-inspector', NODE, '/v1/credit', 200],
    ['centre-clerk', NODE, '/v1/audit', 403],
    ['local-trading-system', NODE, '/v1/statistics/trades', 403],
    ['comprehensive-supervisor', NODE, '/v1/certificate-uses', 200],
    ['local-trading-system', NODE, '/v1/certificate-uses', 403],
    ['sector-supervisor', NODE, '/v1/supervision', 403],
    ['discipline-inspector', 'hub', '/v1/members', 200],
    ['centre-clerk', 'hub', '/v1/members', 403],
  ])('as written down by hand: %s at %s GET %s is %i', async (role, at, path, status) => {
    expect((await ask(at, await bed.tokenOf(at, role), 'GET', path)).status).toBe(status)
  })

  it('leaves nothing open but health, descriptions and the token endpoint', async () => {
    for (const at of [NODE, 'hub']) {
      const { body } = await ask(at, null, 'GET', '/openapi.json')
      const routes = Object.entries(body.paths as { [path: string]: object }).flatMap(([path, methods]) =>
        Object.keys(methods).map(method => [method.toUpperCase(), path] as const),
      )
      expect(routes.length).toBeGreaterThan(12)
      const open: string[] = []
      for (const [method, path] of routes) {
        const { status } = await ask(at, null, method, path.replaceAll(/\{[a-z]+\}/g, '1'))
        if (status !== 401) open.push(path)
      }
      const known = ['/health/live', '/health/ready', '/oauth/token']
      expect(
        open.filter(path => !known.includes(path) && !/^\/(\.well-known|federation|v1\/join|v1\/interfaces)/.test(path)),
      ).toEqual([])
    }
  })
})

describe('scope', () => {
  it('shows a supervisor the deals of his region only, in the list and by key', async () => {
    await eventually(
      'both deals',
      async () => (await ask(NODE, await bed.token(NODE), 'GET', '/v1/trade/S-2')).status,
      status => status === 200,
    )
    const token = await bed.tokenOf(NODE, 'comprehensive-supervisor')
    const keys = async (who: string) =>
      ((await ask(NODE, who, 'GET', '/v1/trade')).body.items as { key: string }[]).map(({ key }) => key).sort()
    expect(await keys(await bed.token(NODE))).toEqual(['P-1', 'P-2', 'P-3', 'S-1', 'S-2'])
    expect(await keys(token)).toEqual(['P-1', 'P-3', 'S-1'])
    expect((await ask(NODE, token, 'GET', '/v1/trade/S-2')).code).toBe('RECORD_UNKNOWN')
    expect((await ask(NODE, token, 'GET', '/v1/trade/S-1')).status).toBe(200)
    const sector = await bed.tokenOf(NODE, 'sector-supervisor')
    expect(await keys(sector)).toEqual(['P-1', 'S-1'])
  })

  it('refuses by themselves the rows of a platform or a dataset that its bringer does not speak for', async () => {
    const foreign = legalPerson('91530100MA6K00003C', '乙')
    const rows = [legalPerson('91530100MA6K00002B', '甲'), { ...foreign, DATA: { ...foreign.DATA, PLATFORM_CODE: '520000-01' } }]
    const body = rows.map(row => JSON.stringify(row)).join('\n')
    const path = '/v1/ingest/national?platform=530000-01'
    const system = await bed.tokenOf(NODE, 'local-trading-system')
    const { body: sum } = await ask(NODE, system, 'POST', path, body, 'application/octet-stream')
    expect(sum).toMatchObject({ rows: 2, sealed: 1, refused: 1, refusals: [{ line: 2, code: 'ACCESS_OUT_OF_SCOPE' }] })
    const registrar = await bed.tokenOf(NODE, 'registrar')
    const trade = JSON.stringify(project('P-9', '530100'))
    const { body: none } = await ask(NODE, registrar, 'POST', path, trade, 'application/octet-stream')
    expect(none).toMatchObject({ sealed: 0, refused: 1, refusals: [{ code: 'ACCESS_DENIED' }] })
  })

  it('lets nobody erase a deal that he entered, and another clerk may', async () => {
    const token = await bed.tokenOf(NODE, 'centre-clerk')
    const rows = [project('P-7', '530100'), deal('S-7', 'P-7', '1.00', { region: '530100' })]
    const path = '/v1/ingest/national?platform=530000-01'
    const lines = rows.map(row => JSON.stringify(row)).join('\n')
    expect((await ask(NODE, token, 'POST', path, lines, 'application/octet-stream')).body).toMatchObject({ sealed: 2 })
    const order = { dataset: 'trade', key: 'S-7', why: 'ordered' }
    expect((await ask(NODE, token, 'POST', '/v1/redactions', order)).code).toBe('ACCESS_DUTY_CONFLICT')
    expect((await ask(NODE, token, 'POST', '/v1/redactions', { ...order, key: 'S-1' })).code).toBe('REDACTION_NOT_ALLOWED')
    expect((await ask(NODE, await bed.token(NODE), 'POST', '/v1/redactions', order)).code).toBe('REDACTION_NOT_ALLOWED')
  })
})

describe('credentials', () => {
  const asClerk = async (claims: JWTPayload = {}, header: object = {}) => {
    const { id, issuer, jwk } = await bed.clientFile(NODE, 'centre-clerk')
    const now = Math.floor(Date.now() / 1000)
    const kid = await calculateJwkThumbprint(jwk)
    return new SignJWT({ iss: id, sub: id, aud: issuer, iat: now, exp: now + 60, jti: crypto.randomUUID(), ...claims })
      .setProtectedHeader({ alg: 'Ed25519', kid, ...header })
      .sign(await importJWK(jwk, 'Ed25519'))
  }

  it('takes an assertion once', async () => {
    const assertion = await asClerk()
    expect((await exchange(NODE, assertion)).status).toBe(200)
    expect(await exchange(NODE, assertion)).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    const [a, b] = await Promise.all([0, 1].map(async () => asClerk({ jti: 'the-same-twice-at-once' })))
    const statuses = await Promise.all([exchange(NODE, a ?? ''), exchange(NODE, b ?? '')])
    expect(statuses.map(({ status }) => status).sort()).toEqual([200, 401])
  })

  it.each<readonly [string, JWTPayload]>([
    ['has expired', { exp: 1_700_000_000 }],
    ['is good for too long', { exp: Math.floor(Date.now() / 1000) + 86_400 }],
    ['names another audience', { aud: 'urn:hutong:other:530000' }],
    ['names several audiences', { aud: ['urn:hutong:other:530000'] }],
    ['has another issuer than subject', { iss: 'auditor' }],
    ['speaks for another client', { iss: 'auditor', sub: 'auditor' }],
    ['has no jti', { jti: undefined as never }],
  ])('refuses an assertion that %s', async (_, claims) => {
    expect((await exchange(NODE, await asClerk(claims))).status).toBe(401)
  })

  it('refuses an assertion for another program of the federation', async () => {
    expect((await exchange('hub', await asClerk())).status).toBe(401)
  })

  it('refuses confused algorithms: none, and an HMAC under the public key', async () => {
    const { id, issuer, jwk } = await bed.clientFile(NODE, 'centre-clerk')
    const { d: _, ...publicJwk } = jwk
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: id, sub: id, aud: issuer, iat: now, exp: now + 60, jti: crypto.randomUUID() }
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const kid = await calculateJwkThumbprint(jwk)
    expect((await exchange(NODE, `${part({ alg: 'none', kid })}.${part(claims)}.`)).status).toBe(401)
    for (const secret of [JSON.stringify(publicJwk), Buffer.from(publicJwk.x ?? '', 'base64url')]) {
      const input = `${part({ alg: 'HS256', kid })}.${part(claims)}`
      const forged = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
      expect((await exchange(NODE, forged)).status).toBe(401)
    }
  })

  it('accepts access tokens of its own only: none of the hub, forged, changed or an assertion', async () => {
    const own = await bed.tokenOf(NODE, 'discipline-inspector')
    expect((await ask(NODE, own, 'GET', '/v1/credit')).status).toBe(200)
    const [header = '', payload = '', signature = ''] = own.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    expect(claims).toMatchObject({ client_id: 'discipline-inspector', iss: claims.aud })
    expect(claims.exp - claims.iat).toBeLessThanOrEqual(300)
    const { privateKey, publicKey } = await generateKeyPair('Ed25519')
    const forge = (changes: object, kid = String(JSON.parse(Buffer.from(header, 'base64url').toString()).kid)) =>
      new SignJWT({ ...claims, ...changes }).setProtectedHeader({ alg: 'Ed25519', typ: 'at+jwt', kid }).sign(privateKey)
    const tried = [
      await bed.tokenOf('hub', 'discipline-inspector'),
      await forge({}),
      await forge({}, await calculateJwkThumbprint(await exportJWK(publicKey))),
      `${header}.${Buffer.from(JSON.stringify({ ...claims, client_id: 'auditor' })).toString('base64url')}.${signature}`,
      `${header}.${payload}.`,
      await signAssertion(await bed.clientFile(NODE, 'discipline-inspector')),
      'nonsense',
    ]
    for (const token of tried) expect((await ask(NODE, token, 'GET', '/v1/credit')).code).toBe('REQUEST_UNAUTHORIZED')
  })

  it('keeps the other token when the program starts again, where its key is published, and refuses nothing else', async () => {
    const token = await bed.tokenOf('520000', 'statistician')
    await bed.stopNode('520000')
    await bed.startNode('520000')
    expect((await ask('520000', token, 'GET', '/v1/statistics/trades')).status).toBe(200)
  })
})

describe('the register of clients', () => {
  const key = async () => exportJWK((await generateKeyPair('Ed25519', { extractable: true })).privateKey)
  const put = async (id: string, description: object) =>
    ask(NODE, await bed.tokenOf(NODE, 'security-administrator'), 'PUT', `/v1/access/clients/${id}`, description)

  it('keeps the three officers apart, takes no private key, and lets nobody change himself', async () => {
    const { d: _, ...publicJwk } = await key()
    for (const roles of [
      ['security-administrator', 'auditor'],
      ['system-administrator', 'auditor'],
      ['system-administrator', 'security-administrator'],
      ['auditor', 'centre-clerk'],
      ['operator'],
    ])
      expect((await put('two-hats', { keys: [publicJwk], roles })).code).toBe('CLIENT_INVALID')
    expect((await put('leaky', { keys: [await key()], roles: ['auditor'] })).code).toBe('CLIENT_INVALID')
    expect((await put('security-administrator', { keys: [publicJwk], roles: ['auditor'] })).code).toBe('ACCESS_DENIED')
  })

  it('makes a change felt at once: smaller rights, a new rate, removal', async () => {
    const jwk = await key()
    const { d: _, ...publicJwk } = jwk
    const { issuer } = await bed.clientFile(NODE, 'auditor')
    expect((await put('reader', { keys: [publicJwk], roles: ['discipline-inspector'] })).status).toBe(201)
    const { body } = await exchange(NODE, await signAssertion({ id: 'reader', issuer, jwk }))
    const token = String(body.access_token)
    const read = () => ask(NODE, token, 'GET', '/v1/credit')
    expect((await read()).status).toBe(200)
    await put('reader', { keys: [publicJwk], roles: ['statistician'] })
    expect((await read()).code).toBe('ACCESS_DENIED')
    await put('reader', { keys: [publicJwk], roles: ['discipline-inspector'], per_minute: 4 })
    const statuses: number[] = []
    for (let n = 0; n < 6; n += 1) statuses.push((await read()).status)
    expect(statuses.filter(status => status === 429).length).toBeGreaterThanOrEqual(2)
    expect((await ask(NODE, await bed.tokenOf(NODE, 'discipline-inspector'), 'GET', '/v1/credit')).status).toBe(200)
    const remove = async () => ask(NODE, await bed.tokenOf(NODE, 'security-administrator'), 'DELETE', '/v1/access/clients/reader')
    expect((await remove()).status).toBe(200)
    expect((await read()).code).toBe('REQUEST_UNAUTHORIZED')
    expect((await exchange(NODE, await signAssertion({ id: 'reader', issuer, jwk }))).status).toBe(401)
    expect((await remove()).code).toBe('CLIENT_UNKNOWN')
  })

  it('is not for the operator token', async () => {
    const { authorization } = await operator(bed, NODE)
    const token = authorization.slice('Bearer '.length)
    for (const path of ['/v1/access/clients', '/v1/audit']) expect((await ask(NODE, token, 'GET', path)).code).toBe('ACCESS_DENIED')
  })
})
