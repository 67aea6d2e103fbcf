/** Signers whose keys are in the signing agent. The link connects again by itself; what cannot be signed now is an error worth retrying. */
import { connect, type Socket } from 'node:net'
import { algorithmRow, type PublicJwk } from '../../schemas/algorithms.ts'
import { ERRORS, type ErrorCode, ExchangeError } from '../../schemas/errors.ts'
import type { Signer } from '../../schemas/tokens.ts'
import { type AgentAnswer, type AgentKey, createLineReader } from './agent-protocol.ts'

export type AgentSigner = Signer & Disposable & { readonly publicJwk: PublicJwk }
/** One connection to an agent, whatever it is asked for. */
export type AgentLink = Disposable & {
  /** public halves of the keys that it holds. @throws SIGNER_UNAVAILABLE */
  keys(): Promise<readonly AgentKey[]>
  /** A new key is made inside the agent; what comes out is its public half. @throws SIGNER_UNAVAILABLE, SIGNER_REFUSED */
  create(alg?: string): Promise<AgentKey>
  /** @throws KEY_UNKNOWN for an algorithm of no table */
  signer(key: AgentKey): Signer & { readonly publicJwk: PublicJwk }
}

const TIMEOUT_MS = 10_000
type Waiting = { readonly resolve: (answer: AgentAnswer) => void; readonly reject: (error: Error) => void }

const unavailable = (socketPath: string, cause?: unknown): ExchangeError =>
  new ExchangeError(
    'SIGNER_UNAVAILABLE',
    `expected a signing agent that answers at ${socketPath}`,
    cause === undefined ? {} : { cause },
  )

export function openAgentLink(socketPath: string): AgentLink {
  const waiting = new Map<number, Waiting>()
  const link: { socket: Socket | null } = { socket: null }
  let count = 0

  const drop = (from: Socket, cause?: unknown): void => {
    if (link.socket !== from) return
    link.socket = null
    for (const { reject } of waiting.values()) reject(unavailable(socketPath, cause))
    waiting.clear()
  }

  function open(): Socket {
    const made = connect(socketPath)
    made.unref()
    const read = createLineReader(line => {
      const answer = JSON.parse(line) as AgentAnswer
      waiting.get(answer.id)?.resolve(answer)
      waiting.delete(answer.id)
    })
    made.on('data', chunk => {
      try {
        read(chunk)
      } catch (error) {
        made.destroy()
        drop(made, error)
      }
    })
    made.on('error', error => drop(made, error))
    made.on('close', () => drop(made))
    return made
  }

  async function ask(question: object): Promise<AgentAnswer> {
    link.socket ??= open()
    const through = link.socket
    const id = ++count
    const { promise, resolve, reject } = Promise.withResolvers<AgentAnswer>()
    waiting.set(id, { resolve, reject })
    const timer = setTimeout(() => {
      through.destroy()
      drop(through)
    }, TIMEOUT_MS)
    through.ref()
    through.write(`${JSON.stringify({ id, ...question })}\n`)
    try {
      const answer = await promise
      if (answer.code === undefined) return answer
      const code: ErrorCode = Object.hasOwn(ERRORS, answer.code) ? (answer.code as ErrorCode) : 'SIGNER_REFUSED'
      throw new ExchangeError(code, answer.reason ?? 'the agent refuses')
    } finally {
      clearTimeout(timer)
      waiting.delete(id)
      if (waiting.size === 0) through.unref()
    }
  }

  return {
    async keys() {
      const { keys } = await ask({ ask: 'keys' })
      if (!Array.isArray(keys)) throw unavailable(socketPath)
      return keys as readonly AgentKey[]
    },
    async create(alg) {
      const { keys } = await ask({ ask: 'create', ...(alg === undefined ? {} : { alg }) })
      const [key] = keys ?? []
      if (key === undefined) throw unavailable(socketPath)
      return key
    },
    signer(key) {
      const row = algorithmRow(key.alg)
      if (row === undefined) throw new ExchangeError('KEY_UNKNOWN', `expected a key of the table from the agent at ${socketPath}`)
      return {
        kid: key.kid,
        digest: row.digest,
        publicJwk: key.jwk,
        async sign(kind, claims) {
          const { token } = await ask({ ask: 'sign', kid: key.kid, kind, claims })
          if (typeof token !== 'string') throw unavailable(socketPath)
          return token
        },
      }
    },
    [Symbol.dispose]() {
      link.socket?.destroy()
    },
  }
}

/**
 * Signs with the named key of the agent, or with its only one.
 * @throws SIGNER_UNAVAILABLE, KEY_UNKNOWN if the agent holds several keys and none of them is named
 */
export async function connectAgent(socketPath: string, kid: string | null = null): Promise<AgentSigner> {
  const link = openAgentLink(socketPath)
  try {
    const keys = await link.keys()
    const key = kid === null && keys.length === 1 ? keys[0] : keys.find(one => one.kid === kid)
    if (key === undefined)
      throw new ExchangeError('KEY_UNKNOWN', `expected the agent at ${socketPath} to hold the key that is configured`)
    return { ...link.signer(key), [Symbol.dispose]: () => link[Symbol.dispose]() }
  } catch (error) {
    link[Symbol.dispose]()
    throw error
  }
}
