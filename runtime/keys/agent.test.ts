import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { algorithmOfKey } from '../../schemas/algorithms.ts'
import { type AgentEvents, startAgent } from './agent.ts'
import { LINE_BYTES } from './agent-protocol.ts'
import { connectAgent, openAgentLink } from './agent-signer.ts'
import { createKeyFile, type KeyFile } from './key-file.ts'
import { openKeyFolder } from './key-folder.ts'

let folder = ''
const keys: KeyFile[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hutong-agent-'))
  keys.push(await createKeyFile(join(folder, 'a.jwk')), await createKeyFile(join(folder, 'b.jwk'), { alg: 'SM2' }))
})
afterAll(() => rm(folder, { recursive: true }))

const counting = (): AgentEvents & { readonly said: string[] } => {
  const said: string[] = []
  return {
    said,
    created: (_kid, alg) => said.push(`made ${alg}`),
    signed: (_kid, kind) => said.push(kind),
    refused: code => said.push(code),
  }
}
let count = 0
const start = async (held: readonly KeyFile[] = keys, make: ((alg: string) => Promise<KeyFile>) | null = null) => {
  const socketPath = join(folder, `run-${++count}`, 'agent.sock')
  const events = counting()
  return { socketPath, events, agent: await startAgent({ socketPath, issuer: '530000', keys: held, make, events }) }
}
const kidOf = (index: number): string => keys[index]?.kid ?? ''

describe('a signer in another process', () => {
  it('signs with the key that is named, Ed25519 and SM2 alike, and never shows a private one', async () => {
    const { socketPath, agent, events } = await start()
    await using _ = agent
    for (const index of [0, 1]) {
      using signer = await connectAgent(socketPath, kidOf(index))
      const compact = await signer.sign('head', { iss: '530000', fed: 'test' })
      const row = algorithmOfKey(signer.publicJwk)
      expect(signer.digest).toBe(row.digest)
      expect(await row.verify(compact, row.alg, await row.importPublic(signer.publicJwk))).toBe(true)
      expect(JSON.stringify(signer.publicJwk)).not.toContain('"d"')
    }
    expect(events.said).toEqual(['head', 'head'])
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600)
  })

  it('answers many at once, each with its own statement', async () => {
    const { socketPath, agent } = await start()
    await using _ = agent
    using signer = await connectAgent(socketPath, kidOf(0))
    const tokens = await Promise.all(Array.from({ length: 64 }, (_, n) => signer.sign('head', { iss: '530000', n })))
    const said = tokens.map(token => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).n)
    expect(said).toEqual(Array.from({ length: 64 }, (_, n) => n))
  })

  it('refuses to speak for another member, with another key, or another kind of statement', async () => {
    const { socketPath, agent, events } = await start()
    await using _ = agent
    using signer = await connectAgent(socketPath, kidOf(0))
    await expect(signer.sign('head', { iss: '520000' })).rejects.toMatchObject({ code: 'SIGNER_REFUSED' })
    await expect(connectAgent(socketPath, 'another')).rejects.toMatchObject({ code: 'KEY_UNKNOWN' })
    await expect(connectAgent(socketPath)).rejects.toMatchObject({ code: 'KEY_UNKNOWN' })
    await expect(signer.sign('anything' as 'head', { iss: '530000' })).rejects.toMatchObject({ code: 'REQUEST_INVALID' })
    expect(events.said).toEqual(['SIGNER_REFUSED', 'REQUEST_INVALID'])
  })

  it('says that it cannot sign while the agent is away, and signs again when it is back', async () => {
    const { socketPath, agent } = await start()
    using signer = await connectAgent(socketPath, kidOf(0))
    await agent[Symbol.asyncDispose]()
    await expect(signer.sign('head', { iss: '530000' })).rejects.toMatchObject({ code: 'SIGNER_UNAVAILABLE' })
    await using _ = await startAgent({ socketPath, issuer: '530000', keys, make: null, events: counting() })
    await expect(signer.sign('head', { iss: '530000' })).resolves.toMatch(/^ey/)
  })
})

