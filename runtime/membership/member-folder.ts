/**
 * What a member's node lives on, in one folder that never leaves it: `keys/` for signatures, `enc/` for content keys, `broker.json`,
 * `broker-ca.pem`, `member.json` (whose it is, which anchor it trusts), `entries.jwt` (the membership log at its admission). While it
 * waits for admission, `join.json` holds the request. The recovery key is written elsewhere, to be taken away.
 */
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { generateEncryptionKey } from '../../schemas/content-key.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { type KeyJwk, namedJwk } from '../../schemas/membership/keys.ts'
import { readOwnerOnly, writeOnce } from '../keys/owner-only-file.ts'

export type MemberFolder = {
  readonly fed: string
  readonly code: string
  readonly anchor: string
  /** the request to join that this folder's keys signed */
  readonly join: string
  /** address of the hub's HTTP, as the invitation named it */
  readonly hub: string
  readonly entries: readonly string[]
}

export const placesIn = (folder: string) => ({
  keys: join(folder, 'keys'),
  enc: join(folder, 'enc'),
  broker: join(folder, 'broker.json'),
  brokerCa: join(folder, 'broker-ca.pem'),
  member: join(folder, 'member.json'),
  entries: join(folder, 'entries.jwt'),
  request: join(folder, 'join.json'),
})

const FILE_MAX_BYTES = 1024 * 1024
const refuse = (path: string, reason: string, cause?: unknown): ExchangeError =>
  new ExchangeError('CONFIG_INVALID', `${path}: ${reason}`, cause === undefined ? {} : { cause })

/** Replaces the file as a whole. */
export async function replaceOwnerOnly(path: string, text: string): Promise<void> {
  await rm(`${path}.next`, { force: true })
  await writeOnce(`${path}.next`, text)
  await rename(`${path}.next`, path)
}

/** null where there is none. @throws CONFIG_INVALID */
export async function readSecretJson<Type>(path: string): Promise<Type | null> {
  let missing = false
  const text = await readOwnerOnly(path, FILE_MAX_BYTES, (reason, cause) => {
    missing = (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
    return refuse(path, reason, cause)
  }).catch((error: unknown) => {
    if (missing) return null
    throw error
  })
  if (text === null) return null
  try {
    return JSON.parse(text) as Type
  } catch {
    throw refuse(path, 'expected JSON')
  }
}

/** The key that content keys are wrapped for: the newest of the folder, made if there is none. */
export async function keptEncKey(folder: string): Promise<KeyJwk> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const newest = (await readdir(folder))
    .filter(name => name.endsWith('.jwk.json'))
    .sort()
    .at(-1)
  if (newest !== undefined) {
    const jwk = await readSecretJson<KeyJwk>(join(folder, newest))
    if (jwk !== null) return namedJwk(jwk)
  }
  const made = await generateEncryptionKey()
  await writeOnce(join(folder, 'enc-1.jwk.json'), `${JSON.stringify({ ...made, kid: namedJwk(made).kid })}\n`)
  return namedJwk(made)
}

/** @throws CONFIG_INVALID for a folder in which nobody was admitted yet */
export async function readMemberFolder(folder: string): Promise<MemberFolder> {
  const places = placesIn(folder)
  const member = await readSecretJson<Omit<MemberFolder, 'entries'>>(places.member)
  if (member === null) throw refuse(places.member, 'there is none: nobody was admitted here yet (hutong node join)')
  const { fed, code, anchor, join: request, hub } = member
  if (![fed, code, anchor, request, hub].every(value => typeof value === 'string'))
    throw refuse(places.member, 'expected fed, code, anchor, join, hub')
  const entries = await readFile(places.entries, 'utf8').catch(cause => {
    throw refuse(places.entries, 'expected a readable file', cause)
  })
  return { fed, code, anchor, join: request, hub, entries: entries.split('\n').filter(Boolean) }
}
