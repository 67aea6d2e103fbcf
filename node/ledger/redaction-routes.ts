/** The order to erase, for the operator's token only. */
import type { FastifyInstance } from 'fastify'
import type { Operator } from '../../runtime/http/operator.ts'
import { DATASETS } from '../../schemas/datasets/datasets.ts'
import { RETRACT_REASONS, type RetractReason } from '../../schemas/record.ts'
import type { Redactor } from './redactor.ts'

type Order = { readonly dataset: string; readonly audience?: string; readonly key: string; readonly why: RetractReason }

export function addRedactionRoutes(
  server: FastifyInstance,
  options: { readonly origin: string; readonly operator: Operator; readonly redactor: Redactor },
): void {
  server.post<{ Body: Order }>(
    '/v1/redactions',
    {
      onRequest: options.operator.demand,
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
