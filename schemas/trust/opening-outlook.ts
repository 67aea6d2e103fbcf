/**
 * Says before a bid is handed in whether it will open: for each recipient whether the certificate is known, is one to encrypt to, and
 * will be in force at the opening. A certificate that was replaced in between does not lose its key: the bid opens with the device that
 * holds the old one, as long as somebody keeps it. Also finds the encryption certificate that belongs to a signing one.
 */
import type { Certificate } from './certificate.ts'
import { bad, type Check, type Decision, decide, type Finding, findingCheck, good, held, type Judge, unchecked } from './checks.ts'
import { isHolder, type KeyHolder } from './cms.ts'
import { contentEncryption, type EnvelopedData, keyEncryption, type Recipient } from './enveloped-data.ts'
import { allowsUse, type KeyUsageName } from './extensions.ts'
import { extractHolder, holderId } from './holder.ts'
import { isSameName } from './names.ts'
import { keyFactsOf } from './public-keys.ts'
import type { CaProfile } from './trust-list.ts'

const ENCRYPTS: readonly KeyUsageName[] = ['keyEncipherment', 'dataEncipherment', 'keyAgreement']
const SIGNS: readonly KeyUsageName[] = ['digitalSignature', 'nonRepudiation']

const allows = ({ extensions: { keyUsage } }: Certificate, uses: readonly KeyUsageName[]): boolean =>
  keyUsage === undefined || uses.some(use => allowsUse(keyUsage, use))

/** The pair rule of an authority: `separate`, a key signs or is encrypted to, never both. */
export type PairRule = CaProfile['pair']
export const isEncryptionCertificate = (certificate: Certificate, pair: PairRule): boolean =>
  allows(certificate, ENCRYPTS) && (pair === 'single' || !allows(certificate, SIGNS))

const isSameKey = (a: Certificate, b: Certificate): boolean => Buffer.compare(a.key.spki, b.key.spki) === 0

/**
 * Whether two certificates are of one holder at one authority: same subject, same issuer, and no two identities. Neighbouring serial
 * numbers say nothing: nobody promises that a pair is numbered together.
 */
function isSameHolder(one: Certificate, other: Certificate): boolean {
  if (!isSameName(one.subject, other.subject) || !isSameName(one.issuer, other.issuer)) return false
  const [a, b] = [one, other].map(certificate => identityOf(certificate))
  return a === null || b === null || a === b
}
/** With a key of no consequence: the two are compared here and forgotten. */
const COMPARISON = { key: Buffer.from('comparison within one question') }
function identityOf(certificate: Certificate): string | null {
  const holder = extractHolder(certificate, [], COMPARISON)
  return holder === null ? null : holderId(holder)
}

const newestFirst = (a: Certificate, b: Certificate): number => b.notBefore - a.notBefore || b.notAfter - a.notAfter

/** The encryption certificates of a signing certificate's holder in force at a time, the newest first. */
export function encryptionCertificatesFor(
  signing: Certificate,
  known: readonly Certificate[],
  at: number,
  pair: PairRule,
): readonly Certificate[] {
  return known
    .filter(one => isSameHolder(signing, one) && isEncryptionCertificate(one, pair) && one.notBefore <= at && at <= one.notAfter)
    .sort(newestFirst)
}

export type OutlookQuestion<F extends Finding = Finding> = {
  readonly message: EnvelopedData
  /** certificates of whoever is to open it, old ones too */
  readonly known: readonly Certificate[]
  /** ms since 1970 */
  readonly now: number
  readonly opensAt: number
  readonly judge: Judge<F>
  /** the pair rule of a certificate's authority; `separate` unless said otherwise */
  readonly pair?: (certificate: Certificate) => PairRule
}
export type RecipientOutlook<F extends Finding = Finding> = Decision & {
  readonly checks: readonly Check[]
  readonly holder: KeyHolder | null
  readonly certificate: Certificate | null
  readonly finding: F | null
  /** the certificate that stands in its place now */
  readonly replacedBy: Certificate | null
  readonly algorithm: string | null
}
export type OpeningOutlook<F extends Finding = Finding> = Decision & {
  readonly recipients: readonly RecipientOutlook<F>[]
  readonly contentAlgorithm: string | null
}

const PAIR_CLAUSE = 'GM/T 0015, RFC 5280 §4.2.1.3'

