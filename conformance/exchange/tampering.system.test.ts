import { headers } from '@nats-io/transport-node'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readForks } from '../../runtime/ledger/forks.ts'
import { readLogs } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Broker } from '../../runtime/nats.ts'
import { assertionsOfEntry, contradiction } from '../../schemas/assertions.ts'
import { digestOf } from '../../schemas/digest.ts'
import { sealOpening, tokenDigest } from '../../schemas/envelope.ts'
import { formatLogId } from '../../schemas/log.ts'
import { openToken } from '../../schemas/opening.ts'
import { HEADERS, logSubject } from '../../schemas/subjects.ts'
import type { Signer } from '../../schemas/tokens.ts'
import { eventually, startTestbed, type Testbed } from './testbed.ts'

const LOG = { origin: '520000', dataset: 'trade', audience: 'all' }
const SUBJECT = logSubject(LOG)
const SALT = 'AAAAAAAAAAAAAAAAAAAAAA'

let bed: Testbed
let thief: Broker
let signer: Signer
beforeAll(async () => {
  bed = await startTestbed()
  thief = await bed.connectAs('520000')
  signer = await bed.signer('520000')
  const context = { fed: bed.membership.fed, mem: 0, signer, now: new Date() }
  const opening = await sealOpening(LOG, 1, null, context)
  previous = opening.digest
  await publish(HEADERS.epoch, opening.token, Buffer.alloc(0))
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

let previous = ''
let seq = 0

/** Says something on the log's own subject with the member's own credentials at the broker: only signature and chain are left to tell. */
async function publish(name: string, token: string, body: Uint8Array, subject = SUBJECT): Promise<void> {
  const set = headers()
  set.set(name, token)
  await thief.stream.publish(subject, body, { headers: set })
}

const record = (key: string): object => ({
  key,
  op: 'put',
  ver: 1,
  at: '2026-11-01T09:00:00+08:00',
  platform: '520000-01',
  body: { deal_code: key, level: 'deal', class: 'A01', kind: 'tender', stage: 'awarded', title: `标段 ${key}`, region: '520100' },
})
const bodyOf = (...records: readonly string[]): Buffer => Buffer.from(`{"salt":"${SALT}","records":[${records.join(',')}]}`)

type Over = { readonly [claim: string]: unknown }
async function seal(body: Buffer, n: number, over: Over = {}, by: Signer = signer): Promise<string> {
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
  return by.sign('envelope', { ...claims, iat: Math.floor(Date.now() / 1000), n, mem: 0, dig: digestOf(body), ...over })
}
async function append(body: Buffer, n: number): Promise<void> {
  const token = await seal(body, n)
  await publish(HEADERS.envelope, token, body)
  previous = tokenDigest(token)
  seq += 1
}

const holders = (): [string, typeof bed.hubDb][] => [
  ['hub', bed.hubDb],
  ['530000', bed.nodeDb('530000').$pickTables<keyof LedgerTables>()],
]
const codesAt = (db: typeof bed.hubDb) => db.selectFrom('quarantine').select(['code', 'content_bytes']).execute()
const seqAt = async (db: typeof bed.hubDb) =>
  (await readLogs(db)).find(({ log }) => log.origin === '520000' && log.dataset === 'trade')?.head?.seq

/** Every holder sets it aside under the code, with its bytes, and stands where it stood. */
async function expectRefused(code: string, send: () => Promise<void>): Promise<void> {
  const counts = new Map<string, number>()
  for (const [name, db] of holders()) counts.set(name, (await codesAt(db)).filter(row => row.code === code).length)
  await send()
  for (const [name, db] of holders()) {
    const found = await eventually(
      `${code} at ${name}`,
      () => codesAt(db),
      rows => rows.filter(row => row.code === code).length > (counts.get(name) ?? 0),
    )
    expect(found.filter(row => row.code === code).every(row => row.content_bytes > 0)).toBe(true)
  }
}
async function expectAt(position: number): Promise<void> {
  for (const [name, db] of holders())
    await eventually(
      `position ${position} at ${name}`,
      () => seqAt(db),
      at => at === position,
    )
}

describe('an envelope on its way', () => {
  it('is accepted when nothing was done to it', async () => {
    await append(bodyOf(JSON.stringify(record('T-1'))), 1)
    await expectAt(1)
  })

  it('is refused and kept when a byte of its body was changed', async () => {
    const body = bodyOf(JSON.stringify(record('T-2')))
    const token = await seal(body, 1)
    const changed = Buffer.from(body)
    changed[40] = (changed[40] ?? 0) ^ 1
    await expectRefused('BODY_DIGEST_MISMATCH', () => publish(HEADERS.envelope, token, changed))
    await expectAt(1)
  })

  it('is refused and kept when its claims were changed', async () => {
    const token = await seal(bodyOf(JSON.stringify(record('T-3'))), 1)
    const [head, , signature] = token.split('.')
    const claims = Buffer.from(
      JSON.stringify({ ...JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()), n: 2 }),
    ).toString('base64url')
    await expectRefused('TOKEN_SIGNATURE_INVALID', () =>
      publish(HEADERS.envelope, `${head}.${claims}.${signature}`, Buffer.from('{}')),
    )
  })

  it("is refused and kept when another member's key signed it", async () => {
    const body = bodyOf(JSON.stringify(record('T-4')))
    const token = await seal(body, 1, {}, await bed.signer('530000'))
    await expectRefused('KEY_UNKNOWN', () => publish(HEADERS.envelope, token, body))
  })

  it('is refused and kept when it stands under the subject of another log', async () => {
    const body = bodyOf(JSON.stringify(record('T-5')))
    const token = await seal(body, 1)
    await expectRefused('SUBJECT_MISMATCH', () => publish(HEADERS.envelope, token, body, logSubject({ ...LOG, dataset: 'entity' })))
  })

  it('takes its position everywhere and is not applied when its origin may not write that dataset', async () => {
    const log = { ...LOG, dataset: 'credit' }
    const opening = await sealOpening(log, 1, null, { fed: bed.membership.fed, mem: 0, signer, now: new Date() })
    await expectRefused('DATASET_NOT_ALLOWED', () => publish(HEADERS.epoch, opening.token, Buffer.alloc(0), logSubject(log)))
    for (const [name, db] of holders()) {
      const at = async () =>
        (await readLogs(db)).find(state => state.log.origin === '520000' && state.log.dataset === 'credit')?.head?.digest
      await eventually(`the position at ${name}`, at, digest => digest === opening.digest)
    }
  })

  it('waits when one before it is missing, and goes on when that one comes', async () => {
    const first = bodyOf(JSON.stringify(record('T-8')))
    const firstToken = await seal(first, 1)
    const second = bodyOf(JSON.stringify(record('T-9')))
    const secondToken = await seal(second, 1, { seq: seq + 2, prv: tokenDigest(firstToken) })
    await publish(HEADERS.envelope, secondToken, second)
    await publish(HEADERS.envelope, firstToken, first)
    seq += 2
    previous = tokenDigest(secondToken)
    await expectAt(seq)
  })
})

describe('a record that cannot be taken in', () => {
  const poisons: readonly [string, (good: string) => string][] = [
    ['U+0000 in a string', good => good.replace('标段', '\\u0000')],
    ['a lone surrogate', good => good.replace('标段', '\\ud800')],
    ['a duplicate member', good => good.replace('"ver":1', '"ver":1,"ver":1')],
    ['a number that no double holds', good => good.replace('"ver":1', '"ver":9007199254740993')],
    ['a required field missing', good => good.replace('"level":"deal",', '')],
    ['a value that only the database refuses', good => good.replace('标段', 'refuse me')],
  ]

  it.each(poisons)('is quarantined by itself and never stops the cursor: %s', async (what, poison) => {
    const node = bed.nodeDb('530000')
    await sql`ALTER TABLE replica_trade DROP CONSTRAINT IF EXISTS refused_by_test`.execute(node)
    await sql`ALTER TABLE replica_trade ADD CONSTRAINT refused_by_test CHECK (body ->> 'title' NOT LIKE '%refuse me%')`.execute(
      node,
    )
    const key = `P-${seq}`
    await append(
      bodyOf(
        JSON.stringify(record(`${key}-before`)),
        poison(JSON.stringify(record(`${key}-bad`))),
        JSON.stringify(record(`${key}-after`)),
      ),
      3,
    )
    await expectAt(seq)
    const keys = await sql<{ key: string }>`SELECT key FROM replica_trade WHERE key LIKE ${`${key}-%`} ORDER BY key`.execute(node)
    expect(keys.rows.map(row => row.key)).toEqual([`${key}-after`, `${key}-before`])
    const aside = await node
      .selectFrom('quarantine')
      .select(['kind', 'item', 'code', 'content_bytes'])
      .where('seq', '=', seq)
      .execute()
    expect(aside, what).toHaveLength(1)
    expect(aside[0]).toMatchObject({
      kind: 'record',
      item: 1,
      code: expect.stringMatching(/^RECORD_(NOT_IJSON|SCHEMA_INVALID|NOT_STORABLE)$/),
    })
    expect(aside[0]?.content_bytes).toBeGreaterThan(10)
  })

  it('is quarantined with its whole batch when the bytes cannot be read at all', async () => {
    await append(Buffer.concat([bodyOf('1').subarray(0, 20), Buffer.from([0xff, 0xfe])]), 1)
    await append(bodyOf(JSON.stringify(record('T-last'))), 1)
    await expectAt(seq)
    const aside = await bed
      .nodeDb('530000')
      .selectFrom('quarantine')
      .select('code')
      .where('seq', '=', seq - 1)
      .execute()
    expect(aside.map(row => row.code)).toEqual(['BODY_NOT_IJSON'])
  })
})

describe('an origin that signs two histories', () => {
  const forkedAt = async (db: typeof bed.hubDb) => (await readForks(db)).map(fork => fork.log)

  it.each([
    ['a position that is taken', 'expert', () => ({ seq: 1, prv: 'opening' })],
    ['an entry that follows another past', 'entity', () => ({ seq: 2, prv: 'another' })],
  ] as const)('freezes that log alone, at every holder, with a proof that anyone can check: %s', async (_what, dataset, over) => {
    const log = {
      ...LOG,
      dataset: dataset === 'expert' ? 'trade' : dataset,
      audience: dataset === 'expert' ? 'node-530000' : 'all',
    }
    const subject = logSubject(log)
    const opening = await sealOpening(log, 1, null, { fed: bed.membership.fed, mem: 0, signer, now: new Date() })
    await publish(HEADERS.epoch, opening.token, Buffer.alloc(0), subject)
    const claims = { ds: log.dataset, aud: log.audience, sch: `${log.dataset}/1.0`, seq: 1, prv: opening.digest }
    const body = bodyOf(JSON.stringify(record('F-1')))
    await publish(HEADERS.envelope, await seal(body, 1, claims), body, subject)
    const { seq: at, prv } = over()
    const other = bodyOf(JSON.stringify(record('F-2')))
    const lie = await seal(other, 1, { ...claims, seq: at, prv: prv === 'opening' ? opening.digest : digestOf('another history') })
    await publish(HEADERS.envelope, lie, other, subject)
    for (const [name, db] of holders()) {
      const logs = await eventually(
        `the fork at ${name}`,
        () => forkedAt(db),
        found => found.some(one => formatLogId(one) === formatLogId(log)),
      )
      expect(logs.some(one => formatLogId(one) === formatLogId(LOG))).toBe(false)
      const fork = (await readForks(db)).find(one => formatLogId(one.log) === formatLogId(log))
      const assertions = await Promise.all(
        (fork?.statements ?? []).map(async token => {
          const opened = await openToken('envelope', token, bed.membership, null)
          return assertionsOfEntry(opened.log, opened.entry)
        }),
      )
      expect(contradiction(assertions[0] ?? [], assertions[1] ?? [])).not.toBeNull()
    }
    const later = await seal(body, 1, { ...claims, seq: 2, prv: digestOf('whatever') })
    await expectRefused('LOG_FROZEN', () => publish(HEADERS.envelope, later, body, subject))
  })
})

describe('the broker', () => {
  it("refuses a member that publishes under another's code", async () => {
    await expect(publish(HEADERS.envelope, 'x', Buffer.alloc(1), 'log.530000.trade.all')).rejects.toThrow()
  })
})
