/**
 * Signature algorithms of certificates, CRLs and CMS as rows: the OID, what its parameters must be, which keys it goes with, and who does
 * the work. node:crypto verifies all but SM2, which it gets wrong (it signs and verifies with an empty signer ID); sm-crypto-v2 does that
 * one, with the digest Z of ID, curve and key in front of the message (GB/T 32918.2 §5.5).
 */
import { constants, createHash, type KeyObject, verify } from 'node:crypto'
import type { AlgorithmIdentifier, SubjectKey } from './certificate.ts'
import { contextOf, type DerReader, inside, integerOf, numberOf, oidOf, readDer, TAG } from './der.ts'
import { type ImportedKey, importKey, isAbsent, isNullOrAbsent, type KeyFamily } from './public-keys.ts'
import type { ReasonCode } from './reasons.ts'

export type SignatureResult = 'good' | 'bad' | { readonly unchecked: ReasonCode }
export type SignatureInput = {
  readonly algorithm: AlgorithmIdentifier
  readonly key: SubjectKey
  readonly message: Uint8Array
  readonly signature: Uint8Array
  /** signer ID of an SM2 signature, in ASCII */
  readonly sm2Id?: string
  /** whether an SM2 key that has earned a table of points may be given one now; if left out it may */
  readonly mayMakeTable?: boolean
}
export const SM2_SIGNER_ID = '1234567812345678'

export type SignatureRow = {
  readonly oid: string
  readonly name: string
  readonly keys: readonly KeyFamily[]
  /** name of the digest, where the algorithm has one */
  readonly digest?: string
  readonly clause: string
  readonly allowsParameters: (algorithm: AlgorithmIdentifier) => boolean
  readonly verify: (key: ImportedKey, message: Uint8Array, signature: Uint8Array, input: SignatureInput) => boolean
}

/** A bare key means PKCS #1 padding and DER signatures, and costs the platform a seventh less than one among options. */
const withObject =
  (
    check: (object: KeyObject, message: Uint8Array, signature: Uint8Array, input: SignatureInput) => boolean,
  ): SignatureRow['verify'] =>
  ({ object }, message, signature, input) =>
    object !== undefined && check(object, message, signature, input)

const rsa = (oid: string, digest: string): SignatureRow => ({
  oid: `1.2.840.113549.1.1.${oid}`,
  name: `rsa-${digest}`,
  keys: ['rsa'],
  digest,
  clause: 'RFC 4055 §5',
  allowsParameters: isNullOrAbsent,
  verify: withObject((key, message, signature) => verify(digest, message, key, signature)),
})
const ecdsa = (oid: string, digest: string): SignatureRow => ({
  oid: `1.2.840.10045.4.${oid}`,
  name: `ecdsa-${digest}`,
  keys: ['ec'],
  digest,
  clause: 'RFC 5758 §3.2',
  allowsParameters: isAbsent,
  verify: withObject((key, message, signature) => verify(digest, message, key, signature)),
})
const dsa = (oid: string, digest: string): SignatureRow => ({
  oid,
  name: `dsa-${digest}`,
  keys: ['dsa'],
  digest,
  clause: 'RFC 5758 §3.1',
  allowsParameters: isAbsent,
  verify: withObject((key, message, signature) => verify(digest, message, key, signature)),
})
const eddsa = (oid: string, name: 'ed25519' | 'ed448'): SignatureRow => ({
  oid,
  name,
  keys: [name],
  clause: 'RFC 8410 §3',
  allowsParameters: isAbsent,
  verify: withObject((key, message, signature) => verify(null, message, key, signature)),
})

/** RFC 4055 §3.1, with each DEFAULT left out. */
type PssParameters = { readonly digest: string; readonly saltLength: number }
const PSS_DIGESTS: { readonly [oid: string]: string } = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.4': 'sha224',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}
const MGF1 = '1.2.840.113549.1.1.8'

function digestOf(reader: DerReader): string | undefined {
  const inner = reader.open(TAG.SEQUENCE)
  const oid = oidOf(inner.read(TAG.OID))
  const parameters = inner.optional(TAG.NULL)
  inner.finish()
  return parameters !== undefined && parameters.to !== parameters.from ? undefined : PSS_DIGESTS[oid]
}

function maskDigestOf(reader: DerReader): string | undefined {
  const inner = reader.open(TAG.SEQUENCE)
  const mgf = oidOf(inner.read(TAG.OID))
  const digest = digestOf(inner)
  inner.finish()
  return mgf === MGF1 ? digest : undefined
}

/** Undefined of parameters that are not of their form, or that mix two digests. */
export function pssParametersOf({ parameters }: AlgorithmIdentifier): PssParameters | undefined {
  if (parameters === undefined) return undefined
  try {
    const reader = inside(readDer(parameters, TAG.SEQUENCE))
    const [hash, mask] = [reader.openOptional(contextOf(0)), reader.openOptional(contextOf(1))]
    const [salt, trailer] = [reader.openOptional(contextOf(2)), reader.openOptional(contextOf(3))]
    reader.finish()
    const digest = hash === undefined ? 'sha1' : digestOf(hash)
    const masked = mask === undefined ? 'sha1' : maskDigestOf(mask)
    const saltLength = salt === undefined ? 20 : numberOf(salt.read(TAG.INTEGER))
    for (const one of [hash, mask, salt]) one?.finish()
    // the trailer field has one value, which is the default: it may not be written
    return digest !== undefined && digest === masked && trailer === undefined && saltLength <= 512
      ? { digest, saltLength }
      : undefined
  } catch {
    return undefined
  }
}

