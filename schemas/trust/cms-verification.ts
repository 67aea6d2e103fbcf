/**
 * Judges a signed message (RFC 5652 §5.4–5.6, RFC 2315 §9.4, GB/T 35275 §8): for every signer whether the signature is that of a
 * certificate over this content, and whether that certificate was good for signing at a given time. A time that the signer wrote down is
 * reported and decides nothing. A message is good only if every one of its signers is.
 */
import type { BerElement } from './ber.ts'
import type { AlgorithmIdentifier, Certificate } from './certificate.ts'
import {
  bad,
  type Check,
  type Decision,
  decide,
  type Finding,
  findingCheck,
  good,
  held,
  type Judge,
  type Sm2Id,
  signatureCheck,
  unchecked,
} from './checks.ts'
import { contentTypeOf, isHolder, type KeyHolder, newReader, type SignedData, type SignerInfo } from './cms.ts'
import { readDer, timeOf } from './der.ts'
import { type DigestRow, digestBy, digestRow, signatureWithDigest } from './digests.ts'
import { SIGNATURE_LIMITS } from './limits.ts'
import type { PurposeName } from './purposes.ts'

/** RFC 5652 §11, PKCS #9. */
const ATTRIBUTE = {
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
} as const
const ED25519 = '1.3.101.112'

/** What was signed, where the message does not carry it: its bytes, or their digest. */
export type Content =
  | { readonly bytes: Uint8Array }
  | { readonly digest: { readonly algorithm: string; readonly value: Uint8Array } }

export type SignedDataQuestion<F extends Finding = Finding> = {
  readonly message: SignedData
  /** for a detached signature; beside carried content it must be the same */
  readonly content?: Content
  /** ms since 1970 */
  readonly at: number
  readonly judge: Judge<F>
  /** certificates that may be the signer's or stand above it, beside those of the message */
  readonly known?: readonly Certificate[]
  /** what the signer's certificate must be good for; to sign, unless said otherwise */
  readonly purpose?: PurposeName
  readonly sm2Id?: Sm2Id
}

export type SignerVerdict<F extends Finding = Finding> = Decision & {
  readonly checks: readonly Check[]
  readonly holder: KeyHolder
  readonly certificate: Certificate | null
  /** what the judge says of the certificate */
  readonly finding: F | null
  /** as the signer wrote it down, ms since 1970: a claim */
  readonly signingTime: number | null
  readonly digest: { readonly algorithm: string; readonly value: string } | null
  /** OID of the signature algorithm that was checked */
  readonly algorithm: string
  readonly unsignedAttributes: readonly string[]
}
export type SignedDataVerdict<F extends Finding = Finding> = Decision & {
  readonly detached: boolean
  readonly contentType: string
  readonly signers: readonly SignerVerdict<F>[]
}

type Digested = { readonly value: Uint8Array } | { readonly missing: true } | { readonly differs: true }

export function verifySignedData<F extends Finding>(question: SignedDataQuestion<F>): SignedDataVerdict<F> {
  const { message } = question
  const signers = message.signers.map(signer => verifySigner(question, signer))
  const all = signers.map(
    ({ result, reason, check }): Check => ({ check: check ?? 'signer', clause: 'RFC 5652 §5.6', result, reason }),
  )
  const decision = decide(signers.length === 0 ? [bad('signers', 'RFC 5652 §5.1', 'SIGNER_MISSING')] : all)
  return { ...decision, detached: message.content === null, contentType: message.contentType, signers }
}

function verifySigner<F extends Finding>(question: SignedDataQuestion<F>, signer: SignerInfo): SignerVerdict<F> {
  const { message, at } = question
  const row = digestRow(signer.digestAlgorithm.oid)
  const digested = row === undefined ? null : digestContent(question, row)
  const { checks, signed, signingTime } = checkContent(message, signer, row, digested, contentBytes(question))
  const algorithm = effectiveAlgorithm(signer, row)
  const { signature } = signer
  const verdicts = findCertificates(question, signer).map(certificate => ({
    certificate,
    made:
      signed === null || algorithm === null
        ? []
        : [
            signatureCheck(
              'signature',
              'RFC 5652 §5.6',
              { algorithm, signer: certificate, message: signed, signature },
              question.sm2Id,
            ),
          ],
  }))
  // Two certificates may claim one issuer and serial number, or one key identifier: the one whose key signed is meant.
  const meant = verdicts.find(({ made }) => made[0]?.result === 'good') ?? verdicts[0]
  const intermediates = [...message.certificates, ...(question.known ?? [])]
  const finding =
    meant === undefined
      ? null
      : question.judge({ leaf: meant.certificate, at, purpose: question.purpose ?? 'sign', intermediates, crls: message.crls })
  const every: Check[] = [
    ...checks,
    ...(row !== undefined && algorithm === null ? [bad('algorithms', 'RFC 8933 §3', 'SIGNATURE_ALGORITHMS_DISAGREE')] : []),
    ...(meant === undefined
      ? [unchecked('certificate', 'RFC 5652 §5.3', 'SIGNER_CERTIFICATE_UNKNOWN')]
      : [good('certificate', 'RFC 5652 §5.3'), ...meant.made]),
    ...(finding === null ? [] : [findingCheck('certificate-path', 'RFC 5280 §6', finding)]),
  ]
  return {
    ...decide(every),
    checks: every,
    holder: signer.holder,
    certificate: meant?.certificate ?? null,
    finding,
    signingTime,
    digest:
      row === undefined || digested === null || !('value' in digested)
        ? null
        : { algorithm: row.name, value: Buffer.from(digested.value).toString('hex') },
    algorithm: (algorithm ?? signer.signatureAlgorithm).oid,
    unsignedAttributes: signer.unsignedAttributes,
  }
}

