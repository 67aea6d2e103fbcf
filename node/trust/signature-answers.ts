/** Verdicts on signatures, seals and encrypted bids as they are answered: JSON, with the certificate's own verdict beside each signer. */

import { isExchangeError } from '../../schemas/errors.ts'
import { parseCertificate } from '../../schemas/trust/certificate.ts'
import type { Check, Decision, Finding } from '../../schemas/trust/checks.ts'
import type { SignedDataVerdict, SignerVerdict } from '../../schemas/trust/cms-verification.ts'
import { extractHolder } from '../../schemas/trust/holder.ts'
import type { OpeningOutlook } from '../../schemas/trust/opening-outlook.ts'
import type { RawSignatureVerdict } from '../../schemas/trust/raw-signature.ts'
import { REASONS } from '../../schemas/trust/reasons.ts'
import type { SealSignatureVerdict, SealVerdict } from '../../schemas/trust/seal.ts'
import type { Seal, SealSignature } from '../../schemas/trust/seal-parts.ts'
import { signatureName } from '../../schemas/trust/signature-algorithms.ts'
import { subjectShown } from '../../schemas/trust/verification.ts'
import type { VerdictAnswer } from './certificates.ts'

export type AnswerFinding = Finding & { readonly answer: VerdictAnswer }

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

const decisionOf = ({ result, reason, check }: Decision) => {
  const { en, zh, clause } = REASONS[reason]
  return { result, reason, said: { en, zh }, clause, check }
}
const checksOf = (checks: readonly Check[]) =>
  checks.map(({ check, clause, result, reason }) => ({ check, clause, result, reason }))
const certificateOf = (finding: AnswerFinding | null): VerdictAnswer | null => finding?.answer ?? null

const signerOf = (signer: SignerVerdict<AnswerFinding>) => ({
  ...decisionOf(signer),
  checks: checksOf(signer.checks),
  certificate: certificateOf(signer.finding),
  /** a claim of the signer */
  signing_time: iso(signer.signingTime),
  digest: signer.digest,
  algorithm: signatureName({ oid: signer.algorithm }) ?? signer.algorithm,
  unsigned_attributes: signer.unsignedAttributes,
})

export const messageAnswer = (verdict: SignedDataVerdict<AnswerFinding>) => ({
  kind: 'cms',
  ...decisionOf(verdict),
  detached: verdict.detached,
  content_type: verdict.contentType,
  signers: verdict.signers.map(signerOf),
})

export const rawAnswer = (verdict: RawSignatureVerdict<AnswerFinding>) => ({
  kind: 'raw',
  ...decisionOf(verdict),
  detached: true,
  content_type: null,
  signers: [
    {
      ...decisionOf(verdict),
      checks: checksOf(verdict.checks),
      certificate: certificateOf(verdict.finding),
      signing_time: null,
      digest: null,
      algorithm: verdict.algorithm,
      unsigned_attributes: [],
    },
  ],
})

/** Whether a seal is a person's, whose name no answer gives. */
function isPersonal(seal: Seal, signer: AnswerFinding | null): boolean {
  if (signer?.answer.holder?.kind === 'person') return true
  if (seal.holders.kind !== 'certificates') return false
  return seal.holders.certificates.some(der => {
    try {
      return extractHolder(parseCertificate(der), [])?.kind === 'person'
    } catch (error) {
      if (isExchangeError(error)) return true
      throw error
    }
  })
}

const sealOf = (seal: Seal, signer: AnswerFinding | null) => ({
  edition: seal.edition,
  version: seal.version,
  id: seal.id,
  vendor: seal.vendor,
  type: seal.type,
  name: isPersonal(seal, signer) ? null : seal.name,
  created_at: iso(seal.createdAt),
  valid_from: iso(seal.validFrom),
  valid_until: iso(seal.validUntil),
  holders: {
    kind: seal.holders.kind,
    count: seal.holders.kind === 'certificates' ? seal.holders.certificates.length : seal.holders.digests.length,
  },
  picture: { type: seal.picture.type, bytes: seal.picture.data.length, width: seal.picture.width, height: seal.picture.height },
  extensions: seal.extensions.map(({ oid, critical }) => ({ oid, critical })),
})

export const sealAnswer = (seal: Seal, verdict: SealVerdict<AnswerFinding>) => ({
  kind: 'seal',
  ...decisionOf(verdict),
  checks: checksOf(verdict.checks),
  seal: sealOf(seal, null),
  maker: certificateOf(verdict.makerFinding),
})

export const sealSignatureAnswer = (signature: SealSignature, verdict: SealSignatureVerdict<AnswerFinding>) => ({
  ...sealAnswer(signature.seal, verdict),
  kind: 'seal-signature',
  seal: sealOf(signature.seal, verdict.signerFinding),
  signer: certificateOf(verdict.signerFinding),
  /** as its signer wrote it down; `time_proven`: a good timestamp stands for it */
  sealed_at: iso(verdict.sealedAt),
  time_proven: verdict.timeProven,
  timestamp: verdict.timestamp === null ? null : { ...decisionOf(verdict.timestamp), time: iso(verdict.timestamp.time) },
  document_digest: Buffer.from(signature.digest).toString('hex'),
  property: signature.property,
})

export const outlookAnswer = (verdict: OpeningOutlook<AnswerFinding>) => ({
  ...decisionOf(verdict),
  content_algorithm: verdict.contentAlgorithm,
  recipients: verdict.recipients.map(recipient => ({
    ...decisionOf(recipient),
    checks: checksOf(recipient.checks),
    serial: recipient.holder?.kind === 'issuer-serial' ? recipient.holder.serial : null,
    key_id: recipient.holder?.kind === 'key-id' ? recipient.holder.keyId : null,
    key_algorithm: recipient.algorithm,
    certificate: certificateOf(recipient.finding),
    replaced_by:
      recipient.replacedBy === null
        ? null
        : {
            fingerprint: recipient.replacedBy.fingerprint,
            serial: recipient.replacedBy.serial,
            subject: subjectShown(recipient.replacedBy, recipient.finding?.answer.holder ?? null),
            not_before: iso(recipient.replacedBy.notBefore),
          },
  })),
})
