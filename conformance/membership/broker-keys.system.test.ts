/** Credentials at the broker are stolen: void within a second on live connections, the node has new ones by itself, and nothing is lost. */
import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, jwtAuthenticator } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keyIn, readBrokerCredentials } from '../../runtime/broker/credentials.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { tlsOf } from '../../runtime/nats.ts'
import { inboxPrefix } from '../../schemas/subjects.ts'
import { type Bed, startBed } from './bed.ts'
import { arrived, eventually, ingest } from './records.ts'

let bed: Bed
beforeAll(async () => {
  bed = await startBed({ members: ['530000', '520000'] })
}, 180_000)
afterAll(async () => bed?.[Symbol.asyncDispose]())

const fileOf = (code: string): string => bed.founded.brokerCredentialsFile(code)
/** With a copy of the file of a member's broker credentials. */
async function thief(copy: string, code = '530000') {
  const { jwt, seed } = await readBrokerCredentials(copy)
  const folder = bed.founded.memberDir('530000')
  const { brokers } = JSON.parse(await readFile(join(folder, 'member.json'), 'utf8')) as { brokers: string }
  return connect({
    servers: brokers,
    ...tlsOf(brokers, await readFile(join(folder, 'broker-ca.pem'), 'utf8')),
    authenticator: jwtAuthenticator(jwt, new TextEncoder().encode(seed)),
    inboxPrefix: inboxPrefix(code),
    reconnect: false,
    timeout: 3000,
  })
}

test('credentials that were stolen are void within a second; the node makes a new key under load, and no record is lost', {
  timeout: 120_000,
}, async () => {
  const copy = join(bed.home, 'stolen-530000.json')
  await copyFile(fileOf('530000'), copy)
  const connection = await thief(copy)
  const before = await keyIn(fileOf('530000'))
  const written: number[] = []
  let writing = true
  const load = (async () => {
    for (let number = 1000; writing; number += 4) {
      const batch = [number, number + 1, number + 2, number + 3]
      await ingest(bed, '530000', ...batch)
      written.push(...batch)
    }
  })()
  await expect.poll(() => written.length, { timeout: 20_000 }).toBeGreaterThan(40)
  const start = performance.now()
  const out = connection.closed().then(() => performance.now() - start)
  await bed.order('security-administrator', '/v1/membership/broker/530000/rotate')
  const thiefOut = await out
  expect(thiefOut).toBeLessThan(1000)
  await expect(thief(copy)).rejects.toThrow(/Authorization/i)
  await eventually(
    'the node’s new key',
    () => keyIn(fileOf('530000')),
    key => key !== before,
  )
  const back = performance.now() - start
  await expect.poll(() => written.length, { timeout: 20_000 }).toBeGreaterThan(200)
  writing = false
  await load
  await arrived(bed, '520000', written)
  await expect(thief(copy)).rejects.toThrow(/Authorization/i)
  process.stdout.write(
    `    thief out after ${Math.round(thiefOut)} ms, node back after ${(back / 1000).toFixed(1)} s, ${written.length} records written, all arrived\n`,
  )
})

test('a member takes a new key at the broker by itself, and the one before is revoked', { timeout: 60_000 }, async () => {
  const copy = join(bed.home, 'former-520000.json')
  await copyFile(fileOf('520000'), copy)
  const connection = await thief(copy, '520000')
  const { key } = (await bed.ask('520000', '/v1/membership/broker', { method: 'POST', body: {} })) as { key: string }
  expect(await keyIn(fileOf('520000'))).toBe(key)
  await connection.closed()
  await expect(thief(copy, '520000')).rejects.toThrow(/Authorization/i)
  await ingest(bed, '520000', 1)
  await arrived(bed, '530000', [1])
})

test('a node that was down meanwhile comes back with a key of its own making', { timeout: 60_000 }, async () => {
  await bed.stopNode('530000')
  const before = await keyIn(fileOf('530000'))
  await bed.order('security-administrator', '/v1/membership/broker/530000/rotate')
  await bed.startNode('530000')
  expect(await keyIn(fileOf('530000'))).not.toBe(before)
  await ingest(bed, '530000', 2)
  await arrived(bed, '520000', [2])
})

test('whoever has the seed alone gets no key: a change needs the member’s own signature, a token its newest key', {
  timeout: 30_000,
}, async () => {
  const key = await keyIn(join(bed.home, 'stolen-530000.json'))
  const ask = async (path: string, init?: RequestInit): Promise<string> =>
    ((await (await fetch(`${bed.hubUrl()}${path}`, init)).json()) as { code: string }).code
  expect(await ask(`/v1/membership/members/530000/broker?key=${key}`)).toBe('KEY_UNKNOWN')
  const signer = await bed.hubSigner()
  const change = await signer.sign('keys', { fed: bed.founded.fed, iss: '530000', n: 3, iat: 1, nkey: key })
  const posted = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ change }) }
  expect(await ask('/v1/membership/changes', posted)).toBe('MEMBERSHIP_FORGED')
})

test('the hub’s own credentials are changed the same way, and receipts go on', { timeout: 60_000 }, async () => {
  const before = await keyIn(fileOf('hub'))
  await bed.order('security-administrator', '/v1/membership/broker/hub/rotate')
  expect(await keyIn(fileOf('hub'))).not.toBe(before)
  await ingest(bed, '530000', 3)
  await arrived(bed, '520000', [3])
  const log = { origin: '530000', dataset: 'entity', audience: 'all' }
  await eventually(
    'the receipt',
    () => readLog(bed.ledger('530000'), log),
    one => one?.head != null && one.receipt?.seq === one.head.seq,
  )
  await bed.stopHub()
  await bed.startHub()
  await ingest(bed, '520000', 4)
  await arrived(bed, '530000', [4])
})
