import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonValue } from '../../schemas/record.ts'
import { sharedData } from './shared-data.ts'
import { ask, eventually, field, ingestBytes, startTestbed, type Testbed } from './testbed.ts'

const slice = sharedData('records/entities-2019-slice.csv')
const ocds = sharedData('records/ocds/1.1')
const mapping = readFileSync(new URL('../../adapters/csv/entities.mapping.yaml', import.meta.url), 'utf8')

let bed: Testbed
beforeAll(async () => {
  bed = await startTestbed()
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

const count = (sum: JsonValue, name: string): number => Number(field(sum, name))
const stateOf = async (code: string): Promise<string> => {
  const { rows } = await sql<{ state: string }>`
    SELECT count(*) || ' ' || coalesce(md5(string_agg(held.key || ' ' || held.ver || ' ' || held.body::text, E'\n' ORDER BY held.key)), '') AS state
    FROM replica_entity held JOIN log ON log.id = held.log_id WHERE log.origin = '530000'`.execute(bed.nodeDb(code))
  return rows[0]?.state ?? ''
}

describe('a file of another hand', () => {
  it.skipIf(slice === null)(
    'is accounted for row by row: readable at every other node with equal content, or in quarantine with its reason',
    async () => {
      const bytes = readFileSync(slice ?? '')
      const sum = await ingestBytes(bed, '530000', 'csv', bytes, mapping)
      expect(count(sum, 'rows')).toBe(6000)
      expect(['sealed', 'unchanged', 'superseded', 'parked', 'refused'].reduce((total, name) => total + count(sum, name), 0)).toBe(
        6000,
      )
      expect(count(sum, 'sealed')).toBeGreaterThan(5990)
      const { rows } = await sql<{ rows: number; reasons: number }>`
      SELECT count(*)::int AS rows, count(*) FILTER (WHERE field IS NOT NULL AND rule IS NOT NULL AND line IS NOT NULL AND reason_zh IS NOT NULL)::int AS reasons
      FROM quarantine WHERE kind = 'row'`.execute(bed.nodeDb('530000'))
      expect(rows[0]).toEqual({ rows: count(sum, 'refused'), reasons: count(sum, 'refused') })
      const own = await stateOf('530000')
      expect(own.startsWith(`${count(sum, 'sealed')} `)).toBe(true)
      for (const code of ['520000', '000000'])
        await eventually(
          `equal content at ${code}`,
          () => stateOf(code),
          state => state === own,
        )

      const again = await ingestBytes(bed, '530000', 'csv', bytes, mapping)
      expect(again).toMatchObject({ rows: 6000, sealed: 0, refused: count(sum, 'refused') })
      expect(await stateOf('530000')).toBe(own)
    },
  )

  it.skipIf(ocds === null)('becomes trades at another node when it holds Open Contracting releases', async () => {
    const folder = ocds ?? ''
    for (const name of readdirSync(folder).filter(one => one.endsWith('.json'))) {
      const sum = await ingestBytes(bed, '530000', 'ocds', readFileSync(join(folder, name)))
      expect([name, count(sum, 'refused'), count(sum, 'rows') > 0]).toEqual([name, 0, true])
    }
    const ocid = 'ocds-213czf-000-00001'
    const { body } = await eventually(
      'the trade',
      () => ask(bed, '520000', `/v1/trade/${ocid}`),
      one => one.status === 200,
    )
    expect(field(body, 'items', 0)).toMatchObject({ origin: '530000', body: { ocid } })
  })
})
