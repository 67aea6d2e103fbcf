/**
 * A private Ed25519 key as a JWK (RFC 8037) in a file of its own. Its `kid` is the RFC 7638 thumbprint, so that a key has one name
 * everywhere. Nothing of the content is ever part of an error: parse errors are reported without their cause, which would quote it.
 */
import { createPrivateKey, createPublicKey, randomBytes, type webcrypto } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from 'jose'
import { ExchangeError } from '../schemas/errors.ts'

export type KeyFile = {
  readonly kid: string
  /** not extractable */
  readonly privateKey: webcrypto.CryptoKey
  readonly publicJwk: { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string; readonly kid: string }
}

const ALGORITHM = 'Ed25519'
const FILE_MAX_BYTES = 4096
/** 32 bytes in base64url without padding, and no other way to write them: the last letter has four bits. */
const OCTETS_32 = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

const refuse = (path: string, reason: string, cause?: unknown): ExchangeError =>
  new ExchangeError('KEY_FILE_INVALID', `${path}: ${reason}`, { detail: { path }, ...(cause === undefined ? {} : { cause }) })

const syncFolder = async (path: string): Promise<void> => {
  await using folder = await open(path, constants.O_RDONLY)
  await folder.sync()
}

/** Writes beside the target and links it there: the name appears whole or not at all, and never replaces another key. */
const writeOnce = async (path: string, text: string): Promise<void> => {
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

/** Makes a new key in a new file of mode 0600. Throws KEY_FILE_INVALID if the name is taken or the folder cannot be written. */
export const createKeyFile = async (path: string): Promise<KeyFile> => {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true })
  const { kty, crv, x, d } = await exportJWK(privateKey)
  const kid = await calculateJwkThumbprint({ kty: kty ?? '', crv: crv ?? '', x: x ?? '' })
  try {
    await writeOnce(path, `${JSON.stringify({ kty, crv, x, d, kid })}\n`)
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EEXIST'
    throw refuse(path, taken ? 'a file of this name exists already' : 'the file cannot be written', error)
  }
  return readKeyFile(path)
}

const readGuarded = async (path: string, file: FileHandle): Promise<string> => {
  const { mode, size } = await file.stat()
  if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw refuse(path, 'not a regular file')
  // A key that others could read has to count as known to them, whoever they are.
  if ((mode & 0o077) !== 0) throw refuse(path, `mode ${(mode & 0o777).toString(8)} lets others in; expected 600 (chmod 600)`)
  if (size > FILE_MAX_BYTES) throw refuse(path, `larger than ${FILE_MAX_BYTES} bytes`)
  return file.readFile('utf8')
}

const readText = async (path: string): Promise<string> => {
  const opened = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw refuse(path, 'the file cannot be opened', error)
  })
  await using file = opened
  return await readGuarded(path, file)
}

type PrivateJwk = { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string; readonly d: string; readonly kid?: unknown }

const parseJson = (path: string, text: string): { readonly [name: string]: unknown } => {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as { [name: string]: unknown }
  } catch {
    // the message would quote the key
  }
  throw refuse(path, 'expected one JSON object, a JWK')
}

const parsePrivateJwk = (path: string, text: string): PrivateJwk => {
  const { kty, crv, x, d, kid, alg } = parseJson(path, text)
  if (kty !== 'OKP' || crv !== 'Ed25519') throw refuse(path, 'expected kty OKP and crv Ed25519 (RFC 8037)')
  if (alg !== undefined && alg !== 'Ed25519' && alg !== 'EdDSA') throw refuse(path, 'alg is for another algorithm than Ed25519')
  if (d === undefined) throw refuse(path, 'a public key; the private member d is missing')
  if (typeof x !== 'string' || !OCTETS_32.test(x)) throw refuse(path, 'x is not 32 bytes in base64url')
  if (typeof d !== 'string' || !OCTETS_32.test(d)) throw refuse(path, 'd is not 32 bytes in base64url')
  return { kty, crv, x, d, kid }
}

/** Throws KEY_FILE_INVALID for a file that others can read, a key of another kind, a public key, or halves that do not match. */
export const readKeyFile = async (path: string): Promise<KeyFile> => {
  const { kty, crv, x, d, kid: stated } = parsePrivateJwk(path, await readText(path))
  const derived = createPublicKey(createPrivateKey({ key: { kty, crv, x, d }, format: 'jwk' })).export({ format: 'jwk' })
  if (derived.x !== x) throw refuse(path, 'x does not belong to d')
  const kid = await calculateJwkThumbprint({ kty, crv, x })
  if (stated !== undefined && stated !== kid) throw refuse(path, 'kid is not the thumbprint of the key (RFC 7638)')
  const privateKey = await importJWK({ kty, crv, x, d }, ALGORITHM)
  if (!(privateKey instanceof CryptoKey)) throw refuse(path, 'not an asymmetric key')
  return { kid, privateKey, publicJwk: { kty, crv, x, kid } }
}
