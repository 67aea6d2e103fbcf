/**
 * Lists of trusted certification authorities in the data model of ETSI TS 119 602 (JSON binding): a compact JWS in the shape of JAdES
 * B-B whose claims hold the list under `LoTE`. A member has no X.509 certificate of its own, so the header names its key as every
 * other token does (`kid`, the thumbprint of RFC 7638), and the membership log says whose it is. `parseTrustList` turns a token into a
 * value in which nothing contradicts itself; whether it is signed by whoever may, and what its age means, is in `trust-list-checks.ts`.
 *
 * What the standard leaves to a scheme is here as rows of words: types of service, statuses, supply points. Below the country
 * `SchemeTerritory` is a region code of GB/T 2260, where the standard knows countries alone.
 */
import { type Digest, digestOf } from '../digest.ts'
import { ExchangeError } from '../errors.ts'
import type { TrustListClaims } from '../generated/trust-list.ts'
import { parseToken, type Signer } from '../tokens.ts'
import { checkClaims } from '../validators.ts'
import { type Certificate, parseCertificate } from './certificate.ts'

type LoTE = TrustListClaims['LoTE']
export type WireEntity = LoTE['TrustedEntitiesList'][number]
export type WireService = WireEntity['TrustedEntityServices'][number]
type WireExtensions = WireService['ServiceInformation']['ServiceInformationExtensions']
export type WirePointer = NonNullable<LoTE['ListAndSchemeInformation']['PointersToOtherLoTE']>[number]
export type WireProfile = NonNullable<NonNullable<WireExtensions>[number]['HutongCaProfile']>
type WireText = readonly { readonly lang: string; readonly value: string }[]

/** The version of the form that is spoken here. */
export const LOTE_VERSION = 1
/** Identifier and territory of the list of lists. */
export const NATIONAL_LIST = 'CN'

export const SERVICE_TYPES = [
  { type: 'ca', uri: 'http://uri.etsi.org/TrstSvc/Svctype/CA/PKC', zh: '电子认证', en: 'certification authority' },
  { type: 'root', uri: 'urn:hutong:trust:service:root', zh: '根认证', en: 'root of certification authorities' },
  { type: 'timestamp', uri: 'http://uri.etsi.org/TrstSvc/Svctype/TSA', zh: '时间戳', en: 'time stamps' },
  { type: 'seal-maker', uri: 'urn:hutong:trust:service:seal-maker', zh: '电子印章制作', en: 'maker of electronic seals' },
] as const
export type ServiceType = (typeof SERVICE_TYPES)[number]['type']

export const STATUSES = [
  { status: 'granted', uri: 'http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/granted', zh: '认可', en: 'granted' },
  { status: 'suspended', uri: 'urn:hutong:trust:status:suspended', zh: '暂停', en: 'suspended' },
  { status: 'withdrawn', uri: 'http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/withdrawn', zh: '撤销', en: 'withdrawn' },
] as const
export type ServiceStatus = (typeof STATUSES)[number]['status']

export const LIST_TYPES = { list: 'urn:hutong:trust:list', 'list-of-lists': 'urn:hutong:trust:list-of-lists' } as const
export const SUPPLY_TYPES = { crl: 'urn:hutong:trust:supply:crl', ocsp: 'urn:hutong:trust:supply:ocsp' } as const

export type Text = { readonly zh: string; readonly en: string }
/** One status and the time from which it holds, in ms since 1970; it ends where the next begins. */
export type StatusSpan = { readonly status: ServiceStatus; readonly from: number; readonly why: Text | null }

/** Where a holder's identity stands in the certificates of an authority; the first that is found counts. */
export type HolderRule = {
  readonly oid: string
  readonly kind: 'uscc' | 'organisation-code' | 'business-licence' | 'identity-number' | 'auto'
  readonly where: 'extension' | 'subject' | 'either'
}
export type CaProfile = {
  /** OIDs of signature algorithms; null for every accepted one */
  readonly algorithms: readonly string[] | null
  /** GB/T 35276 §10 */
  readonly signerId: string
  readonly format: NonNullable<WireProfile['Format']>
  /** empty: the rules of the format */
  readonly holder: readonly HolderRule[]
  readonly pair: 'separate' | 'single'
  readonly revocation: 'crl' | 'none'
}
export const DEFAULT_PROFILE: CaProfile = {
  algorithms: null,
  signerId: '1234567812345678',
  format: 'RFC5280',
  holder: [],
  pair: 'single',
  revocation: 'crl',
}

