/** What is said to an alliance: read by its members while they are members, by nobody else, and by the hub never. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openEncKeys } from '../../runtime/keys/enc-keys.ts'
import { readKeyFile, signerOf } from '../../runtime/keys/key-file.ts'
import { createBodies } from '../../runtime/ledger/bodies.ts'
import { readLog, readRange } from '../../runtime/ledger/ledger.ts'
import { entryHeaders } from '../../runtime/ledger/message.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Progress } from '../../runtime/ledger/verification.ts'
import { digestOf } from '../../schemas/digest.ts'
import { tokenDigest } from '../../schemas/envelope.ts'
import type { EnvelopeClaims } from '../../schemas/generated/envelope.ts'
import type { EpochClaims } from '../../schemas/generated/epoch.ts'
import { logSubject } from '../../schemas/subjects.ts'
import { parseToken } from '../../schemas/tokens.ts'
import { legalPerson } from '../exchange/rows.ts'
import { type Bed, startBed } from './bed.ts'
import { codeOf, eventually } from './records.ts'
import { filesWith, tablesWith } from './spy.ts'

const ORIGIN = '530000'
const READER = '520000'
const LATER = '450000'
const LOG = { origin: ORIGIN, dataset: 'entity', audience: 'alliance-west' } as const
const PUBLIC = 'Planted-for-everyone-4711'
const nameOf = (number: number): string => `Planted-for-the-alliance-${number}`

let bed: Bed
beforeAll(async () => {
  bed = await startBed()
  for (const code of [ORIGIN, READER, LATER]) await bed.admit(code)
}, 240_000)
afterAll(async () => bed?.[Symbol.asyncDispose]())

const ledgerOf = (code: string) => bed.nodeDb(code).$pickTables<keyof LedgerTables>()

async function say(number: number, name: string, audience = 'alliance-west'): Promise<{ status: number; text: string }> {
  const token = (await readFile(bed.founded.operatorTokenFile(ORIGIN), 'utf8')).trim()
  const url = `${bed.node(ORIGIN).url}/v1/ingest/national?platform=${ORIGIN}-01&file=test.jsonl&audience=${audience}`
  const answer = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    body: JSON.stringify(legalPerson(codeOf(number), name)),
  })
  return { status: answer.status, text: await answer.text() }
}

const reads = async (at: string, number: number): Promise<boolean> => {
  const token = (await readFile(bed.founded.operatorTokenFile(at), 'utf8')).trim()
  const headers = { authorization: `Bearer ${token}` }
  return (await fetch(`${bed.node(at).url}/v1/entity/${codeOf(number)}`, { headers })).status === 200
}
const arrives = (at: string, number: number) => eventually(`${number} at ${at}`, () => reads(at, number), Boolean, 60_000)
const headAt = async (at: string) => (await readLog(at === 'hub' ? bed.hubDb : ledgerOf(at), LOG))?.head ?? null
const holds = async (at: string) => {
  const own = await headAt(ORIGIN)
  await eventually(
    `the log at ${at}`,
    () => headAt(at),
    head => head?.digest === own?.digest,
    60_000,
  )
}
const position = async (at: string) => ((await bed.ask(at, '/v1/membership')) as { position: number }).position

/** Proposed by the origin, consented to by the others, and known to every node before anything is said. */
async function ally(id: string, members: readonly string[], past: boolean): Promise<void> {
  const body = { id, zh: '西部协作区', en: 'West', members, past }
  await bed.ask(ORIGIN, '/v1/alliances', { method: 'POST', body })
  for (const code of members.filter(one => one !== ORIGIN))
    await bed.ask(code, `/v1/alliances/${id}/consent`, { method: 'POST' }).catch((error: unknown) => {
      // Whoever sat there before need not say so again.
      if (code === LATER) throw error
    })
  await known()
}
async function known(): Promise<void> {
  const newest = Math.max(...(await Promise.all([ORIGIN, READER, LATER].map(position))))
  for (const code of [ORIGIN, READER, LATER])
    await eventually(
      'the membership',
      () => position(code),
      at => at >= newest,
    )
}

async function verify(program: string): Promise<Progress[]> {
  const token = (await readFile(bed.founded.operatorTokenFile(program), 'utf8')).trim()
  const url = program === 'hub' ? bed.hubUrl() : bed.node(program).url
  const answer = await fetch(`${url}/v1/ledger/verification`, { method: 'POST', headers: { authorization: `Bearer ${token}` } })
  return (await answer.text())
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as Progress)
}

test('a member that is connected when its alliance is founded hears the heads of it, and misses no record said at that moment', {
  timeout: 120_000,
}, async () => {
  await ally('west', [ORIGIN, READER], false)
  expect(await say(1, nameOf(1))).toMatchObject({ status: 200 })
  const announced = async () => {
    const { logs } = (await bed.ask(READER, '/v1/logs')) as { logs: { audience: string; announced: { seq: number } | null }[] }
    return logs.find(log => log.audience === 'alliance-west')?.announced?.seq ?? 0
  }
  await eventually('the head of the alliance', announced, seq => seq > 0, 30_000)
  await eventually(`${1} at ${READER}`, () => reads(READER, 1), Boolean, 30_000)
})

