import { type Kysely, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readForks } from '../../runtime/ledger/forks.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { legalPerson } from './rows.ts'
import { ask, eventually, field, ingestRows, startTestbed, type Testbed } from './testbed.ts'

const LOG = { origin: '530000', dataset: 'entity', audience: 'all' }

let bed: Testbed
beforeAll(async () => {
  bed = await startTestbed()
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

const ledgerOf = (code: string): Kysely<LedgerTables> => bed.nodeDb(code).$pickTables<keyof LedgerTables>()
const headOf = async (db: Kysely<LedgerTables>) => (await readLog(db, LOG))?.head ?? null
const code = (n: number): string => `91530100MA6K0${String(n).padStart(4, '0')}X`
const takeIn = async (n: number): Promise<void> => {
  expect(await ingestRows(bed, '530000', [legalPerson(code(n), `公司 ${n}`)])).toMatchObject({ sealed: 1 })
}
const spread = async (): Promise<void> => {
  const head = await headOf(ledgerOf('530000'))
  for (const db of [bed.hubDb, ledgerOf('520000')])
    await eventually(
      'the log everywhere',
      () => headOf(db),
      one => one?.digest === head?.digest,
    )
}

/** Sets a database back to where its log stood at `seq`, as restoring a backup of that moment does. */
async function setBack(db: Kysely<LedgerTables>, seq: number, replica: boolean): Promise<void> {
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
    const before = await headOf(ledgerOf('520000'))
    await bed.stopNode('530000')
    await setBack(ledgerOf('530000'), 2, true)
    await bed.startNode('530000')
    await takeIn(6)
    const head = await headOf(ledgerOf('530000'))
    expect(head?.seq).toBe((before?.seq ?? 0) + 1)
    expect((await ask(bed, '530000', `/v1/entity/${code(4)}`)).status).toBe(200)
    await spread()
    for (const db of [bed.hubDb, ledgerOf('520000')]) expect(await readForks(db)).toEqual([])
  })

  it('takes it back from a neighbour when the hub is away', async () => {
    await takeIn(7)
    await spread()
    await bed.stopNode('530000')
    await bed.stopHub()
    await setBack(ledgerOf('530000'), 3, true)
    await bed.startNode('530000')
    await takeIn(8)
    expect(field((await ask(bed, '530000', `/v1/entity/${code(8)}`)).body, 'items', 0, 'position', 'seq')).toBe(8)
    await bed.startHub()
    await spread()
    for (const db of [bed.hubDb, ledgerOf('520000')]) expect(await readForks(db)).toEqual([])
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
      () => headOf(bed.hubDb),
      one => one?.seq === 8,
      30_000,
    )
    await bed.startNode('530000')
  })
})
