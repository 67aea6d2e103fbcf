/**
 * A private key as a JWK in a file of its own, plain or under a passphrase. Its `kid` is the RFC 7638 thumbprint, so that a key has
 * one name everywhere. Nothing of the content is ever part of an error: parse errors are reported without their cause, which would
 * quote it.
 */
import { calculateJwkThumbprint } from 'jose'
import {
  type AlgorithmRow,
  algorithmOfKey,
  algorithmRow,
  type PrivateJwk,
  type PrivateKey,
  type PublicJwk,
  SIGNING_ALGORITHM,
} from '../../schemas/algorithms.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { createSigner, type Signer } from '../../schemas/tokens.ts'
import { readOwnerOnly, writeOnce } from './owner-only-file.ts'
import { isSealedKey, openKey, sealKey } from './passphrase.ts'

export type KeyFile = {
  readonly kid: string
  readonly alg: string
  /** not extractable where the algorithm lets the platform hold it */
  readonly privateKey: PrivateKey
  readonly publicJwk: PublicJwk & { readonly kid: string }
}

const FILE_MAX_BYTES = 4096
/** 32 bytes in base64url without padding, and no other way to write them: the last letter has four bits. */
const OCTETS_32 = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

const refuse = (path: string, reason: string, cause?: unknown): ExchangeError =>
  new ExchangeError('KEY_FILE_INVALID', `${path}: ${reason}`, { detail: { path }, ...(cause === undefined ? {} : { cause }) })

/** The public half, in the order of RFC 7638. */
const publicOf = (row: AlgorithmRow, { x, y }: { readonly x: string; readonly y?: string }): PublicJwk =>
  row.members.includes('y') && y !== undefined ? { kty: row.kty, crv: row.crv, x, y } : { kty: row.kty, crv: row.crv, x }

/** A key's name: its thumbprint (RFC 7638). */
export const keyName = (jwk: PublicJwk): Promise<string> => calculateJwkThumbprint({ ...jwk })

/**
 * Makes a new key in a new file of mode 0600, under a passphrase if one is given.
 * @throws KEY_FILE_INVALID if the name is taken or the folder cannot be written
 */
export async function createKeyFile(
  path: string,
  { alg = SIGNING_ALGORITHM, passphrase = null }: { readonly alg?: string; readonly passphrase?: string | null } = {},
): Promise<KeyFile> {
  const row = algorithmRow(alg)
  if (row === undefined) throw refuse(path, 'expected an algorithm of the table')
  const made = await row.generate()
  const jwk = { ...made, kid: await keyName(publicOf(row, made)) }
  const text = passphrase === null ? JSON.stringify(jwk) : await sealKey(jwk, passphrase)
  await writeOnce(path, `${text}\n`).catch((error: unknown) => {
    const taken = (error as NodeJS.ErrnoException).code === 'EEXIST'
    throw refuse(path, taken ? 'a file of this name exists already' : 'the file cannot be written', error)
  })
  return readKeyFile(path, passphrase)
}

function parseJson(path: string, text: string): { readonly [name: string]: unknown } {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as { [name: string]: unknown }
  } catch {
    // the message would quote the key
  }
  throw refuse(path, 'expected one JSON object, a JWK')
}

function parsePrivateJwk(path: string, text: string): { row: AlgorithmRow; jwk: PrivateJwk; kid: unknown } {
  const { kty, crv, x, y, d, kid, alg } = parseJson(path, text)
  let row: AlgorithmRow
  try {
    row = algorithmOfKey({ kty, crv })
  } catch {
    throw refuse(path, 'expected kty OKP and crv Ed25519 (RFC 8037), or kty EC and crv SM2')
  }
  const octets = (value: unknown, name: string): string => {
    if (typeof value !== 'string' || !OCTETS_32.test(value)) throw refuse(path, `${name} is not 32 bytes in base64url`)
    return value
  }
  const named = typeof alg === 'string' ? algorithmRow(alg) : undefined
  if (alg !== undefined && (named?.kty !== row.kty || named.crv !== row.crv))
    throw refuse(path, `alg is for another algorithm than ${row.alg}`)
  if (d === undefined) throw refuse(path, 'a public key; the private member d is missing')
  const half = publicOf(row, { x: octets(x, 'x'), ...(row.members.includes('y') ? { y: octets(y, 'y') } : {}) })
  return { row, jwk: { ...half, d: octets(d, 'd') }, kid }
}

async function readText(path: string, passphrase: string | null): Promise<string> {
  const text = await readOwnerOnly(path, FILE_MAX_BYTES, (reason, cause) => refuse(path, reason, cause))
  if (!isSealedKey(text)) return text
  if (passphrase === null) throw refuse(path, 'the key is under a passphrase, and none is configured')
  const opened = await openKey(text, passphrase)
  if (opened === null) throw refuse(path, 'the passphrase does not open it, or the file is damaged')
  return opened
}

/**
 * @throws KEY_FILE_INVALID for a file that others can read, a key of another kind, a public key, halves that do not match, or a
 *   passphrase that does not open it
 */
export async function readKeyFile(path: string, passphrase: string | null = null): Promise<KeyFile> {
  const { row, jwk, kid: stated } = parsePrivateJwk(path, await readText(path, passphrase))
  const half = publicOf(row, jwk)
  if (!(await row.belongs(jwk))) throw refuse(path, `${row.members.join(' and ')} does not belong to d`)
  const kid = await keyName(half)
  if (stated !== undefined && stated !== kid) throw refuse(path, 'kid is not the thumbprint of the key (RFC 7638)')
  return { kid, alg: row.alg, privateKey: await row.importPrivate(jwk), publicJwk: { ...half, kid } }
}

export const signerOf = ({ kid, alg, privateKey }: KeyFile): Signer => createSigner(kid, alg, privateKey)

const PASSPHRASE_MAX_BYTES = 1024

/** The first line of an owner-only file; null where none is configured. @throws KEY_FILE_INVALID */
export async function readPassphrase(path: string | undefined): Promise<string | null> {
  if (path === undefined) return null
  const text = await readOwnerOnly(path, PASSPHRASE_MAX_BYTES, (reason, cause) => refuse(path, reason, cause))
  const [line = ''] = text.split(/\r?\n/)
  if (line === '') throw refuse(path, 'expected a passphrase in its first line')
  return line
}
