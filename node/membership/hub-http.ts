/** Asking the hub over HTTP, where the broker is no way: what it refuses is the same coded error here. */
import { ERRORS, type ErrorCode, ExchangeError } from '../../schemas/errors.ts'

const TIMEOUT_MS = 10_000

/** With a body it is posted. @throws PROGRAM_UNREACHABLE, and what the hub answers */
export async function askHub(url: string, body?: object): Promise<unknown> {
  const posted = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const answer = await fetch(url, {
    ...(body === undefined ? {} : posted),
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((cause: unknown) => {
    throw new ExchangeError('PROGRAM_UNREACHABLE', `${new URL(url).origin} does not answer`, { cause })
  })
  const value = (await answer.json().catch((): null => null)) as { readonly code?: unknown; readonly detail?: unknown } | null
  if (answer.ok && value !== null) return value
  const { code, detail } = value ?? {}
  if (typeof code === 'string' && Object.hasOwn(ERRORS, code)) throw new ExchangeError(code as ErrorCode, String(detail))
  throw new ExchangeError('PROGRAM_UNREACHABLE', `${url}: expected an answer of the hub, got HTTP ${answer.status}`)
}
