/** Access and audit as an operator meets them: the command line against programs of their own, one of which is killed at work. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { runCommandLine } from '../../console/terminal/program.ts'
import { type Federation, startFederation } from './federation.ts'
import { DEMO_MEMBERS } from './members.ts'
import type { ProgramEvent } from './programs.ts'

const NODE = '530000'
let home = ''
let federation: Federation
const events: ProgramEvent[] = []
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'hutong-access-'))
  federation = await startFederation({
    home,
    samples: false,
    members: DEMO_MEMBERS.filter(({ code }) => code === NODE || code === '000000'),
    onProgress: () => {},
    onEvent: event => events.push(event),
    signal: new AbortController().signal,
  })
})
afterAll(async () => {
  await federation?.[Symbol.asyncDispose]()
  await rm(home, { recursive: true, force: true })
})

async function hutong(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' }
  const into = (name: 'out' | 'err') => ({
    write(text: string) {
      said[name] += text
    },
  })
  const code = await runCommandLine(['--home', home, ...args], {}, { out: into('out'), err: into('err') })
  return { code, ...said }
}
const url = (): string => federation.file.nodes[NODE]?.url ?? ''

describe('the command line', () => {
  it('registers a client with a key of its own, acts as it, and removes it', async () => {
    const key = join(home, 'secrets', 'inspector.json')
    const added = await hutong(
      'access',
      'clients',
      'add',
      'inspector-7',
      '--at',
      NODE,
      '--role',
      'discipline-inspector',
      '--out',
      key,
    )
    expect(added).toMatchObject({ code: 0, err: '' })
    expect((await stat(key)).mode & 0o077).toBe(0)
    expect((await hutong('access', 'clients', 'list', '--at', NODE)).out).toContain('inspector-7')
    const token = (await hutong('access', 'token', '--at', NODE, '--client', key)).out.trim()
    const read = async () => (await fetch(`${url()}/v1/credit`, { headers: { authorization: `Bearer ${token}` } })).status
    expect(await read()).toBe(200)
    expect(await hutong('access', 'clients', 'remove', 'inspector-7', '--at', NODE)).toMatchObject({ code: 0 })
    expect(await read()).toBe(401)
    const denied = await hutong('access', 'clients', 'list', '--at', NODE, '--as', 'centre-clerk')
    expect([denied.code, denied.err.includes('ACCESS_DENIED')]).toEqual([1, true])
  })

  it('keeps the demo’s keys for their owner, and answers status and show as before', async () => {
    for (const path of Object.values(federation.file.nodes[NODE]?.client_files ?? {}))
      expect((await stat(path)).mode & 0o077).toBe(0)
    expect(JSON.parse((await hutong('status', '--json')).out).holders).toMatchObject([
      { reachable: true },
      { reachable: true },
      { reachable: true },
    ])
    expect((await hutong('quarantine', 'list', '--at', NODE)).code).toBe(0)
  })

  it('shows who did what: the registration, its refusal, by whom', async () => {
    const { out } = await hutong('audit', 'show', '--at', NODE, '--json')
    const entries = JSON.parse(out) as { actor: string; operation: string; resource: string; decision: string }[]
    const said = entries.map(({ actor, operation, resource, decision }) => `${actor} ${operation} ${resource} ${decision}`)
    expect(said).toEqual(
      expect.arrayContaining([
        'security-administrator client.add client/inspector-7 allow',
        'security-administrator client.add client/inspector-7 done',
        'security-administrator client.remove client/inspector-7 done',
        'inspector-7 record.read credit allow',
        'centre-clerk client.read null ACCESS_DENIED',
      ]),
    )
  })
})

describe('the audit log', () => {
  it('holds every read that was answered, after a kill at work', async () => {
    const token = (await hutong('access', 'token', '--at', NODE)).out.trim()
    const headers = { authorization: `Bearer ${token}`, 'hutong-purpose': 'inspection; deal=D-1' }
    let answered = 0
    let stop = false
    const reader = async () => {
      while (!stop) {
        const response = await fetch(`${url()}/v1/credit/K-${answered}`, { headers }).catch(() => null)
        if (response === null) return
        if (response.status === 404) answered += 1
      }
    }
    const readers = Promise.all(Array.from({ length: 16 }, reader))
    await vi.waitFor(() => expect(answered).toBeGreaterThan(150), { timeout: 30_000, interval: 10 })
    federation.killProgram(NODE)
    await readers
    stop = true
    await vi.waitFor(() => expect(events).toContainEqual({ kind: 'recovered', name: NODE }), { timeout: 60_000 })
    const verdict = JSON.parse((await hutong('audit', 'verify', '--at', NODE, '--json')).out)
    expect(verdict).toMatchObject({ origin: NODE, findings: [] })
    expect(verdict.signed_to).toBeGreaterThan(answered)
    const shown = JSON.parse(
      (await hutong('audit', 'show', '--at', NODE, '--operation', 'record.read', '--limit', '99999', '--json')).out,
    )
    const reads = (shown as { purpose: string; deal: string; resource: string }[]).filter(({ purpose }) => purpose === 'inspection')
    expect(reads.length).toBeGreaterThanOrEqual(answered)
    expect(reads.length).toBeLessThanOrEqual(answered + 16)
    // as a whole word: a digest may hold the letters by chance
    expect(JSON.stringify(reads)).not.toMatch(/(?<![\w-])(K-\d+|D-1)(?![\w-])/)
    expect(new Set(reads.map(({ deal }) => deal)).size).toBe(1)
  })

  it('is exported and verified offline, and an entry that is edited in the database is named online and in the export', async () => {
    const out = join(home, 'audit.ndjson')
    expect(await hutong('audit', 'export', '--at', NODE, '--out', out)).toMatchObject({ code: 0, err: '' })
    expect(await hutong('audit', 'verify', '--file', out)).toMatchObject({ code: 0 })
    const client = new Client({ connectionString: federation.databaseUrl(NODE) })
    await client.connect()
    await client.query(`UPDATE audit SET actor = 'nobody' WHERE seq = 3`)
    await client.query('DELETE FROM audit WHERE seq = 5')
    await client.end()
    const online = await hutong('audit', 'verify', '--at', NODE, '--json')
    expect(online.code).toBe(1)
    const named = (JSON.parse(online.out).findings as { kind: string; seq: number }[]).map(({ kind, seq }) => `${kind} ${seq}`)
    expect(named).toEqual(['edited 3', 'missing 5'])
    const text = await readFile(out, 'utf8')
    expect(text).not.toContain('nobody')
    expect((await hutong('audit', 'verify', '--at', 'hub')).code).toBe(0)
  })
})
