import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { exportJWK, generateKeyPair } from 'jose'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { sumDecimals } from '../../adapters/money.ts'
import { type PostgresServer, startPostgres } from '../../runtime/postgres/server.ts'
import { type Envelope, Receiver } from './receiver.ts'
import { tradeTotals } from './totals.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const WAIT = { timeout: 60_000, interval: 50 }

type SystemRow = { rows: { [table: string]: number }; waiting: number; pushed: number; refused: number }
type Status = { state: string; settled: boolean; systems: [SystemRow] }

let folder: string
let postgres: PostgresServer
let databaseUrl: string
let receiver: Receiver
let serial = 0
const children: ChildProcess[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hutong-samples-'))
  postgres = await startPostgres({ dataDir: join(folder, 'postgres') })
})
afterAll(async () => {
  await postgres[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})
beforeEach(async () => {
  serial += 1
  databaseUrl = await postgres.createDatabase(`samples_${serial}`, `samples_${serial}`, 'secret')
  receiver = await Receiver.start()
})
afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null && child.signalCode === null) await ended(child, 'SIGKILL')
  await receiver[Symbol.asyncDispose]()
})

const ended = async (child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> => {
  const { promise, resolve } = Promise.withResolvers<number | null>()
  child.once('exit', resolve)
  child.kill(signal)
  return promise
}

const started = async (env: { [name: string]: string } = {}): Promise<{ child: ChildProcess; url: Promise<string> }> => {
  const file = join(folder, `systems-${serial}.json`)
  const client = join(folder, 'client.json')
  const { privateKey } = await generateKeyPair('Ed25519', { extractable: true })
  await writeFile(client, JSON.stringify({ id: 'system', issuer: 'urn:hutong:test:530100', jwk: await exportJWK(privateKey) }))
  const system = { code: '530100', database_url: databaseUrl, node_url: receiver.url, client_file: client }
  await writeFile(file, JSON.stringify([system]))
  const settings = { HUTONG_SAMPLES_SYSTEMS_FILE: file, HUTONG_SAMPLES_INTERVAL_MS: '20', ...env }
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, ...settings },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  createInterface({ input: child.stdout })
    .on('line', line => {
      const { msg, url } = JSON.parse(line) as { msg?: string; url?: string }
      if (msg === 'listening' && url !== undefined) resolve(url)
    })
    .on('close', () => reject(new Error('the program ended before it listened')))
  promise.catch(() => undefined)
  return { child, url: promise }
}

const ask = async (url: string, method = 'GET'): Promise<Status> => {
  const response = await fetch(url, { method })
  expect(response.status).toBe(200)
  return (await response.json()) as Status
}

const query = async <Row extends object>(statement: string): Promise<Row[]> => {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    return (await client.query<Row>(statement)).rows
  } finally {
    await client.end()
  }
}

/** Everything that stands in the source, under the keys that a node keeps it under. */
const KEYS = `
  SELECT 'LEGAL_PERSON ' || legal_code AS key FROM legal_person
  UNION ALL SELECT 'TENDER_PROJECT ' || tender_project_code FROM tender_project
  UNION ALL SELECT CASE WHEN bid_section_code IS NULL THEN 'DEAL ' || unified_deal_code ELSE 'BID_SECTION ' || bid_section_code END FROM deal
  UNION ALL SELECT 'EXPERT ' || expert_pseudonym FROM expert
  UNION ALL SELECT 'VIOLATING ' || violating_code FROM violating
  UNION ALL SELECT 'BLACKLIST ' || blacklist_code FROM blacklist`

const sourceKeys = async (): Promise<string[]> => (await query<{ key: string }>(KEYS)).map(({ key }) => key).sort()

const counted = (envelopes: Iterable<Envelope>): Envelope[] =>
  [...envelopes].filter(
    ({ TABLE, DATA_TYPE, DATA }) =>
      (TABLE === 'DEAL' || TABLE === 'BID_SECTION') && DATA_TYPE !== '3' && DATA.DEAL_AMOUNT !== undefined,
  )

test('what is in the source arrives, and its totals are those of what arrived', async () => {
  const { child, url } = await started()
  await vi.waitFor(async () => expect((await ask(`${await url}/v1/samples`)).systems[0].pushed).toBeGreaterThan(600), WAIT)
  const paused = await ask(`${await url}/v1/samples/pause`, 'POST')
  expect(paused).toMatchObject({ state: 'paused', settled: true, systems: [{ code: '530100', waiting: 0, refused: 0 }] })
  expect([...receiver.standing.keys()].sort()).toEqual(await sourceKeys())

  const arrived = counted(receiver.standing.values())
  const [total] = await tradeTotals(databaseUrl, [])
  expect(total).toEqual({
    number: arrived.length,
    amount: sumDecimals(arrived.map(({ DATA }) => DATA.DEAL_AMOUNT ?? '0')),
    expert_seats: arrived.reduce((sum, { DATA }) => sum + Number(DATA.EXPERT_SEATS), 0),
  })
  const groups = await tradeTotals(databaseUrl, ['region', 'class', 'month', 'platform'])
  expect(sumDecimals(groups.map(({ amount }) => amount))).toBe(total?.amount)
  const [group] = groups
  const same = arrived.filter(
    ({ DATA }) =>
      DATA.REGION_CODE === group?.region &&
      DATA.TENDER_PROJECT_TYPE === group?.class &&
      DATA.WIN_BID_TIME?.slice(0, 7) === group?.month &&
      DATA.PLATFORM_CODE === group?.platform,
  )
  expect(group).toMatchObject({ number: same.length, amount: sumDecimals(same.map(({ DATA }) => DATA.DEAL_AMOUNT ?? '0')) })

  const types = new Set(receiver.batches.flatMap(({ rows }) => rows.map(row => row.DATA_TYPE)))
  expect([...types].sort()).toEqual(['1', '2', '3'])
  expect(receiver.batches.every(({ rows, authorization }) => rows.length <= 500 && authorization === 'Bearer let-me-in')).toBe(true)
  expect((await ask(`${await url}/v1/samples`)).systems[0].pushed).toBe(paused.systems[0].pushed)
  await ask(`${await url}/v1/samples/resume`, 'POST')
  await vi.waitFor(
    async () => expect((await ask(`${await url}/v1/samples`)).systems[0].pushed).toBeGreaterThan(paused.systems[0].pushed),
    WAIT,
  )
  expect(await ended(child, 'SIGTERM')).toBe(0)
})

