/**
 * What a program proves itself with at the broker: a key that it made itself, whose seed never leaves its file, and the token in which
 * the hub names that key. Until the token has come the file holds the seed alone.
 */
import { access, rename, rm } from 'node:fs/promises'
import { decode } from '@nats-io/jwt'
import { createUser, fromSeed } from '@nats-io/nkeys'
import { ExchangeError } from '../../schemas/errors.ts'
import { readOwnerOnly, writeOnce } from '../keys/owner-only-file.ts'
import type { Authority } from './authority.ts'

export type BrokerCredentials = { readonly jwt: string; readonly seed: string }

const FILE_MAX_BYTES = 64 * 1024
/** A longer one does not fit into the line that a client connects with. */
const TOKEN_MAX_BYTES = 3 * 1024

const refuse = (path: string, reason: string, cause?: unknown): ExchangeError =>
  new ExchangeError('CONFIG_INVALID', `broker credentials file ${path}: ${reason}`, cause === undefined ? {} : { cause })

const publicOf = (seed: string): string => fromSeed(new TextEncoder().encode(seed)).getPublicKey()

async function read(path: string): Promise<{ seed: string; key: string; jwt: string | null }> {
  const text = await readOwnerOnly(path, FILE_MAX_BYTES, (reason, cause) => refuse(path, reason, cause))
  try {
    const { seed, jwt = null } = JSON.parse(text) as { seed: string; jwt?: string }
    const key = publicOf(seed)
    if (key.startsWith('U') && (jwt === null || typeof jwt === 'string')) return { seed, key, jwt }
  } catch {
    // the cause would quote the seed
  }
  throw refuse(path, 'expected JSON with the members seed (of a user’s NKey) and jwt')
}

/** Makes the program's key, or finds the one it has; the public half is what the hub is asked to admit. */
export async function prepareCredentials(path: string): Promise<{ readonly key: string }> {
  const seed = new TextDecoder().decode(createUser().getSeed())
  try {
    await writeOnce(path, `${JSON.stringify({ seed })}\n`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw refuse(path, 'cannot be written', error)
  }
  return { key: (await read(path)).key }
}

/** Puts the hub's token beside the key. @throws CONFIG_INVALID if it names another key or is no token */
export async function acceptToken(path: string, jwt: string): Promise<void> {
  const { seed, key } = await read(path)
  parseToken(path, jwt, key)
  await rm(`${path}.next`, { force: true })
  await writeOnce(`${path}.next`, `${JSON.stringify({ seed, jwt })}\n`)
  await rename(`${path}.next`, path)
}

/** The public half of the key in a file; null where there is none. @throws CONFIG_INVALID */
export async function keyIn(path: string): Promise<string | null> {
  const exists = await access(path).then(
    () => true,
    () => false,
  )
  return exists ? (await read(path)).key : null
}

/** A new key with its token in place of the one before, which is forgotten. */
export async function renewCredentials(path: string, admit: (key: string) => Promise<string>): Promise<BrokerCredentials> {
  await rm(`${path}.new`, { force: true })
  const { key } = await prepareCredentials(`${path}.new`)
  await acceptToken(`${path}.new`, await admit(key))
  await rename(`${path}.new`, path)
  return readBrokerCredentials(path)
}

/** @throws CONFIG_INVALID for a file that others can read, without a token, or with one for another key */
export async function readBrokerCredentials(path: string): Promise<BrokerCredentials> {
  const { seed, key, jwt } = await read(path)
  if (jwt === null) throw refuse(path, 'the hub has not admitted its key yet')
  parseToken(path, jwt, key)
  return { seed, jwt }
}

function parseToken(path: string, jwt: string, key: string): void {
  let subject: unknown
  try {
    subject = jwt.length <= TOKEN_MAX_BYTES ? decode(jwt).sub : null
  } catch {
    throw refuse(path, 'jwt is not a token of NATS')
  }
  if (subject !== key) throw refuse(path, `jwt names another key than the seed's, or is longer than ${TOKEN_MAX_BYTES} bytes`)
}

/** The hub's: from its file, or admitted by the authority that it holds itself; null where it has neither. */
export const readHubCredentials = async (
  path: string | undefined,
  authority: Authority | null,
): Promise<BrokerCredentials | null> => {
  if (path !== undefined) return readBrokerCredentials(path)
  return authority === null ? null : passingCredentials(key => authority.admit('hub', key))
}

/** For a program that holds the authority itself: a key for as long as it runs. */
export async function passingCredentials(admit: Authority['admitSystem']): Promise<BrokerCredentials> {
  const pair = createUser()
  return { jwt: await admit(pair.getPublicKey()), seed: new TextDecoder().decode(pair.getSeed()) }
}
