/** Asking a program of ours over HTTP: its problem details become the same coded error here. */
import { ERRORS, type ErrorCode, ExchangeError } from '../../schemas/errors.ts'

const TIMEOUT_MS = 10_000

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
  readonly method?: 'GET' | 'POST'
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
