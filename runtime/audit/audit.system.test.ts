/** The audit log on a real PostgreSQL: many writers, several processes, and whoever edits its table. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPair } from 'jose'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type AuditFacts, auditVerifier, openAuditHeads } from '../../schemas/access/audit-chain.ts'
import { SIGNING_ALGORITHM } from '../../schemas/algorithms.ts'
import { createSigner } from '../../schemas/tokens.ts'
import { type Database, openDatabase } from '../postgres/database.ts'
import { migrate } from '../postgres/migrator.ts'
import { startPostgres } from '../postgres/server.ts'
import { startHeadSigner } from './head-signer.ts'
import { openAuditLog } from './log.ts'
import { type AuditTables, auditMigration } from './tables.ts'
import { type AuditWitness, openAuditWitness } from './witness.ts'

const undo = new AsyncDisposableStack()
let database: Database<AuditTables>
let home = ''
let witnesses = 0
const witness = () => openAuditWitness(join(home, `witness-${++witnesses}`))
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'hutong-audit-'))
  undo.defer(() => rm(home, { recursive: true, force: true }))
  const server = undo.use(await startPostgres({ dataDir: home }))
  const url = await server.createDatabase('audit', 'audit', 'audit-test-password')
  database = undo.use(openDatabase<AuditTables>(url, { applicationName: 'test', poolSize: 8 }))
  await migrate(database, [auditMigration])
})
afterAll(() => undo.disposeAsync())
beforeEach(async () => {
  await sql`TRUNCATE audit, audit_head, deal_duty`.execute(database.kysely)
})

const facts = (actor: string, n: number): AuditFacts => ({
  at: new Date(1_790_000_000_000 + n).toISOString(),
  actor,
  roles: 'centre-clerk',
  operation: 'record.read',
  resource: `credit/${n}`,
  decision: 'allow',
  purpose: null,
  deal: null,
  request: 'r',
})
const { privateKey, publicKey } = await generateKeyPair('Ed25519')
const keys = new Map([['k', { alg: 'Ed25519', key: publicKey }]])

async function verify() {
  const db = database.kysely
  const tokens = (await db.selectFrom('audit_head').select('token').orderBy('seq').execute()).map(({ token }) => token)
  const { heads, findings } = await openAuditHeads(tokens, { fed: 'test', origin: '530000', keys })
  const verifier = auditVerifier(heads)
  for (const entry of await db.selectFrom('audit').selectAll().orderBy('seq').execute()) verifier.push(entry)
  const end = verifier.end()
  return { ...end, findings: [...findings, ...end.findings].map(({ kind, seq }) => `${kind} ${seq}`) }
}
const sign = async () => {
  await using log = openAuditLog(database.kysely)
  await using signer = startHeadSigner({
    db: database.kysely,
    log,
    fed: 'test',
    origin: '530000',
    signer: createSigner('k', SIGNING_ALGORITHM, privateKey),
    witness: witness(),
    clock: () => new Date(1_790_000_000_000),
    failed: error => {
      throw error
    },
  })
  await signer.sign()
}

describe('many writers', () => {
  it('share commits, so that the chain does not slow them down', async () => {
    const rate = async (writers: number, each: number): Promise<number> => {
      await using log = openAuditLog(database.kysely)
      const since = performance.now()
      await Promise.all(
        Array.from({ length: writers }, async (_, writer) => {
          for (let n = 0; n < each; n += 1) await log.append(facts(`w${writer}`, n))
        }),
      )
      return (writers * each) / ((performance.now() - since) / 1000)
    }
    const alone = await rate(1, 100)
    const together = await rate(200, 20)
    process.stdout.write(`audit: ${Math.round(alone)} entries/s by one writer, ${Math.round(together)} by 200\n`)
    expect(together).toBeGreaterThan(alone * 3)
    expect(await verify()).toMatchObject({ findings: [], entries: 4100 })
  })

  it('of several processes over one database make one chain', async () => {
    await using one = openAuditLog(database.kysely)
    await using other = openAuditLog(database.kysely)
    await Promise.all(Array.from({ length: 300 }, (_, n) => (n % 2 === 0 ? one : other).append(facts('x', n))))
    expect(await verify()).toMatchObject({ findings: [], entries: 300 })
  })
})

it('an entry stands or falls with the act whose transaction it is in', async () => {
  await using log = openAuditLog(database.kysely)
  const act = (fails: boolean) =>
    database.kysely.transaction().execute(async trx => {
      await trx.insertInto('deal_duty').values({ deal: 'd', actor: 'a', duty: 'enter' }).execute()
      await log.appendIn(trx, [facts('a', 1)])
      if (fails) throw new Error('the act fails')
    })
  await expect(act(true)).rejects.toThrow('the act fails')
  expect(await verify()).toMatchObject({ entries: 0 })
  await act(false)
  await log.append(facts('a', 2))
  expect(await verify()).toMatchObject({ findings: [], entries: 2 })
})

it('what was not signed yet and is rewritten is noticed by the program that wrote it, which signs nothing then', async () => {
  await using log = openAuditLog(database.kysely)
  for (let n = 0; n < 5; n += 1) await log.append(facts('x', n))
  const last = await log.last()
  await database.kysely.deleteFrom('audit').where('seq', '=', 5).execute()
  await using other = openAuditLog(database.kysely)
  await other.append(facts('y', 9))
  expect((await log.last())?.seq).toBe(last?.seq)
  const failures: unknown[] = []
  await using signer = startHeadSigner({
    db: database.kysely,
    log,
    fed: 'test',
    origin: '530000',
    signer: createSigner('k', SIGNING_ALGORITHM, privateKey),
    witness: witness(),
    clock: () => new Date(1_790_000_000_000),
    failed: error => failures.push(error),
  })
  await expect(signer.sign()).rejects.toMatchObject({ code: 'AUDIT_BROKEN' })
  expect(signer.trouble()).toContain('entry 5')
  expect(await verify()).toMatchObject({ findings: [], signedTo: 0 })
})

describe('what was just written', () => {
  const program = (kept: AuditWitness, failures: unknown[] = [], latestMs = 50) => {
    const log = openAuditLog(database.kysely)
    const signer = startHeadSigner({
      db: database.kysely,
      log,
      fed: 'test',
      origin: '530000',
      signer: createSigner('k', SIGNING_ALGORITHM, privateKey),
      witness: kept,
      clock: () => new Date(1_790_000_000_000),
      failed: error => failures.push(error),
      latestMs,
    })
    return { log, signer }
  }

  it('is signed within its time, without anybody asking, and the newest head lies outside the database', async () => {
    const kept = witness()
    const { log, signer } = program(kept)
    await log.append(facts('x', 1))
    await expect.poll(async () => (await kept.newest())?.seq, { timeout: 5000 }).toBe(1)
    await log.append(facts('x', 2))
    await expect.poll(async () => (await kept.newest())?.seq, { timeout: 5000 }).toBe(2)
    expect(await verify()).toMatchObject({ findings: [], signedTo: 2 })
    // Heads that follow closely leave the newest.
    await log.append(facts('x', 3))
    await expect.poll(async () => (await kept.newest())?.seq, { timeout: 5000 }).toBe(3)
    const heads = await database.kysely.selectFrom('audit_head').select('seq').orderBy('seq').execute()
    expect(heads.map(({ seq }) => seq)).toEqual([1, 3])
    await signer[Symbol.asyncDispose]()
  })

  it('is signed at a hundred entries, whatever the time', async () => {
    const kept = witness()
    const { log, signer } = program(kept, [], 3_600_000)
    await signer.sign()
    await Promise.all(Array.from({ length: 120 }, (_, n) => log.append(facts('x', n))))
    await expect.poll(async () => (await kept.newest())?.seq ?? 0, { timeout: 5000 }).toBeGreaterThanOrEqual(100)
    await signer[Symbol.asyncDispose]()
    expect((await kept.newest())?.seq).toBe(120)
  })

  it.each([
    ['cut off with all its signed heads', 'DELETE FROM audit WHERE seq > 3; DELETE FROM audit_head'],
    ['emptied', 'TRUNCATE audit, audit_head'],
    ['written anew', "UPDATE audit SET actor = 'nobody', digest = prev WHERE seq = 5; DELETE FROM audit_head"],
  ])('while the program is down, %s, is known at its next start and at every verification', async (_, edit) => {
    const kept = witness()
    const first = program(kept)
    for (let n = 0; n < 5; n += 1) await first.log.append(facts('x', n))
    await first.signer[Symbol.asyncDispose]()
    await database.pool.query(edit)
    const failures: { code?: string }[] = []
    const second = program(kept, failures)
    await expect.poll(() => failures.map(({ code }) => code), { timeout: 5000 }).toContain('AUDIT_BROKEN')
    await second.log.append(facts('y', 9))
    await second.signer[Symbol.asyncDispose]()
    const { heads } = await openAuditHeads(await kept.all(), { fed: 'test', origin: '530000', keys })
    expect(heads.map(({ seq }) => seq)).toContain(5)
    const verifier = auditVerifier(heads)
    for (const entry of await database.kysely.selectFrom('audit').selectAll().orderBy('seq').execute()) verifier.push(entry)
    expect(verifier.end().findings.length).toBeGreaterThan(0)
  })
})

describe('whoever edits the table', () => {
  const EDITS: readonly (readonly [string, string, string])[] = [
    ['edits an entry', `UPDATE audit SET actor = 'nobody' WHERE seq = 5`, 'edited 5'],
    ['changes a refusal into an admission', `UPDATE audit SET decision = 'ALLOW' WHERE seq = 7`, 'edited 7'],
    ['deletes an entry', 'DELETE FROM audit WHERE seq = 5', 'missing 5'],
    ['deletes the last entries', 'DELETE FROM audit WHERE seq > 15', 'missing 16'],
    [
      'changes the order',
      'UPDATE audit SET seq = -5 WHERE seq = 5; UPDATE audit SET seq = 5 WHERE seq = 9; UPDATE audit SET seq = 9 WHERE seq = -5',
      'moved 5',
    ],
    [
      'puts an entry in',
      `INSERT INTO audit SELECT 21, at, actor, roles, operation, resource, decision, purpose, deal, request, prev, digest FROM audit WHERE seq = 9`,
      'moved 21',
    ],
    ['swaps a signed head', `UPDATE audit_head SET token = left(token, -4) || 'AAAA'`, 'head 0'],
  ]

  it.each(EDITS)('%s is found: %s', async (_, edit, finding) => {
    await using log = openAuditLog(database.kysely)
    for (let n = 0; n < 20; n += 1) await log.append(facts('x', n))
    await sign()
    expect((await verify()).findings).toEqual([])
    await database.pool.query(edit)
    expect((await verify()).findings).toContain(finding)
  })
})
