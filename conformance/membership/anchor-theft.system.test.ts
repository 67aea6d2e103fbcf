/** The hub's key is stolen: what the thief signs before anybody notices, how the recovery key ends it, and that records go on. */
import { headers } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readKeyFile, signerOf } from '../../runtime/keys/key-file.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { publishEntry } from '../../runtime/membership/road.ts'
import { type MembershipAct, sealEntry } from '../../schemas/membership/entries.ts'
import { sealReceipt } from '../../schemas/statements.ts'
import { receiptSubject } from '../../schemas/subjects.ts'
import { parseToken } from '../../schemas/tokens.ts'
import { type Bed, startBed } from './bed.ts'
import { arrived, eventually, ingest } from './records.ts'

let bed: Bed
beforeAll(async () => {
  bed = await startBed({ members: ['530000', '520000'] })
}, 180_000)
afterAll(async () => bed?.[Symbol.asyncDispose]())

type Own = { position: number; standing: string; anchors: { fingerprint: string; state: string; confirmed: boolean }[] }
const own = async (code: string): Promise<Own> => (await bed.ask(code, '/v1/membership')) as unknown as Own
const entriesOf = async (code: string): Promise<string[]> =>
  (await bed.nodeDb(code).selectFrom('membership_entry').select('token').orderBy('seq').execute()).map(({ token }) => token)
const atHub = async (): Promise<string[]> =>
  ((await (await fetch(`${bed.hubUrl()}/v1/membership/log`)).json()) as { entries: string[] }).entries

/** Signed with the stolen key behind what a member holds, and put onto the road past the hub. */
async function thief(act: MembershipAct): Promise<string> {
  const tokens = await entriesOf('530000')
  const place = { fed: bed.founded.fed, seq: tokens.length + 1, head: tokens.at(-1) ?? null, now: new Date() }
  const token = await sealEntry(act, { ...place, signer: await bed.hubSigner() })
  await publishEntry(await bed.hostileHub(), token)
  return token
}
/** As `hutong hub replace-stolen` does it. */
async function replaceStolen(body: { ends?: number } = {}) {
  const { claims } = (await bed.ask('hub', '/v1/membership/anchor/replacement', { method: 'POST', body })) as { claims: object }
  const recovery = signerOf(await readKeyFile(bed.founded.recoveryFile('hub')))
  const token = await recovery.sign('membership', claims)
  return (await bed.ask('hub', '/v1/membership/anchor/replacement/signed', { method: 'POST', body: { token } })) as unknown as {
    position: number
    fingerprint: string
    voided: number[]
  }
}
const LOG = { origin: '520000', dataset: 'entity', audience: 'all' }

test('a thief of the anchor key signs on; replaced under the recovery key, everybody drops its words and takes the hub’s', {
  timeout: 180_000,
}, async () => {
  await ingest(bed, '520000', 1, 2)
  await arrived(bed, '530000', [1, 2])
  const before = (await own('530000')).position
  const forged = [await thief({ act: 'suspend', code: '520000', closings: [], why: 'a thief' })]
  await eventually(
    'the thief’s suspension',
    () => own('520000'),
    ({ standing }) => standing === 'suspended',
  )
  await eventually(
    'it everywhere',
    () => entriesOf('530000'),
    tokens => tokens.length === before + 1,
  )
  // Written meanwhile: it names a position of the thief's.
  await ingest(bed, '530000', 3)
  forged.push(await thief({ act: 'mark', code: '530000', mark: 'other', until: 4_000_000_000, dig: `sha-256:${'A'.repeat(43)}` }))
  await eventually(
    'the thief’s mark',
    () => entriesOf('530000'),
    tokens => tokens.length === before + 2,
  )
  await ingest(bed, '530000', 4)

  const start = performance.now()
  const { fingerprint, voided } = await replaceStolen()
  expect(voided).toEqual([])
  const right = await atHub()
  for (const code of ['530000', '520000']) {
    expect(
      await eventually(
        'the hub’s log',
        () => entriesOf(code),
        tokens => JSON.stringify(tokens) === JSON.stringify(right),
      ),
    ).toEqual(right)
    const { standing } = await eventually(
      `${code} again`,
      () => own(code),
      one => one.standing === 'admitted',
    )
    expect(standing).toBe('admitted')
    const dropped = await bed.nodeDb(code).selectFrom('membership_dropped').select('token').orderBy('seq').execute()
    expect(dropped.map(({ token }) => token)).toEqual(forged)
  }
  process.stdout.write(`    anchor replaced at both members ${((performance.now() - start) / 1000).toFixed(1)} s after the order\n`)
  await ingest(bed, '520000', 5)
  await arrived(bed, '530000', [1, 2, 5])
  await arrived(bed, '520000', [3, 4])
  const receipted = () => readLog(bed.ledger('520000'), LOG)
  const log = await eventually('a receipt', receipted, one => one?.receipt?.seq === one?.head?.seq && one?.receiptToken != null)
  await eventually(
    'a receipt under the new key',
    async () => parseToken((await receipted())?.receiptToken ?? '', 'receipt').kid,
    kid => kid === fingerprint,
  )
  expect(log?.head).not.toBeNull()
})

