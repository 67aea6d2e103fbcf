/** One certificate that is brought in, judged: the flat row that is kept of it. The same in the program and in its workers. */
import { isExchangeError } from '../../schemas/errors.ts'
import { type Certificate, parseCertificate } from '../../schemas/trust/certificate.ts'
import { parseCrl } from '../../schemas/trust/crl.ts'
import { holderId } from '../../schemas/trust/holder.ts'
import { createProven } from '../../schemas/trust/path-validation.ts'
import type { ReasonCode } from '../../schemas/trust/reasons.ts'
import { parseTrustList } from '../../schemas/trust/trust-list.ts'
import { createTrustMaterial } from '../../schemas/trust/trust-material.ts'
import {
  type HeldMaterial,
  keyUseOf,
  nameText,
  type PurposeName,
  subjectShown,
  verifyCertificate,
} from '../../schemas/trust/verification.ts'

/** Everything that verdicts rest on, as bytes and text: what can be handed to another thread. */
export type MaterialBytes = {
  readonly lists: readonly { readonly token: string; readonly withdrawnAt: number | null }[]
  readonly nationalNeeded: boolean
  readonly crls: readonly Uint8Array[]
  readonly authorities: readonly Uint8Array[]
  /** trusted for this work alone */
  readonly anchors: readonly Uint8Array[]
  /** with which holders that are persons are named */
  readonly pseudonymKey: Uint8Array
}
export type Material = HeldMaterial & { readonly anchors: readonly Certificate[] }

export const readMaterial = ({ lists, nationalNeeded, crls, authorities, anchors, pseudonymKey }: MaterialBytes): Material => ({
  trust: createTrustMaterial(
    lists.map(({ token, withdrawnAt }) => ({ list: parseTrustList(token), withdrawnAt })),
    nationalNeeded,
  ),
  crls: crls.map(parseCrl),
  authorities: authorities.map(parseCertificate),
  anchors: anchors.map(parseCertificate),
  pseudonymKey: { key: pseudonymKey },
  proven: createProven(),
})

export type JudgedCertificate = {
  readonly fingerprint: string
  readonly kind: 'ca' | 'end'
  /** null of a person */
  readonly subject: string | null
  readonly issuer: string
  readonly serial: string
  readonly notBefore: number
  readonly notAfter: number
  readonly keyUse: 'sign' | 'encrypt' | 'both' | 'none'
  readonly holderKind: string | null
  readonly holder: string | null
  readonly ca: string | null
  readonly region: string | null
  readonly result: 'good' | 'bad' | 'unchecked'
  readonly reason: ReasonCode
}
export type Judgement =
  | { readonly ok: true; readonly certificate: JudgedCertificate }
  | { readonly ok: false; readonly code: string; readonly reason: string }

/** An authority is judged as one; anything else by what its key is for. */
export function purposeOf(certificate: Certificate): PurposeName {
  if (certificate.extensions.basicConstraints?.ca === true) return 'ca'
  return keyUseOf(certificate) === 'encrypt' ? 'encrypt' : 'sign'
}

/** Never throws for what the bytes hold. */
export function judgeBytes(der: Uint8Array, material: Material, at: number): Judgement {
  try {
    const leaf = parseCertificate(der)
    const purpose = purposeOf(leaf)
    const ca = purpose === 'ca'
    const verdict = verifyCertificate(
      {
        leaf,
        intermediates: [],
        at,
        purpose,
        // Under an anchor of one's own choosing stand authorities alone: nobody's holder becomes good by it.
        ...(ca ? { anchors: material.anchors, revocation: 'when-known' as const } : {}),
      },
      material,
    )
    const anchor = verdict.path.result === 'good' ? (verdict.path.chain.at(-1)?.fingerprint ?? null) : null
    return {
      ok: true,
      certificate: {
        fingerprint: leaf.fingerprint,
        kind: ca ? 'ca' : 'end',
        subject: subjectShown(leaf, verdict.holder),
        issuer: nameText(leaf.issuer),
        serial: leaf.serial,
        notBefore: leaf.notBefore,
        notAfter: leaf.notAfter,
        keyUse: keyUseOf(leaf),
        holderKind: verdict.holder?.kind ?? null,
        holder: verdict.holder === null ? null : holderId(verdict.holder),
        ca: verdict.ca?.fingerprint ?? anchor,
        region: verdict.ca?.region ?? null,
        result: verdict.result,
        reason: verdict.reason,
      },
    }
  } catch (error) {
    if (!isExchangeError(error)) throw error
    return { ok: false, code: error.code, reason: error.reason }
  }
}
