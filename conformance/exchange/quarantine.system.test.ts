import { headers } from '@nats-io/transport-node'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Broker } from '../../runtime/nats.ts'
import { digestOf } from '../../schemas/digest.ts'
import { sealOpening, tokenDigest } from '../../schemas/envelope.ts'
import { HEADERS, logSubject } from '../../schemas/subjects.ts'
import type { Signer } from '../../schemas/tokens.ts'
import { quarantineGround } from './quarantine-ground.ts'
import { ask, eventually, field, startTestbed, type Testbed } from './testbed.ts'

const LOG = { origin: '520000', dataset: 'trade', audience: 'all' }

let bed: Testbed
let thief: Broker
let signer: Signer
let previous = ''
let seq = 0
beforeAll(async () => {
  bed = await startTestbed()
  thief = await bed.connectAs('520000')
  signer = await bed.signer('520000')
  const opening = await sealOpening(LOG, 1, null, { fed: bed.membership.fed, mem: 0, signer, now: new Date() })
  previous = opening.digest
  await publish(HEADERS.epoch, opening.token, Buffer.alloc(0))
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

async function publish(name: string, token: string, body: Uint8Array): Promise<void> {
  const set = headers()
  set.set(name, token)
  await thief.stream.publish(logSubject(LOG), body, { headers: set })
}

const record = (key: string, ver = 1, title = `标段 ${key}`): object => ({
  key,
  op: 'put',
  ver,
  at: '2026-11-01T09:00:00+08:00',
  platform: '520000-01',
  body: { deal_code: key, level: 'deal', class: 'A01', kind: 'tender', stage: 'awarded', title, region: '520100' },
})

/** Seals the next entry of the log, as its origin could. */
async function next(records: readonly object[], over: object = {}): Promise<{ token: string; body: Buffer }> {
  const body = Buffer.from(JSON.stringify({ salt: 'AAAAAAAAAAAAAAAAAAAAAA', records }))
  const claims = {
    fed: bed.membership.fed,
    iss: '520000',
    aud: 'all',
    ds: 'trade',
    sch: 'trade/1.0',
    ep: 1,
    seq: seq + 1,
    prv: previous,
  }
  const token = await signer.sign('envelope', {
    ...claims,
    iat: Math.floor(Date.now() / 1000),
    n: records.length,
    mem: 0,
    dig: digestOf(body),
    ...over,
  })
  previous = tokenDigest(token)
  seq += 1
  return { token, body }
}
const append = async (records: readonly object[], over: object = {}): Promise<void> => {
  const { token, body } = await next(records, over)
  await publish(HEADERS.envelope, token, body)
}

const { node, standing, release, itemOf } = quarantineGround(() => bed)
const trade = async (key: string) => (await ask(bed, '530000', `/v1/trade/${key}`)).status

describe('a record in quarantine', () => {
  it('stays while its fault stands, takes effect when it is mended, and says what became of it', async () => {
    await sql`ALTER TABLE replica_trade ADD CONSTRAINT refused_by_test CHECK (body ->> 'title' NOT LIKE '%refuse%')`.execute(node())
    await append([record('R-1'), record('R-2', 1, 'refuse me'), record('R-3', 1, 'refuse me too')])
    const [first, second] = await standing('RECORD_NOT_STORABLE')
    const ids = [first?.id ?? 0, second?.id ?? 0]
    expect(await release('530000', { ids })).toMatchObject({ released: 0, stay: 2, items: [{ code: 'RECORD_NOT_STORABLE' }, {}] })
    expect(await trade('R-2')).toBe(404)
    // R-3 is overtaken meanwhile by a newer version
    await append([record('R-3', 2, 'newer')])
    await eventually(
      'R-3',
      () => trade('R-3'),
      status => status === 200,
    )
    await sql`ALTER TABLE replica_trade DROP CONSTRAINT refused_by_test`.execute(node())
    expect(await release('530000', { code: 'RECORD_NOT_STORABLE' })).toMatchObject({
      released: 2,
      stay: 0,
      items: [{ outcome: 'applied, version 1' }, { outcome: 'superseded by version 2' }],
    })
    expect(field((await ask(bed, '530000', '/v1/trade/R-2')).body, 'items', 0)).toMatchObject({
      position: { epoch: 1, seq: 1, item: 1 },
      body: { title: 'refuse me' },
    })
    expect(field((await ask(bed, '530000', '/v1/trade/R-3')).body, 'items', 0, 'body', 'title')).toBe('newer')
    expect(await itemOf(ids[0] ?? 0)).toMatchObject({ released_at: expect.any(Date), outcome: 'applied, version 1', content: null })
    expect(await release('530000', { ids })).toMatchObject({ released: 0, stay: 0, unknown: ids })
  })
})

describe('an entry in quarantine', () => {
  it('is accepted once it passes, and what waited behind it follows', async () => {
    const { token, body } = await next([record('E-1')])
    const aside = {
      identity: 'test',
      kind: 'envelope',
      content: Buffer.concat([Buffer.from(`${token}\n`), body]),
      content_digest: '-',
      content_bytes: body.length,
      code: 'KEY_UNKNOWN',
      reason: 'its key was not registered then',
    } as const
    await node()
      .insertInto('quarantine')
      .values(aside as never)
      .execute()
    await append([record('E-2')])
    const [item] = await standing('KEY_UNKNOWN')
    expect(await release('530000', { ids: [item?.id ?? 0] })).toMatchObject({
      released: 1,
      items: [{ outcome: 'accepted, 1 records' }],
    })
    await eventually(
      'what follows it',
      () => trade('E-2'),
      status => status === 200,
    )
    expect(await trade('E-1')).toBe(200)
  })

  it('is read again where it took its position with a refusal, if that is lifted', async () => {
    await append([record('E-3'), { ...record('E-4'), ver: 0 }])
    await eventually(
      'E-3',
      () => trade('E-3'),
      status => status === 200,
    )
    const ledger = node().$pickTables<keyof LedgerTables>()
    // As it stands at a holder that did not speak this major version when the entry came, and does now.
    const logId =
      (await ledger.selectFrom('log').select('id').where('origin', '=', '520000').where('dataset', '=', 'trade').executeTakeFirst())
        ?.id ?? 0
    const entry = await ledger
      .selectFrom('envelope')
      .selectAll()
      .where('log_id', '=', logId)
      .where('seq', '=', seq)
      .executeTakeFirstOrThrow()
    await ledger
      .updateTable('envelope')
      .set({ refusal: 'SCHEMA_MAJOR_UNKNOWN' })
      .where('log_id', '=', logId)
      .where('seq', '=', seq)
      .execute()
    await sql`DELETE FROM replica_trade WHERE key = 'E-3'`.execute(node())
    await node().deleteFrom('quarantine').where('kind', '=', 'record').where('seq', '=', seq).execute()
    const content = Buffer.concat([Buffer.from(`${entry.token}\n`), entry.body ?? Buffer.alloc(0)])
    const rest = { content, content_digest: '-', content_bytes: content.length, encoding: entry.encoding }
    await node()
      .insertInto('quarantine')
      .values({ identity: 'test-2', kind: 'envelope', code: 'SCHEMA_MAJOR_UNKNOWN', reason: '-', ...rest } as never)
      .execute()
    const [item] = await standing('SCHEMA_MAJOR_UNKNOWN')
    expect(await release('530000', { ids: [item?.id ?? 0] })).toMatchObject({
      released: 1,
      items: [{ outcome: 'read again, 1 records' }],
    })
    expect(await trade('E-3')).toBe(200)
    expect((await standing('RECORD_SCHEMA_INVALID')).map(one => one.kind)).toContain('record')
  })

  it('that nobody can be shown to have signed stays', async () => {
    const [token = ''] = (await node().selectFrom('envelope').select('token').where('seq', '=', 1).execute()).map(row => row.token)
    const forged = `${token.slice(0, -4)}AAAA`
    await publish(HEADERS.envelope, forged, Buffer.from('{}'))
    await standing('TOKEN_SIGNATURE_INVALID')
    expect(await release('530000', { code: 'TOKEN_SIGNATURE_INVALID' })).toMatchObject({
      released: 0,
      stay: 1,
      items: [{ kind: 'envelope', code: 'TOKEN_SIGNATURE_INVALID' }],
    })
    expect(await standing('TOKEN_SIGNATURE_INVALID')).toHaveLength(1)
  })
})
