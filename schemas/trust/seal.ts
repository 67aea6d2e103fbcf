/**
 * Verifies electronic seals and the signatures made with them. Checks are made in the order of the standards (GB/T 38540-2020 §6.1.3 and
 * §6.2.3; GM/T 0031-2014 likewise) and all of them are shown; the first that fails decides. No seal is ever made here.
 *
 * A signature is judged as of the time that its signer wrote into it, which is a claim: `timeProven` says whether a good timestamp
 * stands for it. The maker's certificate may have run out since it made the seal; what it signed before that counts, what was signed under a
 * revoked certificate does not.
 */
import { isExchangeError } from '../errors.ts'
import { type Certificate, parseCertificate } from './certificate.ts'
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
  type Outcome,
  type Sm2Id,
  signatureCheck,
  unchecked,
} from './checks.ts'
import type { Content } from './cms-verification.ts'
import { DIGESTS, type DigestRow, digestBy, digestNamed } from './digests.ts'
import { sealOf2020, sealSignatureOf2020 } from './gbt-38540.ts'
import { sealOf2014, sealSignatureOf2014 } from './gmt-0031.ts'
import type { PurposeName } from './purposes.ts'
import { elementsOf, readSeal, SEAL_EDITIONS, type Seal, type SealInfo, type SealSignature, type Signed } from './seal-parts.ts'
import { signatureRow } from './signature-algorithms.ts'
import { judgeTimestamp, type TimestampReport } from './timestamp-token.ts'

/** A seal of either standard: two elements, or four. @throws SEAL_MALFORMED */
export const parseSeal = (bytes: Uint8Array): Seal =>
  readSeal(bytes, node => (elementsOf(node).length === 2 ? sealOf2014(node) : sealOf2020(node)))

/** A signature with a seal, of either standard: two elements, or four and perhaps a timestamp. @throws SEAL_MALFORMED */
export const parseSealSignature = (bytes: Uint8Array): SealSignature =>
  readSeal(bytes, node => (elementsOf(node).length === 2 ? sealSignatureOf2014(node) : sealSignatureOf2020(node)))

type Question<F extends Finding> = {
  /** ms since 1970 */
  readonly at: number
  readonly judge: Judge<F>
  /** certificates that may stand above those of the seal */
  readonly intermediates?: readonly Certificate[]
  readonly sm2Id?: Sm2Id
}
export type SealQuestion<F extends Finding = Finding> = Question<F> & { readonly seal: Seal }
export type SealSignatureQuestion<F extends Finding = Finding> = Question<F> & {
  readonly signature: SealSignature
  /** the document, or its digest */
  readonly document?: Content
}

export type SealVerdict<F extends Finding = Finding> = Decision & {
  readonly checks: readonly Check[]
  readonly maker: Certificate | null
  readonly makerFinding: F | null
}
export type SealSignatureVerdict<F extends Finding = Finding> = SealVerdict<F> & {
  readonly signer: Certificate | null
  readonly signerFinding: F | null
  /** as of which it was judged, ms since 1970 */
  readonly sealedAt: number
  readonly timeProven: boolean
  readonly timestamp: TimestampReport | null
}

const CLAUSE = {
  structure: 'GB/T 38540 §6.1.3 a), GM/T 0031 §6.1.3',
  seal: 'GB/T 38540 §6.1.3 b), GM/T 0031 §6.1.3',
  maker: 'GB/T 38540 §6.1.3 c), GM/T 0031 §6.1.3',
  validity: 'GB/T 38540 §6.1.3 d), GM/T 0031 §6.1.3',
  time: 'GB/T 38540 §6.2.3, GM/T 0031 §6.2.3',
  holder: 'GB/T 38540 §6.2.3, GM/T 0031 §6.2.3',
  signer: 'GB/T 38540 §6.2.3, GM/T 0031 §6.2.3',
  signature: 'GB/T 38540 §6.2.3, GM/T 0031 §6.2.3',
  document: 'GB/T 38540 §6.2.3, GM/T 0031 §6.2.3',
} as const

