import { once } from 'node:events'
import fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readReplicaState } from '../../node/replica/snapshot-state.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { readLedgerState } from '../../runtime/ledger/ledger-state.ts'
import { computeRoot, readStateRoots } from '../../runtime/ledger/root-judge.ts'
import { formatInstant, normalInstant, parseEpochSeconds } from '../../schemas/snapshot.ts'
import { sealHead } from '../../schemas/statements.ts'
import { headSubject } from '../../schemas/subjects.ts'
import { type Db, headAt, LOG, ORIGIN } from './log-ground.ts'
import { legalPerson } from './rows.ts'
import { chunksAt, kept, keyOf, snapshotGround } from './snapshot-ground.ts'
import { ask, eventually, field, ingestRows, startTestbed, type Testbed } from './testbed.ts'

const NEWCOMER = '520000'
const ROWS = 12_000

let bed: Testbed
const { nodeDb, caughtUp, replicaAt, empty, wipeStreams, redact, startProcess, findings } = snapshotGround(() => bed)
beforeAll(async () => {
  // What stands before a snapshot stays with the others here; `backfill.system.test.ts` fetches it.
  bed = await startTestbed(undefined, { nodeSettings: { HUTONG_NODE_SNAPSHOT_ENTRIES: '8', HUTONG_NODE_BACKFILL_RATE_BYTES: '0' } })
  // Sealing begins once every member has answered; after that one may go.
  await ingestRows(bed, ORIGIN, [legalPerson(keyOf(0), '法人 0')])
  await bed.stopNode(NEWCOMER)
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

describe('the normal form of a time', () => {
  it('is what PostgreSQL keeps of it, whatever its offset and its fraction', async () => {
    const two = (number: number): string => String(number).padStart(2, '0')
    const times = fc.sample(
      fc
        .tuple(
          fc.integer({ min: 2, max: 9998 }),
          fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 6, maxLength: 6 }),
          fc.stringMatching(/^([0-9]{1,9}|9999995|[0-9]{6}[05]{1,3})?$/),
        )
        .map(([year, [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0], fraction]) => {
          const day = `${String(year).padStart(4, '0')}-${two(1 + (a % 12))}-${two(1 + (b % 28))}`
          const offset = f % 3 === 0 ? 'Z' : `${f % 2 === 0 ? '+' : '-'}${two(a % 16)}:${two(b % 60)}`
          return `${day}T${two(c % 24)}:${two(d % 60)}:${two(e % 60)}${fraction === '' ? '' : `.${fraction}`}${offset}`
        }),
      3000,
    )
    const { rows } = await sql<{ seconds: string }>`
      SELECT extract(epoch FROM t)::text AS seconds FROM unnest(${times}::timestamptz[]) WITH ORDINALITY AS u(t, n) ORDER BY n`.execute(
      bed.hubDb,
    )
    expect(rows.map(({ seconds }) => formatInstant(parseEpochSeconds(seconds)))).toEqual(times.map(normalInstant))
  })
})

