/**
 * What an encrypted message says of itself without any key: for whom it is, and how. EnvelopedData of CMS (RFC 5652 §6) and of GB/T 35275,
 * whose encrypted keys are SM2Cipher (GM/T 0009 §7.2), and the SignedAndEnvelopedData of PKCS #7 and GB/T 35275. Of a large message
 * its beginning is enough. Nothing here decrypts: private keys stay in the device.
 */
import { type BerElement, BerReader, isContext, UNIVERSAL } from './ber.ts'
import type { AlgorithmIdentifier } from './certificate.ts'
import { type CmsForm, contentTypeOf, type KeyHolder, readAlgorithm, readKeyHolder } from './cms.ts'
import { SIGNATURE_LIMITS } from './limits.ts'
import type { KeyFamily } from './public-keys.ts'

type KeyEncryptionRow = { readonly oid: string; readonly name: string; readonly keys: readonly KeyFamily[] }
/** RFC 3370 §4.2, RFC 3560, RFC 5753 §7.1.4, GB/T 33560. */
export const KEY_ENCRYPTIONS: readonly KeyEncryptionRow[] = [
  { oid: '1.2.840.113549.1.1.1', name: 'rsa-pkcs1', keys: ['rsa'] },
  { oid: '1.2.840.113549.1.1.7', name: 'rsa-oaep', keys: ['rsa'] },
  { oid: '1.2.156.10197.1.301.3', name: 'sm2', keys: ['sm2'] },
  { oid: '1.2.156.10197.1.301', name: 'sm2', keys: ['sm2'] },
  { oid: '1.3.132.1.11.1', name: 'ecdh-sha256', keys: ['ec'] },
  { oid: '1.3.132.1.11.2', name: 'ecdh-sha384', keys: ['ec'] },
  { oid: '1.3.132.1.11.3', name: 'ecdh-sha512', keys: ['ec'] },
]
type ContentEncryptionRow = { readonly oid: string; readonly name: string; readonly keyBytes: number }
const AES = '2.16.840.1.101.3.4.1.'
const SM4 = '1.2.156.10197.1.104'
/** RFC 3565, RFC 5084, RFC 3370 §5.1, GB/T 33560. */
export const CONTENT_ENCRYPTIONS: readonly ContentEncryptionRow[] = [
  { oid: SM4, name: 'sm4', keyBytes: 16 },
  { oid: `${SM4}.1`, name: 'sm4-ecb', keyBytes: 16 },
  { oid: `${SM4}.2`, name: 'sm4-cbc', keyBytes: 16 },
  { oid: `${SM4}.8`, name: 'sm4-gcm', keyBytes: 16 },
  { oid: '1.2.156.10197.1.102', name: 'sm1', keyBytes: 16 },
  { oid: `${AES}2`, name: 'aes128-cbc', keyBytes: 16 },
  { oid: `${AES}22`, name: 'aes192-cbc', keyBytes: 24 },
  { oid: `${AES}42`, name: 'aes256-cbc', keyBytes: 32 },
  { oid: `${AES}6`, name: 'aes128-gcm', keyBytes: 16 },
  { oid: `${AES}26`, name: 'aes192-gcm', keyBytes: 24 },
  { oid: `${AES}46`, name: 'aes256-gcm', keyBytes: 32 },
  { oid: '1.2.840.113549.3.7', name: 'des-ede3-cbc', keyBytes: 24 },
]

/** How the key travels: as the algorithm says, as SM2Cipher with so many octets of key, or in a form that the algorithm does not have. */
export type EncryptedKey = { readonly form: 'opaque' | 'sm2-cipher' | 'malformed'; readonly keyBytes: number | null }
export type Recipient = {
  /** null for one who holds no certificate: a shared key or a password */
  readonly holder: KeyHolder | null
  readonly kind: 'transport' | 'agreement' | 'other'
  readonly algorithm: AlgorithmIdentifier | null
  readonly encryptedKey: EncryptedKey
}
export type EnvelopedData = {
  readonly form: CmsForm
  readonly type: 'envelopedData' | 'signedAndEnvelopedData'
  readonly version: number
  readonly recipients: readonly Recipient[]
  readonly contentType: string
  readonly contentAlgorithm: AlgorithmIdentifier
  /** octets of the encrypted content as far as they were given; null if it is kept elsewhere */
  readonly contentBytes: number | null
  readonly whole: boolean
}

export const keyEncryption = (oid: string): KeyEncryptionRow | undefined => KEY_ENCRYPTIONS.find(row => row.oid === oid)
export const contentEncryption = (oid: string): ContentEncryptionRow | undefined => CONTENT_ENCRYPTIONS.find(row => row.oid === oid)

const COORDINATE_BYTES = 33

/** SM2Cipher ::= SEQUENCE { x INTEGER, y INTEGER, hash OCTET STRING (32), cipher OCTET STRING } */
function sm2CipherOf(octets: Uint8Array): EncryptedKey {
  const reader = new BerReader('SIGNATURE_MALFORMED', SIGNATURE_LIMITS)
  try {
    const [x, y, hash, cipher, ...rest] = reader.children(reader.expect(reader.read(octets), UNIVERSAL.sequence, 'SM2Cipher'))
    const coordinates = [x, y].map(one => reader.expect(one, UNIVERSAL.integer, 'a coordinate').contents)
    const sound = coordinates.every(one => one.length > 0 && one.length <= COORDINATE_BYTES && (one[0] ?? 0x80) < 0x80)
    const key = reader.octets(reader.expect(cipher, UNIVERSAL.octetString, 'a key'), 'a key')
    const digest = reader.octets(reader.expect(hash, UNIVERSAL.octetString, 'a digest'), 'a digest')
    if (sound && digest.length === 32 && rest.length === 0) return { form: 'sm2-cipher', keyBytes: key.length }
  } catch {
    // not of that form
  }
  return { form: 'malformed', keyBytes: null }
}

