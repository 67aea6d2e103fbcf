/** One launcher for one folder, and one that says who it is, so that a second start can name the first. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { lockDirectory } from '../../runtime/directory-lock.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'

/**
 * Locks the folder and answers its real path. Others may pass through it, since an embedded database started by root runs as
 * somebody else; what is secret lies in folders and files of its own.
 * @throws DIRECTORY_IN_USE naming the process that holds it and what to do
 */
export async function lockHome(home: string): Promise<{ readonly path: string } & Disposable> {
  await mkdir(home, { recursive: true, mode: 0o711 })
  const pidFile = join(home, 'launcher.pid')
  try {
    const lock = await lockDirectory(home)
    await writeFile(pidFile, `${process.pid}\n`)
    return lock
  } catch (error) {
    if (!isExchangeError(error) || error.code !== 'DIRECTORY_IN_USE') throw error
    const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''))
    const holder = pid > 0 ? `process ${pid}` : 'another process'
    const stop = pid > 0 ? `Ctrl-C in its terminal, or kill ${pid}` : 'Ctrl-C in its terminal'
    throw new ExchangeError(
      'DIRECTORY_IN_USE',
      `${home}: ${holder} runs a federation here; stop it (${stop}), or set HUTONG_HOME to another folder (请先停止该进程，或将 HUTONG_HOME 指向其他目录)`,
      { detail: { folder: home, pid: pid > 0 ? pid : null } },
    )
  }
}
