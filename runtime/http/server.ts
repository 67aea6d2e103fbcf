/**
 * The HTTP service that hub and node build their routes on: an OpenAPI document, problem details for every refusal, limits on size,
 * time and rate, health. It does not listen. The plugins must be in place before the first route is, hence the promise.
 */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import swagger from '@fastify/swagger'
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  type FastifyServerOptions,
  fastify,
  LogController,
} from 'fastify'
import { type ErrorCode, ExchangeError } from '../../schemas/errors.ts'
import type { Guard } from './access/guard.ts'
import { addHealthRoutes, type HealthCheck } from './health.ts'
import { formatProblem, PROBLEM_MEDIA_TYPE, sendProblem } from './problems.ts'
import { traceRequests } from './tracing.ts'
import { buildValidator, closeQueries } from './validation.ts'

type ValidatorFactory = NonNullable<
  NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>['buildValidator']
>

export type ServerOptions = {
  readonly program: string
  readonly logger: FastifyBaseLogger
  readonly openapi: { readonly title: string; readonly titleZh: string; readonly version: string }
  readonly checks: readonly HealthCheck[]
  /** who may do what; a service without it is open to everybody who reaches its address */
  readonly guard?: Guard
  /** requests a minute from one address, or of one caller who is known and has no rate of his own */
  readonly rateLimit?: { readonly perMinute?: number }
  readonly bodyLimitBytes?: number
  readonly requestTimeoutMs?: number
  /** false where the address of whoever asks is nobody's to keep */
  readonly logAddresses?: boolean
  /** of a service with pages, in the place of what fits one without */
  readonly contentSecurityPolicy?: { readonly [directive: string]: readonly string[] }
}

const PER_MINUTE = 600
const BODY_LIMIT_BYTES = 1_048_576
const REQUEST_TIMEOUT_MS = 30_000

/** What Node.js itself refuses before there is a request; anything else is a request that is not HTTP. */
const UNPARSED: { readonly [code: string]: readonly [ErrorCode, string] } = {
  HPE_HEADER_OVERFLOW: ['REQUEST_TOO_LARGE', 'the header fields are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['REQUEST_INVALID', 'the request did not arrive in time'],
}

const refuseUnparsed = (error: NodeJS.ErrnoException, socket: Socket): void => {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const [code, reason] = UNPARSED[error.code ?? ''] ?? ['REQUEST_INVALID', 'the request is not well-formed HTTP']
  const problem = formatProblem(new ExchangeError(code, reason), randomUUID())
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${problem.status} ${problem.code}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

const overLimit = (_: FastifyRequest, { max, ttl }: { max: number; ttl: number }): ExchangeError =>
  new ExchangeError(
    'REQUEST_RATE_LIMITED',
    `more than ${max} requests in a minute from this caller; free again in ${Math.ceil(ttl / 1000)} s`,
  )

/** One line for each request, with the route instead of the address, which may hold a business key; probes only at debug. */
const logRequests = (server: FastifyInstance, withAddress: boolean): void => {
  server.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown'
    const from = withAddress ? { from: request.ip } : {}
    const facts = { method: request.method, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime), ...from }
    if (route.startsWith('/health/')) request.log.debug(facts, 'request')
    else request.log.info(facts, 'request')
    done()
  })
}

const addOpenApi = async (server: FastifyInstance, { title, titleZh, version }: ServerOptions['openapi']): Promise<void> => {
  const info = { title: `${title} ${titleZh}`, version, 'x-title-zh': titleZh }
  await server.register(swagger, { openapi: { openapi: '3.1.0', info }, convertConstToEnum: false })
  server.get('/openapi.json', { config: { access: { operation: 'openapi.read' } }, schema: { hide: true } }, () => server.swagger())
}

const addGuards = async (
  server: FastifyInstance,
  { perMinute = PER_MINUTE }: NonNullable<ServerOptions['rateLimit']>,
  policy: ServerOptions['contentSecurityPolicy'],
): Promise<void> => {
  // Transport security is the proxy's decision: pages served over plain HTTP inside a government network must keep working.
  const own = Object.fromEntries(Object.entries(policy ?? {}).map(([name, sources]) => [name, [...sources]]))
  const directives = policy === undefined ? { upgradeInsecureRequests: null } : own
  await server.register(helmet, { hsts: false, contentSecurityPolicy: { useDefaults: policy === undefined, directives } })
  await server.register(rateLimit, {
    // Whoever is known is counted by himself, at the rate that he was given; everybody else by the address.
    max: (request: FastifyRequest) => request.subject?.perMinute ?? perMinute,
    keyGenerator: (request: FastifyRequest) => request.subject?.id ?? request.ip,
    timeWindow: 60_000,
    errorResponseBuilder: overLimit,
    allowList: (request: FastifyRequest) => request.subject?.perMinute === null,
  })
}

/** Fastify hands the schema's route along with it at run time, which the declared type of the factory leaves out. */
const validatorFactory = buildValidator as unknown as ValidatorFactory

/** Everything but the program's own routes. Throws CONFIG_INVALID without a health check. */
export const buildServer = async (options: ServerOptions): Promise<FastifyInstance> => {
  const settings: FastifyServerOptions = {
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request' }),
    genReqId: () => randomUUID(),
    bodyLimit: options.bodyLimitBytes ?? BODY_LIMIT_BYTES,
    requestTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    // a record's key of 128 characters, each percent-encoded from three bytes of UTF-8
    routerOptions: { maxParamLength: 1200 },
    schemaController: { compilersFactory: { buildValidator: validatorFactory } },
    frameworkErrors: sendProblem,
    clientErrorHandler: refuseUnparsed,
  }
  const server: FastifyInstance = fastify(settings)
  server.setErrorHandler(sendProblem)
  traceRequests(server)
  logRequests(server, options.logAddresses ?? true)
  closeQueries(server)
  options.guard?.install(server)
  await addGuards(server, options.rateLimit ?? {}, options.contentSecurityPolicy)
  server.setNotFoundHandler({ preHandler: server.rateLimit() }, (request, reply) =>
    sendProblem(
      new ExchangeError('ROUTE_UNKNOWN', `no ${request.method} at this address; /openapi.json lists them all`),
      request,
      reply,
    ),
  )
  await addOpenApi(server, options.openapi)
  addHealthRoutes(server, options)
  return server
}
