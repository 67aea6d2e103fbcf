/**
 * Pushes a batch of envelopes to the node. Sending is at least once: a batch leaves the outbox only when the node has answered for
 * every line of it, and a line that it has already is `unchanged` there. Whatever else comes back means try again, later.
 */
import type { createTokenSource } from '../../runtime/http/access/client.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { PushRow, Refusal } from './source.ts'

export type PushTarget = {
  readonly node_url: string
  readonly platform: string
  readonly tokens: ReturnType<typeof createTokenSource>
}
export type PushResult = { readonly taken: readonly number[]; readonly refused: readonly Refusal[] }

const TIMEOUT_MS = 30_000
const FIRST_WAIT_MS = 200
const LONGEST_WAIT_MS = 10_000

/** Full jitter: from nothing up to a bound that doubles. `attempt` counts from 0, `chance` is from 0 to 1. */
export const backoffMs = (attempt: number, chance: number): number =>
  Math.round(chance * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 16)))

type Refused = { line: number; code: string; reason: string }

const isObject = (value: unknown): value is { readonly [name: string]: unknown } => typeof value === 'object' && value !== null

const unreadable = (reason: string): ExchangeError => new ExchangeError('PROGRAM_UNREACHABLE', `the node's answer ${reason}`)

const parseRefusal = (value: unknown, lines: number): Refused => {
  if (!isObject(value)) throw unreadable('names no refusal')
  const { line, code, field, en } = value
  if (typeof line !== 'number' || !Number.isInteger(line) || line < 1 || line > lines || typeof code !== 'string')
    throw unreadable('refuses a row without its line and code')
  return { line, code, reason: `${typeof field === 'string' ? `${field}: ` : ''}${typeof en === 'string' ? en : ''}` }
}

/**
 * What became of each line. Where the node refused more than it names, the others are left waiting: those that it took will be
 * unchanged next time, and the next refusals will be named then.
 */
export const parseAnswer = (answer: unknown, rows: readonly PushRow[]): PushResult => {
  if (!isObject(answer) || !Array.isArray(answer.refusals)) throw unreadable('is not the sum of an intake')
  if (answer.rows !== rows.length) throw unreadable(`is for ${String(answer.rows)} rows, not for ${rows.length}`)
  const named = new Map<number, Refused>()
  for (const value of answer.refusals) {
    const refusal = parseRefusal(value, rows.length)
    named.set(refusal.line, refusal)
  }
  if (typeof answer.refused !== 'number' || (answer.refused > 0 && named.size === 0)) throw unreadable('names no refused row')
  const refused: Refusal[] = []
  const taken: number[] = []
  for (const [index, { id }] of rows.entries()) {
    const refusal = named.get(index + 1)
    if (refusal !== undefined) refused.push({ id, code: refusal.code, reason: refusal.reason })
    else if (answer.refused === named.size) taken.push(id)
  }
  return { taken, refused }
}

/** @throws PROGRAM_UNREACHABLE for every reason to try again, AbortError when `signal` aborts */
export const push = async (rows: readonly PushRow[], target: PushTarget, signal: AbortSignal): Promise<PushResult> => {
  const url = new URL('/v1/ingest/national', target.node_url)
  url.searchParams.set('platform', target.platform)
  url.searchParams.set('file', `push-${rows[0]?.id ?? 0}.ndjson`)
  try {
    const token = await target.tokens.token()
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
      body: `${rows.map(row => row.document).join('\n')}\n`,
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    // A node that was started again may know none of the tokens that it gave out.
    if (response.status === 401) target.tokens.forget()
    const answer: unknown = await response.json()
    if (!response.ok) {
      const code = isObject(answer) && typeof answer.code === 'string' ? answer.code : 'no code'
      throw unreadable(`is ${response.status} (${code})`)
    }
    return parseAnswer(answer, rows)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof ExchangeError) throw error
    throw new ExchangeError('PROGRAM_UNREACHABLE', 'the node does not answer', { cause: error })
  }
}
