/**
 * The signing agent: a process of its own that holds the keys and signs for the programs of one owner on the same machine, over a
 * socket that only that owner can open. Whoever steals a program's memory or disk does not own the key; what it signed meanwhile
 * stands in the agent's log, one line for each statement, without its content.
 */
import { chmod, mkdir, rm, stat } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import type { Signer } from '../../schemas/tokens.ts'
import { type AgentAnswer, type AgentQuestion, createLineReader, idOf, parseQuestion } from './agent-protocol.ts'
import { type KeyFile, signerOf } from './key-file.ts'

export type AgentEvents = {
  signed(kid: string, kind: string): void
  refused(code: string): void
}

/** connections at once: a program keeps one */
const CONNECTIONS = 16

/**
 * Listens on `socketPath`. `issuer` is the one whose statements are signed: a member's code, or `hub`.
 * @throws CONFIG_INVALID if the socket's folder lets others in
 */
export async function startAgent(options: {
  readonly socketPath: string
  readonly issuer: string
  readonly keys: readonly KeyFile[]
  readonly events: AgentEvents
}): Promise<AsyncDisposable> {
  const { socketPath, issuer, events } = options
  const signers = new Map<string, Signer>(options.keys.map(key => [key.kid, signerOf(key)]))
  const published = options.keys.map(({ kid, alg, publicJwk: { kid: _, ...jwk } }) => ({ kid, alg, jwk }))
  await closeFolder(dirname(socketPath))

  async function answer(question: AgentQuestion): Promise<AgentAnswer> {
    const { id } = question
    if (question.ask === 'keys') return { id, keys: published }
    const signer = signers.get(question.kid)
    if (signer === undefined) throw new ExchangeError('KEY_UNKNOWN', 'expected a key that this agent holds')
    if (question.claims.iss !== issuer) throw new ExchangeError('SIGNER_REFUSED', `expected a statement of ${issuer}`)
    const token = await signer.sign(question.kind, question.claims)
    events.signed(question.kid, question.kind)
    return { id, token }
  }

  async function take(socket: Socket, line: string): Promise<void> {
    try {
      socket.write(`${JSON.stringify(await answer(parseQuestion(line)))}\n`)
    } catch (error) {
      const { code, reason } = isExchangeError(error) ? error : new ExchangeError('INTERNAL', 'the agent failed')
      events.refused(code)
      socket.write(`${JSON.stringify({ id: idOf(line), code, reason })}\n`)
    }
  }

  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    const read = createLineReader(line => void take(socket, line))
    socket.on('data', chunk => {
      try {
        read(chunk)
      } catch {
        socket.destroy()
      }
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
  })
  server.maxConnections = CONNECTIONS
  await rm(socketPath, { force: true })
  await listening(server, socketPath)
  await chmod(socketPath, 0o600)
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

const listening = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => resolve())
  })

/** Between the making of a socket and its mode lies a moment: the folder keeps others out. */
async function closeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  const { mode } = await stat(path)
  if ((mode & 0o077) !== 0)
    throw new ExchangeError(
      'CONFIG_INVALID',
      `${path}: mode ${(mode & 0o777).toString(8)} lets others in; expected 700 (chmod 700)`,
    )
}
