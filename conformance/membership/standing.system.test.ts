/** A member is suspended while it writes, comes back, changes an alliance, and leaves: everywhere alike, without a restart. */

import { headers } from '@nats-io/transport-node'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readKeyFile, signerOf } from '../../runtime/keys/key-file.ts'
import { readConvictions } from '../../runtime/ledger/forks.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { sealEnvelope } from '../../schemas/envelope.ts'
import { HEADERS, logSubject } from '../../schemas/subjects.ts'
import { type Bed, startBed } from './bed.ts'
import { arrived, eventually, ingest, RECORD } from './records.ts'

let bed: Bed
beforeAll(async () => {
  bed = await startBed({ members: ['530000', '520000'] })
}, 180_000)
afterAll(async () => bed?.[Symbol.asyncDispose]())

const LOG = { origin: '520000', dataset: 'entity', audience: 'all' } as const
/** while the suspension comes */
const WRITTEN = Array.from({ length: 12 }, (_, index) => 100 + index)
const members = async (code: string) => (await bed.ask(code, '/v1/membership')) as unknown as { position: number; standing: string }

test('a suspension ends the member’s logs where the hub holds them: what is signed past that is refused everywhere, back-dated or not', {
  timeout: 120_000,
}, async () => {
  await ingest(bed, '520000', 1)
  await arrived(bed, '530000', [1])
  const writing = Promise.all(WRITTEN.map(number => ingest(bed, '520000', number)))
  const { position } = (await bed.order('security-administrator', '/v1/membership/members/520000/suspend', { why: 'a test' })) as {
    position: number
  }
  await writing
  await eventually(
    'the suspension',
    () => members('530000'),
    one => one.position >= position,
  )
  const state = await readLog(bed.ledger('520000'), LOG)
  if (state?.head == null) throw new Error('no head')
  const signer = signerOf(await readKeyFile(bed.founded.keyFile('520000')))
  const backDated = await sealEnvelope(LOG, state.head, [RECORD], {
    fed: bed.founded.fed,
    mem: position - 1,
    signer,
    now: new Date('2026-01-01T00:00:00Z'),
    salt: 'A'.repeat(22),
  })
  const set = headers()
  set.set(HEADERS.envelope, backDated.token)
  const broker = await bed.hostileHub()
  await broker.stream.publish(logSubject(LOG), backDated.body ?? undefined, { headers: set })
  const refused = () =>
    bed.nodeDb('530000').selectFrom('quarantine').select('code').where('code', '=', 'MEMBER_SUSPENDED').execute()
  expect(await eventually('the refusal', refused, rows => rows.length > 0)).not.toEqual([])
  const broken = async () => JSON.stringify(await (await fetch(`${bed.node('520000').url}/health/ready`)).json())
  await eventually('the broker lets it go', broken, text => text.includes('"ready":false'))
})

test('what it sealed meanwhile arrives when the suspension ends, and nothing speaks against the hub', {
  timeout: 120_000,
}, async () => {
  await ingest(bed, '520000', 2)
  await bed.order('security-administrator', '/v1/membership/members/520000/resume')
  await arrived(bed, '530000', [2, ...WRITTEN], 60_000)
  expect(await readConvictions(bed.ledger('520000'))).toEqual([])
  expect((await members('520000')).standing).toBe('admitted')
})