export type TrustService = {
  readonly type: ServiceType
  readonly name: Text
  readonly certificates: readonly Certificate[]
  /** the latest first, never empty */
  readonly statuses: readonly StatusSpan[]
  readonly crl: readonly string[]
  readonly ocsp: readonly string[]
  readonly profile: CaProfile
}
export type TrustEntity = {
  readonly name: Text
  /** its trade name or code */
  readonly code: string | null
  /** a region code, or `CN` */
  readonly region: string
  readonly services: readonly TrustService[]
}
export type ListPointer = { readonly operator: string; readonly list: string; readonly territory: string }
export type TrustList = {
  readonly id: string
  readonly fed: string
  /** member's code */
  readonly operator: string
  readonly kid: string
  readonly mem: number
  readonly version: number
  readonly sequence: number
  readonly territory: string
  readonly name: Text
  /** ms since 1970 */
  readonly issuedAt: number
  readonly nextUpdate: number
  readonly pointers: readonly ListPointer[]
  readonly entities: readonly TrustEntity[]
  readonly token: string
  readonly digest: Digest
}

const invalid = (reason: string): ExchangeError => new ExchangeError('TRUST_LIST_STRUCTURE_INVALID', reason)

/** Chinese and English of a text; where one is missing the first stands for it. */
export function textOf(texts: WireText): Text {
  const of = (lang: string): string | undefined => texts.find(one => one.lang === lang || one.lang.startsWith(`${lang}-`))?.value
  const first = texts[0]?.value ?? ''
  return { zh: of('zh') ?? first, en: of('en') ?? first }
}
export const wireText = ({ zh, en }: Text): { lang: string; value: string }[] => [
  { lang: 'zh', value: zh },
  { lang: 'en', value: en },
]

const rowOf = <Row extends { readonly uri: string }>(rows: readonly Row[], uri: string): Row => {
  const row = rows.find(one => one.uri === uri)
  if (row === undefined) throw invalid('expected a word of the table')
  return row
}
export const uriOfStatus = (status: ServiceStatus): WireService['ServiceInformation']['ServiceStatus'] =>
  STATUSES.find(row => row.status === status)?.uri ?? STATUSES[2].uri
export const uriOfService = (type: ServiceType): WireService['ServiceInformation']['ServiceTypeIdentifier'] =>
  SERVICE_TYPES.find(row => row.type === type)?.uri ?? SERVICE_TYPES[0].uri

const spanOf = (
  one: { readonly ServiceStatus: string; readonly StatusStartingTime: string },
  extensions: WireExtensions,
): StatusSpan => {
  const why = extensions?.find(extension => extension.HutongStatusReason !== undefined)?.HutongStatusReason
  return {
    status: rowOf(STATUSES, one.ServiceStatus).status,
    from: Date.parse(one.StatusStartingTime),
    why: why === undefined ? null : textOf(why),
  }
}

function profileOf(extensions: WireExtensions): CaProfile {
  const wire = extensions?.find(extension => extension.HutongCaProfile !== undefined)?.HutongCaProfile
  if (wire === undefined) return DEFAULT_PROFILE
  return {
    algorithms: wire.Algorithms ?? null,
    signerId: wire.SignerId ?? DEFAULT_PROFILE.signerId,
    format: wire.Format ?? DEFAULT_PROFILE.format,
    holder: (wire.Holder ?? []).map(({ Oid, Kind, Where }) => ({ oid: Oid, kind: Kind, where: Where ?? 'either' })),
    pair: wire.Pair ?? DEFAULT_PROFILE.pair,
    revocation: wire.Revocation ?? DEFAULT_PROFILE.revocation,
  }
}

function certificateOf(text: string): Certificate {
  const der = Buffer.from(text, 'base64')
  if (der.toString('base64') !== text) throw invalid('expected a certificate in canonical base64')
  try {
    return parseCertificate(der)
  } catch (cause) {
    throw new ExchangeError('TRUST_LIST_STRUCTURE_INVALID', 'expected certificates that can be read', { cause })
  }
}

function serviceOf({ ServiceInformation: now, ServiceHistory: history = [] }: WireService): TrustService {
  const extensions = now.ServiceInformationExtensions
  const { type } = rowOf(SERVICE_TYPES, now.ServiceTypeIdentifier)
  const statuses = [spanOf(now, extensions), ...history.map(past => spanOf(past, past.ServiceInformationExtensions))]
  for (const [index, span] of statuses.entries())
    if (index > 0 && span.from >= (statuses[index - 1]?.from ?? 0))
      throw invalid('expected the statuses of a service with falling times, the latest first')
  const points = now.ServiceSupplyPoints ?? []
  const at = (kind: keyof typeof SUPPLY_TYPES): string[] =>
    points.filter(point => point.ServiceType === SUPPLY_TYPES[kind]).map(point => point.uriValue)
  return {
    type,
    name: textOf(now.ServiceName),
    certificates: now.ServiceDigitalIdentity.X509Certificates.map(({ val }) => certificateOf(val)),
    statuses,
    crl: at('crl'),
    ocsp: at('ocsp'),
    profile: profileOf(extensions),
  }
}

