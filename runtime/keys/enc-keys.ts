/**
 * The keys that open content keys: every key file of a folder, by its identifier, the earlier ones for what was said before. What is made
 * or laid there while the program runs is held from then on.
 */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { CryptoKey } from 'jose'
import { generateEncryptionKey, importUnwrappingKey } from '../../schemas/content-key.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { type KeyJwk, namedJwk } from '../../schemas/membership/keys.ts'
import { readOwnerOnly, writeOnce } from './owner-only-file.ts'

export type UnwrappingKeys = ReadonlyMap<string, CryptoKey>
export type EncKeys = {
  /** the same map, which grows */
  readonly keys: UnwrappingKeys
  /** Reads the folder again. @throws KEY_FILE_INVALID */
  reload(): Promise<void>
  /** A new key in a new file. Answers its public half. */
  create(): Promise<KeyJwk>
  /** public half of a key that is held */
  named(kid: string): KeyJwk | null
}

const FILE_MAX_BYTES = 16 * 1024
const SUFFIX = '.jwk.json'

/** None where there is no such folder. @throws KEY_FILE_INVALID */
export async function openEncKeys(folder: string): Promise<EncKeys> {
  const keys = new Map<string, CryptoKey>()
  const jwks = new Map<string, KeyJwk>()
  const seen = new Set<string>()

  async function reload(): Promise<void> {
    const names = await readdir(folder).catch((): string[] => [])
    for (const name of names.filter(one => one.endsWith(SUFFIX) && !seen.has(one)).sort()) {
      const path = join(folder, name)
      const refuse = (reason: string, cause?: unknown): ExchangeError =>
        new ExchangeError('KEY_FILE_INVALID', `${path}: ${reason}`, cause === undefined ? {} : { cause })
      const text = await readOwnerOnly(path, FILE_MAX_BYTES, refuse)
      try {
        const jwk = JSON.parse(text) as KeyJwk & { readonly d: string }
        const named = namedJwk(jwk)
        keys.set(named.kid, await importUnwrappingKey(jwk))
        jwks.set(named.kid, named)
      } catch (cause) {
        throw refuse('expected an X25519 key', cause)
      }
      seen.add(name)
    }
  }

  await reload()
  return {
    keys,
    reload,
    named: kid => jwks.get(kid) ?? null,
    async create() {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const made = await generateEncryptionKey()
      const named = namedJwk(made)
      const taken = new Set(await readdir(folder))
      let number = 1
      while (taken.has(`enc-${number}${SUFFIX}`)) number += 1
      await writeOnce(join(folder, `enc-${number}${SUFFIX}`), `${JSON.stringify({ ...made, kid: named.kid })}\n`)
      await reload()
      return named
    },
  }
}
