/**
 * The reference signer of a holder's machine: it listens on loopback for the login page and signs what `console/login/agent.ts` says. A page
 * of any other site can reach it too, so it answers only origins that its user named, under its own name (against DNS rebinding), signs
 * login statements whose issuer is the page that asks and nothing else, and asks its user each time.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ERRORS, type ErrorCode, ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { type LoginStatement, loginBytes, parseLoginStatement } from '../../schemas/login/statement.ts'
import { SignerFault } from '../login/signer.ts'
import type { HolderKeys } from './holder-key.ts'

const BODY_MAX_BYTES = 65_536
/** A page's machine may be behind ours. */
const SKEW_MS = 60_000

export type SignerOptions = {
  readonly keys: HolderKeys
  readonly port: number
  /** of the login pages that may ask */
  readonly origins: readonly string[]
  readonly confirm: (statement: LoginStatement) => Promise<boolean>
  readonly now?: () => Date
}
export type Signer = AsyncDisposable & { readonly port: number }

type Answer = { readonly status: number; readonly body?: object }
const refused = (code: ErrorCode, reason: string): ExchangeError => new ExchangeError(code, reason)

async function bodyOf(request: IncomingMessage): Promise<{ readonly [name: string]: unknown }> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += String(chunk)
    if (text.length > BODY_MAX_BYTES) throw refused('REQUEST_TOO_LARGE', `expected at most ${BODY_MAX_BYTES} bytes`)
  }
  try {
    return (JSON.parse(text) as { readonly [name: string]: unknown } | null) ?? {}
  } catch {
    throw refused('REQUEST_INVALID', 'expected JSON')
  }
}

/** What the page may sign: a login at itself, now. @throws LOGIN_STATEMENT_INVALID, SIGNER_REFUSED */
export function checkStatement(text: unknown, origin: string, now: Date): LoginStatement {
  const statement = parseLoginStatement(typeof text === 'string' ? text : '')
  if (new URL(statement.issuer).origin !== origin)
    throw refused('SIGNER_REFUSED', 'the statement is for another site than the page that asks')
  if (statement.issued.getTime() > now.getTime() + SKEW_MS || statement.expires.getTime() < now.getTime() - SKEW_MS)
    throw refused('SIGNER_REFUSED', 'the statement is not of this moment')
  return statement
}

export async function startSigner({ keys, port, origins, confirm, now = () => new Date() }: SignerOptions): Promise<Signer> {
  const server = createServer()
  let names: readonly string[] = []
  let asking: Promise<unknown> = Promise.resolve()

  async function sign(request: IncomingMessage, origin: string): Promise<Answer> {
    const { statement: text, certificate } = await bodyOf(request)
    const statement = checkStatement(text, origin, now())
    // One question at a time: nobody says yes to another than the one that he reads.
    const allowed = asking.then(() => confirm(statement))
    asking = allowed.catch(() => {})
    if (!(await allowed)) throw refused('SIGNER_REFUSED', 'the user did not agree')
    return { status: 200, body: keys.sign(loginBytes(String(text)), typeof certificate === 'string' ? certificate : undefined) }
  }

  async function answer(request: IncomingMessage): Promise<Answer> {
    const { origin, host = '' } = request.headers
    if (!names.includes(host)) throw refused('SIGNER_REFUSED', 'asked under another name than this machine’s own')
    if (origin === undefined || !origins.includes(origin))
      throw refused('SIGNER_REFUSED', 'a page of this site was not allowed to ask')
    if (request.method === 'OPTIONS') return { status: 204 }
    if (request.method === 'GET' && request.url === '/v1/certificates') return { status: 200, body: { certificates: keys.list() } }
    if (request.method === 'POST' && request.url === '/v1/signatures') return sign(request, origin)
    throw refused('ROUTE_UNKNOWN', 'there is no such address')
  }

  const answerOf = async (request: IncomingMessage): Promise<Answer> => {
    try {
      return await answer(request)
    } catch (error) {
      if (error instanceof SignerFault) return { status: 422, body: { zh: error.zh, en: error.en } }
      const { code, status } = isExchangeError(error) ? error : new ExchangeError('INTERNAL', 'unexpected')
      const { zh, en } = ERRORS[code]
      return { status, body: { code, zh, en } }
    }
  }

  function send(request: IncomingMessage, response: ServerResponse, { status, body }: Answer): void {
    const { origin = '' } = request.headers
    const allowed = origins.includes(origin)
      ? {
          'access-control-allow-origin': origin,
          'access-control-allow-methods': 'GET, POST',
          'access-control-allow-headers': 'content-type',
          // Private Network Access: a public page may reach this one, after asking.
          'access-control-allow-private-network': 'true',
          'access-control-max-age': '600',
        }
      : {}
    response.writeHead(status, { vary: 'origin', 'cache-control': 'no-store', 'content-type': 'application/json', ...allowed })
    response.end(body === undefined ? undefined : JSON.stringify(body))
  }

  server.on('request', (request, response) => void answerOf(request).then(given => send(request, response, given)))
  server.listen(port, '127.0.0.1')
  await once(server, 'listening').catch((cause: unknown) => {
    throw new ExchangeError('ADDRESS_UNAVAILABLE', `127.0.0.1 port ${port}: cannot listen there`, { cause })
  })
  const { port: bound } = server.address() as AddressInfo
  names = [`127.0.0.1:${bound}`, `localhost:${bound}`]
  return {
    port: bound,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
