import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readForks } from '../../runtime/ledger/forks.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { type Db, headAt, LOG, logGround, numberedKey } from './log-ground.ts'
import { ask, eventually, field, startTestbed, type Testbed } from './testbed.ts'

let bed: Testbed
const { nodeDb, holders, spread: spreadAmong, takeIn } = logGround(() => bed)
const spread = (): Promise<void> => spreadAmong(holders('hub', '520000'))
beforeAll(async () => {
  bed = await startTestbed()
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

/** Sets a database back to where its log stood at `seq`, as restoring a backup of that moment does. */
async function setBack(db: Db, seq: number, replica: boolean): Promise<void> {
  const state = await readLog(db, LOG)
  if (state === null) throw new Error('no such log')
  if (replica) await sql`DELETE FROM replica_entity WHERE log_id = ${state.id} AND seq > ${seq}`.execute(db)
  await sql`DELETE FROM envelope WHERE log_id = ${state.id} AND seq > ${seq}`.execute(db)
  await sql`
    UPDATE log SET seq = ${seq}, digest = (SELECT digest FROM envelope WHERE log_id = ${state.id} AND seq = ${seq}),
      receipt_seq = least(receipt_seq, ${seq}) WHERE id = ${state.id}`.execute(db)
}

describe('a node that was restored from an old backup', () => {
  it('takes its own log back from the hub before it seals, and signs no second history', async () => {
    for (let n = 1; n <= 5; n += 1) await takeIn(n)
    await spread()
    const before = await headAt(nodeDb('520000'))
    await bed.stopNode('530000')
    await setBack(nodeDb('530000'), 2, true)
    await bed.startNode('530000')
    await takeIn(6)
    const head = await headAt(nodeDb('530000'))
    expect(head?.seq).toBe((before?.seq ?? 0) + 1)
    expect((await ask(bed, '530000', `/v1/entity/${numberedKey(4)}`)).status).toBe(200)
    await spread()
    for (const db of [bed.hubDb, nodeDb('520000')]) expect(await readForks(db)).toEqual([])
  })

  it('takes it back from a neighbour when the hub is away', async () => {
    await takeIn(7)
    await spread()
    await bed.stopNode('530000')
    await bed.stopHub()
    await setBack(nodeDb('530000'), 3, true)
    await bed.startNode('530000')
    await takeIn(8)
    expect(field((await ask(bed, '530000', `/v1/entity/${numberedKey(8)}`)).body, 'items', 0, 'position', 'seq')).toBe(8)
    await bed.startHub()
    await spread()
    for (const db of [bed.hubDb, nodeDb('520000')]) expect(await readForks(db)).toEqual([])
  })
})

describe('a hub that was restored from an old backup', () => {
  it('takes the logs back from their origin, and from any holder when the origin is away', async () => {
    await spread()
    await bed.stopHub()
    await setBack(bed.hubDb, 4, false)
    await bed.startHub()
    await spread()
    await bed.stopNode('530000')
    await bed.stopHub()
    await setBack(bed.hubDb, 2, false)
    await bed.startHub()
    await eventually(
      'the log at the hub',
      () => headAt(bed.hubDb),
      one => one?.seq === 8,
      30_000,
    )
    await bed.startNode('530000')
  })
})
