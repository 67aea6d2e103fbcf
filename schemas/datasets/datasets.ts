/**
 * The datasets of the exchange, a row each. A record of a dataset is checked by `<name>.schema.json` beside this file; a reserved
 * name has no schema yet and no origin may write it. Freshness says how stale a replica may get and what is done with it then:
 * served with a mark, refused, or asked again at the origin.
 */
import { ExchangeError } from '../errors.ts'

/**
 * Who may state a record. `home`: the node where the entity registered. `authority`: the node of the authority that decided.
 * `venue`: the node of the trading centre where it takes place. `list-operator`: the node that operates the list. `pool`: the node
 * whose pool the expert is in. `reader`: the node that computed it.
 */
type OwnerRule = 'home' | 'list-operator' | 'authority' | 'pool' | 'venue' | 'reader'
export type WhenStale = 'mark' | 'refuse' | 'ask'

type Row = {
  readonly name: string
  readonly zh: string
  readonly major: number
  readonly minor: number
  readonly reserved: boolean
  readonly owner: OwnerRule
  readonly freshness: { readonly budget_seconds: number; readonly when_stale: WhenStale }
  /** days for which a holder keeps superseded versions; null without an end */
  readonly retention_days: number | null
  /** audience of a record whose origin names none; null where it must be named */
  readonly audience: string | null
}

const HOUR = 3600
const DAY = 24 * HOUR
const first = { major: 1, minor: 0, reserved: false } as const
const reserved = { major: 1, minor: 0, reserved: true } as const
const stale = <When extends WhenStale>(budget_seconds: number, when_stale: When) => ({ budget_seconds, when_stale })

export const DATASETS = [
  { name: 'entity', zh: '主体信息', ...first, owner: 'home', freshness: stale(DAY, 'mark'), retention_days: null, audience: 'all' },
  {
    name: 'trust',
    zh: '信任列表',
    ...first,
    owner: 'list-operator',
    freshness: stale(HOUR, 'refuse'),
    retention_days: null,
    audience: 'all',
  },
  {
    name: 'credit',
    zh: '信用信息',
    ...first,
    owner: 'authority',
    freshness: stale(HOUR, 'ask'),
    retention_days: 1096,
    audience: 'all',
  },
  { name: 'expert', zh: '专家能力', ...first, owner: 'pool', freshness: stale(DAY, 'mark'), retention_days: 366, audience: 'all' },
  { name: 'trade', zh: '交易信息', ...first, owner: 'venue', freshness: stale(DAY, 'mark'), retention_days: null, audience: 'all' },
  {
    name: 'indicator',
    zh: '统计指标',
    ...first,
    owner: 'reader',
    freshness: stale(45 * DAY, 'mark'),
    retention_days: null,
    audience: 'all',
  },
  {
    name: 'session',
    zh: '远程评标会话',
    ...reserved,
    owner: 'venue',
    freshness: stale(60, 'ask'),
    retention_days: null,
    audience: null,
  },
  {
    name: 'supervision',
    zh: '监管信息',
    ...first,
    owner: 'authority',
    freshness: stale(HOUR, 'ask'),
    retention_days: null,
    audience: null,
  },
] as const satisfies readonly Row[]

/** A dataset with a schema, that origins may write. */
export type OpenDatasetName = Extract<(typeof DATASETS)[number], { readonly reserved: false }>['name']

/** @throws DATASET_UNKNOWN for a name outside the table, and for a reserved one */
export function parseDatasetName(text: string): OpenDatasetName {
  for (const row of DATASETS) if (row.name === text && !row.reserved) return row.name
  throw new ExchangeError(
    'DATASET_UNKNOWN',
    `expected one of ${DATASETS.filter(row => !row.reserved)
      .map(row => row.name)
      .join(', ')}`,
  )
}