test('a record for an alliance is readable at its members, absent at others, and its text is nowhere at the hub or on the road', {
  timeout: 180_000,
}, async () => {
  expect(await say(1, nameOf(1))).toMatchObject({ status: 200 })
  expect(await say(2, PUBLIC, 'all')).toMatchObject({ status: 200 })
  await arrives(READER, 1)
  await arrives(LATER, 2)
  await holds('hub')
  expect(await reads(LATER, 1)).toBe(false)
  expect(await headAt(LATER)).toBeNull()
  // The search finds what is there: at a member, at the hub what is for everyone, and on the road.
  expect(await tablesWith(bed.nodeDb(READER), nameOf(1))).toEqual(['replica_entity'])
  expect(await tablesWith(bed.hubDb, PUBLIC)).toEqual(['envelope'])
  const road = join(bed.home, 'broker')
  await eventually(
    'the road',
    () => filesWith(road, PUBLIC),
    files => files.length > 0,
  )
  expect(await tablesWith(bed.hubDb, nameOf(1))).toEqual([])
  expect(await filesWith(road, nameOf(1))).toEqual([])
  expect(await tablesWith(bed.nodeDb(LATER), nameOf(1))).toEqual([])
  expect(await tablesWith(bed.nodeDb(READER), PUBLIC)).toEqual(['envelope', 'replica_entity'])
})

test('an audience that its origin may not address is refused at the door, and nothing is sealed', { timeout: 60_000 }, async () => {
  const { status, text } = await say(1, nameOf(1), 'alliance-nowhere')
  expect({ status, code: (JSON.parse(text) as { code: string }).code }).toEqual({ status: 403, code: 'AUDIENCE_NOT_ALLOWED' })
})

test('who joins reads a new epoch and not the old one, and who leaves reads nothing new', { timeout: 180_000 }, async () => {
  await ally('west', [ORIGIN, READER, LATER], false)
  await say(3, nameOf(3))
  await arrives(READER, 3)
  await arrives(LATER, 3)
  await holds(LATER)
  expect(await headAt(ORIGIN)).toMatchObject({ epoch: 2, seq: 1 })
  expect(await reads(LATER, 1)).toBe(false)

  await bed.ask(LATER, '/v1/alliances/west/leave', { method: 'POST' })
  await known()
  await say(4, nameOf(4))
  await arrives(READER, 4)
  await holds('hub')
  expect(await headAt(ORIGIN)).toMatchObject({ epoch: 3, seq: 1 })
  expect(await reads(LATER, 4)).toBe(false)
  // Even with the hub's bytes in hand: its keys open what was said while it was a member, and nothing else.
  const { keys } = await openEncKeys(join(bed.founded.memberDir(LATER), 'enc'))
  expect(keys.size).toBe(1)
  const hub = await readLog(bed.hubDb, LOG)
  const bodies = createBodies(keys)
  const opened = await Promise.all([1, 2, 3].map(epoch => bodies.keyOf(bed.hubDb, hub?.id ?? 0, epoch)))
  expect(opened.map(key => key !== null)).toEqual([false, true, false])
})

test('a new key for content is in force at once, without a start: the next word goes under it, and what was said before stays readable', {
  timeout: 120_000,
}, async () => {
  const before = await headAt(ORIGIN)
  for (const code of [READER, ORIGIN]) {
    const { position } = (await bed.ask(code, '/v1/membership/encryption', { method: 'POST', body: {} })) as { position: number }
    for (const other of [ORIGIN, READER])
      await eventually(
        'the new key',
        async () => ((await bed.ask(other, '/v1/membership')) as { position: number }).position,
        at => at >= position,
      )
  }
  await say(8, nameOf(8))
  await arrives(READER, 8)
  const after = await headAt(ORIGIN)
  expect(after?.epoch).toBe((before?.epoch ?? 0) + 1)
  const { keys } = await openEncKeys(join(bed.founded.memberDir(READER), 'enc'))
  const opening = await bed.hubDb
    .selectFrom('envelope')
    .innerJoin('log', 'log.id', 'envelope.log_id')
    .select('token')
    .where('origin', '=', ORIGIN)
    .where('audience', '=', LOG.audience)
    .where('envelope.epoch', '=', after?.epoch ?? 0)
    .where('envelope.seq', '=', 0)
    .executeTakeFirstOrThrow()
  const { cek } = parseToken(opening.token, 'epoch').claims as { cek: { recipients: { header: { kid: string } }[] } }
  const newest = [...keys.keys()].at(-1)
  expect(keys.size).toBe(2)
  expect(cek.recipients.map(({ header }) => header.kid)).toContain(newest)
  expect(await reads(READER, 3)).toBe(true)
})

