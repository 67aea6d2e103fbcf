import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { afterEach, expect, test } from 'vitest'
import { OPERATOR } from '../../schemas/access/subjects.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { createLogger } from '../log.ts'
import type { Guard } from './access/guard.ts'
import { listen } from './listen.ts'
import type { Problem } from './problems.ts'
import { buildServer, type ServerOptions } from './server.ts'

const lines: string[] = []
const opened: FastifyInstance[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map(server => server.close()))
  lines.length = 0
})

const SECRET = '530102199001011234'
const QUERY = { type: 'object', properties: { limit: { type: 'integer', minimum: 1, maximum: 500 }, region: { type: 'string' } } }
const BODY = {
  type: 'object',
  required: ['seq', 'name'],
  additionalProperties: false,
  properties: { seq: { type: 'integer' }, name: { type: 'string' }, list: { type: 'array', items: { type: 'integer' } } },
}
const PATH = { type: 'object', required: ['seq'], properties: { seq: { type: 'integer', minimum: 1 } } }

const build = async (options: Partial<ServerOptions> = {}): Promise<FastifyInstance> => {
  const server = await buildServer({
    program: 'hub',
    logger: createLogger({ program: 'hub', level: 'debug', destination: { write: line => void lines.push(line) } }),
    openapi: { title: 'Hub', titleZh: '枢纽', version: '1.2.3' },
    checks: [{ name: 'database', zh: '数据库', run: () => Promise.resolve({ ok: true }) }],
    ...options,
  })
  opened.push(server)
  server.get('/v1/entities', { schema: { querystring: QUERY } }, request => ({ query: request.query }))
  server.get('/v1/logs/:seq', { schema: { params: PATH } }, request => ({ path: request.params }))
  server.post('/v1/envelopes', { schema: { body: BODY } }, request => ({ body: request.body }))
  server.get('/v1/plain', () => ({}))
  server.get('/v1/gap', () => {
    throw new ExchangeError('LOG_GAP', 'expected 5, came 7', { detail: { expected: 5 }, cause: new Error(SECRET) })
  })
  server.get('/v1/broken', () => {
    throw Object.assign(new Error(`duplicate key ${SECRET}`), { statusCode: 418, code: '23505' })
  })
  return server
}

type Ask = InjectOptions | string

const problemOf = async (server: FastifyInstance, ask: Ask) => {
  const answer = await server.inject(ask)
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  const problem = answer.json<Problem>()
  expect(problem.status).toBe(answer.statusCode)
  return { problem, headers: answer.headers, raw: answer.body }
}

test('an ExchangeError becomes a problem detail in both languages, with retry, detail and the identifier of the request', async () => {
  const { problem, headers, raw } = await problemOf(await build(), '/v1/gap')
  expect(problem).toEqual({
    type: 'urn:hutong:problem:LOG_GAP',
    title: 'Envelopes before this one are missing.',
    title_zh: '此信封之前有缺失的信封。',
    status: 409,
    detail: 'expected 5, came 7',
    code: 'LOG_GAP',
    retry: true,
    instance: expect.stringMatching(/^[0-9a-f-]{36}$/),
    about: { expected: 5 },
  })
  expect(headers['retry-after']).toBe('5')
  expect(raw).not.toContain(SECRET)
  expect(lines.some(line => line.includes(problem.instance))).toBe(true)
})

test('a foreign error is INTERNAL and shows nothing of its message, neither to the caller nor in the log', async () => {
  const { problem, raw } = await problemOf(await build(), '/v1/broken')
  expect(problem).toMatchObject({ code: 'INTERNAL', status: 500, retry: true })
  expect(raw + lines.join('')).not.toContain(SECRET)
  expect(lines.some(line => line.includes('"level":"error"') && line.includes('23505'))).toBe(true)
})

test.each<[string, Ask, string, number, readonly string[] | undefined]>([
  ['an address that is not there', '/v1/nowhere', 'ROUTE_UNKNOWN', 404, undefined],
  ['a method that the address does not have', { method: 'DELETE', url: '/v1/plain' }, 'ROUTE_UNKNOWN', 404, undefined],
  ['a path that is no URL', '/v1/logs/%zz', 'REQUEST_INVALID', 400, undefined],
  ['a path parameter outside its bounds', '/v1/logs/0', 'REQUEST_INVALID', 400, ['path/seq: must be >= 1']],
  [
    'every fault of a query, unknown parameters by name',
    '/v1/entities?limit=0&regoin=53&page=2',
    'REQUEST_INVALID',
    400,
    ['query: "regoin" is not known here', 'query: "page" is not known here', 'query/limit: must be >= 1'],
  ],
  ['a parameter given twice', '/v1/entities?limit=1&limit=2', 'REQUEST_INVALID', 400, ['query/limit: must be integer']],
  ['a parameter where the address takes none', '/v1/plain?a=1', 'REQUEST_INVALID', 400, ['query: "a" is not known here']],
  [
    'every fault of a body, whose types are not converted',
    { method: 'POST', url: '/v1/envelopes', payload: { seq: '7', extra: 1 } },
    'REQUEST_INVALID',
    400,
    ["body: must have required property 'name'", 'body: "extra" is not known here', 'body/seq: must be integer'],
  ],
  [
    'a body that is not JSON',
    { method: 'POST', url: '/v1/envelopes', headers: { 'content-type': 'application/json' }, payload: `{"${SECRET}` },
    'REQUEST_INVALID',
    400,
    undefined,
  ],
  [
    'an empty body',
    { method: 'POST', url: '/v1/envelopes', headers: { 'content-type': 'application/json' } },
    'REQUEST_INVALID',
    400,
    undefined,
  ],
  [
    'a media type that nobody reads here',
    { method: 'POST', url: '/v1/envelopes', headers: { 'content-type': 'application/xml' }, payload: '<a/>' },
    'REQUEST_MEDIA_TYPE_REFUSED',
    415,
    undefined,
  ],
  [
    'a body above the limit',
    { method: 'POST', url: '/v1/envelopes', payload: { seq: 1, name: 'x'.repeat(1_048_576) } },
    'REQUEST_TOO_LARGE',
    413,
    undefined,
  ],
])('refuses %s', async (_, ask, code, status, errors) => {
  const { problem, raw } = await problemOf(await build(), ask)
  expect(problem).toMatchObject({ code, status, retry: false })
  if (errors) expect([...(problem.errors ?? [])].sort()).toEqual([...errors].sort())
  expect(raw).not.toContain(SECRET)
})

