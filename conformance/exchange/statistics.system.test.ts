import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deal, project } from './rows.ts'
import { ask, eventually, field, ingestRows, startTestbed, type Testbed } from './testbed.ts'

let bed: Testbed
beforeAll(async () => {
  bed = await startTestbed()
  await ingestRows(bed, '530000', [
    project('P-1'),
    deal('S-1', 'P-1', '1000000.50'),
    deal('S-2', 'P-1', '2000000.25', { day: '20260915' }),
  ])
  await ingestRows(bed, '520000', [project('Q-1', '520100'), deal('Z-1', 'Q-1', '4000000', { region: '520100' })])
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

const figure = async (query = '') => (await ask(bed, '000000', `/v1/statistics/trades${query}`)).body
const totals = async () => field(await figure('?by='), 'totals', 0)

describe('the national figure', () => {
  it('adds number, amount and expert seats exactly, by region, class, month and platform', async () => {
    const body = await eventually(
      'three deals',
      () => figure('?by=region,class,month,platform'),
      one => field(one, 'totals', 0, 'number') === 3,
    )
    expect(field(body, 'totals', 0)).toMatchObject({ number: 3, amount: '7000000.75', expert_seats: 15, currency: 'CNY' })
    expect(field(body, 'rows')).toEqual([
      {
        region: '520100',
        class: 'A01',
        month: '2026-10',
        platform: '520000-01',
        number: 1,
        amount: '4000000',
        currency: 'CNY',
        expert_seats: 5,
      },
      {
        region: '530100',
        class: 'A01',
        month: '2026-09',
        platform: '530000-01',
        number: 1,
        amount: '2000000.25',
        currency: 'CNY',
        expert_seats: 5,
      },
      {
        region: '530100',
        class: 'A01',
        month: '2026-10',
        platform: '530000-01',
        number: 1,
        amount: '1000000.5',
        currency: 'CNY',
        expert_seats: 5,
      },
    ])
    expect(field(body, 'as_of', 0, 'logs', 0, 'head')).toMatchObject({
      epoch: 1,
      seq: expect.any(Number),
      digest: expect.stringMatching(/^sha-256:/),
    })
  })

  it('moves when a correction is made at home, and again when a deal is withdrawn', async () => {
    await ingestRows(bed, '530000', [deal('S-1', 'P-1', '1500000.50', { type: '2' })])
    await eventually('the corrected sum', totals, one => field(one, 'amount') === '7500000.75')
    await ingestRows(bed, '530000', [deal('S-1', 'P-1', '1500000.50', { type: '3' })])
    await eventually('the deal gone', totals, one => field(one, 'amount') === '6000000.25' && field(one, 'number') === 2)
  })

  it('is sealed for every month that has ended, with the digests of its inputs, and returned to every member', async () => {
    const september = () => ask(bed, '530000', '/v1/indicator/trade-monthly%2F2026-09')
    const { body } = await eventually('the figure of September', september, one => one.status === 200, 40_000)
    expect(field(body, 'items', 0)).toMatchObject({ origin: '000000', verification: { state: 'verified' } })
    expect(field(body, 'items', 0, 'body')).toMatchObject({
      period: '2026-09',
      rows: [{ number: 1, amount: '2000000.25', currency: 'CNY', expert_seats: 5, region: '530100' }],
      inputs: [{ origin: '530000', dataset: 'trade', records: 1, root: expect.stringMatching(/^sha-256:/) }],
      late: [],
    })
    await ingestRows(bed, '530000', [deal('S-2', 'P-1', '2000000.26', { type: '2', day: '20260915' })])
    await eventually(
      'the figure sealed again',
      september,
      one => field(one.body, 'items', 0, 'body', 'rows', 0, 'amount') === '2000000.26',
      40_000,
    )
  })

  it('shows a stopped node as late and keeps its numbers', async () => {
    const before = await totals()
    await bed.stopNode('520000')
    const body = await eventually(
      '520000 is late',
      () => figure('?by='),
      one => JSON.stringify(field(one, 'late')) === '["520000"]',
      90_000,
    )
    expect(field(body, 'totals', 0)).toEqual(before)
    expect(field(body, 'missing')).toEqual([])
  })

  it('refuses groupings that it does not know', async () => {
    expect(await figure('?by=colour')).toMatchObject({ code: 'REQUEST_INVALID' })
    expect(await figure('?by=region,region')).toMatchObject({ code: 'REQUEST_INVALID' })
  })
})
