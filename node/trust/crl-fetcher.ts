/**
 * Fetches revocation lists on a schedule. Only addresses that a trusted list names are ever asked: a certificate that somebody presents
 * sends this node nowhere. Nothing is followed (no redirects), names are resolved once and what they lead to is judged before the
 * connection is made, sizes and times are bounded, and an authority that does not answer is asked more and more rarely. What cannot be
 * fetched grows stale, and stale is never "not revoked": the list held counts up to its own `nextUpdate`.
 */
import { type LookupAddress, lookup } from 'node:dns'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { keepRounds } from '../../runtime/rounds.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import type { ListedService, TrustMaterial } from '../../schemas/trust/trust-material.ts'
import type { Crls } from './crls.ts'

const CHECK_MS = 1000
export const FETCH_LIMITS = {
  bytes: 32 * 1024 * 1024,
  timeoutMs: 30_000,
  /** at most so many at once */
  together: 4,
  /** a list is looked for this often at least, and this rarely at most, whatever its nextUpdate says */
  soonestMs: 60_000,
  latestMs: 3_600_000,
  /** after a failure, doubled with each: from a minute to six hours */
  retryMs: 60_000,
  longestRetryMs: 6 * 3_600_000,
} as const

/** Addresses that no authority has: this machine, the local link, none. Private networks are those of governments, and allowed. */
const FORBIDDEN = /^(?:127\.|0\.|169\.254\.|(?:22[4-9]|2[3-5][0-9])\.|::1$|::$|fe[89ab]|ff)/i
const plainAddress = (address: string): string => address.replace(/^::ffff:(?=[0-9.]+$)/i, '')

/** Whether a revocation list may be asked for there. `loopback` is for tests on one machine. */
export function isAllowedAddress(address: string, { loopback }: { readonly loopback: boolean }): boolean {
  const plain = plainAddress(address)
  return loopback && /^(?:127\.|::1$)/.test(plain) ? true : !FORBIDDEN.test(plain)
}

type Fetched =
  | { readonly kind: 'same' }
  | { readonly kind: 'new'; readonly bytes: Buffer; readonly etag: string | null; readonly lastModified: string | null }

const unavailable = (reason: string, cause?: unknown): ExchangeError =>
  new ExchangeError('CRL_UNAVAILABLE', reason, cause === undefined ? {} : { cause })

/** Resolves and judges in one step, so that what was judged is what is connected to. */
const guardedLookup =
  (policy: { readonly loopback: boolean }): LookupFunction =>
  (host, options, done) => {
    lookup(host, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) return done(error, '', 0)
      const allowed = addresses.filter(({ address }) => isAllowedAddress(address, policy))
      const [first] = allowed
      if (first === undefined) return done(Object.assign(new Error('address not allowed'), { code: 'EACCES' }), '', 0)
      if (options.all === true) (done as (error: null, all: LookupAddress[]) => void)(null, allowed)
      else done(null, first.address, first.family)
    })
  }

/** One question to one address. @throws CRL_UNAVAILABLE */
export function fetchCrl(
  address: string,
  known: { readonly etag: string | null; readonly lastModified: string | null },
  { loopback, signal }: { readonly loopback: boolean; readonly signal: AbortSignal },
): Promise<Fetched> {
  const url = new URL(address)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !isAllowedAddress(host, { loopback }))
    return Promise.reject(unavailable('the address is one of this machine or of its link'))
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void =>
      reject(
        isExchangeError(cause) ? cause : unavailable(`no answer: ${(cause as NodeJS.ErrnoException)?.code ?? 'broken off'}`, cause),
      )
    const request = send(url, {
      lookup: guardedLookup({ loopback }),
      headers: {
        accept: 'application/pkix-crl, application/octet-stream',
        ...(known.etag === null ? {} : { 'if-none-match': known.etag }),
        ...(known.lastModified === null ? {} : { 'if-modified-since': known.lastModified }),
      },
      signal: AbortSignal.any([signal, AbortSignal.timeout(FETCH_LIMITS.timeoutMs)]),
    })
    request.on('error', fail)
    request.on('response', response => read(response).then(resolve, fail))
    request.end()
  })
}

