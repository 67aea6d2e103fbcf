/** A member whose keys are made in a signing agent: it joins, rolls over and writes, and its node never has a private key. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openAgentLink } from '../../runtime/keys/agent-signer.ts'
import { joinFederation } from '../../runtime/membership/joining.ts'
import { PROJECT } from '../federation/programs.ts'
import { type Bed, startBed } from './bed.ts'
import { arrived, ingest } from './records.ts'

const CODE = '530000'
const SPY = fileURLToPath(new URL('./memory-spy.ts', import.meta.url))

let bed: Bed
let agent: ChildProcess
let socket = ''
const settings = (code: string) => (code === CODE ? { HUTONG_NODE_SIGNING_AGENT_SOCKET: socket } : {})
const keyDir = (): string => join(bed.home, 'agent', 'keys')
const keysOf = async () =>
  ((await bed.ask(CODE, '/v1/membership')) as unknown as { keys: { kid: string; state: string; held: boolean }[] }).keys

beforeAll(async () => {
  bed = await startBed({ members: ['520000'], nodeSettings: settings })
  socket = join(bed.home, 'agent', 'run', 'agent.sock')
  agent = spawn(process.execPath, [join(PROJECT, 'runtime/keys/main.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { HUTONG_AGENT_ISSUER: CODE, HUTONG_AGENT_SOCKET: socket, HUTONG_AGENT_KEY_DIR: keyDir() },
  })
  let said = ''
  await new Promise<void>(resolve =>
    agent.stdout?.on('data', chunk => {
      said += String(chunk)
      if (said.includes('is up')) resolve()
    }),
  )
}, 120_000)
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
  agent?.stdin?.end()
  if (agent?.exitCode === null) await once(agent, 'exit')
})

/** How often the private half of a key stands in the memory of a process. */
const standsIn = async (pid: number | undefined, name: string): Promise<number> =>
  Number((await promisify(execFile)(process.execPath, [SPY, String(pid), join(keyDir(), name)])).stdout)

test('keys are made in the agent when a member joins, and sign from there', { timeout: 120_000 }, async () => {
  const asked = Promise.withResolvers<string>()
  let fingerprint = ''
  const joining = joinFederation({
    file: await bed.invite(CODE),
    folder: bed.founded.memberDir(CODE),
    recoveryFile: bed.founded.recoveryFile(CODE),
    passphrase: null,
    recoveryPassphrase: null,
    agentSocket: socket,
    wait: true,
    signal: AbortSignal.timeout(60_000),
    onProgress(progress) {
      if (progress.step === 'made') fingerprint = progress.fingerprint
      if (progress.step === 'pending') asked.resolve(fingerprint)
    },
  })
  joining.catch(asked.reject)
  await bed.order('security-administrator', `/v1/membership/members/${CODE}/approve`, { fingerprint: await asked.promise })
  await joining
  await bed.startNode(CODE)
  await ingest(bed, CODE, 1)
  await arrived(bed, '520000', [1])
  expect(await readdir(join(bed.founded.memberDir(CODE), 'keys'))).toEqual([])
  expect(await readdir(keyDir())).toEqual(['signing-1.jwk.json'])
})

test('a rollover goes through the agent: announced, activated and retired keys are all made there', {
  timeout: 120_000,
}, async () => {
  for (const stage of ['announce', 'activate', 'retire'])
    await bed.ask(CODE, '/v1/membership/rollover', { method: 'POST', body: { stage } })
  await ingest(bed, CODE, 2)
  await arrived(bed, '520000', [2])
  expect((await keysOf()).map(({ state, held }) => [state, held])).toEqual([
    ['retired', true],
    ['active', true],
  ])
  expect((await readdir(keyDir())).sort()).toEqual(['signing-1.jwk.json', 'signing-2.jwk.json'])
  await bed.stopNode(CODE)
  await bed.startNode(CODE)
  await ingest(bed, CODE, 3)
  await arrived(bed, '520000', [3])
})

test('the node’s process never had a private key: neither stands in its memory, both in the agent’s', {
  timeout: 120_000,
}, async () => {
  // The node runs in this process.
  for (const name of ['signing-1.jwk.json', 'signing-2.jwk.json']) {
    expect(await standsIn(agent.pid, name)).toBeGreaterThan(0)
    expect(await standsIn(process.pid, name)).toBe(0)
  }
})

test('a theft is answered without the recovery key ever coming to the agent, which would not sign it', {
  timeout: 60_000,
}, async () => {
  const { claims } = (await bed.ask(CODE, '/v1/membership/replacement', { method: 'POST' })) as { claims: { iss: string } }
  using link = openAgentLink(socket)
  const keys = await link.keys()
  expect(keys).toHaveLength(3)
  const [key] = keys
  if (key === undefined) throw new Error('no key')
  await expect(link.signer(key).sign('keys', claims)).rejects.toMatchObject({ code: 'SIGNER_REFUSED' })
  const recovery = JSON.parse(await readFile(bed.founded.recoveryFile(CODE), 'utf8')) as { kid: string }
  expect(keys.map(({ kid }) => kid)).not.toContain(recovery.kid)
})
