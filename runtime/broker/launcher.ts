/**
 * The embedded broker: one nats-server on a locked data directory, on loopback, that stops with its owner. Its directory holds
 * `jetstream/`, `nats.conf` (0600, with the users' passwords, written at every start), `port`, `server.log` and `lock.db`.
 */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rename, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { basename, join } from 'node:path'
import { ExchangeError } from '../../schemas/errors.ts'
import { lockDirectory } from '../directory-lock.ts'
import { type GuardedProcess, logTail, startGuarded, stopStrays, until } from '../guarded-process.ts'
import { keptPort } from '../loopback-port.ts'
import { type BrokerCluster, type BrokerUser, brokerConfiguration } from './configuration.ts'

const READY_TIMEOUT_MS = 60_000
const PORT_ATTEMPTS = 3

export type BrokerServer = {
  /** nats://127.0.0.1:port, without a user */
  readonly url: string
  readonly pid: number
  /** exit code, or null when a signal ended it */
  readonly exited: Promise<number | null>
} & AsyncDisposable

export type BrokerOptions = {
  /** as the resolver found it */
  readonly binary: string
  readonly dataDir: string
  readonly users: readonly BrokerUser[]
  /** a free one, kept between starts, unless said */
  readonly port?: number
  /** one of several servers that replicate the streams; alone unless said */
  readonly cluster?: BrokerCluster
  readonly onProgress?: (step: 'start' | 'ready') => void
  /** ends a start that is under way; a running broker is ended by disposing it */
  readonly signal?: AbortSignal
}

/** The first line a server says (`INFO {…}`) bears its name: an answer alone could be another program's on that port. */
const answersAs = async (name: string, port: number): Promise<boolean> => {
  const socket = connect({ host: '127.0.0.1', port, timeout: 1_000 }).setEncoding('latin1')
  socket.on('timeout', () => socket.destroy(new Error('no answer')))
  try {
    const [text] = await once(socket, 'data')
    return typeof text === 'string' && text.startsWith('INFO ') && text.includes(`"${name}"`)
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

type Place = { readonly directory: string; readonly options: BrokerOptions }

const launch = async ({ directory, options }: Place): Promise<{ server: GuardedProcess; port: number }> => {
  const logFile = join(directory, 'server.log')
  const file = join(directory, 'nats.conf')
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await keptPort(join(directory, 'port')))
    const name = options.cluster?.server ?? `hutong-${randomBytes(6).toString('hex')}`
    const text = brokerConfiguration({
      name,
      port,
      logFile,
      users: options.users,
      storeDir: join(directory, 'jetstream'),
      cluster: options.cluster,
    })
    await rm(`${file}.new`, { force: true })
    await writeFile(`${file}.new`, text, { mode: 0o600 })
    await rename(`${file}.new`, file)
    const server = await startGuarded({ command: options.binary, args: ['-c', file], cwd: directory, logFile })
    try {
      const condition = async () => server.hasExited() || (await answersAs(name, port))
      const settled = await until(condition, { timeoutMs: READY_TIMEOUT_MS, signal: options.signal })
      if (settled && !server.hasExited()) return { server, port }
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
    await server[Symbol.asyncDispose]()
    const said = await logTail(logFile)
    if (attempt < PORT_ATTEMPTS && options.port === undefined && said.includes('address already in use')) continue
    throw new ExchangeError('BROKER_UNAVAILABLE', `nats-server did not become ready; the end of ${logFile}:\n${said}`)
  }
}

/**
 * Throws DIRECTORY_IN_USE while another start on the directory lives, CONFIG_INVALID for users the broker cannot express,
 * BROKER_UNAVAILABLE (with the end of its log) when it does not become ready, and the signal's reason.
 */
export const startBroker = async (options: BrokerOptions): Promise<BrokerServer> => {
  options.signal?.throwIfAborted()
  await using cleanup = new AsyncDisposableStack()
  const lock = cleanup.use(await lockDirectory(options.dataDir))
  await stopStrays(basename(options.binary), lock.path)
  options.onProgress?.('start')
  const { server, port } = await launch({ directory: lock.path, options })
  cleanup.use(server)
  options.onProgress?.('ready')
  const owned = cleanup.move()
  return {
    url: `nats://127.0.0.1:${port}`,
    pid: server.pid,
    exited: server.exited,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
