import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatFederationFile } from './federation-file.ts'
import { runCommandLine } from './program.ts'

const LOSS = {
  held: { epoch: 1, seq: 4 },
  lost: { from: { epoch: 1, seq: 5 }, until: { epoch: 1, seq: 6 }, epoch: 2, floor: 900 },
  asked: ['hub', '520000'],
  silent: ['520000'],
  known: [{ holder: 'hub', head: { epoch: 1, seq: 6 } }],
  noted: { epoch: 1, seq: 6 },
  receipted: null,
  found: [{ holder: 'hub', at: { epoch: 1, seq: 2 } }],
  obstacles: ['520000 did not answer 未应答'],
  opened: null,
}

let home = ''
let server: Server
let answer: object = LOSS
const asked: { url: string; authorization: string; body: unknown }[] = []
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'hutong-reopen-'))
  server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const body = JSON.parse(Buffer.concat(parts).toString('utf8'))
    asked.push({ url: request.url ?? '', authorization: request.headers.authorization ?? '', body })
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const token = join(home, 'token')
  await writeFile(token, 'secret\n')
  const node = { zh: '云南', en: 'Yunnan', url, operator_token_file: token, log_file: '-' }
  const file = { fed: 'demo-1', membership_file: '-', launcher_pid: 1, hub: { url }, nodes: { '530000': node }, started_at: '-' }
  await writeFile(join(home, 'federation.json'), formatFederationFile(file))
})
afterAll(async () => {
  server.close()
  await rm(home, { recursive: true })
})

async function run(...args: string[]): Promise<{ code: number; out: string }> {
  let out = ''
  const into = {
    write(text: string) {
      out += text
    },
  }
  const code = await runCommandLine(['ledger', 'reopen', ...args], { HUTONG_HOME: home }, { out: into, err: into })
  return { code, out }
}

describe('hutong ledger reopen', () => {
  it('only shows, unless it is told to do it: what would be lost, who was asked, who was silent, what speaks against it', async () => {
    const { code, out } = await run('entity', '--at', '530000')
    expect(asked.at(-1)).toEqual({
      url: '/v1/ledger/reopening',
      authorization: 'Bearer secret',
      body: { dataset: 'entity', confirm: false, without: [] },
    })
    expect(code).toBe(1)
    expect(out).toMatch(/would be declared lost: 1\.5 … 1\.6/)
    expect(out).toMatch(/silent: 520000/)
    expect(out).toMatch(/the hub's receipt: .* nothing beyond that/)
    expect(out).toMatch(/found at hub: 1\.2/)
    expect(out).toMatch(/✘ 520000 did not answer/)
    expect(out).toMatch(/--without/)
  })

  it('says that nothing speaks against it any more', async () => {
    answer = { ...LOSS, silent: [], obstacles: [] }
    const { code, out } = await run('entity', '--at', '530000', '--audience', 'national')
    expect({ code, body: asked.at(-1)?.body }).toMatchObject({ code: 0, body: { audience: 'national' } })
    expect(out).toMatch(/--yes/)
  })

  it('does it with --yes, and without those who are named', async () => {
    answer = { ...LOSS, obstacles: [], opened: { epoch: 2, seq: 0 } }
    const { code, out } = await run('entity', '--at', '530000', '--without', '520000', 'hub', '--yes')
    expect({ code, body: asked.at(-1)?.body }).toMatchObject({ code: 0, body: { confirm: true, without: ['520000', 'hub'] } })
    expect(out).toMatch(/a new epoch is open: 2\.0/)
  })
})
