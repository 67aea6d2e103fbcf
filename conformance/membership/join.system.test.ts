/** A province joins: by two people on two sides, in seconds; and what a thief, an impatient operator or a late comer cannot do. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Bed, joinAs, startBed } from './bed.ts'
import { arrived, ingest } from './records.ts'

let bed: Bed
beforeAll(async () => {
  bed = await startBed()
}, 120_000)
afterAll(async () => bed?.[Symbol.asyncDispose]())

const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'accepted',
    (error: { code?: string }) => error.code ?? String(error),
  )

/** Somebody else with the same file: folders of their own. */
async function thief() {
  const folder = await mkdtemp(join(tmpdir(), 'hutong-thief-'))
  return {
    memberDir: (code: string) => join(folder, code),
    recoveryFile: (code: string) => join(folder, `recovery-${code}.jwk.json`),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

test('invited, asked, approved, and its records stand at the others within five minutes', { timeout: 120_000 }, async () => {
  await bed.admit('530000')
  const start = performance.now()
  await bed.admit('520000')
  await ingest(bed, '520000', 1)
  await arrived(bed, '530000', [1])
  const seconds = (performance.now() - start) / 1000
  process.stdout.write(`    invite → records visible elsewhere: ${seconds.toFixed(1)} s\n`)
  expect(seconds).toBeLessThan(300)
})

test('whoever invited may not approve where the policy wants two people', { timeout: 60_000 }, async () => {
  const file = (await bed.ask('hub', '/v1/membership/invitations', {
    method: 'POST',
    body: { code: '450000', zh: '广西', en: 'Guangxi' },
  })) as never
  const joining = joinAs(bed.founded, file, AbortSignal.timeout(20_000))
  joining.done.catch(() => {})
  const fingerprint = await joining.asked
  const approve = bed.ask('hub', '/v1/membership/members/450000/approve', { method: 'POST', body: { fingerprint } })
  expect(await refusal(approve)).toBe('JOIN_APPROVER_SAME')
  const listed = (await bed.ask('hub', '/v1/membership/requests')) as {
    requests: { code: string; state: string; missing: string[]; who: string[] }[]
  }
  const pending = listed.requests.find(({ code }) => code === '450000')
  expect(pending?.state).toBe('pending')
  expect(pending?.missing).toHaveLength(1)
  expect(pending?.who[0]).toContain('other than operator')
  expect(JSON.stringify(listed)).not.toContain(fingerprint)
  await bed.order('security-administrator', '/v1/membership/members/450000/refuse', { reason: 'made for a test' })
  expect(await refusal(joining.done)).toBe('JOIN_REFUSED')
})

test('a stolen join file is worthless: the thief’s key has another fingerprint, and the file is good for one request', {
  timeout: 60_000,
}, async () => {
  await using stolen = await thief()
  const file = await bed.invite('450000')
  const robbing = joinAs(stolen, file, AbortSignal.timeout(20_000))
  robbing.done.catch(() => {})
  await robbing.asked
  const rightful = joinAs(bed.founded, file, AbortSignal.timeout(20_000))
  expect(await refusal(rightful.done)).toBe('JOIN_TICKET_USED')
  const fingerprint = 'A'.repeat(43)
  const approve = bed.order('security-administrator', '/v1/membership/members/450000/approve', { fingerprint })
  expect(await refusal(approve)).toBe('JOIN_FINGERPRINT_MISMATCH')
  await bed.order('security-administrator', '/v1/membership/members/450000/refuse', { reason: 'another key' })
  expect(await refusal(robbing.done)).toBe('JOIN_REFUSED')
})

test('an invitation past its time is refused, and so is a secret that was never given', { timeout: 60_000 }, async () => {
  const file = await bed.invite('450000', { lifetime_ms: 1000 })
  await expect.poll(() => Date.now() > Date.parse(file.expires), { timeout: 10_000 }).toBe(true)
  expect(await refusal(joinAs(bed.founded, file, AbortSignal.timeout(20_000)).done)).toBe('JOIN_EXPIRED')
  const forged = { ...(await bed.invite('450000')), secret: 'B'.repeat(43) }
  expect(await refusal(joinAs(bed.founded, forged, AbortSignal.timeout(20_000)).done)).toBe('REQUEST_UNAUTHORIZED')
})

test('a code that is in no table, or a member’s already, is not invited', async () => {
  expect(await refusal(bed.invite('990000'))).toBe('MEMBER_CODE_INVALID')
  expect(await refusal(bed.invite('530000'))).toBe('MEMBER_STATE_INVALID')
})
