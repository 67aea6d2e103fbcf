/**
 * A node that lost the last entries of its log. What anybody still has comes back by itself; what nobody delivers waits for an operator,
 * who declares it lost; what turns up later with somebody is kept there and counts no more. Everybody ends in the same state.
 */
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readForks } from '../../runtime/ledger/forks.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { LOST } from '../../runtime/ledger/losses.ts'
import type { JsonValue } from '../../schemas/record.ts'
import { type Db, headAt, LOG, logGround, numberedKey, ORIGIN } from './log-ground.ts'
import { type Answer, ask, eventually, field, startTestbed, type Testbed } from './testbed.ts'

let bed: Testbed
const { nodeDb, holders, spread, takeIn, findings } = logGround(() => bed)
beforeAll(async () => {
  bed = await startTestbed()
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

/** A backup of what a node holds of the log's state, as of now. */
async function backUp(db: Db): Promise<void> {
  await sql`DROP TABLE IF EXISTS backup`.execute(db)
  await sql`CREATE TABLE backup AS SELECT log_id, key, ver, op, why, at, platform, body, epoch, seq, item, region FROM replica_entity`.execute(
    db,
  )
}

/** Sets a database back to where its log stood at `seq`, as restoring a backup of that moment does. */
async function setBack(db: Db, epoch: number, seq: number, replica: boolean): Promise<void> {
  const state = await readLog(db, LOG)
  if (state === null) throw new Error('no such log')
  const past = sql<boolean>`(epoch, seq) > (${epoch}::int, ${seq}::bigint)`
  if (replica) {
    await sql`DELETE FROM replica_entity`.execute(db)
    await sql`
      INSERT INTO replica_entity (log_id, key, ver, op, why, at, platform, body, epoch, seq, item, region)
      SELECT log_id, key, ver, op, why, at, platform, body, epoch, seq, item, region FROM backup`.execute(db)
  }
  await sql`DELETE FROM envelope WHERE log_id = ${state.id} AND ${past}`.execute(db)
  await sql`
    UPDATE log SET epoch = ${epoch}, seq = ${seq},
      digest = (SELECT digest FROM envelope WHERE log_id = ${state.id} AND epoch = ${epoch} AND seq = ${seq}),
      receipt_epoch = 0, receipt_seq = 0, receipt_digest = NULL, receipt_token = NULL WHERE id = ${state.id}`.execute(db)
}
/** how far the newest head that a holder has heard says that the log goes */
async function heardOf(db: Db): Promise<number> {
  const row = await db.selectFrom('announced').select('token').where('origin', '=', LOG.origin).executeTakeFirst()
  const claims = Buffer.from(row?.token.split('.')[1] ?? '', 'base64url').toString('utf8')
  return Number(field(JSON.parse(claims || '{}') as JsonValue, 'logs', 0, 'seq') ?? 0)
}
const forgetHeads = (db: Db): Promise<unknown> => db.deleteFrom('announced').where('origin', '=', LOG.origin).execute()

const reopen = (body: object): Promise<Answer> => ask(bed, ORIGIN, '/v1/ledger/reopening', { dataset: 'entity', ...body })
const stateOf = async (db: Db): Promise<string> => {
  const { rows } = await sql<{ state: string }>`
    SELECT string_agg(concat_ws(' ', r.key, r.ver, r.op, r.epoch, r.seq, r.body), E'\n' ORDER BY r.key) AS state
    FROM replica_entity r JOIN log l ON l.id = r.log_id WHERE l.origin = ${LOG.origin} AND l.audience = 'all'`.execute(db)
  return rows[0]?.state ?? ''
}

const sameEverywhere = async (): Promise<void> => {
  const state = await stateOf(nodeDb('530000'))
  for (const holder of ['520000', '000000'])
    await eventually(
      `the state at ${holder}`,
      () => stateOf(nodeDb(holder)),
      one => one === state,
    )
  for (const [, db] of holders('hub', '520000', '000000')) expect(await readForks(db)).toEqual([])
}
const version = (one: Answer): number => Number(field(one.body, 'items', 0, 'ver'))

describe('the last entries of a log that nobody holds now', () => {
  it('are waited for, shown to the operator, and declared lost at the order; then the log goes on, and outranks them', async () => {
    for (let n = 1; n <= 2; n += 1) await takeIn(n)
    await spread()
    for (const holder of ['530000', '520000', '000000']) await backUp(nodeDb(holder))
    for (let n = 3; n <= 4; n += 1) await takeIn(n)
    await spread()
    await eventually(
      'the head at 520000',
      () => heardOf(nodeDb('520000')),
      seq => seq === 4,
    )
    for (const holder of ['530000', '520000', '000000']) await bed.stopNode(holder)
    await bed.stopHub()
    // One head that 520000 heard is all that is left of 1.3 and 1.4.
    for (const db of [bed.hubDb, nodeDb('530000'), nodeDb('000000')]) await forgetHeads(db)
    for (const db of [bed.hubDb, ...['530000', '520000', '000000'].map(nodeDb)]) await setBack(db, 1, 2, db !== bed.hubDb)
    await bed.startHub()
    for (const holder of ['520000', '000000', '530000']) await bed.startNode(holder)
    const shown = await reopen({})
    expect(shown).toMatchObject({
      status: 200,
      body: {
        held: { epoch: 1, seq: 2 },
        lost: { from: { epoch: 1, seq: 3 }, until: { epoch: 1, seq: 4 }, epoch: 2 },
        known: [{ holder: '520000', head: { epoch: 1, seq: 4 } }],
        noted: { epoch: 1, seq: 4 },
        silent: [],
        obstacles: [],
        opened: null,
      },
    })
    const ready = await ask(bed, '530000', '/health/ready')
    expect(ready.status).toBe(503)
    expect(JSON.stringify(ready.body)).toContain('hutong ledger reopen entity --at 530000')
    expect(await reopen({ confirm: true })).toMatchObject({ status: 200, body: { opened: { epoch: 2, seq: 0 } } })
    await takeIn(4, '重报')
    expect(version(await ask(bed, '530000', `/v1/entity/${numberedKey(4)}`))).toBeGreaterThan(512)
    await spread()
    await sameEverywhere()
    expect(await findings('520000')).toEqual([])
  })

  it('cannot be declared lost where nothing is', async () => {
    expect(await reopen({ confirm: true })).toMatchObject({ status: 409, body: { code: 'REOPENING_REFUSED' } })
  })
})

describe('the last entries of a log that one neighbour alone has, who cannot be asked', () => {
  it('are declared lost only by naming it; when it comes back it keeps them, and they count no more', async () => {
    await spread()
    for (const holder of ['530000', '000000']) await backUp(nodeDb(holder))
    await takeIn(5)
    await takeIn(1, '后改')
    await spread()
    await bed.stopNode('520000')
    for (const holder of ['530000', '000000']) await bed.stopNode(holder)
    await bed.stopHub()
    for (const db of [bed.hubDb, nodeDb('530000'), nodeDb('000000')]) {
      await forgetHeads(db)
      await setBack(db, 2, 1, db !== bed.hubDb)
    }
    await bed.startHub()
    for (const holder of ['000000', '530000']) await bed.startNode(holder)
    const refused = await reopen({ confirm: true })
    expect(refused).toMatchObject({ status: 409, body: { code: 'REOPENING_REFUSED' } })
    expect(JSON.stringify(refused.body)).toContain('520000 did not answer')
    expect(await reopen({ confirm: true, without: ['520000'] })).toMatchObject({
      status: 200,
      body: { opened: { epoch: 3, seq: 0 } },
    })
    await takeIn(6)
    await spread(holders('hub', '000000'))
    await bed.startNode('520000')
    await spread()
    await sameEverywhere()
    expect((await ask(bed, '520000', `/v1/entity/${numberedKey(5)}`)).status).toBe(404)
    expect(field((await ask(bed, '520000', `/v1/entity/${numberedKey(1)}`)).body, 'items', 0, 'body', 'name')).toBe('公司 1')
    const kept = await nodeDb('520000').selectFrom('envelope').select(['epoch', 'seq']).where('refusal', '=', LOST).execute()
    expect(kept).toEqual([
      { epoch: 2, seq: 2 },
      { epoch: 2, seq: 3 },
    ])
    expect(await findings('520000')).toEqual([])
    expect(await reopen({})).toMatchObject({
      status: 200,
      body: { lost: null, found: [{ holder: '520000', at: { epoch: 2, seq: 3 } }] },
    })
    await takeIn(5, '再报')
    await spread()
    await sameEverywhere()
  })
})

describe('a holder that began the log with a snapshot and has entries that were declared lost', () => {
  it('loads the log anew, because its ledger cannot say what they replaced, and ends where all others are', async () => {
    for (const holder of ['530000', '520000']) await backUp(nodeDb(holder))
    const before = await headAt(nodeDb('530000'))
    if (before === null) throw new Error('no head')
    await takeIn(1, '又改')
    await spread()
    for (const holder of ['000000', '520000', '530000']) await bed.stopNode(holder)
    await bed.stopHub()
    for (const db of [bed.hubDb, nodeDb('530000'), nodeDb('520000')]) {
      await forgetHeads(db)
      await setBack(db, before.epoch, before.seq, db !== bed.hubDb)
    }
    const late = nodeDb('000000')
    const past = sql<boolean>`(envelope.epoch, envelope.seq) <= (${before.epoch}::int, ${before.seq}::bigint)`
    const { id } = await late.selectFrom('log').select('id').where('origin', '=', LOG.origin).executeTakeFirstOrThrow()
    await late.deleteFrom('envelope').where('log_id', '=', id).where(past).execute()
    const base = { base_epoch: before.epoch, base_seq: before.seq, base_digest: before.digest, base_token: 'x' }
    await late.updateTable('log').set(base).where('id', '=', id).execute()
    await bed.startHub()
    for (const holder of ['520000', '530000']) await bed.startNode(holder)
    expect(await reopen({ confirm: true, without: ['000000'] })).toMatchObject({ status: 200 })
    await takeIn(8)
    await bed.startNode('000000')
    await spread()
    await sameEverywhere()
    expect(await findings('000000')).toEqual([])
  })
})

describe('a hub whose receipt says that it holds what it does not deliver', () => {
  it('keeps it from being declared lost, until the operator goes on without the hub by name', async () => {
    for (const holder of ['530000', '520000', '000000']) await backUp(nodeDb(holder))
    const before = await headAt(nodeDb('530000'))
    if (before === null) throw new Error('no head')
    await takeIn(9)
    await spread()
    for (const holder of ['000000', '520000', '530000']) await bed.stopNode(holder)
    await bed.stopHub()
    for (const holder of ['530000', '520000', '000000']) await setBack(nodeDb(holder), before.epoch, before.seq, true)
    // The hub's log says where it stood; the entry itself is gone.
    const { id } = await bed.hubDb.selectFrom('log').select('id').where('origin', '=', LOG.origin).executeTakeFirstOrThrow()
    const past = sql<boolean>`(envelope.epoch, envelope.seq) > (${before.epoch}::int, ${before.seq}::bigint)`
    await bed.hubDb.deleteFrom('envelope').where('log_id', '=', id).where(past).execute()
    await bed.startHub()
    for (const holder of ['000000', '520000', '530000']) await bed.startNode(holder)
    const refused = await reopen({ confirm: true })
    expect(refused).toMatchObject({ status: 409, body: { code: 'REOPENING_REFUSED' } })
    expect(JSON.stringify(refused.body)).toContain('receipt')
    expect(await reopen({ confirm: true, without: ['hub'] })).toMatchObject({ status: 200 })
    await takeIn(10)
    await spread()
    await sameEverywhere()
  })
})

describe('a database that is set back under a living node', () => {
  it('is not sealed into; started again, the node takes its log back', async () => {
    for (const holder of ['530000']) await backUp(nodeDb(holder))
    const before = await headAt(nodeDb('530000'))
    if (before === null) throw new Error('no head')
    await takeIn(11)
    await spread()
    await setBack(nodeDb('530000'), before.epoch, before.seq, true)
    await expect(takeIn(12)).rejects.toThrow(/SEALING_WAITS/)
    await bed.stopNode('530000')
    await bed.startNode('530000')
    await takeIn(12)
    await spread()
    await sameEverywhere()
  })
})

describe('a node that was restarted and not restored', () => {
  it('seals at once, though nobody answers', async () => {
    for (const holder of ['530000', '520000', '000000']) await bed.stopNode(holder)
    await bed.stopHub()
    await bed.startNode('530000')
    const before = performance.now()
    await takeIn(7)
    expect(performance.now() - before).toBeLessThan(5000)
  })
})