function certificateOf(der: Uint8Array): Certificate | null {
  try {
    return parseCertificate(der)
  } catch (error) {
    if (isExchangeError(error)) return null
    throw error
  }
}

/** Signature and certificate of a maker or a signer; `judge` is asked only where the certificate can be read. */
function checkSigned<F extends Finding>(
  what: {
    readonly signature: string
    readonly certificate: string
    readonly purpose: PurposeName
    readonly wrong: 'SEAL_SIGNATURE_BAD' | 'DOCUMENT_SIGNATURE_BAD'
  },
  clauses: readonly [signature: string, certificate: string],
  { algorithm, signature, message }: Signed,
  certificate: Certificate | null,
  question: Question<F>,
  at: number,
): { readonly checks: readonly Check[]; readonly finding: F | null } {
  const [signatureClause, certificateClause] = clauses
  if (certificate === null)
    return { checks: [bad(what.certificate, certificateClause, 'SEAL_CERTIFICATE_MALFORMED')], finding: null }
  const signed = { algorithm: { oid: algorithm }, signer: certificate, message, signature }
  const finding = question.judge({
    leaf: certificate,
    at,
    purpose: what.purpose,
    intermediates: question.intermediates ?? [],
    crls: [],
  })
  return {
    checks: [
      signatureCheck(what.signature, signatureClause, signed, question.sm2Id, what.wrong),
      findingCheck(what.certificate, certificateClause, finding),
    ],
    finding,
  }
}

const isVersionKnown = ({ edition, version }: Seal): boolean =>
  SEAL_EDITIONS.some(row => row.edition === edition && row.versions.some(known => known === version))

function structureChecks(seal: Seal, more: readonly SealInfo['extensions'][number][] = []): Check[] {
  const critical = [...seal.extensions, ...more].some(one => one.critical)
  return [
    isVersionKnown(seal) ? good('version', CLAUSE.structure) : unchecked('version', CLAUSE.structure, 'SEAL_VERSION_UNKNOWN'),
    held('extensions', CLAUSE.structure, !critical, 'SEAL_EXTENSION_UNKNOWN'),
  ]
}

function sealChecks<F extends Finding>(
  seal: Seal,
  question: Question<F>,
  at: number,
): SealVerdict<F> & { readonly checks: readonly Check[] } {
  const maker = certificateOf(seal.maker.certificate)
  const what = {
    signature: 'seal-signature',
    certificate: 'maker-certificate',
    purpose: 'seal',
    wrong: 'SEAL_SIGNATURE_BAD',
  } as const
  const clauses = [CLAUSE.seal, CLAUSE.maker] as const
  let { checks, finding } = checkSigned(what, clauses, seal.maker, maker, question, at)
  if (finding?.reason === 'EXPIRED' && seal.createdAt < at)
    ({ checks, finding } = checkSigned(what, clauses, seal.maker, maker, question, seal.createdAt))
  const validity = at < seal.validFrom ? 'SEAL_NOT_YET_VALID' : 'SEAL_EXPIRED'
  const every = [...checks, held('validity', CLAUSE.validity, seal.validFrom <= at && at <= seal.validUntil, validity)]
  return { ...decide(every), checks: every, maker, makerFinding: finding }
}

export function verifySeal<F extends Finding>(question: SealQuestion<F>): SealVerdict<F> {
  const { seal, at } = question
  const rest = sealChecks(seal, question, at)
  const checks = [good('structure', CLAUSE.structure), ...structureChecks(seal), ...rest.checks]
  return { ...rest, ...decide(checks), checks }
}

/** The digest that goes with an algorithm: SM3 with SM2, else the one it names. */
const digestFor = (algorithm: string): DigestRow | undefined => {
  const hash = signatureRow(algorithm)?.digest
  return DIGESTS.find(row => row.hash === hash)
}