function entityOf({ TrustedEntityInformation: about, TrustedEntityServices: services }: WireEntity): TrustEntity {
  return {
    name: textOf(about.TEName),
    code: about.TETradeName?.[0]?.value ?? null,
    region: about.TEInformationExtensions[0]?.HutongRegion ?? '',
    services: services.map(serviceOf),
  }
}

function pointerOf({ LoTELocation, LoTEQualifiers: [qualifier] }: WirePointer): ListPointer {
  const [, operator = '', list = ''] = /:([0-9]{6})\/([0-9A-Za-z-]+)$/.exec(LoTELocation) ?? []
  return { operator, list, territory: qualifier?.SchemeTerritory ?? '' }
}
export const locationOf = ({ operator, list }: Pick<ListPointer, 'operator' | 'list'>): string =>
  `urn:hutong:trust-list:${operator}/${list}`

/** No service twice: a certificate is one service of one kind, so that its status has one answer. */
function checkUnique(entities: readonly TrustEntity[]): void {
  const seen = new Set<string>()
  for (const { type, certificates } of entities.flatMap(({ services }) => services))
    for (const { fingerprint } of certificates) {
      const id = `${type} ${fingerprint}`
      if (seen.has(id)) throw invalid('expected each certificate once for each kind of service')
      seen.add(id)
    }
}

/** The claims as the schema has them. @throws TRUST_LIST_STRUCTURE_INVALID */
export function checkListClaims(claims: unknown): TrustListClaims {
  const [fault] = checkClaims('trust-list', claims)
  if (fault !== undefined)
    throw new ExchangeError('TRUST_LIST_STRUCTURE_INVALID', `${fault.path === '' ? 'list' : fault.path}: ${fault.expected}`, {
      detail: { rule: fault.rule },
    })
  return claims as TrustListClaims
}

/** The value that claims stand for. @throws TRUST_LIST_STRUCTURE_INVALID */
export function readTrustList(claims: TrustListClaims, token = '', kid = ''): TrustList {
  const { fed, iss: operator, lst: id, mem, LoTE } = claims
  const { ListAndSchemeInformation: about } = LoTE
  const national = id === NATIONAL_LIST
  if (!national && id !== operator) throw invalid(`expected the list of ${operator} under its own code, got ${id}`)
  if (about.LoTEType !== LIST_TYPES[national ? 'list-of-lists' : 'list'])
    throw invalid(`expected a list of type ${LIST_TYPES[national ? 'list-of-lists' : 'list']}`)
  if (national !== (about.SchemeTerritory === NATIONAL_LIST)) throw invalid('expected the territory CN for the list CN alone')
  const pointers = (about.PointersToOtherLoTE ?? []).map(pointerOf)
  if (!national && pointers.length > 0) throw invalid('expected pointers in the list of lists alone')
  if (new Set(pointers.map(locationOf)).size < pointers.length) throw invalid('expected each list once among the pointers')
  const issuedAt = Date.parse(about.ListIssueDateTime)
  const nextUpdate = Date.parse(about.NextUpdate)
  if (nextUpdate <= issuedAt) throw invalid('expected the next update behind the issue')
  const entities = LoTE.TrustedEntitiesList.map(entityOf)
  checkUnique(entities)
  return {
    id,
    fed,
    operator,
    kid,
    mem,
    version: about.LoTEVersionIdentifier,
    sequence: about.LoTESequenceNumber,
    territory: about.SchemeTerritory,
    name: textOf(about.SchemeOperatorName),
    issuedAt,
    nextUpdate,
    pointers,
    entities,
    token,
    digest: digestOf(token),
  }
}

/**
 * Reads a list from its token, strictly: form, schema, and what the schema cannot say. The signature is not checked here.
 * @throws TRUST_LIST_VERSION_UNKNOWN before anything of another version is read, TRUST_LIST_STRUCTURE_INVALID, TOKEN_*
 */
export function parseTrustList(token: string): TrustList {
  const { claims, kid } = parseToken(token, 'trust-list')
  checkVersion(claims)
  return readTrustList(checkListClaims(claims), token, kid)
}

