/** The first national figure against its sources: the national reader's sums, and one SQL over the sample systems' own tables. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { operatorHeaders } from '../../console/terminal/operator.ts'
import { type Federation, startFederation } from '../federation/federation.ts'
import { type TradeDimension, type TradeTotal, tradeTotals } from './totals.ts'

const SYSTEMS = ['530000', '520000', '320000', '530100']
const BY = ['region', 'class', 'month', 'platform'] as const satisfies readonly TradeDimension[]

let home = ''
let federation: Federation
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'hutong-figure-'))
  federation = await startFederation({ home, onProgress: () => {}, signal: new AbortController().signal })
  const paused = await fetch(`${federation.file.samples?.url}/v1/samples/pause`, { method: 'POST' })
  expect(await paused.json()).toMatchObject({ settled: true })
})
afterAll(async () => {
  await federation?.[Symbol.asyncDispose]()
  await rm(home, { recursive: true, force: true })
})

type Figure = {
  readonly rows: readonly TradeTotal[]
  readonly totals: readonly TradeTotal[]
  readonly late: readonly string[]
  readonly missing: readonly string[]
  readonly behind: readonly string[]
}
const figure = async (): Promise<Figure> => {
  const { url, operator_token_file } = federation.file.nodes['000000'] ?? {}
  const headers = await operatorHeaders('000000', operator_token_file)
  const response = await fetch(`${url}/v1/statistics/trades?by=${BY.join(',')}`, { headers })
  return (await response.json()) as Figure
}
const listing = (rows: readonly TradeTotal[]): string[] =>
  rows.map(row => [...BY.map(name => row[name]), row.number, row.amount, row.expert_seats].join(' ')).sort()

test("the national reader's figure equals one SQL over the sample systems' own tables, group by group", async () => {
  const sources = await Promise.all(SYSTEMS.map(code => tradeTotals(federation.databaseUrl(`samples-${code}`), BY)))
  const expected = listing(sources.flat())
  expect(expected.length).toBeGreaterThan(100)
  await expect.poll(async () => listing((await figure()).rows), { timeout: 30_000, interval: 200 }).toEqual(expected)
  const whole = await Promise.all(SYSTEMS.map(code => tradeTotals(federation.databaseUrl(`samples-${code}`), [])))
  expect((await figure()).totals[0]?.number).toBe(whole.flat().reduce((sum, row) => sum + row.number, 0))
  expect(await figure()).toMatchObject({ late: [], missing: [], behind: [] })
})
