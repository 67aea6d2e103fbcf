import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readLog } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { legalPerson } from './rows.ts'
import { ask, eventually, ingestRows, startTestbed, type Testbed } from './testbed.ts'

const LOG = { origin: '530000', dataset: 'entity', audience: 'all' }

let bed: Testbed
beforeAll(async () => {
  bed = await startTestbed(3)
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

const code = (n: number): string => `91530100MA6K0${String(n).padStart(4, '0')}X`
const arrives = async (n: number): Promise<void> => {
  expect(await ingestRows(bed, '530000', [legalPerson(code(n), `公司 ${n}`)])).toMatchObject({ sealed: 1 })
  await eventually(
    `record ${n} at 520000`,
    () => ask(bed, '520000', `/v1/entity/${code(n)}`),
    one => one.status === 200,
    60_000,
  )
}

describe('a cluster of three brokers', () => {
  it('carries the exchange, and goes on while any one of its servers is down', async () => {
    await arrives(1)
    for (const index of [0, 1, 2]) {
      await bed.brokers.stop(index)
      await arrives(10 + index)
      await bed.brokers.start(index)
    }
  })

  it('may lose every stream and be refilled from what the outboxes and ledgers hold', async () => {
    const hub = await bed.connectAs('hub')
    for (const origin of bed.membership.members.keys()) {
      // A server that has just come back may hold an election first, and does not answer while it does.
      const wiped = async (): Promise<boolean> => {
        try {
          return await (await hub.manager()).streams.delete(`LOG-${origin}`)
        } catch (error) {
          return error instanceof Error && /not found/.test(error.message)
        }
      }
      await eventually(`the stream of ${origin} is gone`, wiped, Boolean, 60_000)
    }
    await arrives(20)
    const own = () => readLog(bed.nodeDb('530000').$pickTables<keyof LedgerTables>(), LOG)
    await eventually('the receipt', own, state => state?.receipt?.digest === state?.head?.digest, 60_000)
  })
})
