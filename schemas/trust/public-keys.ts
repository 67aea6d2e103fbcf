/**
 * Public keys of certificates (RFC 5280 §4.1.2.7), as rows of key types: which parameters an OID must carry, and what the key is made of.
 * Keys that verify are imported once and kept: few keys sign many certificates. What an import or a check may cost is bounded before it is
 * made, since a stranger chooses the key: sizes here, the sum of the units of all checks in `limits.ts`.
 */
import { createPublicKey, hash, type KeyObject } from 'node:crypto'
import { BoundedCache } from './bounded-cache.ts'
import type { AlgorithmIdentifier, SubjectKey } from './certificate.ts'
import { bufferOf, type DerReader, inside, integerOf, oidOf, readDer, TAG } from './der.ts'
import { KEY_LIMITS } from './limits.ts'
import type { ReasonCode } from './reasons.ts'
import { importSm2, SM2_UNITS, type Sm2Key } from './sm2-keys.ts'

export type KeyFamily = 'rsa' | 'rsa-pss' | 'dsa' | 'ec' | 'sm2' | 'ed25519' | 'ed448'
export type KeyFacts = {
  readonly family: KeyFamily
  readonly bits: number
  readonly curve?: string
  readonly parametersMissing?: boolean
  /** what one check with it costs; 1 is a check of ECDSA P-256 */
  readonly units: number
}
export type ImportedKey = {
  readonly facts: KeyFacts
  readonly object?: KeyObject
  readonly sm2?: Sm2Key
}

export const CURVES: { readonly [oid: string]: { readonly name: string; readonly bits: number; readonly units: number } } = {
  '1.2.840.10045.3.1.7': { name: 'P-256', bits: 256, units: 1 },
  '1.3.132.0.34': { name: 'P-384', bits: 384, units: 8 },
  '1.3.132.0.35': { name: 'P-521', bits: 521, units: 18 },
  '1.3.132.0.33': { name: 'P-224', bits: 224, units: 4 },
  '1.2.840.10045.3.1.1': { name: 'P-192', bits: 192, units: 3 },
}
const SM2_CURVE = '1.2.156.10197.1.301'

type Unusable = { readonly reason: ReasonCode }

export const isNull = ({ parameters }: AlgorithmIdentifier): boolean =>
  parameters !== undefined && bufferOf(parameters).equals(NULL)
const NULL = Buffer.from([TAG.NULL, 0])
export const isAbsent = ({ parameters }: AlgorithmIdentifier): boolean => parameters === undefined

export const isNullOrAbsent = (algorithm: AlgorithmIdentifier): boolean => isAbsent(algorithm) || isNull(algorithm)

/** SHA-256 of the key's octets in hexadecimal, by which keys are told apart. */
export const keyDigest = (key: SubjectKey): string => digests.get(key) ?? hash('sha256', key.spki, 'hex')
/** of keys that verify */
const digests = new WeakMap<SubjectKey, string>()

/** Bits of a positive INTEGER. */
function sizeOf(reader: DerReader): number {
  const node = integerOf(reader.read(TAG.INTEGER))
  const hex = node.bytes.toString('hex', node.from, node.to).replace(/^0+/, '')
  if ((node.bytes[node.from] ?? 0x80) >= 0x80 || hex === '') throw new RangeError('expected a positive number')
  return (hex.length - 1) * 4 + Number.parseInt(hex.charAt(0), 16).toString(2).length
}

function rsaFacts(family: 'rsa' | 'rsa-pss', key: SubjectKey): KeyFacts | Unusable {
  const reader = inside(readDer(key.bits, TAG.SEQUENCE))
  const bits = sizeOf(reader)
  const exponent = sizeOf(reader)
  // with an exponent of 1 anybody signs
  if (exponent < 2 || ((reader.bytes[reader.at - 1] ?? 0) & 1) === 0) throw new RangeError('expected an odd exponent above 1')
  reader.finish()
  if (bits > KEY_LIMITS.rsaBits || exponent > KEY_LIMITS.rsaExponentBits) return { reason: 'KEY_UNSUPPORTED' }
  return { family, bits, units: Math.ceil((bits / 4096) ** 2 * Math.max(1, exponent / 17)) }
}

type KeyRow = (key: SubjectKey) => KeyFacts | Unusable | undefined
const fixed =
  (family: 'ed25519' | 'ed448', octets: number, units: number): KeyRow =>
  key =>
    isAbsent(key.algorithm) && key.bits.length === octets ? { family, bits: octets * 8, units } : undefined

