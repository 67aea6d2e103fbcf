/**
 * Keyed hashes in place of persons and keys. The same thing has the same pseudonym, so that "who saw this record?" has an answer for
 * whoever holds the key of the program; without it nobody can try identity numbers until one fits.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ExchangeError } from '../../schemas/errors.ts'
import { readOwnerOnly, writeOnce } from '../keys/owner-only-file.ts'

const KEY_BYTES = 32
const FILE_MAX_BYTES = 256

export type Pseudonyms = {
  person(subject: string): string
  key(dataset: string, key: string): string
  deal(key: string): string
  request(text: string): string
}

/** Reads the key, or makes it at the first start. @throws KEY_FILE_INVALID */
export async function readPseudonyms(path: string): Promise<Pseudonyms> {
  const refuse = (reason: string, cause?: unknown): ExchangeError =>
    new ExchangeError('KEY_FILE_INVALID', `${path}: ${reason}`, { cause })
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeOnce(path, `${randomBytes(KEY_BYTES).toString('base64url')}\n`).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw refuse('the file cannot be written', error)
  })
  const key = Buffer.from((await readOwnerOnly(path, FILE_MAX_BYTES, refuse)).trim(), 'base64url')
  if (key.length !== KEY_BYTES) throw refuse(`expected ${KEY_BYTES} bytes in base64url`)
  return createPseudonyms(key)
}

export function createPseudonyms(key: Uint8Array): Pseudonyms {
  const hash = (kind: string, ...parts: readonly string[]): string =>
    createHmac('sha256', key)
      .update(JSON.stringify([kind, ...parts]))
      .digest('base64url')
      .slice(0, 27)
  return {
    person: subject => `person:${hash('person', subject)}`,
    key: (dataset, recordKey) => `${dataset}/${hash('key', dataset, recordKey)}`,
    deal: recordKey => `deal:${hash('deal', recordKey)}`,
    request: text => hash('request', text),
  }
}
