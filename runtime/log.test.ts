import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { expect, test } from 'vitest'
import { ExchangeError } from '../schemas/errors.ts'
import { createLogger, type Logger, type LogLevel } from './log.ts'

type Line = { readonly [name: string]: unknown }

const written = (level: LogLevel, use: (logger: Logger) => void): Line[] => {
  const lines: Line[] = []
  use(createLogger({ program: 'hub', level, destination: { write: (line: string) => void lines.push(JSON.parse(line) as Line) } }))
  return lines
}

test('writes one JSON object a line with program, level and time', () => {
  const [line, ...more] = written('info', logger => {
    logger.info({ seq: 7 }, 'applied')
    logger.debug('below the level')
  })
  expect(line).toMatchObject({ program: 'hub', level: 'info', seq: 7, msg: 'applied', pid: process.pid })
  expect(line?.time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  expect(more).toEqual([])
})

test('hides keys, tokens, bodies and credentials at any depth, in bindings of child loggers too', () => {
  const secret = 'swordfish'
  const lines = written('info', logger => {
    const hidden = { authorization: secret, Token: secret, body: { name: secret }, private_key: secret, 'set-cookie': [secret] }
    logger.info({ ...hidden, request: { headers: hidden, list: [hidden] }, held: new Map([[secret, secret]]) }, 'x')
    logger.child(hidden).info('y')
    logger.child({}).info(hidden, 'z')
  })
  expect(lines).toHaveLength(3)
  expect(lines[0]).toMatchObject({ authorization: '[hidden]', request: { list: [{ body: '[hidden]' }] }, held: '[Map]' })
  expect(lines[1]).toMatchObject({ Token: '[hidden]' })
  expect(JSON.stringify(lines)).not.toContain(secret)
})

test('prints code, reason, detail and causes of an error, but no message of a foreign one', () => {
  const refused = Object.assign(new Error('Key (id)=(530102199001011234) exists\n    at 530102199001011234'), {
    code: '23505',
    detail: 'Key (id)=(530102199001011234)',
  })
  const error = new ExchangeError('RECORD_NOT_STORABLE', 'row 3', {
    detail: { row: 3 },
    cause: new TypeError('530102199001011234', { cause: refused }),
  })
  const lines = written('info', logger => {
    logger.error(error)
    logger.error({ err: error })
    logger.error({ err: error }, 'could not store')
    logger.error(refused)
    logger.warn({ failure: [refused] }, 'kept')
  })
  expect(lines[0]).toMatchObject({
    msg: 'RECORD_NOT_STORABLE',
    err: {
      type: 'ExchangeError',
      code: 'RECORD_NOT_STORABLE',
      reason: 'row 3',
      detail: { row: 3 },
      cause: { type: 'TypeError', cause: { type: 'Error', code: '23505' } },
    },
  })
  expect(lines.map(({ msg }) => msg)).toEqual(['RECORD_NOT_STORABLE', 'RECORD_NOT_STORABLE', 'could not store', 'Error', 'kept'])
  expect(JSON.stringify(lines)).not.toContain('530102199001011234')
  expect(JSON.stringify(lines[3])).toContain('log.test.ts')
})

test('keeps what a network error names: call, code and address', () => {
  const error = Object.assign(new Error('x'), { code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port: 4222 })
  expect(written('info', logger => logger.error({ err: error }, 'x'))[0]?.err).toMatchObject({
    code: 'ECONNREFUSED',
    syscall: 'connect',
    address: '127.0.0.1',
    port: 4222,
  })
})

test('adds the identifier of the active trace', () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const active = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: 'b7ad6b7169203331', traceFlags: 1 })
  const manager = { active: () => active, with: context.with, bind: context.bind, enable: () => manager, disable: () => manager }
  context.setGlobalContextManager(manager as Parameters<typeof context.setGlobalContextManager>[0])
  try {
    expect(written('info', logger => logger.info('x'))[0]).toMatchObject({ trace_id: traceId, span_id: 'b7ad6b7169203331' })
  } finally {
    context.disable()
  }
  expect(written('info', logger => logger.info('x'))[0]).not.toHaveProperty('trace_id')
})
