/** Keys change while the exchange goes on: announced, active, retired; and stolen. No record is lost. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readKeyFile, signerOf } from '../../runtime/keys/key-file.ts'
import { type Bed, joinAs, startBed } from './bed.ts'
import { arrived, ingest } from './records.ts'

let bed: Bed
beforeAll(async () => {
  bed = await startBed({ members: ['530000', '520000'] })
}, 180_000)
afterAll(async () => bed?.[Symbol.asyncDispose]())

type KeyTable = {
  keys: {
    kid: string
    state: string
    stolen: boolean
    active_from: number | null
    retired_at: number | null
    closings: unknown[] | null
  }[]
}
const keysOf = async (code: string): Promise<KeyTable['keys']> =>
  ((await bed.ask(code, '/v1/membership')) as unknown as KeyTable).keys
const roll = async (stage: string): Promise<string> =>
  ((await bed.ask('530000', '/v1/membership/rollover', { method: 'POST', body: { stage } })) as { kid: string }).kid

/** Writes without a pause until it is told to stop; answers what it wrote. */
function load(from: number): { more(count: number): Promise<void>; stop(): Promise<number[]> } {
  let stopped = false
  const written: number[] = []
  const running = (async () => {
    for (let number = from; !stopped; number += 4) {
      const batch = [number, number + 1, number + 2, number + 3]
      await ingest(bed, '530000', ...batch)
      written.push(...batch)
    }
  })()
  return {
    /** waits until so many more are written */
    async more(count) {
      const wanted = written.length + count
      await expect.poll(() => written.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(wanted)
    },
    async stop() {
      stopped = true
      await running
      return written
    },
  }
}

test('a rollover under load loses no record, and `keys` says which key is good for what', { timeout: 180_000 }, async () => {
  const writing = load(1000)
  await writing.more(40)
  await roll('announce')
  await writing.more(40)
  const kid = await roll('activate')
  await writing.more(40)
  const old = await roll('retire')
  await writing.more(40)
  const written = await writing.stop()
  await arrived(bed, '520000', written)
  const keys = await keysOf('530000')
  expect(keys.map(({ state }) => state)).toEqual(['retired', 'active'])
  expect(keys[0]).toMatchObject({ kid: old, state: 'retired', closings: [expect.anything()] })
  expect(keys[1]).toMatchObject({ kid, active_from: expect.any(Number), retired_at: null })
  process.stdout.write(`    rollover under load: ${written.length} records written, all arrived\n`)
})

test('a stolen key is replaced under the recovery key while records are written: none is lost, and what it signed is listed', {
  timeout: 180_000,
}, async () => {
  const writing = load(5000)
  await writing.more(40)
  const before = await keysOf('530000')
  const prepared = (await bed.ask('530000', '/v1/membership/replacement', { method: 'POST' })) as unknown as {
    claims: object
    kid: string
  }
  const recovery = signerOf(await readKeyFile(bed.founded.recoveryFile('530000')))
  const token = await recovery.sign('keys', prepared.claims)
  const { affected } = (await bed.ask('530000', '/v1/membership/replacement/signed', {
    method: 'POST',
    body: { token },
  })) as unknown as {
    affected: { key: string }[]
  }
  await writing.more(40)
  const written = await writing.stop()
  await arrived(bed, '520000', written)
  const keys = await keysOf('530000')
  expect(keys.filter(({ state }) => state === 'active').map(key => key.kid)).toEqual([prepared.kid])
  expect(keys.filter(({ stolen }) => stolen).map(key => key.kid)).toEqual(
    before.filter(({ state }) => state === 'active').map(key => key.kid),
  )
  expect(affected.length).toBeGreaterThan(0)
  process.stdout.write(`    theft under load: ${written.length} records written, all arrived, ${affected.length} affected listed\n`)
})

test('the stolen key changes nothing any more, and a thief cannot sign under the recovery key', { timeout: 60_000 }, async () => {
  const prepared = (await bed.ask('530000', '/v1/membership/replacement', { method: 'POST' })) as unknown as { claims: object }
  const stolen = signerOf(await readKeyFile(bed.founded.keyFile('530000')))
  const token = await stolen.sign('keys', prepared.claims)
  const refused = bed.ask('530000', '/v1/membership/replacement/signed', { method: 'POST', body: { token } })
  await expect(refused).rejects.toMatchObject({ code: 'MEMBERSHIP_FORGED' })
})

test('the anchor rolls over too: receipts go on, and the federation with them', { timeout: 120_000 }, async () => {
  for (const stage of ['announce', 'activate', 'retire'])
    await bed.ask('hub', '/v1/membership/anchor', { method: 'POST', body: { stage } })
  await ingest(bed, '530000', 9001)
  await arrived(bed, '520000', [9001])
  await bed.stopHub()
  await bed.startHub()
  await ingest(bed, '520000', 9002)
  await arrived(bed, '530000', [9002])
})

test('the policy is shown and set, holds at every member, and is refused where it would lock somebody out', {
  timeout: 60_000,
}, async () => {
  const shown = (await bed.ask('hub', '/v1/membership/policy')) as { algorithms: string[]; approvals: number; position: number }
  expect(shown).toMatchObject({ algorithms: ['Ed25519', 'SM2'], approvals: 2 })
  const set = (body: object) => bed.order('security-administrator', '/v1/membership/policy', body)
  await expect(set({ algorithms: ['SM2'] })).rejects.toMatchObject({
    code: 'POLICY_LOCKS_OUT',
    message: expect.stringContaining('hub, 530000, 520000'),
  })
  await expect(set({ algorithms: ['Ed25519', 'RS256'] })).rejects.toMatchObject({ code: 'TOKEN_ALGORITHM_REFUSED' })
  await expect(set({})).rejects.toMatchObject({ code: 'REQUEST_INVALID' })
  await expect(bed.order('system-administrator', '/v1/membership/policy', { approvals: 1 })).rejects.toMatchObject({
    code: 'ACCESS_DENIED',
  })
  expect(await bed.ask('hub', '/v1/membership/policy')).toEqual(shown)
  const after = (await set({ algorithms: ['Ed25519'], approvals: 1 })) as { position: number }
  expect(after).toMatchObject({ algorithms: ['Ed25519'], approvals: 1, position: shown.position + 1 })
  expect(await set({ approvals: 1 })).toMatchObject({ position: after.position })
  // One person may now do both.
  const file = (await bed.ask('hub', '/v1/membership/invitations', {
    method: 'POST',
    body: { code: '450000', zh: '广西', en: 'Guangxi' },
  })) as never
  const joining = joinAs(bed.founded, file, AbortSignal.timeout(20_000))
  const fingerprint = await joining.asked
  await bed.ask('hub', '/v1/membership/members/450000/approve', { method: 'POST', body: { fingerprint } })
  expect(await joining.done).toBe(true)
})
