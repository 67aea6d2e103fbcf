/**
 * The provider's own keys, in an owner-only file of the data folder, by generations: one key for each algorithm that it signs ID tokens
 * with, and one of its cookies. A generation that was replaced stays published until nothing signed with it is good. The key that
 * pseudonyms are made with stays for ever: another one would make everybody a stranger.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import { readOwnerOnly, writeOnce } from '../../runtime/keys/owner-only-file.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { ID_TOKEN_ALGORITHMS } from './clients.ts'

type Generation = { readonly made_at: string; readonly signing: readonly JWK[]; readonly cookie: string }
export type LoginKeys = {
  /** newest first */
  readonly generations: readonly [Generation, ...Generation[]]
  /** base64url */
  readonly pseudonyms: string
}

const FILE_MAX_BYTES = 262_144
const DAY_MS = 86_400_000
/** A key signs for so long, */
const LIFE_MS = 90 * DAY_MS
/** and is published for so long after it was replaced, far beyond the life of an ID token. */
const KEPT_MS = 2 * DAY_MS

const newSecret = (): string => randomBytes(32).toString('base64url')
const madeAt = ({ made_at }: Generation): number => Date.parse(made_at)

async function newSigningKey(alg: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true, modulusLength: 2048 })
  const jwk = await exportJWK(privateKey)
  return { ...jwk, alg, use: 'sig', kid: await calculateJwkThumbprint(jwk) }
}

/** New keys in front, and without those that nobody can need any more. */
export async function rotateKeys(keys: LoginKeys | null, now: Date): Promise<LoginKeys> {
  const fresh = {
    made_at: now.toISOString(),
    signing: await Promise.all(ID_TOKEN_ALGORITHMS.map(newSigningKey)),
    cookie: newSecret(),
  }
  let replacedAt = now.getTime()
  const kept = (keys?.generations ?? []).filter(generation => {
    const needed = replacedAt > now.getTime() - KEPT_MS
    replacedAt = madeAt(generation)
    return needed
  })
  return { generations: [fresh, ...kept], pseudonyms: keys?.pseudonyms ?? newSecret() }
}

export const areDue = ({ generations: [newest] }: LoginKeys, now: Date): boolean => madeAt(newest) < now.getTime() - LIFE_MS

const refuse = (path: string, reason: string, cause?: unknown): ExchangeError =>
  new ExchangeError('KEY_FILE_INVALID', `${path}: ${reason}`, cause === undefined ? {} : { cause })

function isGeneration(value: Generation | null | undefined): boolean {
  if (value == null || Number.isNaN(madeAt(value)) || typeof value.cookie !== 'string' || !Array.isArray(value.signing))
    return false
  return ID_TOKEN_ALGORITHMS.every(alg => value.signing.some(jwk => jwk?.alg === alg && typeof jwk.d === 'string'))
}

function parseKeys(path: string, text: string): LoginKeys {
  let value: Partial<LoginKeys> = {}
  try {
    value = (JSON.parse(text) as Partial<LoginKeys> | null) ?? {}
  } catch {
    // the message would quote a key
  }
  const { generations, pseudonyms = '' } = value
  if (
    !Array.isArray(generations) ||
    generations.length === 0 ||
    !generations.every(isGeneration) ||
    !/^[\w-]{43}$/.test(pseudonyms)
  )
    throw refuse(path, 'expected the keys that the login wrote there')
  return { generations: generations as unknown as LoginKeys['generations'], pseudonyms }
}

export type LoginKeyFile = {
  read(): Promise<LoginKeys>
  /** Replaces the file as a whole. */
  write(keys: LoginKeys): Promise<void>
}

/** The file is made if there is none. @throws KEY_FILE_INVALID */
export async function openLoginKeys(path: string, now: Date): Promise<LoginKeyFile> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const format = (keys: LoginKeys): string => `${JSON.stringify(keys)}\n`
  await writeOnce(path, format(await rotateKeys(null, now))).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw refuse(path, 'the file cannot be written', error)
  })
  return {
    read: async () => parseKeys(path, await readOwnerOnly(path, FILE_MAX_BYTES, (reason, cause) => refuse(path, reason, cause))),
    async write(keys) {
      const draft = `${path}.${randomBytes(6).toString('hex')}.next`
      await writeOnce(draft, format(keys))
      await rename(draft, path)
    },
  }
}
