import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readLog, readOnward } from '../../runtime/ledger/ledger.ts'
import { readLedgerState } from '../../runtime/ledger/ledger-state.ts'
import { askRange } from '../../runtime/ledger/repair.ts'
import { computeRoot, readStateRoots } from '../../runtime/ledger/root-judge.ts'
import { type Db, LOG, ORIGIN } from './log-ground.ts'
import { kept, snapshotGround } from './snapshot-ground.ts'
import { ask, eventually, field, startTestbed, type Testbed } from './testbed.ts'

const NEWCOMER = '520000'
const START = { epoch: 1, seq: 0 }
const settings: Record<string, string> = { HUTONG_NODE_SNAPSHOT_ENTRIES: '4', HUTONG_NODE_BACKFILL_RATE_BYTES: '0' }

let bed: Testbed
const { nodeDb, caughtUp, takeIn, redact, empty, replicaAt, findings } = snapshotGround(() => bed)

beforeAll(async () => {
  bed = await startTestbed(undefined, { nodeSettings: settings })
  for (let number = 0; number < 9; number += 1) await takeIn(number % 5, `公司 ${number}`)
  const key = await takeIn(0, '又改名')
  expect((await redact(key)).status).toBe(200)
  await caughtUp('hub')
  await eventually(
    'a snapshot at the hub',
    () => kept(bed.hubDb),
    all => (all[0]?.at.seq ?? 0) >= 4,
    60_000,
  )
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

const baseOf = async (): Promise<unknown> => (await readLog(nodeDb(NEWCOMER), LOG))?.base ?? null
/** every entry as it is held, redactions among them */
async function entriesAt(db: Db): Promise<unknown[]> {
  const state = await readLog(db, LOG)
  return state === null ? [] : await readOnward(db, state.id, START, 1000)
}
const stateAt = async (): Promise<unknown> => {
  const { body } = await ask(bed, NEWCOMER, '/v1/logs')
  const logs = field(body, 'logs') as { origin: string; dataset: string; missing_until: unknown }[]
  return logs.find(one => one.origin === ORIGIN && one.dataset === 'entity')?.missing_until
}

async function joinAnew(bytesPerSecond: string): Promise<void> {
  settings.HUTONG_NODE_BACKFILL_RATE_BYTES = bytesPerSecond
  await bed.stopNode(NEWCOMER)
  await empty(NEWCOMER)
  await bed.startNode(NEWCOMER)
  await caughtUp(NEWCOMER)
}
async function begin(bytesPerSecond: string): Promise<void> {
  settings.HUTONG_NODE_BACKFILL_RATE_BYTES = bytesPerSecond
  await bed.stopNode(NEWCOMER)
  await bed.startNode(NEWCOMER)
}
const whole = (): Promise<unknown> => eventually('the whole history', baseOf, base => base === null, 60_000)

describe('the history before a snapshot', () => {
  it('stays with the others where it is not asked for, and what is missing is said', async () => {
    await joinAnew('0')
    const state = await readLog(nodeDb(NEWCOMER), LOG)
    expect(state?.base).not.toBeNull()
    expect(await stateAt()).toEqual({ epoch: state?.base?.epoch, seq: state?.base?.seq })
    const reader = await bed.connectAs('000000')
    await expect(askRange(reader, NEWCOMER, '000000', { ...LOG, epoch: 1, from: 0 })).rejects.toMatchObject({ code: 'LOG_UNKNOWN' })
    expect(await findings(NEWCOMER)).toEqual([])
  })

  it('comes in the background, joins on to what is held, and gives the root that the snapshot had', async () => {
    const before = await readStateRoots(nodeDb(NEWCOMER), 'loaded')
    const loaded = before.find(one => one.log.dataset === 'entity')
    await begin('1048576')
    await whole()
    expect(await entriesAt(nodeDb(NEWCOMER))).toEqual(await entriesAt(bed.hubDb))
    expect(await stateAt()).toBeNull()
    expect(await findings(NEWCOMER)).toEqual([])
    const state = await readLog(nodeDb(NEWCOMER), LOG)
    if (state === null || loaded === undefined) throw new Error('expected the log, and what it began with')
    const { rows } = await sql<{ verdict: string }>`SELECT verdict FROM state_root WHERE root = ${loaded.root}`.execute(
      nodeDb(NEWCOMER),
    )
    const own = await computeRoot(nodeDb(NEWCOMER), readLedgerState, state, loaded.at).catch(
      (error: { code: string }) => error.code,
    )
    // What stood there may have been erased since: then nobody can tell, and nobody says that it differs.
    if (own === 'SNAPSHOT_UNJUDGED') expect(rows).toEqual([{ verdict: 'loaded' }])
    else {
      expect(own).toMatchObject({ root: loaded.root, records: loaded.records })
      expect(rows).toEqual([{ verdict: 'same' }])
    }
    expect(await replicaAt(NEWCOMER)).toEqual(await replicaAt(ORIGIN))
  })

  it('is given to others from then on, and shown with its envelopes', async () => {
    const reader = await bed.connectAs('000000')
    const arrivals = await askRange(reader, NEWCOMER, '000000', { ...LOG, epoch: 1, from: 0 })
    expect(arrivals.length).toBe((await entriesAt(bed.hubDb)).length)
    const shown = await ask(bed, NEWCOMER, '/v1/entity')
    expect(field(shown.body, 'items', 0, 'verification', 'state')).toBe('verified')
  })

  it('shows a state that was false when it was loaded: the log is read anew', async () => {
    await joinAnew('0')
    const db = nodeDb(NEWCOMER)
    await sql`UPDATE state_root SET root = ${`sha-256:${'A'.repeat(43)}`} WHERE verdict = 'loaded'`.execute(db)
    await begin('1048576')
    await eventually(
      'the verdict',
      () => readStateRoots(db, 'differs'),
      all => all.some(one => one.log.dataset === LOG.dataset),
      60_000,
    )
    const { length } = await entriesAt(bed.hubDb)
    await eventually(
      'the whole log',
      async () => (await entriesAt(db)).length,
      count => count === length,
      60_000,
    )
    await whole()
    expect(await entriesAt(db)).toEqual(await entriesAt(bed.hubDb))
    expect(await replicaAt(NEWCOMER)).toEqual(await replicaAt(ORIGIN))
    expect(await findings(NEWCOMER)).toEqual([])
  })
})