test('a large body is told its first fault only', async () => {
  const payload = { seq: 1, name: 'x', list: Array.from({ length: 40_000 }, () => 'x') }
  const { problem } = await problemOf(await build(), { method: 'POST', url: '/v1/envelopes', payload })
  expect(problem.errors).toEqual(['body/list/0: must be integer'])
})

test('converts query and path to the types that the schema names', async () => {
  const server = await build()
  expect((await server.inject('/v1/entities?limit=20&region=53')).json()).toEqual({ query: { limit: 20, region: '53' } })
  expect((await server.inject('/v1/logs/7')).json()).toEqual({ path: { seq: 7 } })
})

test('limits the rate of each address and of each known caller by itself, says when to come back, and never counts health', async () => {
  const guard: Guard = {
    install(server) {
      server.decorateRequest('subject', null)
      server.addHook('onRequest', async request => {
        const id = request.headers['x-known']
        if (id === 'operator') request.subject = OPERATOR
        else if (id !== undefined) request.subject = { ...OPERATOR, kind: 'client', id: String(id), perMinute: 1 }
      })
    },
  }
  const server = await build({ rateLimit: { perMinute: 2 }, guard })
  const from = (remoteAddress: string, url = '/v1/plain', headers = {}) => ({ url, remoteAddress, headers })
  for (const url of ['/v1/plain', '/v1/nowhere']) await server.inject(from('192.0.2.1', url))
  const { problem, headers } = await problemOf(server, from('192.0.2.1'))
  expect(problem).toMatchObject({ code: 'REQUEST_RATE_LIMITED', status: 429, retry: true })
  expect(Number(headers['retry-after'])).toBeGreaterThan(5)
  const statuses = await Promise.all([
    server.inject(from('192.0.2.1', '/health/live')),
    server.inject(from('192.0.2.1', '/health/ready')),
    server.inject(from('192.0.2.1', '/v1/plain', { 'x-known': 'operator' })),
    server.inject(from('192.0.2.1', '/v1/plain', { 'x-known': 'one' })),
    server.inject(from('192.0.2.2')),
  ])
  expect(statuses.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 200, 200])
  expect((await server.inject(from('192.0.2.3', '/v1/plain', { 'x-known': 'one' }))).statusCode).toBe(429)
})

test('describes every route in an OpenAPI 3.1 document', async () => {
  const document = (await (await build()).inject('/openapi.json')).json()
  expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Hub 枢纽', version: '1.2.3', 'x-title-zh': '枢纽' } })
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining(['/health/live', '/health/ready', '/v1/entities', '/v1/logs/{seq}', '/v1/envelopes']),
  )
})

test('sends the protective header fields of a browser-facing service', async () => {
  const { headers } = await (await build()).inject('/v1/plain')
  expect(headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'content-security-policy': expect.stringContaining("default-src 'self'"),
  })
})

test('logs the route of a request and never its address or query', async () => {
  await (await build()).inject('/v1/logs/991234?x=swordfish')
  const line = lines.find(one => one.includes('"msg":"request"'))
  expect(JSON.parse(line ?? '{}')).toMatchObject({ route: '/v1/logs/:seq', method: 'GET', status: 400 })
  expect(lines.join('')).not.toContain('swordfish')
})

test('answers even what is not HTTP with a problem detail', async () => {
  const url = new URL(await listen(await build(), { host: '127.0.0.1', port: 0 }))
  const socket = connect(Number(url.port), url.hostname)
  socket.write('nonsense\r\n\r\n')
  const answer = await text(socket)
  expect(answer).toMatch(/^HTTP\/1\.1 400 /)
  expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({ code: 'REQUEST_INVALID', status: 400 })
})

test('listens on a free port, answers the URL, and refuses a taken one with a code', async () => {
  const url = await listen(await build(), { host: '127.0.0.1', port: 0 })
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9][0-9]+$/)
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
  const taken = listen(await build(), { host: '127.0.0.1', port: Number(new URL(url).port) })
  await expect(taken).rejects.toMatchObject({ code: 'ADDRESS_UNAVAILABLE' })
})
