/** A hub that lies about members, with all its keys and rights: each attempt is refused by the nodes, or proven. */

import { join } from 'node:path'
import { headers } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKeyFile, readKeyFile, signerOf } from '../../runtime/keys/key-file.ts'
import { readConvictions } from '../../runtime/ledger/forks.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { publishEntry } from '../../runtime/membership/road.ts'
import { sealEnvelope } from '../../schemas/envelope.ts'
import { sealKeys } from '../../schemas/membership/consents.ts'
import { type MembershipAct, sealEntry } from '../../schemas/membership/entries.ts'
import { namedJwk, wireClosing } from '../../schemas/membership/keys.ts'
import { HEADERS, logSubject } from '../../schemas/subjects.ts'
import { type Bed, startBed } from './bed.ts'
import { arrived, eventually, ingest, RECORD } from './records.ts'

let bed: Bed
beforeAll(async () => {
  bed = await startBed({ members: ['530000', '520000'] })
}, 180_000)
afterAll(async () => bed?.[Symbol.asyncDispose]())

const LOG = { origin: '530000', dataset: 'entity', audience: 'all' } as const
type Own = { position: number; standing: string; alarms: number; keys: { kid: string; state: string }[] }
const own = async (code: string): Promise<Own> => (await bed.ask(code, '/v1/membership')) as unknown as Own

/** Signed with the hub's key behind what a node holds, and put onto the road past the hub itself. */
async function enter(act: MembershipAct, change: { readonly seq?: number; readonly fed?: string } = {}): Promise<string> {
  const rows = await bed.nodeDb('530000').selectFrom('membership_entry').select('token').orderBy('seq').execute()
  const seq = change.seq ?? rows.length + 1
  const fed = change.fed ?? bed.founded.fed
  const head = rows[seq - 2]?.token ?? null
  const token = await sealEntry(act, { fed, seq, head, signer: await bed.hubSigner(), now: new Date() })
  await publishEntry(await bed.hostileHub(), token)
  return token
}

test('envelopes of a pilot federation, signed with the same key, are nothing here', { timeout: 60_000 }, async () => {
  await ingest(bed, '530000', 1)
  await arrived(bed, '520000', [1])
  const state = await readLog(bed.ledger('530000'), LOG)
  const signer = signerOf(await readKeyFile(bed.founded.keyFile('530000')))
  if (state?.head == null) throw new Error('no head')
  const pilot = await sealEnvelope(LOG, state.head, [RECORD], {
    fed: 'pilot-2025',
    mem: 1,
    signer,
    now: new Date(),
    salt: 'A'.repeat(22),
  })
  const set = headers()
  set.set(HEADERS.envelope, pilot.token)
  const broker = await bed.hostileHub()
  await broker.stream.publish(logSubject(LOG), pilot.body ?? undefined, { headers: set })
  const refused = () =>
    bed.nodeDb('520000').selectFrom('quarantine').select('code').where('code', '=', 'FEDERATION_FOREIGN').execute()
  expect(await eventually('the refusal', refused, rows => rows.length > 0)).toHaveLength(1)
  const { position } = await own('520000')
  await enter({ act: 'resume', code: '530000' }, { fed: 'pilot-2025' })
  await ingest(bed, '530000', 2)
  await arrived(bed, '520000', [2])
  expect((await own('520000')).position).toBe(position)
})

test('a suspension that is back-dated below a receipt takes nothing back at its member, and convicts the hub', {
  timeout: 60_000,
}, async () => {
  const at = () => readLog(bed.ledger('530000'), LOG)
  const state = await eventually('receipts', at, one => one?.receipt != null && one.receipt.seq === one.head?.seq)
  if (state?.head == null) throw new Error('no head')
  const closing = wireClosing(LOG, { ...state.head, seq: state.head.seq - 1 }) as never
  const token = await enter({ act: 'suspend', code: '530000', closings: [closing], why: 'back-dated' })
  const convictions = await eventually(
    'the conviction',
    () => readConvictions(bed.ledger('530000')),
    rows => rows.length > 0,
  )
  expect(convictions[0]?.statements).toEqual([state.receiptToken, token])
  expect(convictions[0]?.reason).toContain('530000/entity/all')
  const resumed = await enter({ act: 'resume', code: '530000' })
  await eventually(
    'the end of it',
    () => own('530000'),
    ({ standing }) => standing === 'admitted',
  )
  expect(resumed).toBeTruthy()
})

test('a key that the hub gives to a member is refused everywhere, and the member raises the alarm with the proof', {
  timeout: 60_000,
}, async () => {
  const before = await own('530000')
  const forged = await createKeyFile(join(bed.home, 'forged.jwk.json'))
  const signer = signerOf(forged)
  const change = await sealKeys(
    { fed: bed.founded.fed, code: '530000', n: 1, announce: [namedJwk(forged.publicJwk)] },
    { signer, others: [], now: new Date() },
  )
  const token = await enter({ act: 'keys', code: '530000', change })
  const after = await eventually(
    'the alarm',
    () => own('530000'),
    ({ alarms }) => alarms > 0,
  )
  expect(after.keys.map(({ kid }) => kid)).toEqual(before.keys.map(({ kid }) => kid))
  const { alarms } = (await bed.ask('530000', '/v1/membership/alarms')) as { alarms: { by: string; act: string; proof: string }[] }
  expect(alarms).toMatchObject([{ by: 'unsigned', act: 'keys', proof: token }])
  const elsewhere = await eventually(
    'the entry elsewhere',
    () => bed.nodeDb('520000').selectFrom('membership_entry').select(['token', 'refusal']).where('token', '=', token).execute(),
    rows => rows.length > 0,
  )
  expect(elsewhere).toMatchObject([{ refusal: 'MEMBERSHIP_FORGED' }])
  const health = await (await fetch(`${bed.node('530000').url}/health/ready`)).json()
  expect(JSON.stringify(health)).toContain('/v1/membership/alarms')
})

test('two entries for one position convict the hub, and the first stays', { timeout: 60_000 }, async () => {
  const { position } = await own('520000')
  await enter(
    { act: 'mark', code: '530000', mark: 'other', until: 4_000_000_000, dig: `sha-256:${'A'.repeat(43)}` },
    { seq: position },
  )
  const found = () => readConvictions(bed.ledger('520000'))
  const convictions = await eventually('the conviction', found, rows => rows.some(({ reason }) => reason.includes('two entries')))
  expect(convictions.some(({ statements }) => statements.length === 2)).toBe(true)
  expect((await own('520000')).position).toBe(position)
})