describe('a snapshot', () => {
  it('is made by its origin, judged by every live holder from what it holds itself, and kept by the hub', async () => {
    for (let start = 0; start < ROWS; start += 1000) {
      const rows = Array.from({ length: 1000 }, (_, index) => legalPerson(keyOf(start + index), `法人 ${start + index}`))
      await ingestRows(bed, ORIGIN, rows)
    }
    await ingestRows(bed, ORIGIN, [legalPerson(keyOf(1), '更正一'), legalPerson(keyOf(2), '法人 2', '3')])
    const newest = await eventually(
      'a snapshot at the origin',
      async () => ({ mark: (await kept(nodeDb(ORIGIN)))[0], head: await headAt(nodeDb(ORIGIN)) }),
      ({ mark, head }) => mark !== undefined && (mark.at.digest === head?.digest || mark.at.seq >= 16),
      60_000,
    )
    for (const db of [bed.hubDb, nodeDb('000000')]) {
      const roots = await eventually(
        'the verdict',
        () => readStateRoots(db),
        all => all.some(one => one.root === newest.mark?.root),
        60_000,
      )
      expect(roots.map(one => one.verdict)).toEqual(roots.map(() => 'same'))
    }
    await eventually(
      'the snapshot at the hub',
      () => kept(bed.hubDb),
      all => all.some(one => one.root === newest.mark?.root),
      60_000,
    )
    expect(await chunksAt(bed.hubDb)).toBe(await chunksAt(nodeDb(ORIGIN)))
  })

  it('has the root that replaying the unpruned log gives, at any position, whatever was said since', async () => {
    const [newest] = await kept(nodeDb(ORIGIN))
    if (newest === undefined) throw new Error('expected a snapshot')
    await ingestRows(bed, ORIGIN, [
      legalPerson(keyOf(3), '机密更名甲'),
      legalPerson(keyOf(4), '法人 4', '3'),
      legalPerson(keyOf(ROWS), '新'),
    ])
    await caughtUp('000000')
    await caughtUp('hub')
    const state = await readLog(nodeDb('000000'), LOG)
    const hub = await readLog(bed.hubDb, LOG)
    if (state === null || hub === null) throw new Error('expected the log')
    const { root, records } = newest
    expect(await computeRoot(nodeDb('000000'), readReplicaState, state, newest.at)).toMatchObject({ root, records })
    expect(await computeRoot(nodeDb('000000'), readLedgerState, state, newest.at)).toMatchObject({ root, records })
    expect(await computeRoot(bed.hubDb, readLedgerState, hub, newest.at)).toMatchObject({ root, records })
    const own = await readLog(nodeDb(ORIGIN), LOG)
    if (own?.head == null) throw new Error('expected the log')
    const now = await computeRoot(nodeDb(ORIGIN), readReplicaState, own, own.head)
    expect(await computeRoot(bed.hubDb, readLedgerState, hub, own.head)).toEqual(now)
  })

  it('loses what is erased, at origin and hub, and its root stays as it was', async () => {
    const [before] = await kept(nodeDb(ORIGIN))
    expect(await chunksAt(bed.hubDb)).toContain('"法人 3"')
    expect((await redact(keyOf(3))).status).toBe(200)
    expect(await chunksAt(nodeDb(ORIGIN))).not.toContain('"法人 3"')
    await eventually(
      'erased at the hub',
      () => chunksAt(bed.hubDb),
      text => text !== '' && !text.includes('"法人 3"'),
    )
    expect((await kept(bed.hubDb))[0]?.root).toBe(before?.root)
    // what stood there was erased since: this holder cannot tell, and does not say that it differs
    const state = await readLog(nodeDb('000000'), LOG)
    if (state === null || before === undefined) throw new Error('expected the log and its snapshot')
    await eventually(
      'erased at a holder',
      async () => (await sql<{ n: number }>`SELECT count(*)::int AS n FROM redaction`.execute(nodeDb('000000'))).rows[0]?.n,
      count => (count ?? 0) > 0,
    )
    await expect(computeRoot(nodeDb('000000'), readReplicaState, state, before.at)).rejects.toMatchObject({
      code: 'SNAPSHOT_UNJUDGED',
    })
  })

  it('brings a newcomer up without its origin and without a stream, though it is killed in the middle', async () => {
    await caughtUp('hub')
    const expected = await replicaAt(ORIGIN)
    await bed.stopNode(ORIGIN)
    await wipeStreams()
    await empty(NEWCOMER)
    const db = nodeDb(NEWCOMER)
    await sql`
      CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF NEW.number >= 5 THEN PERFORM pg_sleep(30); END IF; RETURN NEW; END $$`.execute(db)
    await sql`CREATE TRIGGER slow BEFORE INSERT ON bootstrap_group FOR EACH ROW EXECUTE FUNCTION slow()`.execute(db)
    const victim = await startProcess(NEWCOMER)
    const groups = async () => (await db.selectFrom('bootstrap_group').select('number').execute()).length
    await eventually('some groups', groups, count => count === 5, 60_000)
    const { rows } = await sql<{
      pid: number
    }>`SELECT pid FROM pg_stat_activity WHERE application_name = ${`hutong-node-${NEWCOMER}`}`.execute(db)
    victim.kill('SIGKILL')
    await once(victim, 'exit')
    for (const { pid } of rows) await sql`SELECT pg_terminate_backend(${pid}::int)`.execute(db)
    await eventually(
      'the victim gone',
      async () =>
        (
          await sql<{
            n: number
          }>`SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = ${`hutong-node-${NEWCOMER}`}`.execute(db)
        ).rows[0]?.n,
      count => count === 0,
    )
    expect(await groups()).toBe(5)
    await sql`DROP TRIGGER slow ON bootstrap_group`.execute(db)
    await bed.startNode(NEWCOMER)
    await caughtUp(NEWCOMER)
    const state = await readLog(db, LOG)
    const [newest] = await kept(bed.hubDb)
    expect(state?.base).toMatchObject(newest?.at ?? {})
    expect(await replicaAt(NEWCOMER)).toEqual(expected)
    expect(await findings(NEWCOMER)).toEqual([])
    const shown = await ask(bed, NEWCOMER, `/v1/entity/${keyOf(7)}`)
    expect(shown).toMatchObject({ status: 200 })
    expect(field(shown.body, 'items', 0, 'verification', 'state')).toBe('snapshot')
    expect(field(shown.body, 'items', 0, 'envelope')).toBeNull()
  })

  it('goes on live at the newcomer while writes continue, and its erasures are complete', async () => {
    await bed.startNode(ORIGIN)
    for (let turn = 0; turn < 5; turn += 1) await ingestRows(bed, ORIGIN, [legalPerson(keyOf(10 + turn), `改名 ${turn}`)])
    expect((await redact(keyOf(10))).status).toBe(200)
    await caughtUp(NEWCOMER)
    expect(await replicaAt(NEWCOMER)).toEqual(await replicaAt(ORIGIN))
    const erased = async (db: Db) =>
      (await sql<{ n: number }>`SELECT coalesce(sum(erased), 0)::int AS n FROM redaction WHERE newest`.execute(db)).rows[0]?.n
    const wanted = await erased(nodeDb(ORIGIN))
    await eventually(
      'all erasures at the newcomer',
      () => erased(nodeDb(NEWCOMER)),
      count => count === wanted,
      40_000,
    )
  })
})

