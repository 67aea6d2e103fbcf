/** What is asked of path validation, and what it answers. */
import type { AlgorithmPolicy } from './algorithm-policy.ts'
import type { Certificate } from './certificate.ts'
import type { Crl } from './crl.ts'
import type { WorkLimits } from './limits.ts'
import type { PeerName } from './path-checks.ts'
import type { Step } from './path-steps.ts'
import type { PolicyQuestion } from './policies.ts'
import type { ProfileName } from './profiles.ts'
import type { Proven } from './proven.ts'
import type { Purpose } from './purposes.ts'
import type { ReasonCode, Result } from './reasons.ts'
import type { RevocationFinding } from './revocation.ts'

export type PathQuestion = {
  readonly leaf: Certificate
  readonly intermediates: readonly Certificate[]
  readonly anchors: readonly Certificate[]
  readonly crls: readonly Crl[]
  /** milliseconds since 1970; judged to the second, as certificates are written */
  readonly at: number
  readonly purpose?: Purpose
  /** each of them must be presented */
  readonly names?: readonly PeerName[]
  /** §6.1.1 (c), (e), (f), (g); any policy if left out */
  readonly policies?: PolicyQuestion
  /** certificates between leaf and anchor, those that a CA issued to itself not counted */
  readonly maxPathLength?: number
  /** `required`: what no list covers is unchecked; `when-known`: only what is revoked is refused */
  readonly revocation: 'required' | 'when-known' | 'ignored'
  readonly algorithms?: AlgorithmPolicy
  /** how strictly the issuing is judged; `validation` if left out */
  readonly profile?: ProfileName
  /** signer ID of an issuer's SM2 signatures; 1234567812345678 if left out */
  readonly sm2Id?: (issuer: Certificate) => string
  readonly limits?: Partial<WorkLimits>
  /** what earlier questions have shown to hold */
  readonly proven?: Proven
}

export type PathVerdict = {
  readonly result: Result
  readonly reason: ReasonCode
  readonly detail: string
  /** leaf first, anchor last; of a verdict that is not good, as far as the best path came */
  readonly chain: readonly Certificate[]
  readonly steps: readonly Step[]
  /** the policies that hold for the whole path and were asked for (§6.1.6) */
  readonly policies: readonly string[]
  readonly revocation: readonly RevocationFinding[]
  readonly work: { readonly signatures: number; readonly visited: number; readonly bytes: number }
}
