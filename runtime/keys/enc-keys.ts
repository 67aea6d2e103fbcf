/** The keys that open content keys: every key file of a folder, by its identifier, the earlier ones for what was said before. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { CryptoKey } from 'jose'
import { importUnwrappingKey } from '../../schemas/content-key.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { type KeyJwk, namedJwk } from '../../schemas/membership/keys.ts'
import { readOwnerOnly } from './owner-only-file.ts'

export type UnwrappingKeys = ReadonlyMap<string, CryptoKey>

const FILE_MAX_BYTES = 16 * 1024

/** None where there is no such folder. @throws KEY_FILE_INVALID */
export async function openUnwrappingKeys(folder: string): Promise<UnwrappingKeys> {
  const names = await readdir(folder).catch((): string[] => [])
  const keys = new Map<string, CryptoKey>()
  for (const name of names.filter(one => one.endsWith('.jwk.json')).sort()) {
    const path = join(folder, name)
    const refuse = (reason: string, cause?: unknown): ExchangeError =>
      new ExchangeError('KEY_FILE_INVALID', `${path}: ${reason}`, cause === undefined ? {} : { cause })
    const text = await readOwnerOnly(path, FILE_MAX_BYTES, refuse)
    try {
      const jwk = JSON.parse(text) as KeyJwk & { readonly d: string }
      keys.set(namedJwk(jwk).kid, await importUnwrappingKey(jwk))
    } catch (cause) {
      throw refuse('expected an X25519 key', cause)
    }
  }
  return keys
}
