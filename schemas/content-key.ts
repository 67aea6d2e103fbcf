/**
 * Bodies for a restricted audience. Each epoch of such a log has a content key of its own; the opening statement of the epoch carries
 * it wrapped once for each member of the audience (General JWE, RFC 7516 §7.2.1; ECDH-ES+A256KW with X25519, RFC 8037), so that whoever
 * may read needs nothing but the log and its own key, and the hub, which relays and keeps, has neither. A body is AES-256-GCM:
 * nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes), with log and position as associated data, so that no body can be shown at another
 * place. `dig` of the envelope covers these bytes, `pdg` the salted plaintext.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { type CryptoKey, exportJWK, GeneralEncrypt, type GeneralJWE, generalDecrypt, generateKeyPair, importJWK } from 'jose'
import { algorithmOfDigest, type Digest, digestOf } from './digest.ts'
import { ExchangeError } from './errors.ts'
import { formatLogId, formatPosition, type LogId, type Position } from './log.ts'

export type EncryptionJwk = { readonly kty: 'OKP'; readonly crv: 'X25519'; readonly x: string; readonly kid: string }
export type Reader = { readonly code: string; readonly enc: EncryptionJwk }
/** One wrapped key for each reader: `kid` names the reader's key. */
export type WrappedKey = GeneralJWE

/** Whoever may hold a body of such an audience is given its key; the hub never is. */
export const isRestricted = (audience: string): boolean => audience !== 'all'

const ALG = 'ECDH-ES+A256KW'
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** what encryption adds to a body */
export const SEALED_BODY_BYTES = NONCE_BYTES + TAG_BYTES
/** recipients of one opening: its token stays within the limit of a token */
export const READERS_MAX = 64

export const createContentKey = (): Uint8Array => randomBytes(32)

export async function generateEncryptionKey(): Promise<{
  readonly kty: 'OKP'
  readonly crv: 'X25519'
  readonly x: string
  readonly d: string
}> {
  const { privateKey } = await generateKeyPair(ALG, { crv: 'X25519', extractable: true })
  const { x = '', d = '' } = await exportJWK(privateKey)
  return { kty: 'OKP', crv: 'X25519', x, d }
}

const importKey = async (jwk: { readonly x: string; readonly d?: string }): Promise<CryptoKey> => {
  const key = await importJWK({ kty: 'OKP', crv: 'X25519', ...jwk }, ALG).catch((): null => null)
  if (key === null || key instanceof Uint8Array) throw new ExchangeError('KEY_INVALID', 'expected an X25519 key of 32 bytes')
  return key
}

/** Half of a pair that unwraps: never leaves its program. @throws KEY_INVALID */
export const importUnwrappingKey = (jwk: { readonly x: string; readonly d: string }): Promise<CryptoKey> => importKey(jwk)

/** @throws KEY_INVALID for a reader's key; RANGE of readers: 1 to {@link READERS_MAX} */
export async function wrapContentKey(contentKey: Uint8Array, readers: readonly Reader[]): Promise<WrappedKey> {
  if (readers.length === 0 || readers.length > READERS_MAX)
    throw new ExchangeError('AUDIENCE_NOT_ALLOWED', `expected 1 to ${READERS_MAX} readers, got ${readers.length}`)
  const jwe = new GeneralEncrypt(contentKey).setProtectedHeader({ enc: 'A256GCM' })
  for (const { enc } of readers) jwe.addRecipient(await importKey(enc)).setUnprotectedHeader({ alg: ALG, kid: enc.kid })
  return jwe.encrypt()
}

/** Null where no key of the reader is among those it was wrapped for. @throws BODY_UNREADABLE if it is and does not open */
export async function unwrapContentKey(wrapped: WrappedKey, kid: string, key: CryptoKey): Promise<Uint8Array | null> {
  const mine = wrapped.recipients.filter(one => one.header?.kid === kid)
  if (mine.length === 0) return null
  const opened = await generalDecrypt({ ...wrapped, recipients: mine }, key, {
    keyManagementAlgorithms: [ALG],
    contentEncryptionAlgorithms: ['A256GCM'],
  }).catch((): null => null)
  if (opened?.plaintext.length === 32) return opened.plaintext
  throw new ExchangeError('BODY_UNREADABLE', 'expected a content key of 32 bytes wrapped for this key')
}

const associated = (fed: string, log: LogId, at: Position): Buffer =>
  Buffer.from(`${fed} ${formatLogId(log)} ${formatPosition(at)}`)

/** Encrypted for its place: `fed`, log and position are bound to it. */
export function encryptBody(contentKey: Uint8Array, fed: string, log: LogId, at: Position, plain: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', contentKey, nonce).setAAD(associated(fed, log, at))
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** What the form of an entry alone shows, to every holder alike: a restricted body that was not encrypted. */
export const sealedFault = ({
  iss,
  aud,
  pdg,
}: {
  readonly iss: string
  readonly aud: string
  readonly pdg?: Digest
}): ExchangeError | null =>
  isRestricted(aud) && pdg === undefined
    ? new ExchangeError('BODY_UNREADABLE', `${iss}: expected an encrypted body and the digest of its plain text for ${aud}`)
    : null

type Sealed = { readonly fed: string; readonly iss: string; readonly aud: string; readonly ds: string; readonly ep: number } & {
  readonly seq: number
}

/**
 * The plain body of a restricted entry. `pdg` is the digest that its origin signed beside that of the ciphertext: one ciphertext can be
 * made to open under two keys, one digest cannot name two texts. @throws BODY_UNREADABLE
 */
export function openSealedBody(contentKey: Uint8Array, claims: Sealed, pdg: Digest | undefined, bytes: Uint8Array): Buffer {
  const { fed, iss, aud, ds, ep, seq } = claims
  const plain = decryptBody(contentKey, fed, { origin: iss, dataset: ds, audience: aud }, { epoch: ep, seq }, bytes)
  if (pdg !== undefined && digestOf(plain, algorithmOfDigest(pdg)) === pdg) return plain
  throw new ExchangeError(
    'BODY_UNREADABLE',
    `${formatPosition({ epoch: ep, seq })}: expected the plain body whose digest is signed`,
  )
}

/** @throws BODY_UNREADABLE for another key, another place or a changed byte */
export function decryptBody(contentKey: Uint8Array, fed: string, log: LogId, at: Position, bytes: Uint8Array): Buffer {
  try {
    const sealed = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const decipher = createDecipheriv('aes-256-gcm', contentKey, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    decipher.setAAD(associated(fed, log, at)).setAuthTag(sealed.subarray(-TAG_BYTES))
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
  } catch {
    throw new ExchangeError(
      'BODY_UNREADABLE',
      `${formatLogId(log)} ${formatPosition(at)}: expected a body encrypted under the content key of its epoch`,
    )
  }
}
