/** The launcher's promises, on a whole federation of two members: one at a time in a folder, back after a crash, nothing left behind. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { federationPath, parseFederationFile } from '../../console/terminal/federation-file.ts'
import { type Federation, startFederation } from './federation.ts'
import { DEMO_MEMBERS } from './members.ts'
import { PROJECT, type ProgramEvent } from './programs.ts'

const MEMBERS = DEMO_MEMBERS.filter(({ code }) => code === '530000' || code === '000000')
const running = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
const isReady = async (url: string): Promise<boolean> => (await fetch(`${url}/health/ready`)).status === 200

let home = ''
let events: ProgramEvent[] = []
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'hutong-federation-'))
  events = []
})
afterEach(() => rm(home, { recursive: true, force: true }))

const start = (): Promise<Federation> =>
  startFederation({
    home,
    samples: false,
    members: MEMBERS,
    onProgress: () => {},
    onEvent: event => events.push(event),
    signal: new AbortController().signal,
  })
const urlsOf = ({ file }: Federation): string[] => [file.hub.url, ...Object.values(file.nodes).map(({ url }) => url)]

test('a second start in the folder is refused with the process that holds it, and does not disturb the first', async () => {
  await using first = await start()
  await expect(start()).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE', detail: { pid: process.pid } })
  expect(await Promise.all(urlsOf(first).map(isReady))).toEqual([true, true, true])
})

test('a stop ends every program, and the next start goes on under the same addresses and identity', async () => {
  const first = await start()
  const pids = [first.hub, ...first.nodes.values()].map(program => program.pid() ?? 0)
  const urls = urlsOf(first)
  await first[Symbol.asyncDispose]()
  expect(pids.filter(running)).toEqual([])
  await using second = await start()
  expect(urlsOf(second)).toEqual(urls)
  expect(second.file.fed).toBe(first.file.fed)
})

test('a program that dies is reported and started again; one that was stopped stays down until it is started', async () => {
  await using federation = await start()
  const node = federation.nodes.get('530000')
  const url = federation.file.nodes['530000']?.url ?? ''
  const before = node?.pid()
  federation.killProgram('530000')
  await vi.waitFor(() => expect(events).toContainEqual({ kind: 'recovered', name: '530000' }), { timeout: 30_000 })
  expect(events[0]).toMatchObject({ kind: 'died', name: '530000', how: 'SIGKILL' })
  expect(node?.pid()).not.toBe(before)
  await federation.stopNode('530000')
  expect(node?.pid()).toBeNull()
  await expect(fetch(url)).rejects.toThrow()
  await federation.startNode('530000')
  expect(await isReady(url)).toBe(true)
  await expect(federation.stopNode('999999')).rejects.toMatchObject({ code: 'PROGRAM_UNKNOWN' })
})

test('database and broker that are killed come back on the same data', async () => {
  await using federation = await start()
  for (const name of ['broker', 'postgres']) {
    federation.killProgram(name)
    await vi.waitFor(() => expect(events).toContainEqual({ kind: 'recovered', name }), { timeout: 30_000 })
  }
  await vi.waitFor(async () => expect(await Promise.all(urlsOf(federation).map(isReady))).toEqual([true, true, true]), {
    timeout: 60_000,
    interval: 250,
  })
})

test('a launcher that is killed leaves nothing that blocks the next start', async () => {
  const launcher = spawn(process.execPath, [join(PROJECT, 'conformance/federation/main.ts')], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, HUTONG_HOME: home },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  launcher.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await vi.waitFor(() => expect(said).toContain('Stop: Ctrl-C'), { timeout: 60_000, interval: 100 })
  const killed = parseFederationFile(await readFile(federationPath(home), 'utf8'), 'federation.json')
  const ended = once(launcher, 'exit')
  launcher.kill('SIGKILL')
  await ended
  await using next = await startFederation({ home, onProgress: () => {}, signal: new AbortController().signal })
  expect(next.file.fed).toBe(killed.fed)
  expect(next.file.hub.url).toBe(killed.hub.url)
})
