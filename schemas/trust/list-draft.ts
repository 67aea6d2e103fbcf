/** Rows of a trust list in plain words, as the form of ETSI TS 119 602 has them: from a folder of certificates, or from an admission. */

import type { Certificate } from './certificate.ts'
import { COMMON_NAME, type Name } from './names.ts'
import {
  LIST_TYPES,
  locationOf,
  type ServiceStatus,
  type ServiceType,
  SUPPLY_TYPES,
  type Text,
  uriOfService,
  uriOfStatus,
  type WireEntity,
  type WirePointer,
  type WireProfile,
  type WireService,
  wireText,
} from './trust-list.ts'

export type ServiceDraft = {
  readonly type?: ServiceType
  readonly name: Text
  /** DER */
  readonly certificates: readonly Uint8Array[]
  readonly status?: ServiceStatus
  readonly since: Date
  readonly why?: Text
  readonly crl?: readonly string[]
  readonly ocsp?: readonly string[]
  readonly profile?: WireProfile
}
export type EntityDraft = {
  readonly name: Text
  readonly region: string
  readonly code?: string
  readonly services: readonly ServiceDraft[]
}

export function draftService(draft: ServiceDraft): WireService {
  const points = [
    ...(draft.crl ?? []).map(uriValue => ({ ServiceType: SUPPLY_TYPES.crl, uriValue })),
    ...(draft.ocsp ?? []).map(uriValue => ({ ServiceType: SUPPLY_TYPES.ocsp, uriValue })),
  ]
  const extensions = [
    ...(draft.profile === undefined ? [] : [{ HutongCaProfile: draft.profile }]),
    ...(draft.why === undefined ? [] : [{ HutongStatusReason: wireText(draft.why) }]),
  ]
  return {
    ServiceInformation: {
      ServiceTypeIdentifier: uriOfService(draft.type ?? 'ca'),
      ServiceName: wireText(draft.name),
      ServiceDigitalIdentity: {
        X509Certificates: draft.certificates.map(der => ({ val: Buffer.from(der).toString('base64') })),
      },
      ServiceStatus: uriOfStatus(draft.status ?? 'granted'),
      StatusStartingTime: draft.since.toISOString(),
      ...(points.length === 0 ? {} : { ServiceSupplyPoints: points }),
      ...(extensions.length === 0 ? {} : { ServiceInformationExtensions: extensions }),
    },
  }
}

export const draftEntity = ({ name, region, code, services }: EntityDraft): WireEntity => ({
  TrustedEntityInformation: {
    TEName: wireText(name),
    ...(code === undefined ? {} : { TETradeName: wireText({ zh: code, en: code }) }),
    TEInformationExtensions: [{ HutongRegion: region }],
  },
  TrustedEntityServices: services.map(draftService),
})

/** What the list of lists says of one list. */
export const draftPointer = (operator: string, name: Text): WirePointer => ({
  LoTELocation: locationOf({ operator, list: operator }),
  LoTEQualifiers: [{ LoTEType: LIST_TYPES.list, SchemeOperatorName: wireText(name), SchemeTerritory: operator }],
})

const ORGANISATION_NAME = '2.5.4.10'
const textAt = ({ rdns }: Name, type: string): string | undefined => rdns.flat().find(one => one.type === type)?.text

/** Rows for certificates of authorities: one authority for each organisation named in them. Addresses of revocation lists are theirs. */
export function draftFromCertificates(certificates: readonly Certificate[], region: string, since: Date): WireEntity[] {
  const byOrganisation = Map.groupBy(
    certificates,
    ({ subject }) => textAt(subject, ORGANISATION_NAME) ?? textAt(subject, COMMON_NAME) ?? '',
  )
  return [...byOrganisation].map(([organisation, own]) =>
    draftEntity({
      name: same(organisation),
      region,
      services: own.map(certificate => ({
        name: same(textAt(certificate.subject, COMMON_NAME) ?? organisation),
        certificates: [certificate.der],
        since,
        ...(certificate.signature.algorithm.oid === SM2_WITH_SM3
          ? { profile: { Format: 'GM/T 0015-2012', Pair: 'separate' } as const }
          : {}),
      })),
    }),
  )
}
const SM2_WITH_SM3 = '1.2.156.10197.1.501'
const same = (text: string): Text => {
  const cut = text.slice(0, 200) || '?'
  return { zh: cut, en: cut }
}
