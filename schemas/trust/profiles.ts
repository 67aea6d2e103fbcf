/**
 * How strictly a certificate's issuing is judged. RFC 5280 writes two sets of rules: §6 for those who validate, §4 and §5 for those who
 * issue. Real CAs, the national root among them, deviate from the second; what deviates from the first is refused in every profile.
 */
import { REASONS, type ReasonCode } from './reasons.ts'

const faults = (Object.keys(REASONS) as ReasonCode[]).filter(code => REASONS[code].profile === true)

export const PROFILES = {
  /** §6: what the path validation algorithm asks, and nothing else */
  validation: new Set<ReasonCode>(),
  /** §6, and every MUST of §4 and §5 for whoever issues */
  issuance: new Set<ReasonCode>(faults),
} as const satisfies { readonly [name: string]: ReadonlySet<ReasonCode> }

export type ProfileName = keyof typeof PROFILES
