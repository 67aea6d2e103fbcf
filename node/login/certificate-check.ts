/** The node's verification of certificates, asked in the words of the login: good for that purpose at that moment, and who the holder is. */
import { regionAt } from '../../schemas/codes/regions.ts'
import { chineseDay } from '../../schemas/membership/territory.ts'
import { holderId } from '../../schemas/trust/holder.ts'
import type { PurposeName } from '../../schemas/trust/purposes.ts'
import { REASONS } from '../../schemas/trust/reasons.ts'
import type { CertificateVerdict } from '../../schemas/trust/verification.ts'
import type { Certificates } from '../trust/certificates.ts'
import type { GoodCertificate, HolderCheck, RefusedCertificate } from './holder.ts'

const HOLDER_UNKNOWN = {
  code: 'HOLDER_UNKNOWN',
  en: 'The certificate does not tell who holds it, where its authority says it would.',
  zh: '证书中没有其颁发机构所述的持有人标识。',
}

/**
 * Where somebody is registered: a credit code names the region of whoever registered it in its third to eighth character (GB 32100 §3.2);
 * for others, and for codes of the state's own registers, the authority's region stands.
 */
export function regionOfHolder(uscc: string | null, ofAuthority: string, at: Date): string | null {
  const candidates = [uscc?.slice(2, 8), ofAuthority].filter(
    code => code !== undefined && /^[0-9]{6}$/.test(code) && !/^[01]0/.test(code),
  )
  return candidates.find(code => code !== undefined && regionAt(code, chineseDay(at)) !== null) ?? null
}

/** as the record of a use has it */
const NAME_MAX = 128

export function judged({ result, reason, holder, ca, at }: CertificateVerdict): GoodCertificate | RefusedCertificate {
  if (result !== 'good') {
    const { en, zh } = REASONS[reason]
    return { result, reason: { code: reason, en, zh } }
  }
  const id = holder === null ? null : holderId(holder)
  if (holder === null || id === null || ca === null) return { result: 'bad', reason: HOLDER_UNKNOWN }
  const { kind, uscc, name } = holder
  return {
    result,
    holder: { kind, id, uscc, name },
    ca: { name: ca.entity.zh.slice(0, NAME_MAX) },
    region: regionOfHolder(uscc, ca.region, new Date(at)),
  }
}

export const createHolderCheck =
  (certificates: Pick<Certificates, 'verify'>, purpose: PurposeName): HolderCheck =>
  async ({ der, chain }, at) =>
    judged(certificates.verify({ der, intermediates: chain, at: at.getTime(), purpose }).verdict)
