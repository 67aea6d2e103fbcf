/**
 * Two questions that differ: `live` asks whether the process answers at all (restart it if not), `ready` whether it can do its work
 * now (send it no work if not). Ready is the sum of its checks; each has a time limit and its answer is kept for a second, so that
 * neither a hanging dependency nor an eager prober can pile up work here. A check that still hangs is not started a second time.
 */
import type { FastifyInstance } from 'fastify'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'

export type HealthResult = {
  readonly ok: boolean
  /** what failed and why, one sentence; never a secret or a personal identifier */
  readonly reason?: string
  /** what an operator should do about it */
  readonly todo?: string
}

export type HealthCheck = {
  /** kebab-case, stable: monitoring keys on it */
  readonly name: string
  /** what it checks, in Chinese */
  readonly zh: string
  /** An error that it throws is a failure: an ExchangeError shows its reason, a foreign one only that it happened. */
  run(): Promise<HealthResult>
}

/** A part that knows its own trouble: null while it has none. */
export const troubleCheck = (name: string, zh: string, todo: string, trouble: () => string | null): HealthCheck => ({
  name,
  zh,
  run: async () => {
    const reason = trouble()
    return reason === null ? { ok: true } : { ok: false, reason, todo }
  },
})

/** `probe` is the smallest question that the database answers. */
export const databaseCheck = (probe: () => Promise<unknown>): HealthCheck => ({
  name: 'database',
  zh: '数据库可用',
  run: async () => {
    await probe()
    return { ok: true }
  },
})

export type HealthTimes = { readonly timeoutMs: number; readonly keptMs: number }
const TIMES: HealthTimes = { timeoutMs: 2000, keptMs: 1000 }

const TODO_UNKNOWN = 'see the log of this program'

const resultOfError = (error: unknown): HealthResult =>
  isExchangeError(error)
    ? { ok: false, reason: `${error.code}: ${error.reason}`, todo: TODO_UNKNOWN }
    : { ok: false, reason: 'the check itself failed', todo: TODO_UNKNOWN }

const limited = async (work: Promise<HealthResult>, timeoutMs: number): Promise<HealthResult> => {
  const { promise, resolve } = Promise.withResolvers<HealthResult>()
  const reason = `no answer within ${timeoutMs} ms`
  const timer = setTimeout(() => resolve({ ok: false, reason, todo: 'see whether what it depends on is running' }), timeoutMs)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

type Answer = HealthResult & { readonly name: string; readonly zh: string }
type Asking = () => Promise<Answer>

/** `failed` is told of an error that a check threw; `now` is in milliseconds and never goes back. */
export const askingCheck = (
  check: HealthCheck,
  {
    failed,
    now = () => performance.now(),
    times = TIMES,
  }: { failed: (error: unknown) => void; now?: () => number; times?: HealthTimes },
): Asking => {
  let running: Promise<HealthResult> | undefined
  let kept: { readonly at: number; readonly result: Promise<HealthResult> } | undefined
  const start = async (): Promise<HealthResult> => {
    try {
      return await check.run()
    } catch (error) {
      failed(error)
      return resultOfError(error)
    } finally {
      running = undefined
    }
  }
  return async () => {
    if (!kept || now() - kept.at >= times.keptMs) {
      running ??= start()
      kept = { at: now(), result: limited(running, times.timeoutMs) }
    }
    return { name: check.name, zh: check.zh, ...(await kept.result) }
  }
}

const RESULT_SCHEMA = {
  type: 'object',
  required: ['ready', 'program', 'checks'],
  properties: {
    ready: { type: 'boolean' },
    program: { type: 'string' },
    checks: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name', 'zh', 'ok'],
        properties: {
          name: { type: 'string' },
          zh: { type: 'string' },
          ok: { type: 'boolean' },
          reason: { type: 'string' },
          todo: { type: 'string' },
        },
      },
    },
  },
} as const

const LIVE_SCHEMA = { type: 'object', properties: { live: { type: 'boolean' }, program: { type: 'string' } } } as const

/** Adds `GET /health/live` and `GET /health/ready`. A program without any check is refused: it would always call itself ready. */
export const addHealthRoutes = (
  server: FastifyInstance,
  { program, checks }: { program: string; checks: readonly HealthCheck[] },
): void => {
  if (checks.length === 0)
    throw new ExchangeError('CONFIG_INVALID', `${program} has no health check, so it could not know whether it is ready`)
  const failed = (error: unknown): void => server.log.warn({ err: error }, 'health check failed')
  const asking = checks.map(check => askingCheck(check, { failed }))
  const config = { rateLimit: false, access: { operation: 'health.read' } } as const
  const live = { summary: 'The process answers. 进程有应答。', tags: ['health'], response: { 200: LIVE_SCHEMA } }
  const ready = {
    summary: 'It can do its work. 能够正常工作。',
    tags: ['health'],
    response: { 200: RESULT_SCHEMA, 503: RESULT_SCHEMA },
  }
  server.get('/health/live', { config, schema: live }, (_, reply) =>
    reply.header('cache-control', 'no-store').send({ live: true, program }),
  )
  server.get('/health/ready', { config, schema: ready }, async (_, reply) => {
    const answers = await Promise.all(asking.map(ask => ask()))
    const isReady = answers.every(({ ok }) => ok)
    reply.code(isReady ? 200 : 503).header('cache-control', 'no-store')
    return { ready: isReady, program, checks: answers }
  })
}