/** ETSI TS 119 602: a list of another version has other rules of reading. @throws TRUST_LIST_VERSION_UNKNOWN */
export function checkVersion(claims: unknown): void {
  const about = (claims as { LoTE?: { ListAndSchemeInformation?: { LoTEVersionIdentifier?: unknown } } } | null)?.LoTE
  const version = about?.ListAndSchemeInformation?.LoTEVersionIdentifier
  if (typeof version === 'number' && version !== LOTE_VERSION)
    throw new ExchangeError('TRUST_LIST_VERSION_UNKNOWN', `expected a list of version ${LOTE_VERSION}, got ${version}`)
}

/** @throws TRUST_LIST_STRUCTURE_INVALID for claims that nobody would accept */
export async function sealTrustList(claims: TrustListClaims, signer: Signer): Promise<string> {
  checkVersion(claims)
  readTrustList(checkListClaims(claims))
  return signer.sign('trust-list', claims)
}

export type Recognition = { readonly status: ServiceStatus | 'not-yet'; readonly since: number | null; readonly why: Text | null }

/** How a service stood at a time, in ms since 1970: was it recognised when this was signed? */
export function recognitionAt({ statuses }: Pick<TrustService, 'statuses'>, at: number): Recognition {
  const span = statuses.find(({ from }) => from <= at)
  return span === undefined
    ? { status: 'not-yet', since: null, why: null }
    : { status: span.status, since: span.from, why: span.why }
}
/** When that answer ends, as far as the list says; null if it does not. */
export const recognisedUntil = ({ statuses }: Pick<TrustService, 'statuses'>, at: number): number | null =>
  statuses.findLast(({ from }) => from > at)?.from ?? null

/**
 * The next issue of a list keeps what the last one said: a service that stood is there, and a status that ended is in its history. What
 * the operator did not write down of that is added here, so that "was it recognised then?" keeps its answer.
 * @throws TRUST_LIST_HISTORY_LOST if a service is missing, or a former status is changed
 */
export function carryHistory(before: readonly WireEntity[], next: readonly WireEntity[]): WireEntity[] {
  const key = ({ ServiceInformation: { ServiceTypeIdentifier, ServiceDigitalIdentity } }: WireService): string =>
    `${ServiceTypeIdentifier} ${ServiceDigitalIdentity.X509Certificates[0]?.val ?? ''}`
  const old = new Map(before.flatMap(entity => entity.TrustedEntityServices.map(service => [key(service), service] as const)))
  const lost = (service: WireService, reason: string): ExchangeError =>
    new ExchangeError(
      'TRUST_LIST_HISTORY_LOST',
      `${textOf(service.ServiceInformation.ServiceName).zh}: ${reason}; expected it withdrawn, with its history`,
    )
  const carried = next.map(entity => ({
    ...entity,
    TrustedEntityServices: entity.TrustedEntityServices.map(service => {
      const was = old.get(key(service))
      if (was === undefined) return service
      old.delete(key(service))
      const past = [pastOf(was), ...(was.ServiceHistory ?? [])]
      const now = service.ServiceInformation
      const said = [{ at: now.StatusStartingTime, status: now.ServiceStatus as string }].concat(
        (service.ServiceHistory ?? []).map(one => ({ at: one.StatusStartingTime, status: one.ServiceStatus })),
      )
      for (const one of past) {
        const same = said.find(({ at }) => Date.parse(at) === Date.parse(one.StatusStartingTime))
        if (same !== undefined && same.status !== one.ServiceStatus)
          throw lost(service, 'a status that was published is said otherwise')
      }
      const added = past.filter(one => !said.some(({ at }) => Date.parse(at) === Date.parse(one.StatusStartingTime)))
      if (added.some(one => Date.parse(one.StatusStartingTime) >= Date.parse(now.StatusStartingTime)))
        throw lost(service, 'its new status begins before the last one did')
      const history = [...(service.ServiceHistory ?? []), ...added].sort(
        (a, b) => Date.parse(b.StatusStartingTime) - Date.parse(a.StatusStartingTime),
      )
      return history.length === 0 ? service : { ...service, ServiceHistory: history }
    }),
  }))
  const [missing] = old.values()
  if (missing !== undefined) throw lost(missing, 'it stood in the last issue and is missing')
  return carried
}

function pastOf({ ServiceInformation: was }: WireService): NonNullable<WireService['ServiceHistory']>[number] {
  const { ServiceTypeIdentifier, ServiceName, ServiceStatus, StatusStartingTime } = was
  const extensions = was.ServiceInformationExtensions?.filter(one => one.HutongStatusReason !== undefined)
  return {
    ServiceTypeIdentifier,
    ServiceName,
    ServiceStatus,
    StatusStartingTime,
    ...(extensions === undefined || extensions.length === 0 ? {} : { ServiceInformationExtensions: extensions }),
  }
}
