/** A holder goes on where it believes a log to stand, and lets the database compare: what changed behind its back is noticed at the next entry. */
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { LOG, logGround, numberedKey } from './log-ground.ts'
import { eventually, startTestbed, type Testbed } from './testbed.ts'

let bed: Testbed
const { nodeDb, spread, takeIn, findings } = logGround(() => bed)
const HOLDER = '520000'
beforeAll(async () => {
  bed = await startTestbed()
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

const found = async (key: string): Promise<unknown[]> =>
  (await findings(HOLDER)).filter(one => (one as { key?: string }).key === key)
const idAt = async (code: string): Promise<number> => (await readLog(nodeDb(code), LOG))?.id ?? 0
const rowOf = async (key: string) =>
  (
    await sql<{ ver: number; op: string; region: string | null }>`
      SELECT ver, op, region FROM replica_entity WHERE log_id = ${await idAt(HOLDER)} AND key = ${key}`.execute(nodeDb(HOLDER))
  ).rows[0]

it('a database that is set back under a living holder is noticed by the next entry, and what is missing comes again', async () => {
  for (let n = 1; n <= 2; n += 1) await takeIn(n)
  await spread()
  const id = await idAt(HOLDER)
  await nodeDb(HOLDER)
    .transaction()
    .execute(async trx => {
      await sql`DELETE FROM replica_entity WHERE log_id = ${id} AND seq = 2`.execute(trx)
      await sql`DELETE FROM envelope WHERE log_id = ${id} AND seq = 2`.execute(trx)
      await sql`
        UPDATE log SET seq = 1, digest = (SELECT digest FROM envelope WHERE log_id = ${id} AND epoch = 1 AND seq = 1)
        WHERE id = ${id}`.execute(trx)
    })
  await takeIn(3)
  await spread()
  expect(await rowOf(numberedKey(2))).toMatchObject({ ver: 1 })
  expect(await findings(HOLDER)).toEqual([])
})

it('a first version of a key of which something stands already is taken with care, and the log goes on', async () => {
  await sql`
    INSERT INTO replica_entity (log_id, key, ver, op, at, platform, body, epoch, seq, item)
    VALUES (${await idAt(HOLDER)}, ${numberedKey(4)}, 1, 'put', now(), '530000-01', '{}', 1, 1, 9)`.execute(nodeDb(HOLDER))
  await takeIn(4)
  await takeIn(5)
  await spread()
  expect(await rowOf(numberedKey(5))).toMatchObject({ ver: 1 })
  // Version 1 is not above what stood, so that it keeps standing, and the check of the ledger names it.
  expect(await found(numberedKey(4))).toHaveLength(1)
})

it('the region that is told beside a body is held against it by the check of the ledger', async () => {
  const key = await takeIn(6)
  await spread()
  expect(await rowOf(key)).toMatchObject({ region: '530100' })
  const told = (region: string) => sql`UPDATE replica_entity SET region = ${region} WHERE key = ${key}`.execute(nodeDb(HOLDER))
  await told('990000')
  expect(await found(key)).toEqual([expect.objectContaining({ found: 'version 1, edited' })])
  await told('530100')
  expect(await found(key)).toEqual([])
})

it('a log that is frozen behind the back of a holder takes nothing more in', async () => {
  const before = await readLog(nodeDb(HOLDER), LOG)
  await sql`INSERT INTO fork (log_id, reason, statement_a, statement_b) VALUES (${before?.id ?? 0}, 'said by a test', 'a', 'b')`.execute(
    nodeDb(HOLDER),
  )
  await takeIn(7)
  await eventually(
    'the refused entry',
    async () => (await nodeDb(HOLDER).selectFrom('quarantine').select('code').where('code', '=', 'LOG_FROZEN').execute()).length,
    count => count > 0,
  )
  expect((await readLog(nodeDb(HOLDER), LOG))?.head).toEqual(before?.head)
})
