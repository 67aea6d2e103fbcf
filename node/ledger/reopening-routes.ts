/** The order to open a new epoch over a loss. */
import type { FastifyInstance } from 'fastify'
import { DATASETS } from '../../schemas/datasets/datasets.ts'
import type { Reopener } from './reopener.ts'

type Order = {
  readonly dataset: string
  readonly audience?: string
  readonly confirm?: boolean
  readonly without?: readonly string[]
}

export function addReopeningRoutes(
  server: FastifyInstance,
  options: { readonly origin: string; readonly reopener: Reopener },
): void {
  server.post<{ Body: Order }>(
    '/v1/ledger/reopening',
    {
      config: { access: { operation: 'ledger.reopen' } },
      schema: {
        summary: 'Shows what of an own log is lost and, confirmed, declares it lost and opens a new epoch',
        tags: ['ledger'],
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['dataset'],
          properties: {
            dataset: { type: 'string', enum: DATASETS.filter(row => !row.reserved).map(row => row.name) },
            audience: { type: 'string', pattern: '^[a-z0-9-]{1,64}$', default: 'all' },
            confirm: { type: 'boolean', default: false },
            without: { type: 'array', maxItems: 64, items: { type: 'string', pattern: '^(hub|[0-9]{6})$' }, default: [] },
          },
        },
      },
    },
    ({ body: { dataset, audience = 'all', confirm = false, without = [] } }) =>
      options.reopener.reopen({ log: { origin: options.origin, dataset, audience }, confirm, without }),
  )
}