/** A newer certificate of the same holder, to encrypt to, with another key; and whether the same key goes on under a newer one. */
function successorOf(
  certificate: Certificate,
  { known, opensAt }: OutlookQuestion,
  pair: PairRule,
): { readonly newer: Certificate | null; readonly sameKey: boolean } {
  const newer = known
    .filter(one => one.notBefore > certificate.notBefore && one.notBefore <= opensAt && one.notAfter >= opensAt)
    .filter(one => isSameHolder(certificate, one) && isEncryptionCertificate(one, pair))
    .sort(newestFirst)
  const sameKey = newer.some(one => isSameKey(one, certificate))
  return { newer: sameKey ? null : (newer[0] ?? null), sameKey }
}

function keyCheck({ algorithm, encryptedKey }: Recipient, certificate: Certificate, message: EnvelopedData): Check[] {
  const row = algorithm === null ? undefined : keyEncryption(algorithm.oid)
  const facts = keyFactsOf(certificate.key)
  const content = contentEncryption(message.contentAlgorithm.oid)
  const known =
    row === undefined || content === undefined
      ? unchecked('algorithms', 'RFC 5652 §6.1', 'ENCRYPTION_ALGORITHM_UNKNOWN')
      : good('algorithms', 'RFC 5652 §6.1')
  const wrongLength = content !== undefined && encryptedKey.keyBytes !== null && encryptedKey.keyBytes !== content.keyBytes
  return [
    known,
    ...(row === undefined
      ? []
      : [held('key-kind', 'RFC 5652 §6.2', !('reason' in facts) && row.keys.includes(facts.family), 'RECIPIENT_KEY_DIFFERS')]),
    held('encrypted-key', 'GM/T 0009 §7.2', encryptedKey.form !== 'malformed' && !wrongLength, 'ENCRYPTED_KEY_MALFORMED'),
  ]
}

function outlookOf<F extends Finding>(question: OutlookQuestion<F>, recipient: Recipient): RecipientOutlook<F> {
  const { message, now, opensAt, judge } = question
  const { holder } = recipient
  const certificate = holder === null ? undefined : question.known.find(one => isHolder(holder, one))
  const algorithm = recipient.algorithm === null ? null : (keyEncryption(recipient.algorithm.oid)?.name ?? recipient.algorithm.oid)
  if (certificate === undefined) {
    const checks = [unchecked('recipient', 'RFC 5652 §6.2', 'RECIPIENT_UNKNOWN')]
    return { ...decide(checks), checks, holder, certificate: null, finding: null, replacedBy: null, algorithm }
  }
  const pair = question.pair?.(certificate) ?? 'separate'
  const finding = judge({ leaf: certificate, at: now, purpose: 'encrypt', intermediates: question.known, crls: [] })
  const { newer, sameKey } = successorOf(certificate, question, pair)
  // A replaced certificate is often revoked as superseded; its key opens what was encrypted to it all the same.
  const replaced = newer !== null && (finding.result === 'good' || finding.reason === 'REVOKED' || finding.reason === 'EXPIRED')
  const inForce = sameKey || certificate.notAfter >= opensAt
  const checks: Check[] = [
    good('recipient', 'RFC 5652 §6.2'),
    held('pair', PAIR_CLAUSE, isEncryptionCertificate(certificate, pair), 'RECIPIENT_NOT_ENCRYPTION'),
    ...keyCheck(recipient, certificate, message),
    ...(replaced
      ? [unchecked('replacement', 'GM/T 0015', 'RECIPIENT_KEY_REPLACED')]
      : [
          findingCheck('certificate-path', 'RFC 5280 §6', finding),
          inForce ? good('validity', 'RFC 5280 §4.1.2.5') : bad('validity', 'RFC 5280 §4.1.2.5', 'RECIPIENT_EXPIRES'),
        ]),
  ]
  return { ...decide(checks), checks, holder, certificate, finding, replacedBy: newer, algorithm }
}

const RANK = { good: 0, unchecked: 1, bad: 2 } as const

/** The best outlook of the recipients that are known, since one who can open it is enough; of others nothing can be told. */
export function outlookOfMessage<F extends Finding>(question: OutlookQuestion<F>): OpeningOutlook<F> {
  const { message } = question
  const recipients = message.recipients.map(recipient => outlookOf(question, recipient))
  const known = recipients.filter(({ certificate }) => certificate !== null)
  const [best] = [...(known.length === 0 ? recipients : known)].sort((a, b) => RANK[a.result] - RANK[b.result])
  const { result, reason, check } = best ?? decide([bad('recipients', 'RFC 5652 §6.1', 'RECIPIENT_MISSING')])
  return { result, reason, check, recipients, contentAlgorithm: contentEncryption(message.contentAlgorithm.oid)?.name ?? null }
}
