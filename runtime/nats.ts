/**
 * The connection to the broker. It reconnects for ever: a broker that is away never stops local work. What a program may publish
 * and read, the broker itself enforces by the account that it connects to.
 */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, jwtAuthenticator, type MsgHdrs, type NatsConnection, nanos } from '@nats-io/transport-node'
import { ExchangeError } from '../schemas/errors.ts'
import { API_PREFIX, inboxPrefix, MEMBER_API_PREFIX } from '../schemas/subjects.ts'
import type { BrokerCredentials } from './broker/credentials.ts'
import { injectTrace } from './telemetry.ts'

export const seconds = (count: number): number => nanos(count * 1000)

export type Broker = AsyncDisposable & {
  readonly connection: NatsConnection
  readonly stream: JetStreamClient
  /** Needs the hub's rights. */
  manager(): Promise<JetStreamManager>
  /** null while connected, else why not. */
  trouble(): string | null
}

/** PEM text of a file; null where none is configured. @throws CONFIG_INVALID */
export async function readBrokerCa(path: string | undefined): Promise<string | null> {
  if (path === undefined) return null
  const text = await readFile(path, 'utf8').catch(cause => {
    throw new ExchangeError('CONFIG_INVALID', `${path}: expected a readable file`, { cause })
  })
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new ExchangeError('CONFIG_INVALID', `${path}: expected certificates, PEM`)
  return text
}

/** The hub speaks to JetStream in its own account; a member reaches it by what its account imports. */
const apiPrefix = (program: string): string => (program === 'hub' ? API_PREFIX : MEMBER_API_PREFIX)

const proof = ({ jwt, seed }: BrokerCredentials) => jwtAuthenticator(jwt, new TextEncoder().encode(seed))

/**
 * With a CA, or at a `tls://` address, a broker that offers no TLS is refused. Its certificate names the address that was configured, at
 * every server of a cluster; an address that is a number has to be said, since no server name indication bears it (RFC 6066 section 3).
 */
export const tlsOf = (url: string, ca: string | null): object => {
  const { protocol, hostname } = new URL(url)
  if (ca === null && protocol !== 'tls:') return {}
  return { tls: { ...(ca === null ? {} : { ca }), ...(isIP(hostname) === 0 ? {} : { host: hostname }), minVersion: 'TLSv1.3' } }
}

/** @throws BROKER_UNAVAILABLE when the first connection does not come about within `timeoutMs`, tried again for `patienceMs` */
export async function connectBroker(options: {
  readonly url: string
  /** `hub` or a member's code */
  readonly program: string
  /** asked at every connection where it is a function: the hub's newer token counts from the next one on */
  readonly credentials: BrokerCredentials | (() => BrokerCredentials) | null
  /** certificates that the broker's must lead to, PEM; without it those of the system */
  readonly ca?: string | null
  readonly timeoutMs?: number
  /** how long a first connection that fails is tried again; once unless said */
  readonly patienceMs?: number
}): Promise<Broker> {
  const { credentials } = options
  const dial = () =>
    connect({
      servers: options.url,
      name: `hutong-${options.program}`,
      inboxPrefix: inboxPrefix(options.program),
      maxReconnectAttempts: -1,
      // A broker that lost its store knows nobody until the hub has told it again.
      ignoreAuthErrorAbort: true,
      reconnectTimeWait: 250,
      reconnectJitter: 500,
      pingInterval: 10_000,
      maxPingOut: 2,
      timeout: options.timeoutMs ?? 10_000,
      ignoreClusterUpdates: false,
      ...tlsOf(options.url, options.ca ?? null),
      ...(credentials === null
        ? {}
        : { authenticator: (nonce?: string) => proof(typeof credentials === 'function' ? credentials() : credentials)(nonce) }),
    })
  const connection = await dialPatiently(dial, options.patienceMs ?? 0).catch(cause => {
    throw new ExchangeError(
      'BROKER_UNAVAILABLE',
      `expected a broker that admits ${options.program} at ${new URL(options.url).host}`,
      { cause },
    )
  })
  let trouble: string | null = null
  const watching = (async () => {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect' || status.type === 'staleConnection') trouble = 'disconnected'
      else if (status.type === 'reconnect') trouble = null
    }
  })()
  return {
    connection,
    stream: jetstream(connection, { apiPrefix: apiPrefix(options.program) }),
    manager: () => jetstreamManager(connection),
    trouble: () => (connection.isClosed() ? 'closed' : trouble),
    async [Symbol.asyncDispose]() {
      const draining = connection.isClosed() ? Promise.resolve() : connection.drain().catch(() => connection.close())
      await Promise.race([draining, new Promise<void>(resolve => setTimeout(resolve, 2000).unref())])
      if (!connection.isClosed()) await connection.close()
      await watching
    },
  }
}

/** what a program grants its broker at its start, before it says that it cannot be had */
export const BROKER_PATIENCE_MS = 60_000
const AGAIN_MS = 500

/** A program that starts while its broker starts too, or behind a bad line, waits for it. */
async function dialPatiently(dial: () => Promise<NatsConnection>, patienceMs: number): Promise<NatsConnection> {
  const until = performance.now() + patienceMs
  for (;;) {
    try {
      return await dial()
    } catch (error) {
      if (performance.now() >= until) throw error
      await delay(AGAIN_MS)
    }
  }
}

/** The trace context crosses in W3C `traceparent` headers. */
export function withTrace(headers: MsgHdrs): MsgHdrs {
  injectTrace((name, value) => headers.set(name, value))
  return headers
}