describe('a key that is made in the agent', () => {
  it('shows its public half alone, signs at once, and is found in the folder again', async () => {
    const own = join(folder, 'made')
    const first = await openKeyFolder({ folder: own, files: [], passphrase: 'correct' })
    const { socketPath, agent, events } = await start([], first.make)
    await using _ = agent
    using link = openAgentLink(socketPath)
    expect(await link.keys()).toEqual([])
    const made = [await link.create(), await link.create('SM2')]
    expect(made.map(({ alg }) => alg)).toEqual(['Ed25519', 'SM2'])
    expect(Object.keys(made[0]?.jwk ?? {}).sort()).toEqual(['crv', 'kty', 'x'])
    for (const key of made) await link.signer(key).sign('head', { iss: '530000' })
    expect(events.said).toEqual(['made Ed25519', 'made SM2', 'head', 'head'])
    const again = await openKeyFolder({ folder: own, files: [], passphrase: 'correct' })
    expect(again.keys.map(({ kid }) => kid)).toEqual(made.map(({ kid }) => kid))
  })

  it('is refused where the agent has no folder for it, and for an algorithm of no table', async () => {
    const without = await start()
    await using _one = without.agent
    using link = openAgentLink(without.socketPath)
    await expect(link.create()).rejects.toMatchObject({ code: 'SIGNER_REFUSED' })
    const { make } = await openKeyFolder({ folder: join(folder, 'other'), files: [], passphrase: null })
    const other = await start([], make)
    await using _two = other.agent
    using there = openAgentLink(other.socketPath)
    await expect(there.create('none')).rejects.toMatchObject({ code: 'SIGNER_REFUSED' })
  })

  it('cannot say what is the recovery key’s to say, even if that key was put here', async () => {
    const { socketPath, agent } = await start()
    await using _ = agent
    using signer = await connectAgent(socketPath, kidOf(0))
    for (const claims of [{ stolen: true }, { recovery: {} }])
      await expect(signer.sign('keys', { iss: '530000', ...claims })).rejects.toMatchObject({ code: 'SIGNER_REFUSED' })
    await expect(signer.sign('keys', { iss: '530000', announce: [] })).resolves.toMatch(/^ey/)
  })
})

describe('the agent', () => {
  it('closes the connection on a line that is too long, and goes on for others', async () => {
    const { socketPath, agent } = await start()
    await using _ = agent
    const socket = connect(socketPath)
    socket.on('error', () => {})
    socket.write('x'.repeat(LINE_BYTES + 1))
    await once(socket, 'close')
    using signer = await connectAgent(socketPath, kidOf(1))
    expect(signer.kid).toBe(kidOf(1))
  })

  it('refuses a folder that lets others in', async () => {
    const open = join(folder, 'open')
    await mkdir(open)
    await chmod(open, 0o755)
    const starting = startAgent({ socketPath: join(open, 'agent.sock'), issuer: '530000', keys, make: null, events: counting() })
    await expect(starting).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it('runs as a program with a key under a passphrase, and logs what it signed without its content', async () => {
    const keyFile = join(folder, 'sealed.jwe')
    const { kid } = await createKeyFile(keyFile, { passphrase: 'correct' })
    await writeFile(join(folder, 'passphrase'), 'correct\n', { mode: 0o600 })
    const socketPath = join(folder, 'program', 'agent.sock')
    const program = spawn(process.execPath, [new URL('./main.ts', import.meta.url).pathname], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        HUTONG_AGENT_ISSUER: '530000',
        HUTONG_AGENT_SOCKET: socketPath,
        HUTONG_AGENT_KEY_FILE: keyFile,
        HUTONG_AGENT_KEY_PASSPHRASE_FILE: join(folder, 'passphrase'),
      },
    })
    let log = ''
    const up = new Promise<void>(resolve => {
      program.stdout.on('data', chunk => {
        log += String(chunk)
        if (log.includes('is up')) resolve()
      })
    })
    const ended = once(program, 'exit')
    await up
    {
      using signer = await connectAgent(socketPath)
      expect(signer.kid).toBe(kid)
      await signer.sign('head', { iss: '530000', secret: 'do not log' })
    }
    program.stdin.end()
    expect(await ended).toEqual([0, null])
    expect(log).toContain('statement signed')
    expect(log).not.toContain('do not log')
  })
})