test('a program killed after its rows were made and before they were answered for loses none of them', async () => {
  receiver.behaviour = () => 'swallow'
  const first = await started()
  await vi.waitFor(() => expect(receiver.batches.length).toBe(1), WAIT)
  // its rows are in the source, one batch is at the receiver, the program has heard nothing
  await ended(first.child, 'SIGKILL')
  const made = await sourceKeys()
  expect(made.length).toBeGreaterThan(200)
  const [state] = await query<{ pushed: number; secret: Buffer }>('SELECT pushed, secret FROM system_state')
  expect(state?.pushed).toBe(0)
  const atFirst = receiver.batches[0]?.rows ?? []

  receiver.behaviour = () => 'take'
  const second = await started()
  const paused = await ask(`${await second.url}/v1/samples/pause`, 'POST')
  expect(paused.settled).toBe(true)
  const arrived = [...receiver.standing.keys()].sort()
  expect(arrived).toEqual(await sourceKeys())
  expect(arrived).toEqual(expect.arrayContaining(made))
  // what had arrived comes again as it was, so that it is unchanged there and not a second fact
  expect(receiver.batches[1]?.rows.slice(0, atFirst.length)).toEqual(atFirst)
  // and the second start founded nothing anew
  const [after] = await query<{ secret: Buffer }>('SELECT secret FROM system_state')
  expect(after?.secret).toEqual(state?.secret)
})

test('rows go on being made while the node is away, and arrive when it is back', async () => {
  receiver.behaviour = () => ({ status: 503 })
  const { url } = await started()
  const before = (await ask(`${await url}/v1/samples`)).systems[0].waiting
  await vi.waitFor(async () => expect((await ask(`${await url}/v1/samples`)).systems[0].waiting).toBeGreaterThan(before), WAIT)
  expect(receiver.standing.size).toBe(0)
  receiver.behaviour = () => 'take'
  expect(await ask(`${await url}/v1/samples/pause`, 'POST')).toMatchObject({ settled: true })
  expect([...receiver.standing.keys()].sort()).toEqual(await sourceKeys())
})

test('a row that the node refuses is kept with the reason and never sent again', async () => {
  let refusing = true
  receiver.behaviour = () => {
    const behaviour = refusing ? { refuse: [2, 7] } : 'take'
    refusing = false
    return behaviour
  }
  const { url } = await started()
  await vi.waitFor(() => expect(receiver.batches.length).toBeGreaterThan(1), WAIT)
  const { settled, systems } = await ask(`${await url}/v1/samples/pause`, 'POST')
  expect({ settled, refused: systems[0].refused }).toEqual({ settled: true, refused: 2 })
  const [one, ...others] = receiver.batches
  const refused = [one?.rows[1]?.DATA_KEY, one?.rows[6]?.DATA_KEY]
  const again = others.flatMap(({ rows }) => rows).filter(row => refused.includes(row.DATA_KEY))
  expect(again).toEqual([])
  const kept = await query('SELECT source_key, refused_code, refused_reason FROM push ORDER BY id')
  const reason = { refused_code: 'ROW_FIELD_INVALID', refused_reason: 'LEGAL_NAME: no.' }
  expect(kept).toEqual(refused.map(source_key => ({ source_key, ...reason })))
})

test('a deal that comes before its project travels in a batch that ends with it', async () => {
  const { url } = await started()
  const early = () => {
    const projects = new Set<string>()
    for (const { rows } of receiver.batches)
      for (const [index, { TABLE, DATA_TYPE, DATA_KEY, DATA }] of rows.entries()) {
        if (TABLE === 'TENDER_PROJECT') projects.add(DATA_KEY)
        const isDeal = DATA_TYPE === '1' && DATA.UNIFIED_DEAL_CODE !== undefined
        if (isDeal && !projects.has(DATA.TENDER_PROJECT_CODE ?? '')) return { left: rows.length - 1 - index }
      }
    return null
  }
  await vi.waitFor(() => expect(early()).toEqual({ left: 0 }), WAIT)
  await ask(`${await url}/v1/samples/pause`, 'POST')
})
