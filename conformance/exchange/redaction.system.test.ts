import { readFile, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEvents } from '../../hub/events.ts'
import { replicator } from '../../node/replica/replicator.ts'
import { verifyReplica } from '../../node/replica/verification.ts'
import { importBundle } from '../../runtime/ledger/bundles.ts'
import { createDoubts } from '../../runtime/ledger/doubts.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { createReceiver } from '../../runtime/ledger/receiver.ts'
import { redactionsAt, storedRedaction } from '../../runtime/ledger/redactions.ts'
import { verifyLedger } from '../../runtime/ledger/verification.ts'
import { createLogger } from '../../runtime/log.ts'
import { readBundle } from '../../schemas/bundle.ts'
import { formatPosition } from '../../schemas/log.ts'
import { openBytes, openRecords, openToken } from '../../schemas/opening.ts'
import { takesEffect } from '../../schemas/replica-rule.ts'
import { erasureGround, foundIn } from './erasure-ground.ts'
import { type Db, headAt, LOG, MEMBERS, ORIGIN } from './log-ground.ts'
import { operatorHome } from './operator-home.ts'
import { legalPerson } from './rows.ts'
import { ask, eventually, field, ingestRows, operator, startTestbed, type Testbed } from './testbed.ts'

let bed: Testbed
const { nodeDb, holders, spread, redact, nowhere } = erasureGround(() => bed)
beforeAll(async () => {
  bed = await startTestbed()
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

const chainAt = (db: Db) =>
  db
    .selectFrom('envelope')
    .innerJoin('log', 'log.id', 'envelope.log_id')
    .select(['envelope.epoch', 'envelope.seq', 'envelope.digest', 'envelope.token', 'records'])
    .where('origin', '=', ORIGIN)
    .where('dataset', '=', 'entity')
    .orderBy('envelope.epoch')
    .orderBy('envelope.seq')
    .execute()

type Row = { key: string; ver: number; op: string; body: object | null }
const replicaAt = async (code: string): Promise<Row[]> => {
  const { rows } = await sql<Row>`
    SELECT key, ver, op, body FROM replica_entity r JOIN log ON log.id = r.log_id WHERE origin = ${ORIGIN} ORDER BY key`.execute(
    nodeDb(code),
  )
  return rows
}

/** The state that follows from the ledger alone, by the rules that every holder uses. */
async function replay(db: Db): Promise<Row[]> {
  const state = await readLog(db, LOG)
  const entries = await db
    .selectFrom('envelope')
    .selectAll()
    .where('log_id', '=', state?.id ?? 0)
    .orderBy('epoch')
    .orderBy('seq')
    .execute()
  const redactions = await redactionsAt(db, state?.id ?? 0, entries)
  const rows = new Map<string, Row>()
  for (const entry of entries) {
    const { claims } = await openToken(entry.seq === 0 ? 'epoch' : 'envelope', entry.token, bed.membership, LOG)
    if (claims === null || entry.body === null) continue
    const redaction = redactions.get(formatPosition(entry)) ?? null
    const { records, erased } = openRecords(claims, await openBytes(claims, entry.body, entry.encoding, redaction), redaction?.keys)
    const said = [
      ...records.map(one => ({ ...one, body: one.op === 'put' ? one.body : null })),
      ...erased.map(one => ({ ...one, op: 'erased', body: null })),
    ]
    for (const { key, ver, op, body } of said) {
      if (takesEffect(rows.get(key)?.ver ?? null, ver)) rows.set(key, { key, ver, op, body })
    }
  }
  return [...rows.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
}

const KEY = '91530100MA6K00001A'
const FIRST = '机密旧名称甲'
const SECOND = '机密旧名称乙'

describe('erasure by redaction', () => {
  it('takes the plaintext from every database, and leaves chain, replay and state as they were', async () => {
    await ingestRows(bed, ORIGIN, [
      legalPerson(KEY, FIRST),
      ...Array.from({ length: 20 }, (_, n) => legalPerson(`91530100MA6K001${String(n).padStart(2, '0')}A`, `邻居 ${n}`)),
    ])
    await ingestRows(bed, ORIGIN, [legalPerson(KEY, SECOND)])
    await ingestRows(bed, ORIGIN, [legalPerson(KEY, SECOND, '3')])
    await spread()
    for (const [name, db] of holders()) expect([name, await foundIn(db, FIRST)]).not.toEqual([name, []])
    const chain = await chainAt(nodeDb(ORIGIN))
    const states = await Promise.all(MEMBERS.map(replicaAt))

    const { status, body } = await redact(KEY)
    expect(status).toBe(200)
    expect((field(body, 'redacted') as { seq: number }[]).map(({ seq }) => seq)).toEqual([1, 2])
    expect(field(body, 'kept')).toEqual([])
    await nowhere(FIRST)
    await nowhere(SECOND)
    for (const [, db] of holders()) expect(await chainAt(db)).toEqual(chain)
    for (const [index, code] of MEMBERS.entries()) {
      expect(await replicaAt(code)).toEqual(states[index])
      expect(await replay(nodeDb(code))).toEqual(states[index])
    }
    expect((await ask(bed, '520000', '/v1/entity/91530100MA6K00100A')).status).toBe(200)
  })

  it('says nothing new when it is ordered again, and refuses a key that never stood', async () => {
    expect(await redact(KEY)).toMatchObject({ status: 200, body: { redacted: [], kept: [] } })
    expect(await redact('91530100MA6K0NEVER')).toMatchObject({ status: 404, body: { code: 'RECORD_UNKNOWN' } })
  })

  it('gives out the redacted body with its redaction, as a file that verifies', async () => {
    for (const name of ['hub', '520000']) {
      const url = name === 'hub' ? bed.hub.url : bed.node(name).url
      const headers = await operator(bed, name)
      const file = Buffer.from(await (await fetch(`${url}/v1/logs/530000/entity/all/envelopes/1/1`, { headers })).arrayBuffer())
      const line = file.subarray(0, file.indexOf(0x0a)).toString()
      const [envelope = '', redaction = ''] = line.split(' ')
      const { claims } = await openToken('envelope', envelope, bed.membership, LOG)
      const { new: digest, keys } = storedRedaction(redaction)
      const plain = await openBytes({ dig: digest }, file.subarray(file.indexOf(0x0a) + 1), 'identity')
      expect([...keys]).toEqual([KEY])
      expect(claims === null ? null : openRecords(claims, plain, keys)).toMatchObject({
        refused: [],
        refusal: null,
        erased: [{ key: KEY, ver: 1, index: 0 }],
      })
    }
  })

  it('reaches a holder that was away while it happened', async () => {
    const key = '91530100MA6K00002B'
    await ingestRows(bed, ORIGIN, [legalPerson(key, '离线期间甲')])
    await ingestRows(bed, ORIGIN, [legalPerson(key, '离线期间乙')])
    await spread()
    await bed.stopNode('520000')
    expect(field((await redact(key)).body, 'redacted', 'length')).toBe(1)
    expect(await foundIn(nodeDb('520000'), '离线期间甲')).not.toEqual([])
    const manager = await (await bed.connectAs('hub')).manager()
    await manager.streams.delete(`LOG-${ORIGIN}`)
    await bed.startNode('520000')
    await nowhere('离线期间甲')
    expect(field((await ask(bed, '520000', `/v1/entity/${key}`)).body, 'items', 0, 'body', 'name')).toBe('离线期间乙')
  })

  it('crosses an air gap in a bundle, to a holder that has the old bodies', async () => {
    const key = '91530100MA6K00006F'
    await ingestRows(bed, ORIGIN, [legalPerson(key, '网闸之外甲')])
    await ingestRows(bed, ORIGIN, [legalPerson(key, '网闸之外乙')])
    await spread()
    await bed.stopNode('520000')
    await redact(key)
    await nowhere('网闸之外甲', [['hub', bed.hubDb]])
    const db = nodeDb('520000')
    const receiver = createReceiver({ db, membership: () => bed.membership, effect: replicator, announced: () => null })
    const headers = await operator(bed, 'hub')
    const bundle = Buffer.from(await (await fetch(`${bed.hub.url}/v1/logs/530000/entity/all/envelopes`, { headers })).arrayBuffer())
    const events = createEvents(
      createLogger({ program: 'test', level: 'silent' }),
      createDoubts(() => new Date()),
    )
    const options = { db, receiver, events, settled: async () => {} }
    expect(await importBundle(once(bundle), options)).toMatchObject({ accepted: 0, erased: 1, refused: 0, waiting: 0 })
    expect(await foundIn(db, '网闸之外甲')).toEqual([])
    expect(await importBundle(once(bundle), options)).toMatchObject({ accepted: 0, erased: 0, refused: 0, waiting: 0 })
    await bed.startNode('520000')
  })

  it('crosses an air gap in a part of a log too: what was erased before the part goes along, and nothing that it does not allow', async () => {
    await using operator = await operatorHome(bed, [ORIGIN])
    const key = '91530100MA6K00008H'
    await ingestRows(bed, ORIGIN, [legalPerson(key, '部分导出甲')])
    await spread()
    await bed.stopNode('520000')
    const from = ((await headAt(nodeDb(ORIGIN)))?.seq ?? 0) + 1
    await ingestRows(bed, ORIGIN, [legalPerson(key, '部分导出乙')])
    await redact(key)
    await nowhere('部分导出甲', [['hub', bed.hubDb]])
    const path = join(operator.path, 'part')
    const args = ['bundle', 'export', '--at', 'hub', '--log', '530000/entity/all', '--epoch', '1', '--out', path]
    expect(await operator.run(...args, '--from-seq', String(from))).toMatchObject({ code: 0 })
    const whole = await readFile(path)
    await truncate(path, whole.length - 10)
    expect(await operator.run(...args, '--from-seq', String(from), '--resume')).toMatchObject({ code: 0 })
    expect(await readFile(path)).toEqual(whole)
    const db = nodeDb('520000')
    const receiver = createReceiver({ db, membership: () => bed.membership, effect: replicator, announced: () => null })
    const events = createEvents(
      createLogger({ program: 'test', level: 'silent' }),
      createDoubts(() => new Date()),
    )
    const options = { db, receiver, events, settled: async () => {} }
    expect(await importBundle(once(whole), options)).toMatchObject({ accepted: 1, erased: 1, refused: 0, waiting: 0 })
    expect(await foundIn(db, '部分导出甲')).toEqual([])
    await rm(path)
    expect(await operator.run(...args, '--from-seq', '1', '--to-seq', '2')).toMatchObject({ code: 0 })
    const early = await Array.fromAsync(readBundle(once(await readFile(path))))
    expect(early.map(({ kind }) => kind)).toEqual(['envelope', 'envelope'])
    await bed.startNode('520000')
  })

  it('is refused with its reason where the superseded version shares its batch with the one that stands, until that one is superseded', async () => {
    const key = '91530100MA6K00009J'
    // Requests that wait while one group commits are sealed together: sooner or later two versions share a batch.
    let round = 0
    const answer = await eventually(
      'versions that share a batch',
      async () => {
        round += 1
        await Promise.all(Array.from({ length: 8 }, (_, n) => ingestRows(bed, ORIGIN, [legalPerson(key, `同批 ${round} ${n}`)])))
        await redact(key)
        return redact(key)
      },
      ({ body }) => field(body, 'code') === 'REDACTION_VERSION_SHARED',
    )
    expect(answer.status).toBe(409)
    expect(field(answer.body, 'detail')).toMatch(/再次发布.*put the key again/)
    await ingestRows(bed, ORIGIN, [legalPerson(key, '后来之名')])
    expect(await redact(key)).toMatchObject({ status: 200, body: { redacted: [{}], kept: [] } })
    await nowhere('同批 ')
  })

  it('is done again by an origin that was restored from a backup of before', async () => {
    const key = '91530100MA6K00007G'
    await ingestRows(bed, ORIGIN, [legalPerson(key, '备份之中甲')])
    const seq = (await headAt(nodeDb(ORIGIN)))?.seq ?? 0
    await ingestRows(bed, ORIGIN, [legalPerson(key, '备份之中乙')])
    const db = nodeDb(ORIGIN)
    const logId = (await readLog(db, LOG))?.id ?? 0
    const entry = () => db.selectFrom('envelope').selectAll().where('log_id', '=', logId).where('seq', '=', seq)
    const { body, encoding } = await entry().executeTakeFirstOrThrow()
    await spread()
    await redact(key)
    await nowhere('备份之中甲')
    await bed.stopNode(ORIGIN)
    await db.deleteFrom('redaction').where('log_id', '=', logId).where('seq', '=', seq).execute()
    await db.updateTable('envelope').set({ body, encoding }).where('log_id', '=', logId).where('seq', '=', seq).execute()
    expect(await foundIn(db, '备份之中甲')).not.toEqual([])
    await bed.startNode(ORIGIN)
    await nowhere('备份之中甲')
  })

  it('leaves nothing for a verification of the ledger to find', async () => {
    for (const [name, db] of holders()) {
      const derived = name === 'hub' ? null : verifyReplica
      const findings: unknown[] = []
      for await (const one of verifyLedger({ db, membership: () => bed.membership, own: name, derived }))
        if (one.kind === 'finding') findings.push(one)
      expect([name, findings]).toEqual([name, []])
    }
  })

  it('adds to what was erased at a position before', async () => {
    const key = '91530100MA6K00100A'
    await ingestRows(bed, ORIGIN, [legalPerson(key, '邻居更名')])
    await spread()
    expect(field((await redact(key)).body, 'redacted', 0, 'seq')).toBe(1)
    await nowhere('邻居 0"')
    const { rows } = await sql<{ erased: number; newest: boolean }>`
      SELECT erased, newest FROM redaction WHERE seq = 1 ORDER BY erased`.execute(nodeDb(ORIGIN))
    expect(rows).toEqual([
      { erased: 1, newest: false },
      { erased: 2, newest: true },
    ])
  })

  it('leaves a newcomer in the same state, that reads everything again', async () => {
    const expected = await replicaAt('520000')
    await bed.stopNode('520000')
    const db = bed.nodeDb('520000')
    const tables = await sql<{ name: string }>`
      SELECT table_name AS name FROM information_schema.tables
      WHERE table_schema = 'public' AND (table_name LIKE 'replica_%' OR table_name IN ('log', 'announced', 'quarantine'))`.execute(
      db,
    )
    await sql`TRUNCATE ${sql.join(tables.rows.map(({ name }) => sql.table(name)))} CASCADE`.execute(db)
    await bed.startNode('520000')
    await eventually(
      'the log at the newcomer',
      async () => ({ head: await headAt(nodeDb('520000')), origin: await headAt(nodeDb(ORIGIN)) }),
      ({ head, origin }) => head?.digest === origin?.digest,
      30_000,
    )
    expect(await replicaAt('520000')).toEqual(expected)
    expect(await replay(nodeDb('520000'))).toEqual(expected)
    await nowhere(FIRST)
  })
})