/** Whether the seal names the certificate: by its bytes, or by a digest of the algorithm that is named or else goes with the signature. */
function namesHolder({ holders }: Seal, { certificate, algorithm }: Signed): boolean {
  if (holders.kind === 'certificates') return holders.certificates.some(one => Buffer.compare(one, certificate) === 0)
  return holders.digests.some(({ type, value }) => {
    const row = digestNamed(type) ?? digestFor(algorithm)
    return row !== undefined && row.weak !== true && digestBy(row, certificate).equals(value)
  })
}

function documentCheck({ signature, document }: SealSignatureQuestion): Check {
  const row = digestFor(signature.signer.algorithm)
  if (document === undefined) return unchecked('document', CLAUSE.document, 'DOCUMENT_MISSING')
  if (row === undefined) return unchecked('document', CLAUSE.document, 'DIGEST_ALGORITHM_UNKNOWN')
  const digest = 'bytes' in document ? digestBy(row, document.bytes) : document.digest.value
  const sameAlgorithm = 'bytes' in document || digestNamed(document.digest.algorithm)?.name === row.name
  return held(
    'document',
    CLAUSE.document,
    sameAlgorithm && Buffer.compare(digest, signature.digest) === 0,
    'DOCUMENT_DIGEST_DIFFERS',
  )
}

function timestampOf<F extends Finding>({ signature, judge, sm2Id }: SealSignatureQuestion<F>): TimestampReport | null {
  const { time, timestamp, digest, signer } = signature
  if (timestamp !== null) return judgeTimestamp(timestamp, [signer.signature], judge, sm2Id)
  return time.kind === 'token' ? judgeTimestamp(time.token, [digest], judge, sm2Id) : null
}

/** When the seal was used, as far as that can be read. */
function timeCheck(
  signature: SealSignature,
  at: number,
  timestamp: TimestampReport | null,
): { readonly check: Check; readonly sealedAt: number } {
  const claimed =
    signature.time.kind === 'time' ? signature.time.at : signature.time.kind === 'token' ? (timestamp?.time ?? null) : null
  if (claimed === null) return { check: unchecked('time', CLAUSE.time, 'SEAL_TIME_UNREADABLE'), sealedAt: at }
  return { check: held('time', CLAUSE.time, claimed <= at, 'SEAL_TIME_LATER'), sealedAt: Math.min(claimed, at) }
}

const isGood = (report: { readonly result: Outcome } | null): boolean => report?.result === 'good'

export function verifySealSignature<F extends Finding>(question: SealSignatureQuestion<F>): SealSignatureVerdict<F> {
  const { signature, at } = question
  const { seal, signer: signed } = signature
  const timestamp = timestampOf(question)
  const { check: time, sealedAt } = timeCheck(signature, at, timestamp)
  const made = sealChecks(seal, question, sealedAt)
  const signer = certificateOf(signed.certificate)
  const user = checkSigned(
    { signature: 'signature', certificate: 'signer-certificate', purpose: 'sign', wrong: 'DOCUMENT_SIGNATURE_BAD' },
    [CLAUSE.signature, CLAUSE.signer],
    signed,
    signer,
    question,
    sealedAt,
  )
  const checks = [
    good('structure', CLAUSE.structure),
    ...structureChecks(seal, signature.extensions),
    held('versions', CLAUSE.structure, signature.version === seal.version, 'SEAL_VERSIONS_DIFFER'),
    ...made.checks,
    time,
    held('holder', CLAUSE.holder, namesHolder(seal, signed), 'SEAL_HOLDER_DIFFERS'),
    ...user.checks.toReversed(),
    documentCheck(question),
  ]
  return {
    ...decide(checks),
    checks,
    maker: made.maker,
    makerFinding: made.makerFinding,
    signer,
    signerFinding: user.finding,
    sealedAt,
    timeProven: isGood(timestamp),
    timestamp,
  }
}
