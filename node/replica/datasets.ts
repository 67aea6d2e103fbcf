/**
 * One replica table for each dataset, all of one shape: what the record said, where its log says it, the body, and the columns that
 * questions filter and sum by.
 *
 * The body is `json`, the text as it was verified: to store it costs a third of what `jsonb` costs, and no question looks into it. There
 * `region` is told beside it by the program, which has read the body already: for PostgreSQL to find it would cost a tenth of a row.
 * Where many columns are computed from a body, `jsonb` is read once for all of them and wins.
 */
import type { OpenDatasetName } from '../../schemas/datasets/datasets.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { JsonObject } from '../../schemas/record.ts'

export type HotColumn = {
  readonly name: string
  readonly type: 'text' | 'numeric' | 'integer'
}
export type ReplicaRow = {
  readonly dataset: OpenDatasetName
  readonly body: 'json' | 'jsonb'
  /** member of the body that says the record's region */
  readonly region: string
  /** computed by PostgreSQL from the member of that name; where there are some, `region` is too */
  readonly columns: readonly HotColumn[]
}

const text = (name: string): HotColumn => ({ name, type: 'text' })
const plain = (dataset: OpenDatasetName, region = 'region'): ReplicaRow => ({ dataset, body: 'json', region, columns: [] })

export const REPLICAS: readonly ReplicaRow[] = [
  plain('entity'),
  plain('trust', 'territory'),
  plain('credit'),
  plain('expert'),
  {
    dataset: 'trade',
    body: 'jsonb',
    region: 'region',
    columns: [
      text('class'),
      text('kind'),
      text('level'),
      text('stage'),
      text('currency'),
      text('decided_on'),
      { name: 'amount', type: 'numeric' },
      { name: 'expert_seats', type: 'integer' },
    ],
  },
  plain('indicator'),
  plain('supervision'),
]

/** Whether `region` is told with the record instead of computed. */
export const isRegionTold = (replica: ReplicaRow): boolean => replica.columns.length === 0

/** What is told of a body, null where it names none or there is no body. */
export function regionOf(replica: ReplicaRow, body: JsonObject | null | undefined): string | null {
  const region = body?.[replica.region]
  return typeof region === 'string' ? region : null
}

export function replicaOf(dataset: OpenDatasetName): ReplicaRow {
  const row = REPLICAS.find(one => one.dataset === dataset)
  if (row === undefined) throw new ExchangeError('INTERNAL', `no replica of ${dataset}`)
  return row
}

export const replicaTable = (dataset: OpenDatasetName): string => `replica_${dataset}`