const encryptedKeyOf = (algorithm: AlgorithmIdentifier, octets: Uint8Array): EncryptedKey =>
  keyEncryption(algorithm.oid)?.name === 'sm2' ? sm2CipherOf(octets) : { form: 'opaque', keyBytes: null }

/** KeyTransRecipientInfo (RFC 5652 §6.2.1), and RecipientInfo of RFC 2315 §10.2 and GB/T 35275 §9. */
function transportOf(reader: BerReader, element: BerElement): Recipient[] {
  const [version, holder, algorithmElement, key, ...rest] = reader.children(element)
  if (rest.length > 0) throw reader.fault('expected nothing behind a recipient')
  reader.count(version, "a recipient's version")
  const algorithm = readAlgorithm(reader, algorithmElement)
  const octets = reader.octets(reader.expect(key, UNIVERSAL.octetString, 'an encrypted key'), 'an encrypted key')
  return [{ holder: readKeyHolder(reader, holder), kind: 'transport', algorithm, encryptedKey: encryptedKeyOf(algorithm, octets) }]
}

/** KeyAgreeRecipientInfo (§6.2.2): one for several holders. */
function agreementOf(reader: BerReader, element: BerElement): Recipient[] {
  const parts = reader.children(element).filter(part => !isContext(part, 0) && !isContext(part, 1))
  const [, algorithmElement, keys] = parts
  const algorithm = readAlgorithm(reader, algorithmElement)
  return reader.sequence(keys, 'encrypted keys').map(one => {
    const [rid] = reader.sequence(one, 'an encrypted key')
    // RecipientKeyIdentifier is a SEQUENCE under [0] whose first element is the key identifier
    const holder = isContext(rid, 0)
      ? ({
          kind: 'key-id',
          keyId: Buffer.from(reader.octets(reader.children(rid)[0], 'a key identifier')).toString('hex'),
        } as const)
      : readKeyHolder(reader, rid)
    return { holder, kind: 'agreement', algorithm, encryptedKey: { form: 'opaque', keyBytes: null } }
  })
}

function recipientsOf(reader: BerReader, set: BerElement): Recipient[] {
  if (set.cut) throw reader.fault('expected all recipients: more of the message is needed')
  const found = reader.children(set).flatMap((element): Recipient[] => {
    if (element.tagClass === 0) return transportOf(reader, element)
    if (isContext(element, 1)) return agreementOf(reader, element)
    return [{ holder: null, kind: 'other', algorithm: null, encryptedKey: { form: 'opaque', keyBytes: null } }]
  })
  if (found.length > SIGNATURE_LIMITS.recipients) throw reader.fault(`expected at most ${SIGNATURE_LIMITS.recipients} recipients`)
  return found
}

/**
 * Reads a message or, with `partial`, as much of its beginning as holds recipients and algorithms.
 * @throws SIGNATURE_MALFORMED, and for a message that is not encrypted SIGNATURE_KIND_UNKNOWN
 */
export function parseEnvelopedData(bytes: Uint8Array, { partial = false } = {}): EnvelopedData {
  const reader = new BerReader('SIGNATURE_MALFORMED', SIGNATURE_LIMITS, { partial })
  const outer = reader.read(bytes)
  const [typeElement, wrapper] = reader.sequence(outer, 'a CMS or PKCS #7 message')
  const oid = reader.oid(typeElement, 'a content type')
  const kind = contentTypeOf(oid)
  if (kind === null || (kind.type !== 'envelopedData' && kind.type !== 'signedAndEnvelopedData'))
    throw new BerReader('SIGNATURE_KIND_UNKNOWN', SIGNATURE_LIMITS).fault(`expected an encrypted message, got content type ${oid}`)
  if (!isContext(wrapper, 0)) throw reader.fault('expected the content under [0]')
  const parts = [...reader.sequence(reader.children(wrapper)[0], 'an encrypted message')]
  const version = reader.count(parts.shift(), 'a version')
  if (isContext(parts[0], 0)) parts.shift()
  const recipients = recipientsOf(reader, reader.expect(parts.shift(), UNIVERSAL.set, 'recipients'))
  if (kind.type === 'signedAndEnvelopedData') reader.expect(parts.shift(), UNIVERSAL.set, 'digest algorithms')
  const [contentType, algorithm, content] = reader.sequence(parts.shift(), 'the encrypted content')
  if (algorithm?.cut !== false) throw reader.fault('expected the algorithm of the content: more of the message is needed')
  const octets = content === undefined || content.cut ? content?.contents : reader.octets(content, 'the encrypted content')
  return {
    form: kind.form,
    type: kind.type,
    version,
    recipients,
    contentType: reader.oid(contentType, 'a content type'),
    contentAlgorithm: readAlgorithm(reader, algorithm),
    contentBytes: octets === undefined ? null : octets.length,
    whole: !outer.cut,
  }
}