const pss: SignatureRow = {
  oid: '1.2.840.113549.1.1.10',
  name: 'rsa-pss',
  keys: ['rsa', 'rsa-pss'],
  clause: 'RFC 4055 §3.1',
  allowsParameters: algorithm => pssParametersOf(algorithm) !== undefined,
  verify: withObject((key, message, signature, { algorithm }) => {
    const { digest, saltLength } = pssParametersOf(algorithm) ?? { digest: 'sha256', saltLength: 32 }
    return verify(digest, message, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }, signature)
  }),
}

/** n of the curve (GB/T 32918.5 §A.1); of 64 lower-case hexadecimal digits, text order is number order */
const SM2_ORDER = 'fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123'

/** r and s of a DER signature as 64 digits each, both within [1, n − 1] (GB/T 32918.2 §7.1, B1 and B2); undefined of any other. */
export function sm2Numbers(signature: Uint8Array): string | undefined {
  try {
    const reader = inside(readDer(signature, TAG.SEQUENCE))
    const numbers = [reader.read(TAG.INTEGER), reader.read(TAG.INTEGER)].map(node => {
      const { bytes, from, to } = integerOf(node)
      return (bytes[from] ?? 0x80) >= 0x80 ? '' : bytes.toString('hex', from, to).replace(/^00/, '').padStart(64, '0')
    })
    reader.finish()
    const sound = numbers.every(number => number.length === 64 && number < SM2_ORDER && /[^0]/.test(number))
    return sound ? numbers.join('') : undefined
  } catch {
    return undefined
  }
}

const sm2WithSm3: SignatureRow = {
  oid: '1.2.156.10197.1.501',
  name: 'sm2-sm3',
  keys: ['sm2'],
  digest: 'sm3',
  clause: 'GB/T 32918.2 §7.1',
  allowsParameters: isNullOrAbsent,
  verify(key, message, signature, { sm2Id = SM2_SIGNER_ID, mayMakeTable = true }) {
    const numbers = sm2Numbers(signature)
    if (numbers === undefined || key.sm2 === undefined) return false
    const digest = createHash('sm3').update(key.sm2.z(sm2Id)).update(message).digest()
    return key.sm2.verify(digest, numbers, mayMakeTable)
  },
}

export const SIGNATURE_ROWS: readonly SignatureRow[] = [
  rsa('4', 'md5'),
  rsa('5', 'sha1'),
  rsa('14', 'sha224'),
  rsa('11', 'sha256'),
  rsa('12', 'sha384'),
  rsa('13', 'sha512'),
  pss,
  ecdsa('1', 'sha1'),
  ecdsa('3.1', 'sha224'),
  ecdsa('3.2', 'sha256'),
  ecdsa('3.3', 'sha384'),
  ecdsa('3.4', 'sha512'),
  dsa('1.2.840.10040.4.3', 'sha1'),
  dsa('2.16.840.1.101.3.4.3.1', 'sha224'),
  dsa('2.16.840.1.101.3.4.3.2', 'sha256'),
  eddsa('1.3.101.112', 'ed25519'),
  eddsa('1.3.101.113', 'ed448'),
  sm2WithSm3,
]
const BY_OID: ReadonlyMap<string, SignatureRow> = new Map(SIGNATURE_ROWS.map(row => [row.oid, row]))
export const signatureRow = (oid: string): SignatureRow | undefined => BY_OID.get(oid)

/** The name that policies use: of RSA-PSS with its digest. */
export function signatureName(algorithm: AlgorithmIdentifier): string | undefined {
  const row = BY_OID.get(algorithm.oid)
  return row === pss ? `rsa-pss-${pssParametersOf(algorithm)?.digest ?? 'unknown'}` : row?.name
}

/** Whether the signature is the key's over the message; no verdict for an algorithm or a key that is not known here. Throws nothing. */
export function verifySignature(input: SignatureInput): SignatureResult {
  const row = BY_OID.get(input.algorithm.oid)
  if (row === undefined) return { unchecked: 'SIGNATURE_ALGORITHM_UNSUPPORTED' }
  if (!row.allowsParameters(input.algorithm)) return 'bad'
  const key = importKey(input.key)
  if ('reason' in key) return key.reason === 'KEY_MALFORMED' ? 'bad' : { unchecked: key.reason }
  if (!row.keys.includes(key.facts.family)) return 'bad'
  try {
    return row.verify(key, input.message, input.signature, input) ? 'good' : 'bad'
  } catch {
    // the platform's way to say that key and signature do not go together
    return 'bad'
  }
}
