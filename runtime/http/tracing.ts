/**
 * One span and one measurement for each request (OpenTelemetry semantic conventions for HTTP servers), named by the route and never
 * by the address, which may hold a business key. While telemetry is off, the API's spans are inert and this costs next to nothing.
 */
import { type Context, type Histogram, SpanKind, SpanStatusCode, trace, context as traceContext } from '@opentelemetry/api'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { extractedTrace, meter, tracer } from '../telemetry.ts'

const contexts = new WeakMap<FastifyRequest, Context>()

const header = (request: FastifyRequest, name: string): string | undefined => {
  const value = request.headers[name]
  return typeof value === 'string' ? value : undefined
}

const routeOf = (request: FastifyRequest): string => request.routeOptions.url ?? 'unknown'

const openSpan = (request: FastifyRequest): Context => {
  const parent = extractedTrace(name => header(request, name))
  const attributes = { 'http.request.method': request.method, 'http.route': routeOf(request), 'url.scheme': request.protocol }
  const span = tracer().startSpan(`${request.method} ${routeOf(request)}`, { kind: SpanKind.SERVER, attributes }, parent)
  const opened = trace.setSpan(parent, span)
  contexts.set(request, opened)
  return opened
}

const closeSpan = (request: FastifyRequest, status: number, elapsedMs: number, durations: Histogram): void => {
  const opened = contexts.get(request)
  const span = opened && trace.getSpan(opened)
  span?.setAttribute('http.response.status_code', status)
  if (status >= 500) span?.setStatus({ code: SpanStatusCode.ERROR })
  span?.end()
  const labels = { 'http.request.method': request.method, 'http.route': routeOf(request), 'http.response.status_code': status }
  durations.record(elapsedMs / 1000, labels)
}

export const traceRequests = (server: FastifyInstance): void => {
  const durations = meter().createHistogram('http.server.request.duration', { unit: 's' })
  server.addHook('onRequest', (request, _, done) => traceContext.with(openSpan(request), done))
  // Reading a body continues in the context of the socket, so the request's own has to be entered again.
  server.addHook('preValidation', (request, _, done) => {
    const opened = contexts.get(request)
    if (opened) traceContext.with(opened, done)
    else done()
  })
  server.addHook('onResponse', (request, reply, done) => {
    closeSpan(request, reply.statusCode, reply.elapsedTime, durations)
    done()
  })
}
