/**
 * One replica table for each dataset, all of one shape: what the record said, where its log says it, and the body. The columns
 * that questions filter and sum by are computed by PostgreSQL from the body, so that the same statement fills every table.
 */
import type { OpenDatasetName } from '../../schemas/datasets/datasets.ts'

export type HotColumn = {
  readonly name: string
  readonly type: 'text' | 'numeric' | 'integer'
  readonly from: string
  readonly index?: boolean
}
export type ReplicaRow = { readonly dataset: OpenDatasetName; readonly columns: readonly HotColumn[] }

const text = (name: string, from: string = name, index = false): HotColumn => ({ name, type: 'text', from, index })
const region = text('region', 'region', true)

export const REPLICAS: readonly ReplicaRow[] = [
  { dataset: 'entity', columns: [region, text('name'), text('status')] },
  { dataset: 'trust', columns: [text('region', 'territory', true), text('status')] },
  { dataset: 'credit', columns: [region, text('subject_code', 'subject,code', true), text('kind')] },
  { dataset: 'expert', columns: [region, text('main_class', 'main_class', true)] },
  {
    dataset: 'trade',
    columns: [
      region,
      text('class'),
      text('kind'),
      text('level'),
      text('stage'),
      text('currency'),
      text('decided_on', 'decided_on', true),
      { name: 'amount', type: 'numeric', from: 'amount' },
      { name: 'expert_seats', type: 'integer', from: 'expert_seats' },
    ],
  },
  { dataset: 'indicator', columns: [text('region', 'region'), text('indicator'), text('period')] },
]

export const replicaTable = (dataset: OpenDatasetName): string => `replica_${dataset}`
