/** What tests of one log look at: entries that its origin writes, and where the log stands with every holder. */
import type { Kysely } from 'kysely'
import { expect } from 'vitest'
import { verifyReplica } from '../../node/replica/verification.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { verifyLedger } from '../../runtime/ledger/verification.ts'
import type { LogHead } from '../../schemas/log.ts'
import { legalPerson } from './rows.ts'
import { type Answer, ask, eventually, ingestRows, type Testbed } from './testbed.ts'

export const ORIGIN = '530000'
export const LOG = { origin: ORIGIN, dataset: 'entity', audience: 'all' }
export const READERS = ['520000', '000000']
export const MEMBERS = [ORIGIN, ...READERS]

export type Db = Kysely<LedgerTables>
export type Holder = [name: string, db: Db]
export type LogGround = {
  nodeDb(code: string): Db
  /** of those names, `hub` among them; all unless said */
  holders(...names: readonly string[]): Holder[]
  /** until every one of them stands where the origin does */
  spread(among?: readonly Holder[], withinMs?: number): Promise<void>
  /** a record of the origin, in an envelope of its own; answers its key */
  takeIn(number: number, name?: string): Promise<string>
  /** an order of erasure at the origin */
  redact(key: string, dataset?: string): Promise<Answer>
  /** what a node's ledger and replica are found to hold that was not signed so */
  findings(code: string): Promise<unknown[]>
}

export const headAt = async (db: Db): Promise<LogHead | null> => (await readLog(db, LOG))?.head ?? null
export const numberedKey = (number: number): string => `91530100MA6K${String(number).padStart(5, '0')}X`

/** `bed` may be started later than this is called. */
export function logGround(bed: () => Testbed): LogGround {
  const nodeDb = (code: string): Db => bed().nodeDb(code).$pickTables<keyof LedgerTables>()
  const holders = (...names: readonly string[]): Holder[] =>
    (names.length === 0 ? ['hub', ...MEMBERS] : names).map(name => [name, name === 'hub' ? bed().hubDb : nodeDb(name)])
  return {
    nodeDb,
    holders,
    async spread(among = holders(), withinMs = 20_000) {
      const head = await headAt(nodeDb(ORIGIN))
      for (const [name, db] of among)
        await eventually(
          `the log at ${name}`,
          () => headAt(db),
          at => at?.digest === head?.digest,
          withinMs,
        )
    },
    async takeIn(number, name = `公司 ${number}`) {
      const key = numberedKey(number)
      expect(await ingestRows(bed(), ORIGIN, [legalPerson(key, name)])).toMatchObject({ sealed: 1 })
      return key
    },
    redact: (key, dataset = 'entity') => ask(bed(), ORIGIN, '/v1/redactions', { dataset, key, why: 'ordered' }),
    async findings(code) {
      const found: unknown[] = []
      const options = { db: nodeDb(code), membership: () => bed().membership, own: code, derived: verifyReplica }
      for await (const one of verifyLedger(options)) if (one.kind === 'finding') found.push(one)
      return found
    },
  }
}
