/** The producers' switch: what each system has, pause and resume. Builds the service; does not listen. */
import type { FastifyInstance } from 'fastify'
import { buildServer } from '../../runtime/http/server.ts'
import type { Logger } from '../../runtime/log.ts'
import { addLoginRoutes, type LoginPlace } from './login.ts'
import type { SampleSystem } from './system.ts'

const PAUSE_MS = 20_000

const COUNT = { type: 'integer', minimum: 0 } as const

const STATUS_SCHEMA = {
  type: 'object',
  required: ['state', 'settled', 'systems'],
  properties: {
    state: { type: 'string', enum: ['running', 'paused'] },
    settled: { type: 'boolean', description: 'no row is being made and none is on its way to a node' },
    systems: {
      type: 'array',
      items: {
        type: 'object',
        required: ['code', 'zh', 'rows', 'waiting', 'pushed', 'refused'],
        properties: {
          code: { type: 'string' },
          zh: { type: 'string' },
          rows: { type: 'object', additionalProperties: COUNT },
          waiting: COUNT,
          pushed: COUNT,
          refused: COUNT,
        },
      },
    },
  },
} as const

export const buildHttp = async (
  systems: readonly SampleSystem[],
  logger: Logger,
  signal: AbortSignal,
  login: { readonly places: readonly LoginPlace[]; readonly own: () => string },
): Promise<FastifyInstance> => {
  let state: 'running' | 'paused' = 'running'
  const status = async () => {
    const all = await Promise.all(systems.map(system => system.status()))
    return { state, settled: state === 'paused' && all.every(({ waiting }) => waiting === 0), systems: all }
  }
  const server = await buildServer({
    program: 'samples',
    logger,
    openapi: { title: 'Hutong sample trading systems', titleZh: '互通样例交易系统', version: '1' },
    checks: [
      {
        name: 'databases',
        zh: '各系统数据库',
        run: async () => {
          await Promise.all(systems.map(system => system.status()))
          return { ok: true }
        },
      },
    ],
  })
  const schema = (summary: string) => ({ summary, tags: ['samples'], response: { 200: STATUS_SCHEMA } })

  server.get('/v1/samples', { schema: schema('What each system has made and pushed. 各系统已产生与已推送的数据。') }, status)

  server.post(
    '/v1/samples/pause',
    { schema: schema('Makes no more rows and waits until all have been pushed. 暂停产生数据并等待推送完毕。') },
    async () => {
      state = 'paused'
      const limit = AbortSignal.any([signal, AbortSignal.timeout(PAUSE_MS)])
      const settled = await Promise.all(systems.map(system => system.pause(limit)))
      return { ...(await status()), settled: settled.every(Boolean) }
    },
  )

  server.post('/v1/samples/resume', { schema: schema('Goes on. 恢复产生数据。') }, () => {
    state = 'running'
    for (const system of systems) system.resume()
    return status()
  })
  addLoginRoutes(server, login)
  return server
}
