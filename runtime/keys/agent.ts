/**
 * The signing agent: a process of its own that holds the keys and signs for the programs of one owner on the same machine, over a
 * socket that only that owner can open. New keys are made here too, into its own folder. Whoever steals a program's memory or disk does
 * not own the key; what it signed meanwhile stands in the agent's log, one line for each statement, without its content. What only a
 * recovery key may say is not signed here, so that such a key put here by mistake is of no use to a thief of the socket.
 */
import { chmod, mkdir, rm, stat } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { algorithmRow, SIGNING_ALGORITHM } from '../../schemas/algorithms.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import type { Signer } from '../../schemas/tokens.ts'
import { type AgentAnswer, type AgentKey, type AgentQuestion, createLineReader, idOf, parseQuestion } from './agent-protocol.ts'
import { type KeyFile, signerOf } from './key-file.ts'

export type AgentEvents = {
  created(kid: string, alg: string): void
  signed(kid: string, kind: string): void
  refused(code: string): void
}

/** connections at once: a program keeps one */
const CONNECTIONS = 16
const KEYS_MAX = 64
/** claims of a change that count under the recovery key alone */
const RECOVERY_ONLY = ['stolen', 'recovery']
const KEY_CHANGES: readonly string[] = ['keys', 'membership']

/**
 * Listens on `socketPath`. `issuer` is the one whose statements are signed: a member's code, or `hub`.
 * @throws CONFIG_INVALID if the socket's folder lets others in
 */
export async function startAgent(options: {
  readonly socketPath: string
  readonly issuer: string
  readonly keys: readonly KeyFile[]
  /** makes a key and keeps it; null where this agent makes none */
  readonly make: ((alg: string) => Promise<KeyFile>) | null
  readonly events: AgentEvents
}): Promise<AsyncDisposable> {
  const { socketPath, issuer, events } = options
  const signers = new Map<string, Signer>(options.keys.map(key => [key.kid, signerOf(key)]))
  const publish = ({ kid, alg, publicJwk: { kid: _, ...jwk } }: KeyFile): AgentKey => ({ kid, alg, jwk })
  const published = options.keys.map(publish)
  await closeFolder(dirname(socketPath))

  async function create(alg: string): Promise<AgentKey> {
    if (options.make === null) throw new ExchangeError('SIGNER_REFUSED', 'expected an agent with a folder for new keys')
    if (algorithmRow(alg) === undefined || published.length >= KEYS_MAX)
      throw new ExchangeError('SIGNER_REFUSED', `expected an algorithm of the table, and ${KEYS_MAX} keys at most`)
    const made = await options.make(alg)
    signers.set(made.kid, signerOf(made))
    const key = publish(made)
    published.push(key)
    events.created(key.kid, alg)
    return key
  }

  async function answer(question: AgentQuestion): Promise<AgentAnswer> {
    const { id } = question
    if (question.ask === 'keys') return { id, keys: published }
    if (question.ask === 'create') return { id, keys: [await create(question.alg ?? SIGNING_ALGORITHM)] }
    const signer = signers.get(question.kid)
    if (signer === undefined) throw new ExchangeError('KEY_UNKNOWN', 'expected a key that this agent holds')
    if (question.claims.iss !== issuer) throw new ExchangeError('SIGNER_REFUSED', `expected a statement of ${issuer}`)
    if (RECOVERY_ONLY.some(name => question.claims[name] !== undefined) && KEY_CHANGES.includes(question.kind))
      throw new ExchangeError('SIGNER_REFUSED', 'expected theft and recovery keys to be spoken of where the recovery key lies')
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
