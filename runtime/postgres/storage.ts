/**
 * Where the embedded server keeps its files. PostgreSQL refuses to run as root, so that a start by root hands the cluster to an
 * unprivileged user, and that user must be able to walk to it: where the data directory lies below a folder closed to it (a project
 * under /root), the cluster goes to a folder in /var/lib/hutong, and the data directory says in `storage` which.
 */

import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ServerUser } from './binaries.ts'

/** `nobody` on Debian and its kin: owns nothing, and needs no entry in the password file. */
const UNPRIVILEGED = { uid: 65_534, gid: 65_534 }

export const serverUser = (): ServerUser => (process.getuid?.() === 0 ? UNPRIVILEGED : undefined)

/** Whether everyone may walk through each folder from the root to this one. */
const isOpenToAll = async (directory: string): Promise<boolean> => {
  for (let path = directory; ; path = dirname(path)) {
    if (((await stat(path)).mode & 0o001) === 0) return false
    if (path === dirname(path)) return true
  }
}

const ELSEWHERE = '/var/lib/hutong'

/** The folder that holds the cluster and, where needed, a copy of the programs. */
export const storageOf = async (dataDir: string, user: ServerUser): Promise<string> => {
  if (user === undefined) return dataDir
  const pointer = join(dataDir, 'storage')
  const kept = (await readFile(pointer, 'utf8').catch(() => '')).trim()
  if (dirname(kept) === ELSEWHERE) return kept
  await chmod(dataDir, (await stat(dataDir)).mode | 0o011)
  if (await isOpenToAll(dataDir)) return dataDir
  const storage = join(ELSEWHERE, `postgres-${randomBytes(8).toString('hex')}`)
  await mkdir(storage, { recursive: true })
  await chmod(storage, 0o755)
  await writeFile(pointer, `${storage}\n`)
  return storage
}

/** An empty directory of the server's user, in which it runs and writes. */
export const handOver = async (directory: string, user: ServerUser): Promise<void> => {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  if (user !== undefined) await chown(directory, user.uid, user.gid)
}