function findCertificates({ message, known = [] }: SignedDataQuestion, { holder }: SignerInfo): Certificate[] {
  const found = new Map<string, Certificate>()
  for (const certificate of [...message.certificates, ...known]) {
    if (found.size === SIGNATURE_LIMITS.candidates) break
    if (isHolder(holder, certificate)) found.set(certificate.fingerprint, certificate)
  }
  return [...found.values()]
}

const contentBytes = ({ message, content }: SignedDataQuestion): Uint8Array | null =>
  message.content ?? (content !== undefined && 'bytes' in content ? content.bytes : null)

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

/** The digest of the content, from wherever it is; both where it is in two places. */
function digestContent({ message, content }: SignedDataQuestion, row: DigestRow): Digested {
  const given =
    content === undefined
      ? null
      : 'bytes' in content
        ? digestBy(row, content.bytes)
        : digestRow(content.digest.algorithm)?.name === row.name
          ? content.digest.value
          : null
  if (message.content === null) return given === null ? { missing: true } : { value: given }
  const value = digestBy(row, message.content)
  return given !== null && !isSame(given, value) ? { differs: true } : { value }
}

/** RFC 8933 §3: signature and content use one digest; Ed25519 has SHA-512 for the content (RFC 8419 §3.1). */
function effectiveAlgorithm(
  { signatureAlgorithm, signedAttributes }: SignerInfo,
  row: DigestRow | undefined,
): AlgorithmIdentifier | null {
  if (row === undefined) return signatureAlgorithm
  if (signatureAlgorithm.oid === ED25519 && signedAttributes !== null && row.hash !== 'sha512') return null
  return signatureWithDigest(signatureAlgorithm, row)
}

type ContentChecks = { readonly checks: readonly Check[]; readonly signed: Uint8Array | null; readonly signingTime: number | null }

/** Digest and attributes, and the bytes that the signature covers; null where they are not here. */
function checkContent(
  { contentType, content }: SignedData,
  { signedAttributes }: SignerInfo,
  row: DigestRow | undefined,
  digested: Digested | null,
  bytes: Uint8Array | null,
): ContentChecks {
  if (row === undefined || digested === null)
    return { checks: [unchecked('digest', 'RFC 5652 §10.1.1', 'DIGEST_ALGORITHM_UNKNOWN')], signed: null, signingTime: null }
  const checks: Check[] = [held('digest', 'RFC 5652 §10.1.1', row.weak !== true, 'DIGEST_ALGORITHM_WEAK')]
  if (content !== null) checks.push(held('content', 'RFC 5652 §5.2', !('differs' in digested), 'CONTENT_DIFFERS'))
  if (signedAttributes === null) {
    const plain = contentTypeOf(contentType)?.type === 'data'
    checks.push(held('content-type', 'RFC 5652 §5.3', plain, 'SIGNED_ATTRIBUTES_MISSING'))
    if (bytes !== null) checks.push(held('content', 'RFC 5652 §5.4', !looksLikeAttributes(bytes), 'CONTENT_AMBIGUOUS'))
    if (bytes === null) checks.push(unchecked('content', 'RFC 5652 §5.4', 'CONTENT_MISSING'))
    return { checks, signed: bytes, signingTime: null }
  }
  const single = (oid: string): BerElement | null | undefined => {
    const lists = signedAttributes.values.get(oid)
    if (lists === undefined) return undefined
    return lists.length === 1 && lists[0]?.length === 1 ? (lists[0][0] ?? null) : null
  }
  const type = single(ATTRIBUTE.contentType)
  const digest = single(ATTRIBUTE.messageDigest)
  const time = single(ATTRIBUTE.signingTime)
  const malformed = type == null || digest == null || time === null
  checks.push(held('attributes', 'RFC 5652 §5.3, §11', !malformed, 'SIGNED_ATTRIBUTE_INVALID'))
  const says = attributeValues(type, digest, time)
  if (says === null)
    return { checks: [...checks, bad('attributes', 'RFC 5652 §11', 'SIGNED_ATTRIBUTE_INVALID')], signed: null, signingTime: null }
  checks.push(held('content-type', 'RFC 5652 §11.1', says.type === contentType, 'CONTENT_TYPE_DIFFERS'))
  if ('missing' in digested) checks.push(unchecked('message-digest', 'RFC 5652 §5.4', 'CONTENT_MISSING'))
  else if ('value' in digested && says.digest !== null)
    checks.push(held('message-digest', 'RFC 5652 §11.2', isSame(says.digest, digested.value), 'MESSAGE_DIGEST_DIFFERS'))
  return { checks, signed: signedAttributes.der, signingTime: says.time }
}

/** A signature over attributes, handed on as one over content: the same bytes would be signed. */
function looksLikeAttributes(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0x31) return false
  const reader = newReader()
  try {
    return reader
      .children(reader.read(bytes))
      .some(one => reader.oid(reader.sequence(one, 'an attribute')[0], 'a type') === ATTRIBUTE.messageDigest)
  } catch {
    return false
  }
}

type Attributes = { readonly type: string | null; readonly digest: Uint8Array | null; readonly time: number | null }

/** Null if a value is not of its type. */
function attributeValues(
  type: BerElement | null | undefined,
  digest: BerElement | null | undefined,
  time: BerElement | null | undefined,
): Attributes | null {
  const reader = newReader()
  try {
    return {
      type: type == null ? null : reader.oid(type, 'a content type'),
      digest: digest == null ? null : reader.octets(digest, 'a message digest'),
      time: time == null ? null : timeOf(readDer(time.whole)),
    }
  } catch {
    return null
  }
}
