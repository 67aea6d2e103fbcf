/**
 * The embedded broker: one nats-server on a locked data directory, on loopback, that stops with its owner. Its directory holds
 * `jetstream/`, `accounts/` (the account tokens pushed to it), `nats.conf` (written at every start), `port`, `server.log`, `lock.db`.
 */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { basename, join } from 'node:path'
import { ExchangeError } from '../../schemas/errors.ts'
import { lockDirectory } from '../directory-lock.ts'
import { type GuardedProcess, logTail, startGuarded, stopStrays, until } from '../guarded-process.ts'
import { keptPort } from '../loopback-port.ts'
import type { AccountClaim } from './authority.ts'
import { type BrokerCluster, type BrokerTls, type BrokerTrust, brokerConfiguration } from './configuration.ts'

const READY_TIMEOUT_MS = 60_000
const PORT_ATTEMPTS = 3

export type BrokerServer = {
  /** nats://127.0.0.1:port, or tls:// */
  readonly url: string
  readonly pid: number
  /** exit code, or null when a signal ended it */
  readonly exited: Promise<number | null>
} & AsyncDisposable

export type BrokerOptions = {
  /** as the resolver found it */
  readonly binary: string
  readonly dataDir: string
  readonly trust: BrokerTrust
  /** Known from the first moment, where nothing newer was ever pushed: programs need not wait for the hub to push them. */
  readonly accounts?: readonly AccountClaim[]
  /** plaintext is refused with it */
  readonly tls?: BrokerTls
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

/** The broker's own store of account tokens is one file for each; what was pushed later is never taken back. */
async function layAccounts(folder: string, accounts: readonly AccountClaim[]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (const { account, token } of accounts) {
    await writeFile(join(folder, `${account}.jwt`), token, { flag: 'wx', mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

type Place = { readonly directory: string; readonly options: BrokerOptions }

const launch = async ({ directory, options }: Place): Promise<{ server: GuardedProcess; port: number }> => {
  const logFile = join(directory, 'server.log')
  const file = join(directory, 'nats.conf')
  const accountsDir = join(directory, 'accounts')
  await layAccounts(accountsDir, options.accounts ?? [])
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await keptPort(join(directory, 'port')))
    const name = options.cluster?.server ?? `hutong-${randomBytes(6).toString('hex')}`
    const text = brokerConfiguration({
      name,
      port,
      logFile,
      trust: options.trust,
      storeDir: join(directory, 'jetstream'),
      accountsDir,
      tls: options.tls,
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
 * Throws DIRECTORY_IN_USE while another start on the directory lives, CONFIG_INVALID for tokens the broker could not read,
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
    url: `${options.tls === undefined ? 'nats' : 'tls'}://127.0.0.1:${port}`,
    pid: server.pid,
    exited: server.exited,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
