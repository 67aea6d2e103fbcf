/** Trust lists for tests: members of the sample federation as operators, with authorities made by `sample-der.ts`. */
import type { TrustListClaims } from '../generated/trust-list.ts'
import { FED, keyNamed, SampleFederation } from '../membership/sample-federation.ts'
import { membershipOf } from '../membership/state.ts'
import type { Membership } from '../membership.ts'
import { draftEntity, draftPointer, type EntityDraft } from './list-draft.ts'
import { LIST_TYPES, NATIONAL_LIST, sealTrustList } from './trust-list.ts'

export const YUNNAN = '530000'
export const GUIZHOU = '520000'
export const NATIONAL = '000000'
export const ISSUED = Date.UTC(2026, 5, 1)
export const UNTIL = Date.UTC(2026, 6, 1)
const iso = (at: number): string => new Date(at).toISOString()

/** Two provinces, and where asked for a national member that operates the list of lists. */
export async function trustFederation({ national = false } = {}): Promise<Membership> {
  const federation = await SampleFederation.found()
  for (const code of [YUNNAN, GUIZHOU]) await federation.admit(code, { writes: ['trust'] })
  if (national) await federation.admit(NATIONAL, { kind: 'national', writes: ['trust'], territory: [] })
  return membershipOf(federation.state)
}

export type ListSample = {
  readonly operator?: string
  readonly entities?: readonly EntityDraft[]
  readonly names?: readonly string[]
  readonly sequence?: number
  readonly issuedAt?: number
  readonly nextUpdate?: number
}

export function claimsOf({
  operator = YUNNAN,
  entities = [],
  names,
  sequence = 1,
  issuedAt = ISSUED,
  nextUpdate = UNTIL,
}: ListSample): TrustListClaims {
  const national = operator === NATIONAL
  return {
    fed: FED,
    iss: operator,
    lst: national ? NATIONAL_LIST : operator,
    mem: 4,
    iat: Math.floor(issuedAt / 1000),
    LoTE: {
      ListAndSchemeInformation: {
        LoTEVersionIdentifier: 1,
        LoTESequenceNumber: sequence,
        LoTEType: LIST_TYPES[national ? 'list-of-lists' : 'list'],
        SchemeOperatorName: [{ lang: 'zh', value: '某省' }],
        SchemeTerritory: national ? NATIONAL_LIST : operator,
        ListIssueDateTime: iso(issuedAt),
        NextUpdate: iso(nextUpdate),
        ...(names === undefined ? {} : { PointersToOtherLoTE: names.map(code => draftPointer(code, { zh: code, en: code })) }),
      },
      TrustedEntitiesList: entities.map(draftEntity),
    },
  }
}

export const signerOf = async (code: string) => (await keyNamed(`${code} first`)).signer
export const sealList = async (sample: ListSample): Promise<string> =>
  sealTrustList(claimsOf(sample), await signerOf(sample.operator ?? YUNNAN))
