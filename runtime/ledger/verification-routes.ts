/** Verification over HTTP: a line of JSON for each finding and for each log that is done, as they come. */
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { ExchangeError } from '../../schemas/errors.ts'
import type { Progress } from './verification.ts'

const NDJSON_MEDIA_TYPE = 'application/x-ndjson'

export function addVerificationRoutes(
  server: FastifyInstance,
  options: { readonly verify: () => AsyncGenerator<Progress, void, undefined> },
): void {
  let running = false

  async function* lines(): AsyncGenerator<string> {
    try {
      for await (const one of options.verify()) yield `${JSON.stringify(one)}\n`
    } catch (error) {
      server.log.error({ err: error }, 'the verification of the ledger could not be finished')
      yield `${JSON.stringify({ kind: 'failed' })}\n`
    } finally {
      running = false
    }
  }

  server.post(
    '/v1/ledger/verification',
    {
      config: { access: { operation: 'ledger.verify' } },
      schema: {
        summary: 'Re-hashes what stands in the database; one line for each finding, the last says how much was read',
        tags: ['ledger'],
      },
    },
    async (_request, reply) => {
      if (running) throw new ExchangeError('REQUEST_RATE_LIMITED', 'a verification is under way here')
      running = true
      return reply.type(NDJSON_MEDIA_TYPE).send(Readable.from(lines()))
    },
  )
}
