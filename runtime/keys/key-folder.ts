/** Key files of one folder, and others beside it; new ones are made in the folder. Of a name `….jwk.json`, plain or under a passphrase. */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ExchangeError } from '../../schemas/errors.ts'
import { createKeyFile, type KeyFile, readKeyFile } from './key-file.ts'

const SUFFIX = '.jwk.json'

export type KeyFolder = {
  readonly keys: readonly KeyFile[]
  /** null without a folder */
  readonly make: ((alg: string) => Promise<KeyFile>) | null
}

/** @throws KEY_FILE_INVALID, CONFIG_INVALID where neither folder nor file is given */
export async function openKeyFolder(options: {
  readonly folder: string | undefined
  readonly files: readonly string[]
  readonly passphrase: string | null
}): Promise<KeyFolder> {
  const { folder, files, passphrase } = options
  if (folder === undefined) {
    if (files.length === 0) throw new ExchangeError('CONFIG_INVALID', 'expected a folder for keys, or key files')
    return { keys: await Promise.all(files.map(path => readKeyFile(path, passphrase))), make: null }
  }
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const names = (await readdir(folder)).filter(name => name.endsWith(SUFFIX)).sort()
  const paths = [...files, ...names.map(name => join(folder, name))]
  let made = names.length
  return {
    keys: await Promise.all(paths.map(path => readKeyFile(path, passphrase))),
    async make(alg) {
      for (;;) {
        made += 1
        const name = `signing-${made}${SUFFIX}`
        if (!names.includes(name)) return createKeyFile(join(folder, name), { passphrase, alg })
      }
    },
  }
}