describe('a piece that is not what the root names', () => {
  it('is refused by a newcomer, which takes it from the next holder', async () => {
    await caughtUp('hub')
    await bed.stopNode(NEWCOMER)
    const [newest] = await kept(bed.hubDb)
    const other = bed.hubDb
      .selectFrom('snapshot_chunk')
      .select('body')
      .where('snapshot_id', '=', newest?.id ?? 0)
      .where('number', '=', 3)
    const { numUpdatedRows } = await bed.hubDb
      .updateTable('snapshot_chunk')
      .set({ body: other })
      .where('snapshot_id', '=', newest?.id ?? 0)
      .where('number', '=', 2)
      .executeTakeFirst()
    expect(numUpdatedRows).toBe(1n)
    await empty(NEWCOMER)
    await bed.startNode(NEWCOMER)
    await caughtUp(NEWCOMER)
    expect((await readLog(nodeDb(NEWCOMER), LOG))?.base).not.toBeNull()
    expect(await replicaAt(NEWCOMER)).toEqual(await replicaAt(ORIGIN))
  })
})

describe('a false root, signed with the key of its origin', () => {
  it('is refused by every live holder with its evidence, and by a newcomer, and freezes nothing', async () => {
    await caughtUp('hub')
    await caughtUp('000000')
    const expected = await replicaAt(ORIGIN)
    const state = await readLog(nodeDb(ORIGIN), LOG)
    if (state?.head == null) throw new Error('expected the log')
    await bed.stopNode(ORIGIN)
    await bed.stopNode(NEWCOMER)
    const root = 'sha-256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    const own = await nodeDb(ORIGIN)
      .selectFrom('log')
      .selectAll()
      .where('origin', '=', ORIGIN)
      .where('audience', '=', 'all')
      .execute()
    const token = await sealHead(
      ORIGIN,
      'all',
      own.map(one => ({
        log: { origin: ORIGIN, dataset: one.dataset, audience: 'all' },
        head: { epoch: one.epoch, seq: one.seq, digest: one.digest ?? '' },
        snapshot: one.id === state.id && state.head !== null ? { at: state.head, root, records: expected.length } : null,
      })),
      [],
      { fed: bed.membership.fed, mem: 0, signer: await bed.signer(ORIGIN), now: new Date() },
    )
    const liar = await bed.connectAs(ORIGIN)
    liar.connection.publish(headSubject(ORIGIN, 'all'), token)
    for (const db of [bed.hubDb, nodeDb('000000')]) {
      const evidence = await eventually(
        'the verdict',
        () => readStateRoots(db, 'differs'),
        all => all.length > 0,
        60_000,
      )
      expect(evidence).toMatchObject([{ log: LOG, root, token, at: state.head }])
      expect(evidence[0]?.own_root).toMatch(/^sha-256:/)
      expect((await readLog(db, LOG))?.frozen).toBe(false)
    }
    const shown = await ask(bed, '000000', '/v1/forks')
    expect(shown.body).toMatchObject({ forks: [], snapshots: [{ root }] })

    await empty(NEWCOMER)
    await bed.startNode(NEWCOMER)
    await caughtUp(NEWCOMER)
    const there = await readLog(nodeDb(NEWCOMER), LOG)
    expect(there).toMatchObject({ base: null, frozen: false })
    expect(await replicaAt(NEWCOMER)).toEqual(expected)
    expect(await findings(NEWCOMER)).toEqual([])
  })
})
