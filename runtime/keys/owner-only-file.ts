/** Files that hold secrets: written whole or not at all, never over another, and read only if nobody but their owner can. */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

const syncFolder = async (path: string): Promise<void> => {
  await using folder = await open(path, constants.O_RDONLY)
  await folder.sync()
}

/** Writes beside the target and links it there: the name appears whole or not at all, and never replaces another file (EEXIST). */
export async function writeOnce(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`
  const file = await open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
  try {
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await link(draft, path)
  } finally {
    await unlink(draft)
  }
  await syncFolder(dirname(path))
}

/** `refuse` makes the error of whoever reads, from the reason. */
export async function readOwnerOnly(
  path: string,
  maxBytes: number,
  refuse: (reason: string, cause?: unknown) => Error,
): Promise<string> {
  const opened = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw refuse('the file cannot be opened', error)
  })
  await using file = opened
  return await readGuarded(file, maxBytes, refuse)
}

async function readGuarded(file: FileHandle, maxBytes: number, refuse: (reason: string) => Error): Promise<string> {
  const { mode, size } = await file.stat()
  if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw refuse('not a regular file')
  // A secret that others could read has to count as known to them, whoever they are.
  if ((mode & 0o077) !== 0) throw refuse(`mode ${(mode & 0o777).toString(8)} lets others in; expected 600 (chmod 600)`)
  if (size > maxBytes) throw refuse(`larger than ${maxBytes} bytes`)
  return file.readFile('utf8')
}
