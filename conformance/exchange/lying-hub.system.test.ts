import type { Kysely } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readConvictions, readForks } from '../../runtime/ledger/forks.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Broker } from '../../runtime/nats.ts'
import { digestOf } from '../../schemas/digest.ts'
import { sealHead, sealReceipt } from '../../schemas/statements.ts'
import { headSubject, receiptSubject } from '../../schemas/subjects.ts'
import type { Signer } from '../../schemas/tokens.ts'
import { legalPerson } from './rows.ts'
import { ask, eventually, field, ingestRows, startTestbed, type Testbed } from './testbed.ts'

const LOG = { origin: '530000', dataset: 'entity', audience: 'all' }

let bed: Testbed
let hub: Broker
let signer: Signer
beforeAll(async () => {
  bed = await startTestbed()
  hub = await bed.connectAs('hub')
  signer = await bed.signer('hub')
  await ingestRows(bed, '530000', [legalPerson('91530100MA6K00001A', '甲公司')])
  await eventually(
    'the receipt',
    () => readLog(ledgerOf('530000'), LOG),
    state => state?.receipt?.seq === 1,
  )
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

const ledgerOf = (code: string): Kysely<LedgerTables> => bed.nodeDb(code).$pickTables<keyof LedgerTables>()
const context = () => ({ fed: bed.membership.fed, signer, now: new Date() })

describe('a hub that lies', () => {
  it('convicts itself by two receipts for one position, and the log goes on', async () => {
    const lie = await sealReceipt(LOG, { epoch: 1, seq: 1, digest: digestOf('another history') }, context())
    hub.connection.publish(receiptSubject('530000'), lie)
    const [proof] = await eventually(
      'the proof',
      () => readConvictions(ledgerOf('530000')),
      found => found.length === 1,
    )
    expect(proof?.reason).toContain('two digests at 1.1')
    expect(proof?.statements[1]).toBe(lie)
    await ingestRows(bed, '530000', [legalPerson('91530100MA6K00002B', '乙公司')])
    await eventually(
      'the next receipt',
      () => readLog(ledgerOf('530000'), LOG),
      state => state?.receipt?.seq === 2,
    )
    expect(field((await ask(bed, '530000', '/v1/forks')).body, 'hub', 0, 'reason')).toContain('two digests at 1.1')
  })

  it('clears nothing by a receipt for what was never sealed, and convicts itself when it then says otherwise', async () => {
    const before = (await readConvictions(ledgerOf('530000'))).length
    hub.connection.publish(
      receiptSubject('530000'),
      await sealReceipt(LOG, { epoch: 1, seq: 99, digest: digestOf('never') }, context()),
    )
    const again = await sealReceipt(LOG, { epoch: 1, seq: 99, digest: digestOf('never so') }, context())
    hub.connection.publish(receiptSubject('530000'), again)
    const found = await eventually(
      'the proof',
      () => readConvictions(ledgerOf('530000')),
      all => all.length === before + 1,
    )
    expect(found.at(-1)?.statements).toContain(again)
    expect((await readLog(ledgerOf('530000'), LOG))?.receipt?.seq).toBe(2)
  })

  it("cannot freeze an honest log: a head in the origin's name that the hub signed moves nobody", async () => {
    const at = [{ log: LOG, head: { epoch: 1, seq: 1, digest: digestOf('another history') } }]
    const lie = await sealHead('530000', 'all', at, [], { ...context(), mem: 0 })
    hub.connection.publish(headSubject('530000', 'all'), lie)
    await ingestRows(bed, '530000', [legalPerson('91530100MA6K00003C', '丙公司')])
    await eventually(
      'the record',
      () => ask(bed, '520000', '/v1/entity/91530100MA6K00003C'),
      one => one.status === 200,
    )
    for (const db of [bed.hubDb, ledgerOf('530000'), ledgerOf('520000')]) expect(await readForks(db)).toEqual([])
  })

  it('cannot withhold the tail of a log unnoticed: the origin’s head names it, and another holder gives it', async () => {
    const stream = await (await hub.manager()).consumers
    await stream.delete('LOG-530000', 'READER-520000')
    await bed.stopHub()
    await ingestRows(bed, '530000', [legalPerson('91530100MA6K00004D', '丁公司')])
    await eventually(
      'the record from the origin itself',
      () => ask(bed, '520000', '/v1/entity/91530100MA6K00004D'),
      one => one.status === 200,
      30_000,
    )
    await bed.startHub()
  })
})
