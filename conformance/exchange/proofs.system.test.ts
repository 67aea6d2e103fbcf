import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { convict, freeze, readConvictions, readForks } from '../../runtime/ledger/forks.ts'
import { lockLogs } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { digestOf } from '../../schemas/digest.ts'
import { formatLogId, type LogId } from '../../schemas/log.ts'
import { openProof, parseProof, type Statements } from '../../schemas/proof.ts'
import { sealHead, sealReceipt } from '../../schemas/statements.ts'
import { askerOf, questionFilter, questionSubject } from '../../schemas/subjects.ts'
import { operatorHome } from './operator-home.ts'
import { deal, project } from './rows.ts'
import { ask, eventually, field, ingestRows, startTestbed, type Testbed } from './testbed.ts'

const LOG: LogId = { origin: '520000', dataset: 'trade', audience: 'all' }
const PRIVATE: LogId = { ...LOG, audience: 'node-530000' }
const HONEST: LogId = { origin: '530000', dataset: 'entity', audience: 'all' }

let bed: Testbed
beforeAll(async () => {
  bed = await startTestbed()
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

/** A node that was started again listens elsewhere. */
const operatorNow = () => operatorHome(bed, ['530000', '520000', '000000'])

type Db = Kysely<LedgerTables>
const dbOf = (program: string): Db => (program === 'hub' ? bed.hubDb : bed.nodeDb(program).$pickTables<keyof LedgerTables>())
const at = (seq: number, text: string) => ({ epoch: 1, seq, digest: digestOf(text) })

async function twoHeads(
  log: LogId,
  signer = log.origin,
  digests: readonly [string, string] = ['one', 'other'],
): Promise<Statements> {
  const context = { fed: bed.membership.fed, mem: 0, signer: await bed.signer(signer), now: new Date() }
  const head = (text: string): Promise<string> => sealHead(log.origin, log.audience, [{ log, head: at(9, text) }], [], context)
  return [await head(digests[0]), await head(digests[1])]
}
async function twoReceipts(): Promise<Statements> {
  const context = { fed: bed.membership.fed, signer: await bed.signer('hub'), now: new Date() }
  return [await sealReceipt(HONEST, at(9, 'one'), context), await sealReceipt(HONEST, at(9, 'other'), context)]
}

/** As when this holder alone has met both statements. */
const findAt = (program: string, log: LogId, statements: Statements): Promise<boolean> =>
  dbOf(program)
    .transaction()
    .execute(async trx => {
      const id = (await lockLogs(trx, [log])).get(formatLogId(log))?.id ?? 0
      return freeze(trx, id, { statements, reason: 'found by the test' })
    })
const forksAt = async (program: string): Promise<string[]> => (await readForks(dbOf(program))).map(fork => formatLogId(fork.log))
const frozenAt = (program: string, log: LogId): Promise<string[]> =>
  eventually(
    `the fork of ${formatLogId(log)} at ${program}`,
    () => forksAt(program),
    logs => logs.includes(formatLogId(log)),
    30_000,
  )

describe('a fork that one holder has found', () => {
  it('freezes that log at every other holder, by the proof alone: the accused, and one that was away, among them', async () => {
    await bed.stopNode('000000')
    const statements = await twoHeads(LOG)
    await findAt('530000', LOG, statements)
    for (const program of ['hub', '520000']) await frozenAt(program, LOG)
    await bed.startNode('000000')
    await frozenAt('000000', LOG)
    for (const program of ['hub', '520000', '000000']) {
      const [fork] = await readForks(dbOf(program))
      expect(fork).toMatchObject({ statements, reason: '520000/trade/all: two digests at 1.9' })
    }
    expect(field((await ask(bed, '000000', '/v1/logs')).body, 'logs')).toContainEqual(
      expect.objectContaining({ ...LOG, frozen: true, head: null }),
    )
  })

  it('is passed on to nobody but those who may hold that log', async () => {
    await findAt('530000', PRIVATE, await twoHeads(PRIVATE))
    for (const program of ['hub', '520000']) await frozenAt(program, PRIVATE)
    const holder = await bed.connectAs('000000')
    const question = JSON.stringify({ frozen: [], convictions: 0 })
    const answer = await holder.connection.request(questionSubject('530000', 'forks', '000000'), question, { timeout: 3000 })
    const proofs = await Promise.all(answer.json<Statements[]>().map(one => openProof(one, bed.membership)))
    expect(proofs.map(({ contradiction }) => formatLogId(contradiction.log))).toEqual([formatLogId(LOG)])
    expect(await forksAt('000000')).toEqual([formatLogId(LOG)])
  })

  it('stops its origin from sealing into that log, and into no other', async () => {
    await expect(
      ingestRows(bed, '520000', [project('P-1', '520100'), deal('D-1', 'P-1', '1.00', { region: '520100' })]),
    ).rejects.toThrow('LOG_FROZEN')
    expect((await ask(bed, '520000', '/v1/forks')).status).toBe(200)
  })

  it('is a file that verifies with the membership file and nothing else', async () => {
    await using operator = await operatorNow()
    const path = join(operator.path, 'fork.proof')
    expect(await operator.run('proof', 'export', formatLogId(LOG), '--at', '530000', '-o', path)).toMatchObject({ code: 0 })
    expect((await openProof(parseProof(await readFile(path)), bed.membership)).signer).toBe('520000')
    const verified = await operator.run('verify', path, '--membership', bed.membershipFile)
    expect(verified).toMatchObject({ code: 0, said: expect.stringContaining('520000/trade/all：位置 1.9 有两个摘要') })
    expect(await operator.run('proof', 'export', formatLogId(HONEST), '-o', path)).toMatchObject({
      code: 1,
      said: expect.stringContaining('PROOF_UNKNOWN'),
    })
    expect(await operator.run('status')).toMatchObject({
      said: expect.stringContaining('✘ 520000/trade/all 已冻结 is frozen (hub, 520000, 530000, 000000)'),
    })
  })
})

describe('two receipts that contradict each other', () => {
  it('convict the hub at every member, wherever they were found, and freeze nothing', async () => {
    const statements = await twoReceipts()
    await convict(dbOf('520000'), { statements, reason: 'found by the test' })
    for (const program of ['hub', '530000', '000000']) {
      const found = await eventually(
        `the conviction at ${program}`,
        () => readConvictions(dbOf(program)),
        all => all.length > 0,
        30_000,
      )
      expect(found[0]).toMatchObject({ statements, reason: '530000/entity/all: two digests at 1.9' })
      expect(await forksAt(program)).not.toContain(formatLogId(HONEST))
    }
    await using operator = await operatorNow()
    const path = join(operator.path, 'hub.proof')
    expect(await operator.run('proof', 'export', 'hub', '-o', path)).toMatchObject({ code: 0 })
    expect(await operator.run('verify', path, '--membership', bed.membershipFile)).toMatchObject({
      code: 0,
      said: expect.stringContaining('the logs go on'),
    })
  })
})

describe('a false proof', () => {
  const asideAt = (program: string) =>
    dbOf(program).selectFrom('quarantine').select(['origin', 'code', 'place']).where('kind', '=', 'proof').execute()
  const expectRefused = async (sender: string, code: string, statements: unknown): Promise<void> => {
    const thief = await bed.connectAs(sender)
    thief.connection.publish(questionSubject('530000', 'proof', sender), JSON.stringify(statements))
    await eventually(
      `${code} from ${sender}`,
      () => asideAt('530000'),
      rows => rows.some(row => row.origin === sender && row.code === code),
    )
  }

  it('freezes nothing, is kept with its reason, and counted for whoever sent it', async () => {
    const before = await forksAt('530000')
    const [head] = await twoHeads(HONEST)
    await expectRefused('520000', 'PROOF_STATEMENTS_AGREE', [head, head])
    await expectRefused('520000', 'KEY_UNKNOWN', await twoHeads(HONEST, '520000'))
    await expectRefused('000000', 'PROOF_SIGNERS_DIFFER', [head, (await twoReceipts())[0]])
    await expectRefused('hub', 'KEY_UNKNOWN', await twoHeads(HONEST, 'hub'))
    await expectRefused('hub', 'PROOF_MALFORMED', ['nonsense'])
    await expectRefused('520000', 'AUDIENCE_NOT_ALLOWED', await twoHeads({ ...LOG, audience: 'node-000000' }))
    expect(await forksAt('530000')).toEqual(before)
    const doubts = field((await ask(bed, '530000', '/v1/logs')).body, 'doubts') as { kind: string; about: string; count: number }[]
    const counts = doubts.filter(({ kind }) => kind === 'proof-refused').map(({ about, count }) => [about, count])
    expect(counts.sort()).toEqual([
      ['000000', 1],
      ['520000', 3],
      ['hub', 2],
    ])
  })

  it("is not taken under another's name: the broker holds each sender to its own code", async () => {
    const thief = await bed.connectAs('520000')
    const statements = JSON.stringify(['under', 'a foreign name'])
    thief.connection.publish(questionSubject('530000', 'proof', '000000'), statements)
    await expectRefused('520000', 'PROOF_MALFORMED', ['under', 'its own name'])
    expect((await asideAt('530000')).filter(row => row.origin === '000000' && row.code === 'PROOF_MALFORMED')).toEqual([])
  })

  it('given as an answer is refused alike', async () => {
    await bed.stopNode('520000')
    const liar = await bed.connectAs('520000')
    const lie = JSON.stringify([await twoHeads({ ...HONEST, dataset: 'credit' }, '520000')])
    liar.connection.subscribe(questionFilter('520000', 'forks'), {
      callback: (_, message) => void (askerOf(message.subject) === '530000' && message.respond(lie)),
    })
    const before = (await asideAt('530000')).length
    await bed.stopNode('530000')
    await bed.startNode('530000')
    await eventually(
      'the answer in quarantine',
      () => asideAt('530000'),
      rows => rows.length > before,
      30_000,
    )
    expect(await forksAt('530000')).not.toContain('530000/credit/all')
    await bed.startNode('520000')
  })
})