test('who joins an alliance that gives its past reads what was said before', { timeout: 180_000 }, async () => {
  await ally('south', [ORIGIN, READER], true)
  await say(5, nameOf(5), 'alliance-south')
  await arrives(READER, 5)
  await ally('south', [ORIGIN, READER, LATER], true)
  expect(await reads(LATER, 5)).toBe(false)
  await say(6, nameOf(6), 'alliance-south')
  await arrives(LATER, 6)
  await arrives(LATER, 5)
  expect(await tablesWith(bed.hubDb, nameOf(5))).toEqual([])
})

test('what is erased is erased in the ciphertext too, and every ledger verifies, the hub’s without a key', {
  timeout: 180_000,
}, async () => {
  await say(3, 'Said-anew-3')
  const key = (await bed
    .nodeDb(ORIGIN)
    .selectFrom('replica_entity' as never)
    .select('key' as never)
    .execute()) as { key: string }[]
  const named = key.find(one => one.key.includes(codeOf(3)))?.key ?? ''
  const answer = await bed.ask(ORIGIN, '/v1/redactions', {
    method: 'POST',
    body: { dataset: 'entity', audience: 'alliance-west', key: named, why: 'ordered' },
  })
  const { redacted } = answer as unknown as { redacted: { epoch: number; seq: number; new: string }[] }
  expect(redacted).toMatchObject([{ epoch: 2, seq: 1 }])
  for (const at of [READER, 'hub'])
    await eventually(
      `the erasure at ${at}`,
      async () => {
        const db = at === 'hub' ? bed.hubDb : ledgerOf(at)
        const [entry] = await readRange(db, (await readLog(db, LOG))?.id ?? 0, 2, 1, 1)
        return digestOf(entry?.body ?? Buffer.alloc(0))
      },
      digest => digest === redacted[0]?.new,
      60_000,
    )
  for (const program of [ORIGIN, READER, LATER, 'hub']) {
    const lines = await verify(program)
    expect(lines.filter(one => one.kind === 'finding')).toEqual([])
    expect(lines.at(-1)).toMatchObject({ kind: 'end', findings: 0 })
  }
})

test('bodies changed for one another take no place, and one that its origin signed at another place is set aside by every reader', {
  timeout: 120_000,
}, async () => {
  await holds(READER)
  await holds('hub')
  const state = await readLog(ledgerOf(ORIGIN), LOG)
  if (state?.head == null) throw new Error('no head')
  const entries = await readRange(ledgerOf(ORIGIN), state.id, state.head.epoch, 0, 10)
  const last = entries.at(-1)
  const other = entries.at(-2)
  if (last?.body == null || other?.body == null) throw new Error('expected two entries of one epoch')
  await bed.stopNode(ORIGIN)
  const road = await bed.hostileHub()
  const claims = parseToken(last.token, 'envelope').claims as EnvelopeClaims
  const signer = signerOf(await readKeyFile(bed.founded.keyFile(ORIGIN)))
  const next = { ...claims, seq: claims.seq + 1, prv: last.digest }
  const token = await signer.sign('envelope', next)
  const entry = { ...last, token, digest: tokenDigest(token), position: { epoch: next.ep, seq: next.seq } }
  // The hub changes bodies: the digest in the envelope is another's.
  await road.stream.publish(logSubject(LOG), other.body, { headers: entryHeaders(entry) })
  const aside = async (code: string) =>
    (
      await bed
        .nodeDb(READER)
        .selectFrom('quarantine')
        .select('seq')
        .where('code', '=', code as never)
        .execute()
    ).length
  await eventually(
    'the changed body',
    () => aside('BODY_DIGEST_MISMATCH'),
    count => count > 0,
  )
  expect(await headAt(READER)).toEqual(state.head)
  // The origin itself signs the ciphertext of another position: it takes its place, and nobody can read it there.
  await road.stream.publish(logSubject(LOG), last.body, { headers: entryHeaders(entry) })
  await eventually(
    'the foreign body',
    () => aside('BODY_UNREADABLE'),
    count => count > 0,
  )
  for (const at of [READER, 'hub'])
    await eventually(
      `its place at ${at}`,
      () => headAt(at),
      head => head?.digest === entry.digest,
    )
})

test('an opening wraps its key for the readers of that moment, and for nobody else', async () => {
  const hub = await readLog(bed.hubDb, LOG)
  const openings = await Promise.all(
    [1, 2, 3].map(async epoch => (await readRange(bed.hubDb, hub?.id ?? 0, epoch, 0, 1))[0]?.token ?? ''),
  )
  const recipients = openings.map(token => (parseToken(token, 'epoch').claims as EpochClaims).cek?.recipients.length)
  expect(recipients).toEqual([2, 3, 2])
})
