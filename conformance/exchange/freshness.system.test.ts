import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freeze } from '../../runtime/ledger/forks.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { legalPerson } from './rows.ts'
import { ask, eventually, field, ingestRows, operator, startTestbed, type Testbed } from './testbed.ts'

const KEY = '91530100MA6K00001A'
const HOUR_MS = 3_600_000

const BLACKLISTED = {
  DATA_TYPE: '1',
  DATA_KEY: 'B-1',
  TABLE: 'BLACKLIST',
  DATA: {
    BLACKLIST_CODE: 'B-1',
    BODY_CODE: KEY,
    BODY_NAME: '云南示例建设有限公司',
    GOVERNMENT: '示例主管部门',
    RECORD_DATE: '20261001',
    REGION_CODE: '530100',
    PLATFORM_CODE: '530000-01',
    DATA_TIMESTAMP: '20261001090000',
  },
}
const claimsOf = (token: string): string => Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')

let bed: Testbed
beforeAll(async () => {
  bed = await startTestbed()
  await ingestRows(bed, '530000', [legalPerson(KEY, '云南示例建设有限公司')])
  await eventually(
    'the record',
    () => ask(bed, '520000', `/v1/entity/${KEY}`),
    one => one.status === 200,
  )
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

const get = async (code: string, path: string) => {
  const response = await fetch(`${bed.node(code).url}${path}`, { headers: await operator(bed, code) })
  return { status: response.status, age: response.headers.get('age'), body: (await response.json()) as never }
}

/** A log of 530000 with one record, last heard of so long ago, as the reader's database holds it. */
async function heldSince(dataset: string, hours: number): Promise<void> {
  const db = bed.nodeDb('520000')
  const at = new Date(Date.now() - hours * HOUR_MS)
  await sql`INSERT INTO log (origin, dataset, audience, epoch, seq, digest, issued_at) VALUES ('530000', ${dataset}, 'all', 1, 1, 'x', ${at})
    ON CONFLICT (origin, dataset, audience) DO UPDATE SET issued_at = excluded.issued_at`.execute(db)
  await sql`INSERT INTO envelope (log_id, epoch, seq, digest, token, encoding, records)
    SELECT l.id, 1, 1, 'x', e.token, 'identity', 1 FROM log l, envelope e JOIN log o ON o.id = e.log_id
    WHERE l.origin = '530000' AND l.dataset = ${dataset} AND o.origin = '530000' AND o.dataset = 'entity' AND e.seq = 1
    ON CONFLICT DO NOTHING`.execute(db)
  await sql`INSERT INTO ${sql.table(`replica_${dataset}`)} (log_id, key, ver, op, at, platform, body, epoch, seq, item)
    SELECT id, ${`of-${dataset}`}, 1, 'put', now(), 'x', '{}', 1, 1, 0 FROM log WHERE origin = '530000' AND dataset = ${dataset}
    ON CONFLICT DO NOTHING`.execute(db)
}

describe('while the origin is heard', () => {
  it("an answer says how fresh it is: in Age, for machines, and in each item's sentence, for people", async () => {
    const { age, body } = await get('520000', `/v1/entity/${KEY}`)
    expect(Number(age)).toBeLessThan(60)
    expect(field(body, 'items', 0, 'freshness')).toMatchObject({
      age_seconds: Number(age),
      budget_seconds: 86_400,
      state: 'fresh',
      said: { en: expect.stringContaining('Complete'), zh: expect.stringContaining('齐全') },
    })
    expect((await get('520000', '/v1/entity')).age).not.toBeNull()
  })

  it("a node's own record has no age", async () => {
    const { age, body } = await get('530000', `/v1/entity/${KEY}`)
    expect(age).toBeNull()
    expect(field(body, 'items', 0, 'freshness')).toMatchObject({ age_seconds: 0, state: 'fresh' })
  })

  it('a stale log whose contract says to ask is asked for at its origin, and served fresh', async () => {
    expect(await ingestRows(bed, '530000', [BLACKLISTED])).toMatchObject({ sealed: 1 })
    const headsAt = (code: string) =>
      bed.nodeDb(code).selectFrom('announced').select('token').where('origin', '=', '530000').execute()
    await eventually(
      'a head that names the credit log, heard by all',
      async () =>
        (await Promise.all(['530000', '520000'].map(headsAt))).map(([row]) => claimsOf(row?.token ?? '').includes('"credit"')),
      named => named.every(Boolean),
    )
    await eventually(
      'the record',
      () => get('520000', '/v1/credit/B-1'),
      one => one.status === 200,
    )
    await bed.stopNode('520000')
    await bed.stopHub()
    await sql`DELETE FROM announced`.execute(bed.nodeDb('520000'))
    await sql`UPDATE log SET issued_at = now() - interval '2 hours' WHERE dataset = 'credit'`.execute(bed.nodeDb('520000'))
    await bed.startNode('520000')
    const { status, age, body } = await get('520000', '/v1/credit/B-1')
    expect({ status, state: field(body, 'items', 0, 'freshness', 'state') }).toEqual({ status: 200, state: 'fresh' })
    expect(Number(age)).toBeLessThan(60)
  })
})

describe('when nothing is heard of the origin', () => {
  beforeAll(async () => {
    await bed.stopNode('530000')
    await bed.stopNode('000000')
    await bed.stopNode('520000')
    await sql`DELETE FROM announced`.execute(bed.nodeDb('520000'))
    await heldSince('entity', 25)
    await heldSince('credit', 2)
    await heldSince('trade', 2)
    await heldSince('trust', 2)
    await bed.startNode('520000')
  })

  it('what is within its budget is served as fresh, with its age', async () => {
    const { age, body } = await get('520000', '/v1/trade/of-trade')
    expect(Math.round(Number(age) / 60)).toBe(120)
    expect(field(body, 'items', 0, 'freshness', 'state')).toBe('fresh')
  })

  it('what is marked is served with its mark', async () => {
    const { status, age, body } = await get('520000', `/v1/entity/${KEY}`)
    expect(status).toBe(200)
    expect(Math.round(Number(age) / 3600)).toBe(25)
    expect(field(body, 'items', 0, 'freshness')).toMatchObject({
      state: 'stale',
      said: { en: expect.stringContaining('25 hours ago, 1 day allowed'), zh: expect.stringContaining('25小时') },
    })
  })

  it('what is to be asked for is served with its mark when the origin does not answer, and soon', async () => {
    const start = performance.now()
    const { status, body } = await get('520000', '/v1/credit/B-1')
    expect({ status, state: field(body, 'items', 0, 'freshness', 'state') }).toEqual({ status: 200, state: 'stale' })
    const asked = performance.now() - start
    const again = performance.now()
    await get('520000', '/v1/credit/B-1')
    expect(asked).toBeLessThan(5000)
    expect(performance.now() - again).toBeLessThan(1500)
  })

  it('what is to be refused is refused with its age, whether it is found here or not', async () => {
    for (const path of ['/v1/trust/of-trust', '/v1/trust/unheard-of', '/v1/trust', '/v1/trust?origin=530000']) {
      const { status, body } = await get('520000', path)
      expect({ path, status, code: field(body, 'code'), retry: field(body, 'retry') }).toEqual({
        path,
        status: 503,
        code: 'FRESHNESS_EXPIRED',
        retry: true,
      })
      expect(field(body, 'about')).toMatchObject({ dataset: 'trust', origin: ['530000'], budget_seconds: 3600 })
    }
  })

  it('a record of a log whose origin signed two histories is shown as disputed', async () => {
    const db = bed.nodeDb('520000').$pickTables<keyof LedgerTables>()
    const log = await db
      .selectFrom('log')
      .select('id')
      .where('dataset', '=', 'entity')
      .where('origin', '=', '530000')
      .executeTakeFirstOrThrow()
    await freeze(db, log.id, { statements: ['a', 'b'], reason: 'test' })
    expect(field((await get('520000', `/v1/entity/${KEY}`)).body, 'items', 0, 'verification', 'state')).toBe('disputed')
  })
})
