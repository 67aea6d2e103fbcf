import { expect, test } from 'vitest'
import { ExchangeError } from '../../schemas/errors.ts'
import { createLogger } from '../log.ts'
import { askingCheck, type HealthCheck, type HealthResult } from './health.ts'
import { buildServer } from './server.ts'

const check = (name: string, run: () => Promise<HealthResult>): HealthCheck => ({ name, zh: '检查', run })
const good = () => Promise.resolve({ ok: true })

const ready = async (checks: readonly HealthCheck[]) => {
  const lines: string[] = []
  const logger = createLogger({ program: 'node', level: 'warn', destination: { write: line => void lines.push(line) } })
  const server = await buildServer({ program: 'node', logger, openapi: { title: 'Node', titleZh: '节点', version: '1' }, checks })
  const answer = await server.inject('/health/ready')
  const live = await server.inject('/health/live')
  await server.close()
  return { status: answer.statusCode, body: answer.json(), live: live.statusCode, lines, caching: answer.headers['cache-control'] }
}

test('is ready when every check passes', async () => {
  const { status, body, caching } = await ready([check('database', good), check('broker', good)])
  expect({ status, body, caching }).toEqual({
    status: 200,
    caching: 'no-store',
    body: {
      ready: true,
      program: 'node',
      checks: [
        { name: 'database', zh: '检查', ok: true },
        { name: 'broker', zh: '检查', ok: true },
      ],
    },
  })
})

test('is not ready when one check fails, says which, why and what to do, and stays live', async () => {
  const failure = { ok: false, reason: 'no connection', todo: 'start the broker' }
  const { status, body, live } = await ready([check('database', good), check('broker', () => Promise.resolve(failure))])
  expect({ status, live }).toEqual({ status: 503, live: 200 })
  expect(body).toMatchObject({ ready: false, checks: [{ ok: true }, { name: 'broker', ...failure }] })
})

test('a check that throws fails: with its reason if coded, without the message if foreign', async () => {
  const { body, lines } = await ready([
    check('database', () => Promise.reject(new ExchangeError('DATABASE_UNAVAILABLE', 'no answer'))),
    check('broker', () => {
      throw new Error('password=swordfish')
    }),
  ])
  expect(body.checks).toMatchObject([
    { ok: false, reason: 'DATABASE_UNAVAILABLE: no answer' },
    { ok: false, reason: 'the check itself failed' },
  ])
  expect(lines).toHaveLength(2)
  expect(JSON.stringify([body, lines])).not.toContain('swordfish')
})

test('refuses to build a service that has no check', async () => {
  await expect(ready([])).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

test('keeps an answer for a while, then asks again', async () => {
  let at = 0
  let runs = 0
  const ask = askingCheck(
    check('database', () => Promise.resolve({ ok: ++runs > 1 })),
    { failed: () => undefined, now: () => at },
  )
  expect(await Promise.all([ask(), ask()])).toMatchObject([{ ok: false }, { ok: false }])
  at = 999
  expect(await ask()).toMatchObject({ ok: false })
  at = 1000
  expect(await ask()).toMatchObject({ ok: true })
  expect(runs).toBe(2)
})

test('a check that hangs fails in time and is not started again until it ends', async () => {
  let at = 0
  let runs = 0
  const hanging = Promise.withResolvers<HealthResult>()
  const run = () => {
    runs += 1
    return runs === 1 ? hanging.promise : good()
  }
  const ask = askingCheck(check('broker', run), { failed: () => undefined, now: () => at, times: { timeoutMs: 5, keptMs: 1000 } })
  expect(await ask()).toMatchObject({ ok: false, reason: 'no answer within 5 ms' })
  at = 2000
  expect(await ask()).toMatchObject({ ok: false })
  expect(runs).toBe(1)
  hanging.resolve({ ok: true })
  await hanging.promise
  at = 4000
  expect(await ask()).toMatchObject({ ok: true })
})
