import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readLogs } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { deal, legalPerson, project } from './rows.ts'
import { ask, eventually, field, ingestRows, startTestbed, type Testbed } from './testbed.ts'

let bed: Testbed
beforeAll(async () => {
  bed = await startTestbed()
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

const ledgerOf = (code: string) => bed.nodeDb(code).$pickTables<keyof LedgerTables>()
const arrives = (code: string, path: string) =>
  eventually(
    `${path} at ${code}`,
    () => ask(bed, code, path),
    one => one.status === 200,
  )

describe('a federation of hub and nodes', () => {
  it('shows at another node what one node took in, with origin, position and verification', async () => {
    expect(await ingestRows(bed, '530000', [legalPerson('91530100MA6K00001A', '云南示例建设有限公司')])).toMatchObject({
      rows: 1,
      sealed: 1,
      refused: 0,
    })
    const { body } = await arrives('520000', '/v1/entity/91530100MA6K00001A')
    expect(field(body, 'items', 0)).toMatchObject({
      origin: '530000',
      ver: 1,
      position: { epoch: 1, seq: 1, item: 0 },
      body: { name: '云南示例建设有限公司', region: '530100' },
      verification: { state: 'verified', signer: '530000' },
    })
    expect(field((await ask(bed, '530000', '/v1/entity/91530100MA6K00001A')).body, 'items', 0, 'verification', 'state')).toBe('own')
  })

  it('makes no new record of what already stands, and a new version of what changed', async () => {
    const rows = [legalPerson('91530100MA6K00002B', '甲公司'), legalPerson('91530100MA6K00003C', '乙公司')]
    expect(await ingestRows(bed, '530000', rows)).toMatchObject({ sealed: 2 })
    expect(await ingestRows(bed, '530000', rows)).toMatchObject({ sealed: 0, unchanged: 2 })
    expect(await ingestRows(bed, '530000', [legalPerson('91530100MA6K00002B', '甲公司（更名）')])).toMatchObject({ sealed: 1 })
    const renamed = () => ask(bed, '520000', '/v1/entity/91530100MA6K00002B')
    await eventually(
      'the new name',
      renamed,
      ({ body }) => field(body, 'items', 0, 'body', 'name') === '甲公司（更名）' && field(body, 'items', 0, 'ver') === 2,
    )
  })

  it('takes back everywhere what its origin withdraws', async () => {
    await ingestRows(bed, '530000', [legalPerson('91530100MA6K00004D', '丙公司')])
    await arrives('520000', '/v1/entity/91530100MA6K00004D')
    expect(await ingestRows(bed, '530000', [legalPerson('91530100MA6K00004D', '丙公司', '3')])).toMatchObject({ sealed: 1 })
    await eventually(
      'the record is gone',
      () => ask(bed, '520000', '/v1/entity/91530100MA6K00004D'),
      one => one.status === 404,
    )
    expect((await ask(bed, '520000', '/v1/entity?key=91530100MA6K00004D')).body).toMatchObject({ items: [], next: null })
  })

  it('parks a child whose parent has not come, and seals it with its parent', async () => {
    expect(await ingestRows(bed, '530000', [deal('S-1', 'P-1', '1000000')])).toMatchObject({ parked: 1, sealed: 0 })
    expect((await ask(bed, '530000', '/v1/trade/S-1')).status).toBe(404)
    expect(await ingestRows(bed, '530000', [project('P-1')])).toMatchObject({ sealed: 1 })
    expect(field((await arrives('520000', '/v1/trade/S-1')).body, 'items', 0, 'body')).toMatchObject({
      parent: 'P-1',
      amount: '1000000',
    })
  })

  it('refuses a row by itself, with field, rule and reason in both languages, and keeps it', async () => {
    const bad = {
      ...legalPerson('91530100MA6K00005E', '丁公司'),
      DATA: { LEGAL_CODE: '91530100MA6K00005E', REGION_CODE: '530100' },
    }
    const sum = await ingestRows(bed, '530000', [bad, legalPerson('91530100MA6K00006F', '戊公司')])
    expect(sum).toMatchObject({ rows: 2, sealed: 1, refused: 1 })
    expect(field(sum, 'refusals', 0)).toMatchObject({
      code: 'ROW_FIELD_MISSING',
      field: 'LEGAL_NAME',
      line: 1,
      zh: expect.stringContaining('。'),
    })
    const kept = await ask(bed, '530000', '/v1/quarantine?kind=row')
    expect(field(kept.body, 'items', 0)).toMatchObject({ code: 'ROW_FIELD_MISSING', field: 'LEGAL_NAME', line: 1 })
    expect(await ingestRows(bed, '530000', [bad])).toMatchObject({ refused: 1 })
    expect(field((await ask(bed, '530000', '/v1/quarantine?kind=row')).body, 'items', 'length')).toBe(
      field(kept.body, 'items', 'length'),
    )
  })

  it('pages through a dataset without skipping or repeating, and filters by region and origin', async () => {
    await ingestRows(
      bed,
      '520000',
      Array.from({ length: 23 }, (_, n) => legalPerson(`915200000000${String(n).padStart(2, '0')}XXXX`, `黔企 ${n}`)),
    )
    await arrives('530000', '/v1/entity/91520000000022XXXX')
    const keys: unknown[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body } = await ask(bed, '530000', `/v1/entity?origin=520000&limit=5${cursor === '' ? '' : `&cursor=${cursor}`}`)
      keys.push(...(field(body, 'items') as { key: string }[]).map(item => item.key))
      cursor = field(body, 'next') as string | null
    }
    expect(keys).toHaveLength(23)
    expect(new Set(keys).size).toBe(23)
    expect(field((await ask(bed, '530000', '/v1/entity?region=990000')).body, 'items')).toEqual([])
  })

  it('answers wrong questions with problem details and a stable code', async () => {
    expect((await ask(bed, '530000', '/v1/entity?cursor=nonsense')).body).toMatchObject({ code: 'CURSOR_INVALID', status: 400 })
    expect((await ask(bed, '530000', '/v1/entity?colour=red')).body).toMatchObject({ code: 'REQUEST_INVALID' })
    expect((await ask(bed, '530000', '/v1/nothing')).body).toMatchObject({ code: 'REQUEST_INVALID' })
    expect((await ask(bed, '530000', '/v1/logs/530000/entity/all/envelopes/1/99')).body).toMatchObject({ code: 'ENVELOPE_UNKNOWN' })
    const unsigned = await fetch(`${bed.node('530000').url}/v1/ingest/csv`, { method: 'POST', body: '' })
    expect([unsigned.status, await unsigned.json()]).toMatchObject([401, { code: 'REQUEST_UNAUTHORIZED' }])
  })

  it('goes on with local work while the hub is away, and empties the outbox on its receipt', async () => {
    await bed.stopHub()
    expect(await ingestRows(bed, '530000', [legalPerson('91530100MA6K00007G', '己公司')])).toMatchObject({ sealed: 1 })
    const own = async () =>
      (await readLogs(ledgerOf('530000'))).find(({ log }) => log.origin === '530000' && log.dataset === 'entity')
    const before = await own()
    expect(before?.receipt?.seq).toBeLessThan(before?.head?.seq ?? 0)
    await bed.startHub()
    await eventually('the receipt', own, state => state?.receipt?.digest === state?.head?.digest, 30_000)
    await arrives('520000', '/v1/entity/91530100MA6K00007G')
  })

  it('catches up after a node was away, from the stream and for what the stream lost from the hub', async () => {
    await bed.stopNode('520000')
    await ingestRows(bed, '530000', [legalPerson('91530100MA6K00008H', '庚公司')])
    await eventually(
      'the hub holds it',
      () => readLogs(bed.hubDb),
      states => {
        const state = states.find(({ log }) => log.origin === '530000' && log.dataset === 'entity')
        return (state?.head?.seq ?? 0) >= 8
      },
    )
    const manager = await (await bed.connectAs('hub')).manager()
    await manager.streams.delete('LOG-530000')
    await bed.startNode('520000')
    await arrives('520000', '/v1/entity/91530100MA6K00008H')
  })

  it('holds the same log with the same digest at hub and nodes', async () => {
    const heads = async () =>
      Promise.all(
        [bed.hubDb, ledgerOf('530000'), ledgerOf('520000'), ledgerOf('000000')].map(async db =>
          (await readLogs(db))
            .filter(({ log }) => log.dataset === 'entity')
            .map(({ log, head }) => `${log.origin} ${head?.digest}`),
        ),
      )
    await eventually(
      'equal heads',
      heads,
      all => new Set(all.map(one => one.join('\n'))).size === 1 && (all[0]?.length ?? 0) === 2,
      30_000,
    )
  })
})
