/**
 * The embedded default: a real PostgreSQL server on a locked data directory, on loopback, that stops with its owner. Its directory
 * holds `cluster/` (or says in `storage` where that is), `superuser` (the password, 0600), `port`, `server.log` and `lock.db`.
 * A start finds one of three states and leaves the same one: nothing, a cluster, or a cluster whose server outlived a killed start.
 */

import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { access, chown, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ExchangeError } from '../../schemas/errors.ts'
import { lockDirectory } from '../directory-lock.ts'
import { type GuardedProcess, logTail, startGuarded, stopStrays, until } from '../guarded-process.ts'
import { keptPort } from '../loopback-port.ts'
import { type Binaries, resolveBinaries, type ServerUser } from './binaries.ts'
import { closeToPublic, createDatabase, urlOf } from './databases.ts'
import { PG_HBA_CONF, postgresqlConf } from './settings.ts'
import { handOver, serverUser, storageOf } from './storage.ts'

const READY_TIMEOUT_MS = 60_000
/** Another program may take a port between our choosing and the server's binding. */
const PORT_ATTEMPTS = 3

export type PostgresServer = {
  /** of the superuser */
  readonly url: string
  readonly pid: number
  /** exit code, or null when a signal ended it */
  readonly exited: Promise<number | null>
  /** The URL of a role that owns a database of that name and may enter no other. Repeating it sets the password given. */
  createDatabase(name: string, role: string, password: string): Promise<string>
} & AsyncDisposable

export type PostgresOptions = {
  readonly dataDir: string
  readonly onProgress?: (step: 'initdb' | 'start' | 'ready') => void
  /** ends a start that is under way; a running server is ended by disposing it */
  readonly signal?: AbortSignal
}

type Place = { readonly dataDir: string; readonly storage: string; readonly binaries: Binaries; readonly user: ServerUser }

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

/** Kept in the data directory, readable by its owner only: made with the cluster, and useless with another. */
const superuserPassword = async (dataDir: string, cluster: string): Promise<string> => {
  const file = join(dataDir, 'superuser')
  const kept = await readFile(file, 'utf8').catch(() => '')
  if (kept !== '') return kept.trim()
  if (await exists(cluster)) throw new ExchangeError('DATABASE_NOT_FOUND', `${file} is missing, and ${cluster} was made with it`)
  const password = randomBytes(24).toString('base64url')
  await writeFile(`${file}.new`, `${password}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
  return password
}

/** Makes the cluster under another name and renames it: one that has its name is whole, whenever the start was killed. */
const initialise = async ({ storage, binaries, user }: Place, password: string, signal?: AbortSignal): Promise<void> => {
  const unfinished = join(storage, 'cluster.new')
  const passwordFile = join(storage, 'superuser.new')
  for (const program of ['initdb', 'postgres']) await stopStrays(program, unfinished)
  await rm(unfinished, { recursive: true, force: true })
  await handOver(unfinished, user)
  await rm(passwordFile, { force: true })
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (user !== undefined) await chown(passwordFile, user.uid, user.gid)
  try {
    const options = ['--username=hutong', `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C']
    const locale = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8']
    await promisify(execFile)(binaries.initdb, ['-D', unfinished, ...options, ...locale], {
      cwd: unfinished,
      env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/local/bin:/usr/bin:/bin' },
      ...(signal === undefined ? {} : { signal }),
      ...user,
    })
  } catch (cause) {
    signal?.throwIfAborted()
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause)
    throw new ExchangeError('DATABASE_NOT_FOUND', `initdb failed: ${said}`, { cause })
  } finally {
    await rm(passwordFile, { force: true })
  }
  await rename(unfinished, join(storage, 'cluster'))
}

const writeSettings = async (cluster: string, port: number, user: ServerUser): Promise<void> => {
  for (const [name, text] of [
    ['postgresql.conf', postgresqlConf(port)],
    ['pg_hba.conf', PG_HBA_CONF],
  ] as const) {
    await writeFile(join(cluster, name), text, { mode: 0o600 })
    if (user !== undefined) await chown(join(cluster, name), user.uid, user.gid)
  }
}

/** The server writes its state into the eighth line of its pid file; `pg_ctl` reads it there too. */
const isReady = async (cluster: string, pid: number): Promise<boolean> => {
  const lines = (await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready'
}

const launch = async (place: Place, signal?: AbortSignal): Promise<{ server: GuardedProcess; port: number }> => {
  const cluster = join(place.storage, 'cluster')
  const logFile = join(place.dataDir, 'server.log')
  for (let attempt = 1; ; attempt += 1) {
    const port = await keptPort(join(place.dataDir, 'port'))
    await writeSettings(cluster, port, place.user)
    const server = await startGuarded({
      command: place.binaries.postgres,
      args: ['-D', cluster],
      cwd: cluster,
      logFile,
      ...place.user,
    })
    try {
      const condition = async () => server.hasExited() || (await isReady(cluster, server.pid))
      const settled = await until(condition, { timeoutMs: READY_TIMEOUT_MS, signal })
      if (settled && !server.hasExited()) return { server, port }
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
    await server[Symbol.asyncDispose]()
    const said = await logTail(logFile)
    if (attempt < PORT_ATTEMPTS && said.includes('could not bind')) continue
    throw new ExchangeError('DATABASE_NOT_FOUND', `postgres did not become ready; the end of ${logFile}:\n${said}`)
  }
}

/**
 * Throws DIRECTORY_IN_USE while another start on the directory lives, DATABASE_NOT_FOUND (with the reason, and the end of the server's
 * log) when no server can be had, and the signal's reason.
 */
export const startPostgres = async ({ dataDir, onProgress, signal }: PostgresOptions): Promise<PostgresServer> => {
  signal?.throwIfAborted()
  await using cleanup = new AsyncDisposableStack()
  const lock = cleanup.use(await lockDirectory(dataDir))
  const user = serverUser()
  const storage = await storageOf(lock.path, user)
  const cluster = join(storage, 'cluster')
  await stopStrays('postgres', cluster)
  const place = { dataDir: lock.path, storage, user, binaries: await resolveBinaries(join(storage, 'binaries'), user) }
  const password = await superuserPassword(lock.path, cluster)
  if (!(await exists(cluster))) {
    onProgress?.('initdb')
    await initialise(place, password, signal)
  }
  onProgress?.('start')
  const { server, port } = await launch(place, signal)
  cleanup.use(server)
  const url = urlOf({ port, role: 'hutong', password, database: 'postgres' })
  await closeToPublic(url)
  signal?.throwIfAborted()
  onProgress?.('ready')
  const owned = cleanup.move()
  return {
    url,
    pid: server.pid,
    exited: server.exited,
    createDatabase: (name, role, password) => createDatabase(url, { database: name, role, password, port }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
