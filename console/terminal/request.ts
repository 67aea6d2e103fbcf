/** Asking a program of ours over HTTP: its problem details become the same coded error here. */
import { ERRORS, type ErrorCode, ExchangeError } from '../../schemas/errors.ts'

const TIMEOUT_MS = 10_000
const BYTES_TIMEOUT_MS = 60_000

/** @throws the code that the answer states; PROGRAM_UNREACHABLE if it states none of ours */
export function errorOf(status: number, text: string, url: string): ExchangeError {
  let problem: { readonly code?: unknown; readonly detail?: unknown } = {}
  try {
    problem = JSON.parse(text) ?? {}
  } catch {
    // not one of ours
  }
  const { code, detail } = problem
  if (typeof code === 'string' && Object.hasOwn(ERRORS, code)) {
    return new ExchangeError(code as ErrorCode, typeof detail === 'string' ? detail : `HTTP ${status}`)
  }
  return new ExchangeError('PROGRAM_UNREACHABLE', `${url}: expected an answer of this federation, got HTTP ${status}`)
}

export const unreachable = (url: string, cause: unknown): ExchangeError => {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  return new ExchangeError('PROGRAM_UNREACHABLE', `${url} 没有应答。No answer from ${url}.`, { cause: inner })
}

export type Asking = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly headers?: { readonly [name: string]: string }
  readonly body?: string
  readonly timeoutMs?: number
}

/** @throws PROGRAM_UNREACHABLE, and what the program answers */
export async function askJson(
  url: string,
  { method = 'GET', headers = {}, body, timeoutMs = TIMEOUT_MS }: Asking = {},
): Promise<unknown> {
  let status: number
  let text: string
  try {
    const answer = await fetch(url, {
      method,
      headers,
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body }),
    })
    status = answer.status
    text = await answer.text()
  } catch (cause) {
    throw unreachable(url, cause)
  }
  if (status >= 400) throw errorOf(status, text, url)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ExchangeError('PROGRAM_UNREACHABLE', `${url}: expected JSON`, { cause })
  }
}

const authorized = (token: string | null): { [name: string]: string } =>
  token === null ? {} : { authorization: `Bearer ${token}` }

/** An answer of bytes. @throws PROGRAM_UNREACHABLE, and what the program answers */
export async function askBytes(url: string, token: string | null): Promise<Uint8Array> {
  let answer: Response
  let bytes: Uint8Array
  try {
    answer = await fetch(url, { headers: authorized(token), signal: AbortSignal.timeout(BYTES_TIMEOUT_MS) })
    bytes = new Uint8Array(await answer.arrayBuffer())
  } catch (cause) {
    throw unreachable(url, cause)
  }
  if (answer.status >= 400) throw errorOf(answer.status, Buffer.from(bytes).toString('utf8'), url)
  return bytes
}

/** The lines of an answer as they come, each JSON. @throws PROGRAM_UNREACHABLE, and what the program answers */
export async function* askLines(url: string, token: string | null): AsyncGenerator<unknown, void, undefined> {
  const answer = await fetch(url, { method: 'POST', headers: authorized(token) }).catch(cause => {
    throw unreachable(url, cause)
  })
  if (answer.status >= 400 || answer.body === null) throw errorOf(answer.status, await answer.text(), url)
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const chunk of answer.body) {
      text += decoder.decode(chunk, { stream: true })
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) yield JSON.parse(line)
    }
  } catch (cause) {
    throw unreachable(url, cause)
  }
}
