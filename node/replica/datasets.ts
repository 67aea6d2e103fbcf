/**
 * One replica table for each dataset, all of one shape: what the record said, where its log says it, and the body. The columns
 * that questions filter and sum by are computed by PostgreSQL from the body, so that the same statement fills every table.
 *
 * The body is `json`, the text as it was verified: to store it costs a third of what `jsonb` costs, and no question looks into it.
 * Where many columns are computed from it, `jsonb` is read once for all of them and wins.
 */
import type { OpenDatasetName } from '../../schemas/datasets/datasets.ts'

export type HotColumn = {
  readonly name: string
  readonly type: 'text' | 'numeric' | 'integer'
  readonly from: string
}
export type ReplicaRow = {
  readonly dataset: OpenDatasetName
  readonly body: 'json' | 'jsonb'
  /** `region` stands in every one */
  readonly columns: readonly HotColumn[]
}

const text = (name: string, from: string = name): HotColumn => ({ name, type: 'text', from })
const region = text('region')

export const REPLICAS: readonly ReplicaRow[] = [
  { dataset: 'entity', body: 'json', columns: [region] },
  { dataset: 'trust', body: 'json', columns: [text('region', 'territory')] },
  { dataset: 'credit', body: 'json', columns: [region] },
  { dataset: 'expert', body: 'json', columns: [region] },
  {
    dataset: 'trade',
    body: 'jsonb',
    columns: [
      region,
      text('class'),
      text('kind'),
      text('level'),
      text('stage'),
      text('currency'),
      text('decided_on'),
      { name: 'amount', type: 'numeric', from: 'amount' },
      { name: 'expert_seats', type: 'integer', from: 'expert_seats' },
    ],
  },
  { dataset: 'indicator', body: 'json', columns: [region] },
]

export const bodyType = (dataset: OpenDatasetName): ReplicaRow['body'] =>
  REPLICAS.find(one => one.dataset === dataset)?.body ?? 'json'

export const replicaTable = (dataset: OpenDatasetName): string => `replica_${dataset}`
