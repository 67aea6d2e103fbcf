import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readLogs } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { BUNDLE_MEDIA_TYPE, type BundleItem, formatBundleEntry, readBundle } from '../../schemas/bundle.ts'
import { type OperatorHome, operatorHome } from './operator-home.ts'
import { legalPerson } from './rows.ts'
import { ask, eventually, field, ingestRows, operator, startTestbed, type Testbed } from './testbed.ts'

const LOG = '530000/entity/all'

let bed: Testbed
let bundle: Buffer
let items: BundleItem[]

beforeAll(async () => {
  bed = await startTestbed()
  await eventually(
    '530000 may seal',
    () => ask(bed, '530000', '/health/ready'),
    answer => answer.status === 200,
    60_000,
  )
  // 520000 stands behind an air gap: nothing reaches it by the road any more.
  await bed.stopNode('520000')
  await bed.stopNode('000000')
  for (let n = 0; n < 5; n += 1) await ingestRows(bed, '530000', [legalPerson(`91530100MA6K0000${n}X`, `云企 ${n}`)])
  const headers = await operator(bed, '530000')
  bundle = Buffer.from(await (await fetch(`${bed.node('530000').url}/v1/logs/${LOG}/envelopes`, { headers })).arrayBuffer())
  items = await Array.fromAsync(readBundle(pieces(bundle)))
  expect(items.map(item => item.kind)).toEqual(['epoch', ...Array.from({ length: 5 }, () => 'envelope')])
  await bed.stopNode('530000')
  await bed.stopHub()
  await (await (await bed.connectAs('hub')).manager()).streams.delete('LOG-530000')
  await bed.startNode('520000')
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

async function bring(url: string, program: string, bytes: Uint8Array, token?: string): Promise<{ status: number; body: object }> {
  const response = await fetch(`${url}/v1/bundles`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token ?? (await bed.token(program))}`, 'content-type': BUNDLE_MEDIA_TYPE },
    body: Buffer.from(bytes),
  })
  return { status: response.status, body: (await response.json()) as object }
}
const toNode = (bytes: Uint8Array) => bring(bed.node('520000').url, '520000', bytes)
const headAt = async () => {
  const states = await readLogs(bed.nodeDb('520000').$pickTables<keyof LedgerTables>())
  return states.find(({ log }) => log.origin === '530000' && log.dataset === 'entity')?.head?.seq
}
const part = (from: number, to: number): Buffer => Buffer.concat(items.slice(from, to).map(formatBundleEntry))

describe('a bundle that crosses an air gap', () => {
  it('is taken from the operator alone', async () => {
    expect(await bring(bed.node('520000').url, '520000', bundle, 'x'.repeat(40))).toMatchObject({
      status: 401,
      body: { code: 'REQUEST_UNAUTHORIZED' },
    })
  })

  it('is refused at the entry that is cut off, and what came before it stays', async () => {
    const cut = bundle.subarray(0, (items[2]?.end ?? 0) + 100)
    expect(await toNode(cut)).toMatchObject({
      status: 400,
      body: { code: 'BUNDLE_MALFORMED', about: { entry: 4, byte: items[2]?.end, accepted: 3 } },
    })
    expect(await headAt()).toBe(2)
  })

  it('says what is missing before it, and takes nothing over a gap', async () => {
    expect(await toNode(part(4, 6))).toMatchObject({
      status: 200,
      body: {
        entries: 2,
        accepted: 0,
        gaps: [{ log: { origin: '530000', dataset: 'entity', audience: 'all' }, missing: { epoch: 1, from: 3 } }],
      },
    })
    expect(await headAt()).toBe(2)
  })

  it('that was changed on its way is refused and kept, like anything that arrives', async () => {
    const changed = Buffer.from(part(3, 4))
    changed[changed.length - 10] = (changed[changed.length - 10] ?? 0) ^ 1
    expect(await toNode(changed)).toMatchObject({ status: 200, body: { entries: 1, accepted: 0, refused: 1 } })
    expect(field((await ask(bed, '520000', '/v1/quarantine?kind=envelope')).body, 'items', 0, 'code')).toBe('BODY_DIGEST_MISMATCH')
  })

  it('is finished by bringing it again: what is held is skipped, the records take effect', async () => {
    const { body } = await toNode(bundle)
    expect(body).toMatchObject({
      entries: 6,
      accepted: 3,
      duplicate: 3,
      refused: 0,
      gaps: [],
      logs: [{ head: { epoch: 1, seq: 5 } }],
    })
    expect((await toNode(bundle)).body).toMatchObject({ accepted: 0, duplicate: 6 })
    expect(field((await ask(bed, '520000', '/v1/entity/91530100MA6K00004X')).body, 'items', 0)).toMatchObject({
      origin: '530000',
      verification: { state: 'verified' },
      body: { name: '云企 4' },
    })
  })

  it('brings an origin its receipt when the hub takes it in and the road is open again', async () => {
    const hub = await bed.startHub()
    for (const table of ['envelope', 'log']) await sql`DELETE FROM ${sql.table(table)}`.execute(bed.hubDb)
    expect((await bring(hub.url, 'hub', bundle)).body).toMatchObject({ entries: 6, refused: 0, logs: [{ head: { seq: 5 } }] })
    await bed.startNode('530000')
    const own = async () =>
      (await readLogs(bed.nodeDb('530000').$pickTables<keyof LedgerTables>())).find(({ log }) => log.dataset === 'entity')
    await eventually('the receipt', own, state => state?.receipt?.seq === 5)
  })
})

describe('the hutong command', () => {
  let operator: OperatorHome
  let home = ''
  beforeAll(async () => {
    operator = await operatorHome(bed, ['520000', '530000'])
    home = operator.path
  })
  afterAll(() => operator[Symbol.asyncDispose]())

  const run = (...args: string[]) => operator.run(...args)

  it('writes a log as the same bytes from whoever holds it, and goes on with a file that was cut off', async () => {
    const [one, other, cut] = ['one', 'other', 'cut'].map(name => join(home, name)) as [string, string, string]
    expect(await run('bundle', 'export', '--at', 'hub', '--log', LOG, '--out', one)).toMatchObject({ code: 0 })
    expect(await run('bundle', 'export', '--at', '530000', '--log', LOG, '--out', other)).toMatchObject({ code: 0 })
    expect(await readFile(one)).toEqual(bundle)
    expect(await readFile(other)).toEqual(bundle)
    expect((await run('bundle', 'export', '--at', 'hub', '--log', LOG, '--out', one)).code).toBe(1)
    for (const size of [0, 10, (items[2]?.end ?? 0) + 7, bundle.length]) {
      await writeFile(cut, bundle)
      await truncate(cut, size)
      expect(await run('bundle', 'export', '--at', 'hub', '--log', LOG, '--out', cut, '--resume')).toMatchObject({ code: 0 })
      expect(await readFile(cut)).toEqual(bundle)
    }
  })

  it('writes a part of a log, and brings it where the rest is held', async () => {
    const path = join(home, 'part')
    const range = ['--epoch', '1', '--from-seq', '2', '--to-seq', '3']
    expect(await run('bundle', 'export', '--at', 'hub', '--log', LOG, ...range, '--out', path)).toMatchObject({ code: 0 })
    expect(await readFile(path)).toEqual(part(2, 4))
    expect(await run('bundle', 'import', '--at', '520000', path)).toMatchObject({
      code: 0,
      said: expect.stringContaining('2 已有 held already'),
    })
    await truncate(path, 100)
    expect(await run('bundle', 'import', '--at', 'hub', path)).toMatchObject({
      code: 1,
      said: expect.stringContaining('entry 1 at byte 0'),
    })
  })

  it('verifies a ledger, and lists and releases what stands in quarantine', async () => {
    expect(await run('ledger', 'verify', '--at', 'hub')).toMatchObject({
      code: 0,
      said: expect.stringContaining('as they were signed'),
    })
    expect(await run('ledger', 'verify', '--at', '520000', '--json')).toMatchObject({
      code: 0,
      said: expect.stringContaining('"findings": []'),
    })
    await sql`UPDATE replica_entity SET body = '{}' WHERE key = '91530100MA6K00004X'`.execute(bed.nodeDb('520000'))
    expect(await run('ledger', 'verify', '--at', '520000')).toMatchObject({
      code: 1,
      said: expect.stringMatching(/530000\/entity\/all 1\.5 #0 91530100MA6K00004X/),
    })
    expect(await run('quarantine', 'list', '--at', '520000')).toMatchObject({
      code: 0,
      said: expect.stringContaining('BODY_DIGEST_MISMATCH'),
    })
    expect(await run('quarantine', 'release', '--at', '520000', '--code', 'BODY_DIGEST_MISMATCH')).toMatchObject({
      code: 1,
      said: expect.stringContaining('0 已解除 released, 1 仍在 stay'),
    })
    expect((await run('quarantine', 'release', '--at', '520000')).code).toBe(1)
  })
})
