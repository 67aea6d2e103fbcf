/** The order to erase. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Asked } from '../../runtime/http/access/guard.ts'
import { DATASETS } from '../../schemas/datasets/datasets.ts'
import { RETRACT_REASONS, type RetractReason } from '../../schemas/record.ts'
import type { Redactor } from './redactor.ts'

type Order = { readonly dataset: string; readonly audience?: string; readonly key: string; readonly why: RetractReason }

const askedBody = ({ body }: FastifyRequest): Asked => {
  const { dataset, key } = body as Order
  return { dataset, key, ...(dataset === 'trade' ? { deal: key } : {}) }
}

export function addRedactionRoutes(
  server: FastifyInstance,
  options: { readonly origin: string; readonly redactor: Redactor },
): void {
  server.post<{ Body: Order }>(
    '/v1/redactions',
    {
      config: { access: { operation: 'record.erase', askedBody } },
      schema: {
        summary: 'Erases every superseded or retracted version of a key of an own log, at every holder',
        tags: ['ledger'],
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['dataset', 'key', 'why'],
          properties: {
            dataset: { type: 'string', enum: DATASETS.filter(row => !row.reserved).map(row => row.name) },
            audience: { type: 'string', pattern: '^[a-z0-9-]{1,64}$', default: 'all' },
            key: { type: 'string', minLength: 1, maxLength: 128 },
            why: { type: 'string', enum: [...RETRACT_REASONS] },
          },
        },
      },
    },
    ({ body: { dataset, audience = 'all', key, why } }) =>
      options.redactor.redact({ log: { origin: options.origin, dataset, audience }, key, why }),
  )
}
