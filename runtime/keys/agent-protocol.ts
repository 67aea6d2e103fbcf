/**
 * What a program and its signing agent say to each other over a local socket: one JSON object a line. The program never sees a
 * private key; the agent signs statements of the kinds of the table, for its own member, and nothing else: no bytes of the caller's
 * choosing. It makes new keys itself, and their private halves never leave it. A device (HSM) fits by answering the same three questions.
 *
 *   → {"id":1,"ask":"keys"}                                      ← {"id":1,"keys":[{"kid","alg","jwk"}]}
 *   → {"id":3,"ask":"create","alg":"Ed25519"}                    ← {"id":3,"keys":[{"kid","alg","jwk"}]}
 *   → {"id":2,"ask":"sign","kid":"…","kind":"head","claims":{…}} ← {"id":2,"token":"…"} or {"id":2,"code":"…","reason":"…"}
 */
import type { PublicJwk } from '../../schemas/algorithms.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { TOKEN_TYPES, type TokenKind } from '../../schemas/tokens.ts'

export type AgentKey = { readonly kid: string; readonly alg: string; readonly jwk: PublicJwk }
export type AgentQuestion =
  | { readonly id: number; readonly ask: 'keys' }
  | { readonly id: number; readonly ask: 'create'; readonly alg?: string }
  | {
      readonly id: number
      readonly ask: 'sign'
      readonly kid: string
      readonly kind: TokenKind
      readonly claims: { readonly [name: string]: unknown }
    }
export type AgentAnswer = {
  readonly id: number
  readonly keys?: readonly AgentKey[]
  readonly token?: string
  readonly code?: string
  readonly reason?: string
}

/** a line holds the claims of one token: the largest is a redaction's */
export const LINE_BYTES = 512 * 1024

const malformed = (reason: string): ExchangeError => new ExchangeError('REQUEST_INVALID', reason)

/** The number that an answer bears, of a question that may be wrong otherwise; 0 where it has none. */
export function idOf(line: string): number {
  try {
    const id = (JSON.parse(line) as { readonly id?: unknown } | null)?.id
    return Number.isSafeInteger(id) ? Number(id) : 0
  } catch {
    return 0
  }
}

/** @throws REQUEST_INVALID */
export function parseQuestion(line: string): AgentQuestion {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw malformed('expected one JSON object a line')
  }
  if (typeof value !== 'object' || value === null) throw malformed('expected one JSON object a line')
  const { id, ask, alg, kid, kind, claims } = value as { [name: string]: unknown }
  if (!Number.isSafeInteger(id)) throw malformed('expected id to be a whole number')
  if (ask === 'keys') return { id: Number(id), ask }
  if (ask === 'create') {
    if (alg !== undefined && typeof alg !== 'string') throw malformed('expected alg to be text')
    return { id: Number(id), ask, ...(alg === undefined ? {} : { alg }) }
  }
  if (ask !== 'sign') throw malformed('expected ask to be keys, create or sign')
  if (typeof kid !== 'string' || typeof claims !== 'object' || claims === null || Array.isArray(claims))
    throw malformed('expected kid and claims')
  if (typeof kind !== 'string' || !Object.hasOwn(TOKEN_TYPES, kind)) throw malformed('expected a kind of token of the table')
  return { id: Number(id), ask, kid, kind: kind as TokenKind, claims: claims as { [name: string]: unknown } }
}

/** Cuts a byte stream into lines. @throws REQUEST_INVALID for a line that is too long */
export function createLineReader(take: (line: string) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  return chunk => {
    rest = Buffer.concat([rest, chunk])
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      take(rest.subarray(0, end).toString('utf8'))
      rest = rest.subarray(end + 1)
    }
    if (rest.length > LINE_BYTES) throw malformed(`expected a line of at most ${LINE_BYTES} bytes`)
  }
}
