import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { createLogger } from '../log.ts'
import { injectTrace, startTelemetry } from '../telemetry.ts'
import { buildServer } from './server.ts'

/** A collector of OTLP over HTTP, which keeps what it is sent by path. */
const startCollector = async () => {
  const received = new Map<string, string>()
  const collector = createServer(async (request, response) => {
    received.set(request.url ?? '', (received.get(request.url ?? '') ?? '') + (await text(request)))
    response.setHeader('content-type', 'application/json').end('{}')
  })
  await once(collector.listen(0, '127.0.0.1'), 'listening')
  const { port } = collector.address() as AddressInfo
  return { received, url: `http://127.0.0.1:${port}`, [Symbol.dispose]: () => void collector.close() }
}

test('a request continues the trace that it carries, also after its body was read, and span and duration reach the collector', async () => {
  using collector = await startCollector()
  Object.assign(process.env, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_METRICS_EXPORTER: 'otlp',
  })
  const telemetry = await startTelemetry({ serviceName: 'hub' })
  const server = await buildServer({
    program: 'hub',
    logger: createLogger({ program: 'hub', level: 'silent' }),
    openapi: { title: 'Hub', titleZh: '枢纽', version: '1' },
    checks: [{ name: 'x', zh: '检查', run: () => Promise.resolve({ ok: true }) }],
  })
  server.post('/v1/x/:key', () => {
    const onward = new Map<string, string>()
    injectTrace((name, value) => onward.set(name, value))
    return { onward: onward.get('traceparent') }
  })
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` }
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  const answer = await fetch(`${url}/v1/x/991234`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: '{"a":1}',
  })
  const { onward } = (await answer.json()) as { onward: string }
  await server.close()
  await telemetry[Symbol.asyncDispose]()

  expect(onward).toMatch(new RegExp(`^00-${traceId}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`))
  const spans = collector.received.get('/v1/traces') ?? ''
  expect(spans).toContain('"name":"POST /v1/x/:key"')
  expect(spans).toContain(`"spanId":"${onward.split('-')[2]}"`)
  expect(spans).toContain('"parentSpanId":"b7ad6b7169203331"')
  expect(spans).not.toContain('991234')
  expect(collector.received.get('/v1/metrics')).toContain('http.server.request.duration')
})