/** Rows give nothing for a key that is not of its form. */
const ROWS: { readonly [oid: string]: KeyRow } = {
  // RFC 3279 §2.3.1: parameters MUST be NULL
  '1.2.840.113549.1.1.1': key => (isNull(key.algorithm) ? rsaFacts('rsa', key) : undefined),
  // RFC 4055 §1.2: parameters, if present, restrict the key; the platform's import keeps to them
  '1.2.840.113549.1.1.10': key => rsaFacts('rsa-pss', key),
  // RFC 3279 §2.3.2: absent parameters are inherited
  '1.2.840.10040.4.1': key => {
    if (key.algorithm.parameters === undefined) return { family: 'dsa', bits: 0, units: 0, parametersMissing: true }
    const reader = inside(readDer(key.algorithm.parameters, TAG.SEQUENCE))
    const [bits, order] = [sizeOf(reader), sizeOf(reader)]
    if (bits > KEY_LIMITS.dsaBits || order > KEY_LIMITS.dsaOrderBits) return { reason: 'KEY_UNSUPPORTED' }
    return { family: 'dsa', bits, units: Math.ceil((bits / 1024) ** 2) }
  },
  // RFC 5480 §2.1.1: a named curve and nothing else
  '1.2.840.10045.2.1': key => {
    const { parameters } = key.algorithm
    const curve = parameters === undefined || parameters[0] !== TAG.OID ? undefined : oidOf(readDer(parameters))
    if (curve === undefined) return undefined
    if (curve === SM2_CURVE) return { family: 'sm2', bits: 256, curve: 'SM2', units: SM2_UNITS.plain }
    const { name, bits, units } = CURVES[curve] ?? { name: curve, bits: 0, units: 0 }
    return { family: 'ec', bits, curve: name, units }
  },
  // RFC 8410 §3
  '1.3.101.112': fixed('ed25519', 32, 2),
  '1.3.101.113': fixed('ed448', 57, 3),
}

/** By the key's octets, and for as long as its certificate is held by the certificate itself. */
const imported = new BoundedCache<ImportedKey | Unusable>(KEY_LIMITS.imported)
const importedOf = new WeakMap<SubjectKey, ImportedKey | Unusable>()

/** What the key is, without the work of importing it; a reason where that cannot be told. */
export function keyFactsOf(key: SubjectKey): KeyFacts | Unusable {
  const known = importedOf.get(key)
  if (known !== undefined && 'facts' in known) return known.facts
  const row = ROWS[key.algorithm.oid]
  if (row === undefined) return { reason: 'KEY_UNSUPPORTED' }
  try {
    return row(key) ?? { reason: 'KEY_MALFORMED' }
  } catch {
    return { reason: 'KEY_MALFORMED' }
  }
}

/** A DSA key whose parameters are inherited from its issuer's key (RFC 3279 §2.3.2); any other as it is. */
export function inheritParameters(key: SubjectKey, issuer: SubjectKey): SubjectKey {
  const { parameters } = issuer.algorithm
  if (key.algorithm.oid !== '1.2.840.10040.4.1' || key.algorithm.parameters !== undefined) return key
  if (issuer.algorithm.oid !== key.algorithm.oid || parameters === undefined) return key
  const [, bits] = elementsOf(key.spki)
  const [algorithm] = elementsOf(issuer.spki)
  if (bits === undefined || algorithm === undefined) return key
  return { spki: sequence([algorithm, bits]), algorithm: { oid: key.algorithm.oid, parameters }, bits: key.bits }
}

function elementsOf(der: Uint8Array): Buffer[] {
  const reader = inside(readDer(der, TAG.SEQUENCE))
  const found: Buffer[] = []
  while (!reader.done) {
    const { bytes, at, to } = reader.any()
    found.push(bytes.subarray(at, to))
  }
  return found
}
function sequence(parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const length = content.length < 0x80 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff]
  return Buffer.concat([Buffer.from([TAG.SEQUENCE, ...length]), content])
}

function importFresh(key: SubjectKey): ImportedKey | Unusable {
  if (key.spki.length > KEY_LIMITS.bytes) return { reason: 'KEY_UNSUPPORTED' }
  const facts = keyFactsOf(key)
  if ('reason' in facts) return facts
  if (facts.units === 0) return { reason: 'KEY_UNSUPPORTED' }
  try {
    if (facts.family !== 'sm2') return { facts, object: createPublicKey({ key: bufferOf(key.spki), format: 'der', type: 'spki' }) }
    const sm2 = importSm2(key.bits)
    return sm2 === undefined ? { reason: 'KEY_MALFORMED' } : { facts, sm2 }
  } catch {
    return { reason: 'KEY_MALFORMED' }
  }
}

/** The key ready to verify, from the cache where it was used before. */
export function importKey(key: SubjectKey): ImportedKey | Unusable {
  const held = importedOf.get(key)
  if (held !== undefined) return held
  const id = keyDigest(key)
  digests.set(key, id)
  const known = imported.get(id) ?? importFresh(key)
  imported.set(id, known)
  importedOf.set(key, known)
  return known
}

/** What the next check with a key costs, in units of `limits.ts`; nothing of a key that cannot check. */
export function checkUnits(key: SubjectKey): number {
  const known = importKey(key)
  return 'reason' in known ? 0 : (known.sm2?.units() ?? known.facts.units)
}

export function isTableDue(key: SubjectKey): boolean {
  const known = importKey(key)
  return 'sm2' in known && known.sm2.isTableDue()
}