async function read(response: IncomingMessage): Promise<Fetched> {
  const { statusCode = 0, headers } = response
  if (statusCode === 304) {
    response.resume()
    return { kind: 'same' }
  }
  if (statusCode !== 200) {
    response.destroy()
    throw unavailable(`expected 200, got HTTP ${statusCode}`)
  }
  const parts: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > FETCH_LIMITS.bytes) {
      response.destroy()
      throw unavailable(`expected at most ${FETCH_LIMITS.bytes} bytes`)
    }
    parts.push(chunk)
  }
  const header = (name: 'etag' | 'last-modified'): string | null => {
    const value = headers[name]
    return typeof value === 'string' && value.length <= 256 ? value : null
  }
  return { kind: 'new', bytes: Buffer.concat(parts), etag: header('etag'), lastModified: header('last-modified') }
}

/** How long after a failure the next try is made. */
export const retryAfter = (failures: number): number =>
  Math.min(FETCH_LIMITS.longestRetryMs, FETCH_LIMITS.retryMs * 2 ** Math.min(Math.max(0, failures - 1), 16))

export type CrlFetcher = AsyncDisposable & {
  /** asks for all of them, due or not, and waits */
  fetchNow(): Promise<void>
}

export function startCrlFetcher(options: {
  readonly material: () => TrustMaterial
  readonly crls: Crls
  readonly loopback: boolean
  readonly clock: () => Date
  readonly fetched: (source: string, kind: 'same' | 'new') => void
  readonly failed: (source: string, error: unknown) => void
  readonly roundFailed: (error: unknown) => void
}): CrlFetcher {
  const { crls, clock } = options
  const stopping = new AbortController()

  const sources = (): Map<string, ListedService> => {
    const found = new Map<string, ListedService>()
    for (const one of options.material().services) for (const address of one.service.crl) found.set(address, one)
    return found
  }

  function isDue(source: string, now: number): boolean {
    const { triedAt, failures, nextUpdate } = crls.stateOf(source)
    if (triedAt === null) return true
    if (failures > 0) return now - triedAt >= retryAfter(failures)
    const rest = nextUpdate === null ? FETCH_LIMITS.latestMs : (nextUpdate - triedAt) / 2
    return now - triedAt >= Math.min(FETCH_LIMITS.latestMs, Math.max(FETCH_LIMITS.soonestMs, rest))
  }

  async function fetchOne(source: string, service: ListedService): Promise<void> {
    const { etag, lastModified } = crls.stateOf(source)
    try {
      const fetched = await fetchCrl(source, { etag, lastModified }, { loopback: options.loopback, signal: stopping.signal })
      if (fetched.kind === 'same') await crls.confirm(source, clock())
      else await crls.take({ source, service: service.certificate.fingerprint, ...fetched, now: clock() })
      options.fetched(source, fetched.kind)
    } catch (error) {
      if (stopping.signal.aborted) return
      await crls.miss(source, service.certificate.fingerprint, error, clock())
      options.failed(source, error)
    }
  }

  async function round(all: boolean): Promise<void> {
    const now = clock().getTime()
    const due = [...sources()].filter(([source]) => all || isDue(source, now))
    for (let index = 0; index < due.length && !stopping.signal.aborted; index += FETCH_LIMITS.together)
      await Promise.all(due.slice(index, index + FETCH_LIMITS.together).map(([source, service]) => fetchOne(source, service)))
  }

  let working: Promise<void> = Promise.resolve()
  const next = (all: boolean): Promise<void> => {
    working = working.catch(() => {}).then(() => round(all))
    return working
  }
  const rounds = keepRounds(CHECK_MS, () => next(false), options.roundFailed)
  return {
    fetchNow: () => next(true),
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await rounds[Symbol.asyncDispose]()
      await working.catch(() => {})
    },
  }
}