test('two processes of the hub over one database: none signs a receipt past a suspension that the other is entering', {
  timeout: 180_000,
}, async () => {
  const second = await bed.startSecondHub()
  const at = async (code: string) => readLog(bed.ledger(code), { ...LOG, origin: code })
  const receipted = async (code: string) =>
    eventually(
      `receipts of ${code}`,
      () => at(code),
      one => one?.head != null && one.receipt?.seq === one.head.seq,
    )
  await ingest(bed, '520000', 999)
  const before = (await receipted('520000'))?.head?.seq ?? 0
  const written = Array.from({ length: 40 }, (_, index) => 1000 + index)
  const { order } = await bed.hubDb.transaction().execute(async trx => {
    // The suspension has read where the logs end, and cannot be entered yet.
    await sql`LOCK TABLE membership_entry IN EXCLUSIVE MODE`.execute(trx)
    const order = bed.order('security-administrator', '/v1/membership/members/520000/suspend', { why: 'a test' })
    const waiting = async () =>
      (await sql`SELECT FROM pg_locks WHERE relation = 'membership_entry'::regclass AND NOT granted`.execute(bed.hubDb)).rows.length
    await eventually('the entry that waits', waiting, count => count > 0)
    await Promise.all(written.map(number => ingest(bed, '520000', number)))
    const head = (await at('520000'))?.head?.seq ?? 0
    const atHub = async () => (await readLog(bed.hubDb, LOG))?.head?.seq
    await eventually('the entries at the hub', atHub, seq => seq === head)
    // Whichever process took them has had its turn when another member's entry from after them has a receipt.
    await ingest(bed, '530000', 1999)
    await receipted('530000')
    expect((await at('520000'))?.receipt?.seq).toBe(before)
    expect(head).toBeGreaterThan(before)
    return { order }
  })
  const { position } = (await order) as { position: number }
  await eventually(
    'the suspension',
    () => members('530000'),
    one => one.position >= position,
  )
  await bed.order('security-administrator', '/v1/membership/members/520000/resume')
  await arrived(bed, '530000', written, 60_000)
  await receipted('520000')
  expect(await readConvictions(bed.ledger('520000'))).toEqual([])
  expect(await readConvictions(bed.hubDb)).toEqual([])
  await second.stop()
})

test('an alliance is made by the consents of its members, not before the last of them', { timeout: 60_000 }, async () => {
  const body = { id: 'test1', zh: '试验协作区', en: 'Test alliance', members: ['530000', '520000'] }
  expect(await bed.ask('530000', '/v1/alliances', { method: 'POST', body })).toMatchObject({ position: null, missing: ['520000'] })
  expect(await bed.ask('520000', '/v1/alliances/test1/consent', { method: 'POST' })).toMatchObject({ missing: [] })
  const { alliances } = (await bed.ask('520000', '/v1/alliances')) as { alliances: object[] }
  expect(alliances).toMatchObject([{ id: 'test1', members: ['520000', '530000'] }])
  expect(await bed.ask('520000', '/v1/alliances/test1/leave', { method: 'POST' })).toMatchObject({ missing: [] })
})

test('a mark is shown as a trust mark until it ends, and the chain of statements stands at the endpoints of the standard', {
  timeout: 60_000,
}, async () => {
  const mark = { mark: 'conformance', until: '2030-01-01T00:00:00Z', digest: `sha-256:${'A'.repeat(43)}` }
  await bed.order('security-administrator', '/v1/membership/members/530000/marks', mark)
  const sub = encodeURIComponent('https://hutong.example/530000')
  const type = encodeURIComponent('https://hutong.example/marks/conformance')
  const at = async (path: string) => fetch(`${bed.hubUrl()}${path}`)
  expect(await (await at(`/federation/trust-mark-status?sub=${sub}&trust_mark_type=${type}`)).json()).toEqual({ active: true })
  expect((await at('/.well-known/openid-federation')).headers.get('content-type')).toContain('entity-statement+jwt')
  expect((await at(`/federation/fetch?sub=${sub}`)).status).toBe(200)
  expect(await (await at('/federation/list')).json()).toContain('https://hutong.example/530000')
  expect((await at('/federation/historical-keys')).headers.get('content-type')).toContain('jwk-set+jwt')
})

test('who leaves says so itself, and its seat and its logs end with it', { timeout: 60_000 }, async () => {
  await bed.ask('520000', '/v1/membership/leave', { method: 'POST' })
  const left = async () => {
    const { members: all } = (await bed.ask('hub', '/v1/members')) as { members: { code: string; standing: string }[] }
    return all.find(({ code }) => code === '520000')?.standing
  }
  expect(await eventually('it has left', left, standing => standing === 'left')).toBe('left')
})
