import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { adapterSuite, readAll, recordsIn, refusedIn } from '../adapter.suite.ts'
import { parseMapping } from '../mapping.ts'
import { ocdsAdapter } from './adapter.ts'

const SAMPLE = new URL('../../../shared/data/records/ocds/1.1/', import.meta.url)
const parties = [{ id: 'B', name: 'Some Office', contactPoint: { name: 'A. Person', email: 'person@example.org' } }]
const tender = {
  ocid: 'ocds-test-1',
  id: '1',
  date: '2026-01-02T00:00:00Z',
  tag: ['tender'],
  parties,
  buyer: { id: 'B', name: 'Some Office' },
  tender: { id: 't', title: 'A road', status: 'active', mainProcurementCategory: 'works', procurementMethod: 'open' },
}
const AWARD = `{"ocid":"ocds-test-1","id":"2","date":"2026-02-02T00:00:00Z","tag":["award"],"awards":[
  {"id":"a","status":"active","date":"2026-02-01T00:00:00Z","value":{"amount":9007199254740993.10,"currency":"CNY"},"suppliers":[{"id":"S","name":"Some Builder"}]},
  {"id":"b","status":"active","date":"2026-02-01T00:00:00Z","value":{"amount":0.2,"currency":"CNY"},"suppliers":[{"id":"S2","name":"Other Builder"}]}]}`
const undated = { ocid: 'ocds-test-2', id: '3', tender: tender.tender }
const text = `{"version":"1.1","releases":[${AWARD},${JSON.stringify(tender)},${JSON.stringify(undated)}]}`

adapterSuite({
  adapter: ocdsAdapter,
  mapping: null,
  bytes: Buffer.from(text),
  rows: 3,
  records: 2,
  personal: ['A. Person', 'person@example.org'],
  damaged: { bytes: Buffer.from([JSON.stringify(tender).slice(0, -9), JSON.stringify(tender), AWARD].join('\n')), records: 1 },
})

describe('the ocds adapter', () => {
  it('puts the releases of a package into order of date and lets each carry what was said before', async () => {
    const [first, second] = recordsIn(await readAll(ocdsAdapter, Buffer.from(text)))
    expect(first).toMatchObject({
      location: { item: 'releases[1]' },
      candidate: { key: 'ocds-test-1', body: { level: 'project', stage: 'tendered' } },
    })
    expect(second).toMatchObject({
      location: { item: 'releases[0]' },
      candidate: {
        at: '2026-02-02T00:00:00Z',
        body: { level: 'deal', stage: 'awarded', title: 'A road', class: 'A99', kind: 'tender' },
      },
    })
  })

  it('adds amounts to the last digit, although no double holds them', async () => {
    const [, second] = recordsIn(await readAll(ocdsAdapter, Buffer.from(text)))
    expect(second?.candidate).toMatchObject({
      body: {
        amount: '9007199254740993.3',
        winners: [
          { name: 'Some Builder', code: 'S', amount: '9007199254740993.1' },
          { name: 'Other Builder', code: 'S2', amount: '0.2' },
        ],
      },
    })
  })

  it('takes the region of the mapping, else of the platform', async () => {
    const mapping = parseMapping("adapter: ocds\nregion: '320100'\n")
    const regions = [null, mapping].map(
      async one => recordsIn(await readAll(ocdsAdapter, Buffer.from(text), { mapping: one }))[0]?.candidate,
    )
    expect(await Promise.all(regions)).toMatchObject([{ body: { region: '530000' } }, { body: { region: '320100' } }])
  })

  it('refuses a record that only links to its releases, and amounts of two currencies', async () => {
    const linked = {
      records: [{ ocid: 'ocds-test-1', releases: [{ url: 'https://example.org/1', date: '2026-01-01T00:00:00Z' }] }],
    }
    const mixed = { ...JSON.parse(AWARD), ...tender, tender: { ...tender.tender, value: { amount: 1, currency: 'USD' } } }
    const rules = [linked, mixed].map(
      async one => refusedIn(await readAll(ocdsAdapter, Buffer.from(JSON.stringify(one))))[0]?.fault.rule,
    )
    expect(await Promise.all(rules)).toEqual(['linked-release', 'money-currency'])
  })

  const present = existsSync(SAMPLE)
  if (!present) process.stdout.write('skipped: the Open Contracting sample data are not here\n')
  it.skipIf(!present)('reads every release and record package of the published sample', async () => {
    const files = readdirSync(SAMPLE, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.json'))
    expect(files).toHaveLength(9)
    for (const name of files) {
      const rows = await readAll(ocdsAdapter, readFileSync(new URL(name, SAMPLE)))
      expect(refusedIn(rows)).toEqual([])
      expect(rows).toHaveLength(name === 'ocds-213czf-000-00001.json' ? 6 : 1)
    }
  })

  it.skipIf(!present)('comes to the same trade from the releases as from the record that compiles them', async () => {
    const last = async (name: string) =>
      recordsIn(await readAll(ocdsAdapter, readFileSync(new URL(name, SAMPLE)))).at(-1)?.candidate
    const compiled = await last('record/ocds-213czf-000-00001.json')
    expect(await last('ocds-213czf-000-00001.json')).toEqual(compiled)
    expect(compiled).toMatchObject({
      body: { stage: 'performed', amount: '11000000', budget: '1100000', currency: 'GBP', contracted_on: '2010-06-10' },
    })
  })
})
