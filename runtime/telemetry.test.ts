import { context, propagation, trace } from '@opentelemetry/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { injectTrace, isTelemetryConfigured, startTelemetry, tracer, withExtractedTrace } from './telemetry.ts'

test.each([
  [{}, false],
  [{ OTEL_SERVICE_NAME: 'x', OTEL_RESOURCE_ATTRIBUTES: 'a=b' }, false],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }, true],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:4318' }, true],
  [{ OTEL_METRICS_EXPORTER: 'prometheus' }, true],
  [{ OTEL_TRACES_EXPORTER: 'none', OTEL_METRICS_EXPORTER: '' }, false],
  [{ OTEL_SDK_DISABLED: 'false' }, true],
  [{ OTEL_SDK_DISABLED: 'true', OTEL_TRACES_EXPORTER: 'console' }, false],
])('telemetry for %o is on: %s', (env, on) => {
  expect(isTelemetryConfigured(env)).toBe(on)
})

test('carries nothing and still runs what it is given while it is off', async () => {
  await using _ = await startTelemetry({ serviceName: 'hub', env: {} })
  const sent = new Map<string, string>()
  tracer().startActiveSpan('x', span => {
    injectTrace((name, value) => sent.set(name, value))
    span.end()
  })
  expect([...sent]).toEqual([])
  expect(
    withExtractedTrace(
      () => undefined,
      () => 7,
    ),
  ).toBe(7)
})

describe('while it is on', () => {
  let telemetry: AsyncDisposable | undefined
  const saved = { ...process.env }
  beforeAll(async () => {
    Object.assign(process.env, { OTEL_TRACES_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' })
    telemetry = await startTelemetry({ serviceName: 'hub', env: { OTEL_SDK_DISABLED: 'false' } })
  })
  afterAll(async () => {
    await telemetry?.[Symbol.asyncDispose]()
    process.env = saved
    trace.disable()
    context.disable()
    propagation.disable()
  })

  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

  test('carries a trace over the headers of a message, and no baggage', () => {
    const came = new Map([
      ['traceparent', traceparent],
      ['tracestate', 'a=b'],
      ['baggage', 'who=somebody'],
    ])
    const sent = new Map<string, string>()
    withExtractedTrace(
      name => came.get(name),
      () => injectTrace((name, value) => sent.set(name, value)),
    )
    expect(Object.fromEntries(sent)).toEqual({ traceparent, tracestate: 'a=b' })
  })

  test('ignores a traceparent that is not well-formed', () => {
    const active = withExtractedTrace(
      name => (name === 'traceparent' ? '00-xyz' : ''),
      () => trace.getActiveSpan(),
    )
    expect(active).toBeUndefined()
  })
})
