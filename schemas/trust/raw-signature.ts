/**
 * A bare signature with the certificate beside it, as trading systems keep it: over bytes or over a digest, ECDSA and SM2 in DER or as
 * r ‖ s. What the caller says is checked, nothing is guessed but the usual algorithm of the key.
 */
import type { AlgorithmIdentifier, Certificate } from './certificate.ts'
import {
  bad,
  type Check,
  type Decision,
  decide,
  type Finding,
  findingCheck,
  good,
  type Judge,
  type Sm2Id,
  signatureCheck,
  unchecked,
} from './checks.ts'
import type { Content } from './cms-verification.ts'
import { inside, integerOf, oidOf, readDer, TAG } from './der.ts'
import { verifyCurveDigest, verifyRsaDigest } from './digest-signatures.ts'
import { type DigestRow, digestNamed } from './digests.ts'
import { type KeyFamily, keyFactsOf } from './public-keys.ts'
import type { PurposeName } from './purposes.ts'
import { SIGNATURE_ROWS, signatureRow } from './signature-algorithms.ts'

export type RawSignatureQuestion<F extends Finding = Finding> = {
  readonly certificate: Certificate
  readonly intermediates?: readonly Certificate[]
  readonly content: Content
  readonly signature: Uint8Array
  /** name or OID of a row of `signature-algorithms.ts`; without it the usual one of the key */
  readonly algorithm?: string
  /** of two numbers: a DER SEQUENCE, or r and s behind each other in equal halves */
  readonly form?: 'der' | 'raw'
  /** ms since 1970 */
  readonly at: number
  readonly judge: Judge<F>
  readonly purpose?: PurposeName
  readonly sm2Id?: Sm2Id
}
export type RawSignatureVerdict<F extends Finding = Finding> = Decision & {
  readonly checks: readonly Check[]
  readonly algorithm: string | null
  readonly finding: F
}

const USUAL: { readonly [family in KeyFamily]?: string } = {
  rsa: 'rsa-sha256',
  ec: 'ecdsa-sha256',
  sm2: 'sm2-sm3',
  ed25519: 'ed25519',
}

/** RSASSA-PSS-params (RFC 4055 §3.1) with MGF1 of the same digest and a salt of its length: last arc of the digest's OID, that length. */
const PSS = '1.2.840.113549.1.1.10'
const PSS_NAMES: { readonly [name: string]: readonly [arc: number, salt: number] } = {
  'rsa-pss-sha256': [1, 32],
  'rsa-pss-sha384': [2, 48],
  'rsa-pss-sha512': [3, 64],
}
const pssParameters = (arc: number, salt: number): Buffer => {
  const digest = `300d06096086480165030402${Buffer.of(arc).toString('hex')}0500`
  return Buffer.from(`3034a00f${digest}a11c301a06092a864886f70d010108${digest}a2030201${Buffer.of(salt).toString('hex')}`, 'hex')
}

function algorithmFor({ algorithm, certificate }: RawSignatureQuestion): AlgorithmIdentifier | null {
  const facts = keyFactsOf(certificate.key)
  const name = algorithm ?? ('reason' in facts ? undefined : USUAL[facts.family])
  const pss = PSS_NAMES[name ?? '']
  if (pss !== undefined) return { oid: PSS, parameters: pssParameters(...pss) }
  const row = SIGNATURE_ROWS.find(one => one.name === name || one.oid === name)
  return row === undefined ? null : { oid: row.oid }
}

const shortInteger = (octets: Uint8Array): Buffer => {
  let at = 0
  while (at < octets.length - 1 && octets[at] === 0) at += 1
  const rest = octets.subarray(at)
  const padded = (rest[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.of(0), rest]) : Buffer.from(rest)
  return Buffer.concat([Buffer.of(TAG.INTEGER, padded.length), padded])
}

/** r ‖ s as the SEQUENCE that certificates have; null if it has no two equal halves. */
function sequenceOf(raw: Uint8Array): Buffer | null {
  const half = raw.length / 2
  if (!Number.isInteger(half) || half < 20 || half > 66) return null
  const numbers = Buffer.concat([shortInteger(raw.subarray(0, half)), shortInteger(raw.subarray(half))])
  const length = numbers.length < 0x80 ? [numbers.length] : [0x81, numbers.length]
  return Buffer.concat([Buffer.of(TAG.SEQUENCE, ...length), numbers])
}

