import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Progress } from '../../runtime/ledger/verification.ts'
import { legalPerson } from './rows.ts'
import { ask, eventually, field, ingestRows, startTestbed, type Testbed } from './testbed.ts'

let bed: Testbed
beforeAll(async () => {
  bed = await startTestbed()
  const rows = Array.from({ length: 4 }, (_, n) => legalPerson(`91530100MA6K0000${n}X`, `云企 ${n}`))
  for (const row of rows) await ingestRows(bed, '530000', [row])
  await ingestRows(bed, '530000', [legalPerson('91530100MA6K00000X', '云企 0（更名）'), legalPerson('91530100MA6K00001X', '', '3')])
  await eventually(
    'the records',
    () => ask(bed, '520000', '/v1/entity'),
    ({ body }) => field(body, 'items', 'length') === 3,
  )
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

async function verify(program: string): Promise<Progress[]> {
  const url = program === 'hub' ? bed.hub.url : bed.node(program).url
  const response = await fetch(`${url}/v1/ledger/verification`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await bed.token(program)}` },
  })
  expect(response.status).toBe(200)
  const lines = (await response.text()).trimEnd().split('\n')
  return lines.map(line => JSON.parse(line) as Progress)
}
const findings = async (program: string) => (await verify(program)).filter(one => one.kind === 'finding')

/** Edits the database, verifies, and puts back what stood. */
async function edited(program: string, table: string, change: ReturnType<typeof sql>): Promise<Progress[]> {
  const db = bed.nodeDb(program)
  const copy = sql.table(`copy_of_${table}`)
  await sql`CREATE TABLE ${copy} AS SELECT * FROM ${sql.table(table)}`.execute(db)
  try {
    await change.execute(db)
    return await findings(program)
  } finally {
    const { rows } = await sql<{ name: string }>`
      SELECT column_name AS name FROM information_schema.columns
      WHERE table_name = ${table} AND is_generated = 'NEVER' AND column_name <> 'id'`.execute(db)
    const columns = rows.map(({ name }) => sql.ref(name))
    const keys =
      table === 'log' ? ['origin', 'dataset', 'audience'] : table === 'envelope' ? ['log_id', 'epoch', 'seq'] : ['log_id', 'key']
    if (table !== 'log') await sql`DELETE FROM ${sql.table(table)}`.execute(db)
    if (table !== 'log') {
      await sql`INSERT INTO ${sql.table(table)} (${sql.join(columns)}) SELECT ${sql.join(columns)} FROM ${copy}`.execute(db)
    } else {
      await sql`UPDATE log SET epoch = c.epoch, seq = c.seq, digest = c.digest, receipt_digest = c.receipt_digest,
        receipt_token = c.receipt_token FROM ${copy} c
        WHERE ${sql.join(
          keys.map(key => sql`${sql.ref(`log.${key}`)} = ${sql.ref(`c.${key}`)}`),
          sql` AND `,
        )}`.execute(db)
    }
    await sql`DROP TABLE ${copy}`.execute(db)
  }
}

const LOG = { origin: '530000', dataset: 'entity', audience: 'all' }
const AT = sql`log_id = (SELECT id FROM log WHERE origin = '530000' AND dataset = 'entity')`

describe('the verification of a ledger', () => {
  it.each(['hub', '520000', '530000'])('finds nothing where nothing was touched: %s', async program => {
    const lines = await verify(program)
    expect(lines.filter(one => one.kind === 'finding')).toEqual([])
    const end = lines.at(-1)
    expect(end).toMatchObject({ kind: 'end', findings: 0, records: program === 'hub' ? 0 : 6 })
    expect(end?.kind === 'end' && end.entries).toBeGreaterThanOrEqual(6)
  })

  it('is started by the operator alone', async () => {
    expect((await fetch(`${bed.hub.url}/v1/ledger/verification`, { method: 'POST' })).status).toBe(401)
  })

  const changes: readonly [string, string, ReturnType<typeof sql>, object][] = [
    [
      'a byte of a body',
      'envelope',
      sql`UPDATE envelope SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE ${AT} AND seq = 2`,
      { check: 'body', position: { epoch: 1, seq: 2 } },
    ],
    [
      'a character of a token',
      'envelope',
      sql`UPDATE envelope SET token = overlay(token placing CASE substr(token, 300, 1) WHEN 'A' THEN 'B' ELSE 'A' END from 300) WHERE ${AT} AND seq = 3`,
      { check: 'digest', position: { epoch: 1, seq: 3 } },
    ],
    ['a digest', 'envelope', sql`UPDATE envelope SET digest = 'sha-256:x' WHERE ${AT} AND seq = 3`, { check: 'digest' }],
    [
      'an envelope that is gone',
      'envelope',
      sql`DELETE FROM envelope WHERE ${AT} AND seq = 2`,
      { check: 'chain', position: { epoch: 1, seq: 3 }, found: 'gap' },
    ],
    ['the last envelope gone', 'envelope', sql`DELETE FROM envelope WHERE ${AT} AND seq = 5`, { check: 'head' }],
    [
      'two envelopes that changed places',
      'envelope',
      sql`UPDATE envelope e SET token = o.token, digest = o.digest, body = o.body FROM envelope o
        WHERE e.log_id = o.log_id AND e.log_id = (SELECT id FROM log WHERE origin = '530000' AND dataset = 'entity') AND e.seq + o.seq = 5
          AND e.seq IN (2, 3)`,
      { check: 'token', position: { epoch: 1, seq: 2 } },
    ],
    [
      'the head of a log',
      'log',
      sql`UPDATE log SET digest = 'sha-256:x' WHERE origin = '530000' AND dataset = 'entity'`,
      { check: 'head', position: { epoch: 1, seq: 5 } },
    ],
  ]
  it.each(changes)('finds and names, at hub and node: %s', async (_what, table, change, expected) => {
    for (const program of ['hub', '520000']) {
      expect(await edited(program, table, change)).toContainEqual(expect.objectContaining({ log: LOG, ...expected }))
    }
    expect(await findings('520000')).toEqual([])
  })

  const rows: readonly [string, ReturnType<typeof sql>, object][] = [
    [
      'the body of a record',
      sql`UPDATE replica_entity SET body = jsonb_set(body::jsonb, '{name}', '"改名"') WHERE key = '91530100MA6K00002X'`,
      { key: '91530100MA6K00002X', position: { epoch: 1, seq: 3 }, item: 0 },
    ],
    ['its version', sql`UPDATE replica_entity SET ver = 9 WHERE key = '91530100MA6K00002X'`, { key: '91530100MA6K00002X' }],
    [
      'a withdrawn record that stands again',
      sql`UPDATE replica_entity SET op = 'put', body = '{}' WHERE key = '91530100MA6K00001X'`,
      { key: '91530100MA6K00001X' },
    ],
    [
      'a record that was put back to an older version',
      sql`UPDATE replica_entity SET ver = 1, seq = 1, item = 0 WHERE key = '91530100MA6K00000X'`,
      { key: '91530100MA6K00000X', expected: 'version 2', found: 'version 1' },
    ],
    ['a record that is gone', sql`DELETE FROM replica_entity WHERE key = '91530100MA6K00003X'`, { found: 'no row' }],
    [
      'a record that nobody said',
      sql`INSERT INTO replica_entity (log_id, key, ver, op, at, platform, body, epoch, seq, item)
        SELECT log_id, 'made up', 1, 'put', at, platform, body, epoch, seq, item FROM replica_entity WHERE key = '91530100MA6K00003X'`,
      { key: 'made up', found: 'none there' },
    ],
  ]
  it.each(rows)('finds and names in the replica: %s', async (_what, change, expected) => {
    expect(await edited('520000', 'replica_entity', change)).toContainEqual(
      expect.objectContaining({ check: 'record', log: LOG, ...expected }),
    )
    expect(await findings('520000')).toEqual([])
  })

  it("finds a receipt of the node's own log that says something else", async () => {
    const change = sql`UPDATE log SET receipt_digest = 'sha-256:x' WHERE origin = '530000' AND dataset = 'entity'`
    await eventually(
      'the receipt',
      () => bed.nodeDb('530000').selectFrom('log').select('receipt_seq').where('dataset', '=', 'entity').executeTakeFirst(),
      row => row?.receipt_seq === 5,
    )
    expect(await edited('530000', 'log', change)).toContainEqual(expect.objectContaining({ check: 'receipt', log: LOG }))
  })
})