test('what the thief signs from then on is refused everywhere: entries and receipts', { timeout: 120_000 }, async () => {
  const right = await entriesOf('530000')
  const forged = await thief({ act: 'suspend', code: '520000', closings: [], why: 'again' })
  const state = await readLog(bed.ledger('520000'), LOG)
  if (state?.head == null) throw new Error('no head')
  const later = { ...state.head, seq: state.head.seq + 100 }
  const receipt = await sealReceipt(LOG, later, { fed: bed.founded.fed, signer: await bed.hubSigner(), now: new Date() })
  ;(await bed.hostileHub()).connection.publish(receiptSubject('520000'), receipt, { headers: headers() })
  await ingest(bed, '520000', 6)
  await arrived(bed, '530000', [6])
  const { fed } = bed.founded
  // An entry of the hub comes after it: whoever had taken the thief's could not take this.
  await bed.order('security-administrator', '/v1/membership/members/530000/marks', {
    mark: 'password-evaluation-passed',
    until: '2030-01-01T00:00:00Z',
    digest: `sha-256:${'B'.repeat(43)}`,
  })
  for (const code of ['530000', '520000']) {
    const tokens = await eventually(
      'the next entry',
      () => entriesOf(code),
      all => all.length === right.length + 1,
    )
    expect(tokens).not.toContain(forged)
    expect(tokens).toEqual(await atHub())
  }
  expect((await readLog(bed.ledger('520000'), LOG))?.receipt?.seq).toBeLessThan(later.seq)
  expect(fed).toBeTruthy()
})

test('a member says so until somebody has compared the new fingerprint by another way', { timeout: 60_000 }, async () => {
  const anchor = async () => {
    const health = (await (await fetch(`${bed.node('530000').url}/health/ready`)).json()) as {
      checks: { name: string; reason?: string }[]
    }
    return health.checks.find(({ name }) => name === 'anchor')?.reason ?? null
  }
  const fresh = (await own('530000')).anchors.find(({ state }) => state === 'active')
  expect(fresh?.confirmed).toBe(false)
  expect(await anchor()).toContain(fresh?.fingerprint)
  const confirm = (fingerprint: string) => bed.ask('530000', '/v1/membership/anchor', { method: 'POST', body: { fingerprint } })
  await expect(confirm('A'.repeat(43))).rejects.toMatchObject({ code: 'JOIN_ANCHOR_FOREIGN' })
  await confirm(fresh?.fingerprint ?? '')
  await eventually('the end of the warning', anchor, reason => reason === null)
})

test('what the thief entered at the hub itself is void from the position that the hub’s people name, and stays in the log', {
  timeout: 120_000,
}, async () => {
  const ends = (await own('530000')).position
  await bed.order('security-administrator', '/v1/membership/members/520000/suspend', { why: 'a thief at the hub' })
  await eventually(
    'the suspension',
    () => own('520000'),
    ({ standing }) => standing === 'suspended',
  )
  const { voided, position } = await replaceStolen({ ends })
  expect(voided).toEqual([ends + 1])
  for (const code of ['530000', '520000']) {
    const { standing } = await eventually(
      `${code} again`,
      () => own(code),
      one => one.standing === 'admitted' && one.position >= position,
    )
    expect(standing).toBe('admitted')
    const row = await bed
      .nodeDb(code)
      .selectFrom('membership_entry')
      .select('refusal')
      .where('seq', '=', ends + 1)
      .executeTakeFirst()
    expect(row).toEqual({ refusal: 'KEY_OUT_OF_RANGE' })
  }
  await ingest(bed, '520000', 7)
  await arrived(bed, '530000', [7])
})

test('the hub and its members know the new keys after a start, and a newcomer trusts them', { timeout: 180_000 }, async () => {
  await bed.stopHub()
  await bed.stopNode('530000')
  await bed.startHub()
  await bed.startNode('530000')
  await bed.admit('450000')
  await ingest(bed, '450000', 8)
  await arrived(bed, '530000', [8])
  await arrived(bed, '520000', [8])
  expect(await entriesOf('450000')).toEqual(await atHub())
})

test('a replacement that the recovery key did not sign changes nothing', { timeout: 60_000 }, async () => {
  const { claims } = (await bed.ask('hub', '/v1/membership/anchor/replacement', { method: 'POST', body: {} })) as { claims: object }
  const token = await (await bed.hubSigner()).sign('membership', claims)
  const answer = bed.ask('hub', '/v1/membership/anchor/replacement/signed', { method: 'POST', body: { token } })
  await expect(answer).rejects.toMatchObject({ code: 'KEY_RECOVERY_REQUIRED' })
})
