/**
 * One living program per data directory. The lock is the kernel's own (SQLite takes a POSIX record lock on `lock.db`), so it is gone
 * the instant its holder is, however it died: there is no stale lock file to judge, and two starts at once cannot both win.
 */

import { mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ExchangeError } from '../schemas/errors.ts'

const SQLITE_BUSY = 5

const isBusy = (error: unknown): boolean => error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY

/** The locked directory by its real path. Throws DIRECTORY_IN_USE while another holder lives, in this process or any other. */
export const lockDirectory = async (directory: string): Promise<{ path: string } & Disposable> => {
  await mkdir(directory, { recursive: true })
  const path = await realpath(directory)
  const database = new DatabaseSync(join(path, 'lock.db'), { timeout: 0 })
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (cause) {
    database.close()
    if (isBusy(cause)) throw new ExchangeError('DIRECTORY_IN_USE', `${path} is held by a running program`, { cause })
    throw cause
  }
  return { path, [Symbol.dispose]: () => database.isOpen && database.close() }
}
