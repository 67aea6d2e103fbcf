/**
 * The connection to the broker. It reconnects for ever: a broker that is away never stops local work. What a program may publish
 * and read, the broker itself enforces by the user that it connects as.
 */
import { readFile } from 'node:fs/promises'
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type MsgHdrs, type NatsConnection, nanos } from '@nats-io/transport-node'
import { ExchangeError } from '../schemas/errors.ts'
import { inboxPrefix } from '../schemas/subjects.ts'
import { injectTrace } from './telemetry.ts'

export const seconds = (count: number): number => nanos(count * 1000)

export type BrokerCredentials = { readonly user: string; readonly password: string }
export type Broker = AsyncDisposable & {
  readonly connection: NatsConnection
  readonly stream: JetStreamClient
  /** Needs the hub's rights. */
  manager(): Promise<JetStreamManager>
  /** null while connected, else why not. */
  trouble(): string | null
}

/** @throws CONFIG_INVALID unless the file is JSON with `user` and `password` */
export async function readBrokerCredentials(path: string): Promise<BrokerCredentials> {
  try {
    const { user, password } = JSON.parse(await readFile(path, 'utf8')) as Partial<BrokerCredentials>
    if (typeof user === 'string' && typeof password === 'string') return { user, password }
  } catch (cause) {
    throw new ExchangeError('CONFIG_INVALID', `broker credentials file ${path}: expected readable JSON`, { cause })
  }
  throw new ExchangeError('CONFIG_INVALID', `broker credentials file ${path}: expected the members user and password`)
}

/** @throws BROKER_UNAVAILABLE when the first connection does not come about within `timeoutMs` */
export async function connectBroker(options: {
  readonly url: string
  readonly program: string
  readonly credentials: BrokerCredentials | null
  readonly timeoutMs?: number
}): Promise<Broker> {
  const connection = await connect({
    servers: options.url,
    name: `hutong-${options.program}`,
    inboxPrefix: inboxPrefix(options.program),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 500,
    pingInterval: 10_000,
    maxPingOut: 2,
    timeout: options.timeoutMs ?? 10_000,
    ignoreClusterUpdates: false,
    ...(options.credentials === null ? {} : { user: options.credentials.user, pass: options.credentials.password }),
  }).catch(cause => {
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
    stream: jetstream(connection),
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

/** The trace context crosses in W3C `traceparent` headers. */
export function withTrace(headers: MsgHdrs): MsgHdrs {
  injectTrace((name, value) => headers.set(name, value))
  return headers
}