function numbersOf(sequence: Uint8Array): { readonly r: Uint8Array; readonly s: Uint8Array } | null {
  try {
    const reader = inside(readDer(sequence, TAG.SEQUENCE))
    const [r, s] = [reader.read(TAG.INTEGER), reader.read(TAG.INTEGER)].map(node => {
      const { bytes, from, to } = integerOf(node)
      return bytes.subarray(from, to)
    })
    reader.finish()
    const negative = [r, s].some(number => (number?.[0] ?? 0x80) > 0x7f)
    return r === undefined || s === undefined || negative ? null : { r, s }
  } catch {
    return null
  }
}

const CURVE_FAMILIES: readonly string[] = ['ec', 'sm2']
const CHECK = 'signature'
const clauseOf = (oid: string): string => signatureRow(oid)?.clause ?? 'RFC 5652 §5.6'

/** The same over a digest that the caller computed; of SM2 it is e, over signer's identity, key and message (GB/T 32918.2 §6.1). */
function digestCheck(
  { certificate: { key }, signature }: RawSignatureQuestion,
  { oid }: AlgorithmIdentifier,
  row: DigestRow | undefined,
  digest: Uint8Array,
): Check {
  const signed = signatureRow(oid)
  const clause = clauseOf(oid)
  if (row === undefined) return unchecked(CHECK, clause, 'DIGEST_ALGORITHM_UNKNOWN')
  if (row.weak === true) return bad(CHECK, clause, 'DIGEST_ALGORITHM_WEAK')
  if (signed?.digest === undefined) return unchecked(CHECK, clause, 'SIGNATURE_ALGORITHM_UNSUPPORTED')
  if (signed.digest !== row.hash || digest.length !== row.bytes) return bad(CHECK, clause, 'SIGNATURE_ALGORITHMS_DISAGREE')
  const facts = keyFactsOf(key)
  if ('reason' in facts) return unchecked(CHECK, clause, facts.reason)
  if (!signed.keys.includes(facts.family)) return bad(CHECK, clause, 'DOCUMENT_SIGNATURE_BAD')
  const numbers = numbersOf(signature)
  const { parameters } = key.algorithm
  const holds =
    facts.family === 'rsa'
      ? verifyRsaDigest(key.spki, row, digest, signature)
      : numbers === null || parameters === undefined
        ? false
        : verifyCurveDigest(oidOf(readDer(parameters)), key.bits, digest, numbers)
  if (holds === null) return unchecked(CHECK, clause, 'SIGNATURE_ALGORITHM_UNSUPPORTED')
  return holds ? good(CHECK, clause) : bad(CHECK, clause, 'DOCUMENT_SIGNATURE_BAD')
}

function checkOf(question: RawSignatureQuestion): Check {
  const { certificate: signer, content, form = 'der' } = question
  const algorithm = algorithmFor(question)
  if (algorithm === null) return unchecked(CHECK, 'RFC 5652 §10.1.2', 'SIGNATURE_ALGORITHM_UNSUPPORTED')
  const pairs = signatureRow(algorithm.oid)?.keys.some(family => CURVE_FAMILIES.includes(family)) === true
  const signature = pairs && form === 'raw' ? sequenceOf(question.signature) : question.signature
  if (signature === null) return bad(CHECK, clauseOf(algorithm.oid), 'DOCUMENT_SIGNATURE_BAD')
  if ('digest' in content) {
    const { algorithm: name, value } = content.digest
    return digestCheck({ ...question, signature }, algorithm, digestNamed(name), value)
  }
  return signatureCheck(CHECK, clauseOf(algorithm.oid), { algorithm, signer, message: content.bytes, signature }, question.sm2Id)
}

export function verifyRawSignature<F extends Finding>(question: RawSignatureQuestion<F>): RawSignatureVerdict<F> {
  const { certificate: leaf, at, purpose = 'sign', intermediates = [] } = question
  const finding = question.judge({ leaf, at, purpose, intermediates, crls: [] })
  const checks = [checkOf(question), findingCheck('certificate-path', 'RFC 5280 §6', finding)]
  const algorithm = algorithmFor(question)
  return { ...decide(checks), checks, algorithm: algorithm === null ? null : (signatureRow(algorithm.oid)?.name ?? null), finding }
}
