/**
 * "Is this certificate good for this purpose at this time, who is its holder, and why": path validation with the anchors that the trust
 * lists named at that time, the revocation lists held, and the profile of the authority. A listed authority is an anchor only while its
 * list grants it, and no certificate of a path may be one that every list naming it has suspended or withdrawn, so that neither its
 * root nor a cross-certificate brings a withdrawn authority back.
 */
import type { Certificate } from './certificate.ts'
import type { Crl } from './crl.ts'
import { allowsUse } from './extensions.ts'
import { extractHolder, type Holder, type PseudonymKey } from './holder.ts'
import type { Name } from './names.ts'
import { type PathVerdict, type Proven, validatePath } from './path-validation.ts'
import { keyDigest } from './public-keys.ts'
import { PURPOSES, type PurposeName } from './purposes.ts'
import type { ReasonCode } from './reasons.ts'
import { type CaProfile, DEFAULT_PROFILE, type ServiceType, type Text } from './trust-list.ts'
import { isCoveredAt, type ListedService, standingOf, standsUntil, type TrustMaterial } from './trust-material.ts'

export type { PurposeName } from './purposes.ts'

export type CertificateQuestion = {
  readonly leaf: Certificate
  /** that came along with it */
  readonly intermediates: readonly Certificate[]
  /** ms since 1970 */
  readonly at: number
  readonly purpose: PurposeName
  /** trusted for this question alone: of a folder that is brought in */
  readonly anchors?: readonly Certificate[]
  /** of certificates of authorities that are brought in, a list of whose root nobody may hold yet */
  readonly revocation?: 'when-known'
}
/** What is held beside the lists. */
export type HeldMaterial = {
  readonly trust: TrustMaterial
  readonly crls: readonly Crl[]
  /** certificates of authorities that may stand between a leaf and its anchor */
  readonly authorities: readonly Certificate[]
  /** with which holders that are persons are named */
  readonly pseudonymKey?: PseudonymKey
  /** what earlier questions have shown to hold */
  readonly proven?: Proven
}
export type AuthorityFound = {
  readonly fingerprint: string
  readonly name: Text
  readonly entity: Text
  readonly region: string
  readonly list: string
  readonly operator: string
  readonly sequence: number
  readonly status: string
  readonly since: number | null
}
export type CertificateVerdict = {
  readonly result: 'good' | 'bad' | 'unchecked'
  readonly reason: ReasonCode
  readonly detail: string
  readonly at: number
  readonly purpose: PurposeName
  readonly holder: Holder | null
  /** the listed authority that it stands under; null where none is found */
  readonly ca: AuthorityFound | null
  readonly path: PathVerdict
  /** from `at` up to here the same material gives the same answer */
  readonly validUntil: number
}

/** What kinds of listed service may stand over a certificate, by what it is to be used for. */
const ANCHOR_TYPES: { readonly [purpose in PurposeName]?: readonly ServiceType[] } = {
  ca: ['ca', 'root'],
  timestamp: ['timestamp', 'ca'],
  seal: ['seal-maker', 'ca'],
}
const typesFor = (purpose: PurposeName): readonly ServiceType[] => ANCHOR_TYPES[purpose] ?? ['ca']

/** A verdict is not kept longer than this for material that could change in ways it does not foresee. */
const LONGEST_MS = 24 * 3_600_000

/** Listed services that a path from the leaf could end at: by the names of issuers, through what lies between. */
function candidates({ leaf, intermediates, purpose }: CertificateQuestion, held: HeldMaterial): ListedService[] {
  const between = issuersBySubject(held.authorities)
  const along = intermediates.length === 0 ? NO_NAMES : issuersBySubject(intermediates)
  const types = typesFor(purpose)
  const found: ListedService[] = []
  const names = new Set<string>([leaf.issuer.canonical, leaf.subject.canonical])
  for (const name of names) {
    for (const one of held.trust.bySubject.get(name) ?? [])
      if (types.includes(one.service.type) && !found.some(other => isSameListing(one, other))) found.push(one)
    for (const issuers of [between, along]) for (const issuer of issuers.get(name) ?? []) names.add(issuer)
  }
  return found
}

const isSameListing = (a: ListedService, b: ListedService): boolean =>
  a.certificate.fingerprint === b.certificate.fingerprint && a.service.type === b.service.type && a.list.list.id === b.list.list.id

type IssuerNames = ReadonlyMap<string, ReadonlySet<string>>
const NO_NAMES: IssuerNames = new Map()
const issuerNames = new WeakMap<readonly Certificate[], IssuerNames>()

/** Names of those who issued to a name. */
function issuersBySubject(certificates: readonly Certificate[]): IssuerNames {
  const known = issuerNames.get(certificates)
  if (known !== undefined) return known
  const names = new Map<string, Set<string>>()
  for (const { subject, issuer } of certificates)
    names.set(subject.canonical, (names.get(subject.canonical) ?? new Set()).add(issuer.canonical))
  issuerNames.set(certificates, names)
  return names
}

const isValidAt = ({ notBefore, notAfter }: Certificate, at: number): boolean => notBefore <= at && at <= notAfter

/** Why a listed service is no anchor at that time; null if it is one. */
function objection(one: ListedService, at: number): { readonly result: 'bad' | 'unchecked'; readonly reason: ReasonCode } | null {
  const { status } = standingOf(one, at)
  if (status === 'withdrawn') return { result: 'bad', reason: 'CA_WITHDRAWN' }
  if (status === 'suspended') return { result: 'bad', reason: 'CA_SUSPENDED' }
  if (status === 'not-yet') return { result: 'bad', reason: 'CA_NOT_RECOGNISED_YET' }
  if (!isCoveredAt(one, at)) return { result: 'unchecked', reason: 'TRUST_LIST_EXPIRED' }
  if (!isValidAt(one.certificate, at)) return { result: 'bad', reason: 'CA_CERTIFICATE_EXPIRED' }
  return null
}

const describe = (one: ListedService, at: number): string =>
  `${one.entity.name.zh} (${one.list.list.operator}/${one.list.list.id} #${one.list.list.sequence}): ${standingOf(one, at).status}`

const authorityOf = (one: ListedService, at: number): AuthorityFound => {
  const { status, since } = standingOf(one, at)
  const { id, operator, sequence } = one.list.list
  return {
    fingerprint: one.certificate.fingerprint,
    name: one.service.name,
    entity: one.entity.name,
    region: one.entity.region,
    list: id,
    operator,
    sequence,
    status,
    since,
  }
}

/** The listed service at the end of a path, or of the first certificate on it that is listed. */
function listedOn(chain: readonly Certificate[], usable: readonly ListedService[]): ListedService | null {
  for (let index = 1; index <= chain.length; index += 1) {
    const certificate = chain[index % chain.length]
    const found = usable.find(one => one.certificate.fingerprint === certificate?.fingerprint)
    if (found !== undefined) return found
  }
  return null
}

/** A certificate of the path that is listed, and granted by no list that names it. */
function barred(chain: readonly Certificate[], { byFingerprint, byKey }: TrustMaterial, at: number): ListedService | null {
  for (const certificate of chain) {
    const named = byFingerprint.get(certificate.fingerprint)
    const sameKey = byKey.get(keyDigest(certificate.key))
    if (named === undefined && sameKey === undefined) continue
    const standing = [...(named ?? []), ...(sameKey ?? [])].filter(
      ({ service }) => service.type === 'ca' || service.type === 'root',
    )
    if (standing.length > 0 && standing.every(one => standingOf(one, at).status !== 'granted')) return standing[0] ?? null
  }
  return null
}

type Anchors = {
  readonly certificates: readonly Certificate[]
  readonly profiles: ReadonlyMap<string, CaProfile>
  /** none of them publishes revocation lists */
  readonly unlisted: boolean
}
const anchorsKept = new WeakMap<HeldMaterial, Map<string, Anchors>>()
/** sets of anchors that one material is asked with: a few for each authority */
const MOST_ANCHOR_SETS = 1024

/** The same services give the same value, so that what path validation makes of their certificates is made once. */
function anchorsOf(held: HeldMaterial, services: readonly ListedService[], own: readonly Certificate[]): Anchors {
  const [only] = services
  const ofOne = services.length === 1 && only !== undefined && own.length === 0 ? only : undefined
  const known = ofOne && anchorsOfOne.get(ofOne)
  if (known !== undefined) return known
  const made = ofOne === undefined ? anchorsOfMany(held, services, own) : makeAnchors(services, own)
  if (ofOne !== undefined) anchorsOfOne.set(ofOne, made)
  return made
}
const anchorsOfOne = new WeakMap<ListedService, Anchors>()

const makeAnchors = (services: readonly ListedService[], own: readonly Certificate[]): Anchors => ({
  certificates: [...services.map(({ certificate }) => certificate), ...own],
  profiles: new Map(services.map(one => [one.certificate.fingerprint, one.service.profile])),
  unlisted: services.length > 0 && services.every(({ service }) => service.profile.revocation === 'none'),
})

function anchorsOfMany(held: HeldMaterial, services: readonly ListedService[], own: readonly Certificate[]): Anchors {
  const sets = anchorsKept.get(held) ?? new Map<string, Anchors>()
  anchorsKept.set(held, sets)
  const key = [
    ...services.map(one => `${one.list.list.id} ${one.certificate.fingerprint}`),
    ...own.map(one => one.fingerprint),
  ].join()
  const known = sets.get(key)
  if (known !== undefined) return known
  const made = makeAnchors(services, own)
  if (sets.size >= MOST_ANCHOR_SETS) sets.clear()
  sets.set(key, made)
  return made
}

function ask(question: CertificateQuestion, held: HeldMaterial, services: readonly ListedService[]): PathVerdict {
  const { certificates, profiles, unlisted } = anchorsOf(held, services, question.anchors ?? [])
  const { intermediates } = question
  return validatePath({
    leaf: question.leaf,
    intermediates: intermediates.length === 0 ? held.authorities : [...intermediates, ...held.authorities],
    anchors: certificates,
    crls: held.crls,
    at: question.at,
    purpose: PURPOSES[question.purpose],
    revocation: unlisted ? 'ignored' : (question.revocation ?? 'required'),
    sm2Id: issuer => profiles.get(issuer.fingerprint)?.signerId ?? DEFAULT_PROFILE.signerId,
    ...(held.proven === undefined ? {} : { proven: held.proven }),
  })
}

/** What the profile of the authority asks of a certificate under it. */
function againstProfile({ leaf, purpose }: CertificateQuestion, profile: CaProfile): ReasonCode | null {
  if (profile.algorithms !== null && !profile.algorithms.includes(leaf.signature.algorithm.oid)) return 'ALGORITHM_NOT_OF_PROFILE'
  const signs = purpose === 'sign' || purpose === 'login' || purpose === 'seal'
  // The key of an encryption certificate is escrowed: what it signs proves nothing.
  if (profile.pair === 'separate' && signs && keyUseOf(leaf) !== 'sign') return 'PAIR_RULE'
  return null
}

const ENCRYPTS = ['keyEncipherment', 'dataEncipherment', 'keyAgreement'] as const
const SIGNS = ['digitalSignature', 'nonRepudiation'] as const

/** RFC 5280 §4.2.1.3: what the key of a certificate is for; without the extension for both. */
export function keyUseOf({ extensions: { keyUsage } }: Certificate): 'sign' | 'encrypt' | 'both' | 'none' {
  if (keyUsage === undefined) return 'both'
  const signs = SIGNS.some(name => allowsUse(keyUsage, name))
  const encrypts = ENCRYPTS.some(name => allowsUse(keyUsage, name))
  if (signs) return encrypts ? 'both' : 'sign'
  return encrypts ? 'encrypt' : 'none'
}

/** Until when nothing foreseen changes the answer. */
function endOf(question: CertificateQuestion, path: PathVerdict, services: readonly ListedService[], held: HeldMaterial): number {
  const { at } = question
  let end = at + LONGEST_MS
  const until = (time: number): void => {
    if (time > at && time < end) end = time
  }
  const issuers = new Set<string>()
  const enter = ({ notBefore, notAfter, subject }: Certificate): void => {
    until(notBefore)
    until(notAfter + 1)
    issuers.add(subject.canonical)
  }
  enter(question.leaf)
  for (const one of path.chain) enter(one)
  for (const one of services) {
    enter(one.certificate)
    until(standsUntil(one, at))
  }
  for (const { revokedAt } of path.revocation) until(revokedAt ?? at)
  for (const { issuer, nextUpdate } of held.crls)
    if (nextUpdate !== undefined && issuers.has(issuer.canonical)) until(nextUpdate + 1)
  return end
}

/** Never throws for a parsed certificate. */
export function verifyCertificate(question: CertificateQuestion, held: HeldMaterial): CertificateVerdict {
  const { leaf, at, purpose } = question
  const services = candidates(question, held)
  const usable = services.every(one => objection(one, at) === null) ? services : services.filter(one => objection(one, at) === null)
  let path = ask(question, held, usable)
  const listed = listedOn(path.chain, usable)
  let ca = listed === null ? null : authorityOf(listed, at)
  const profile = listed?.service.profile ?? DEFAULT_PROFILE
  const decide = (result: 'bad' | 'unchecked', reason: ReasonCode, detail: string): PathVerdict => ({
    ...path,
    result,
    reason,
    detail,
  })
  if (path.result === 'good') {
    const bar = barred(path.chain, held.trust, at)
    const against = againstProfile(question, profile)
    if (bar !== null) {
      const { result, reason } = objection(bar, at) ?? { result: 'bad', reason: 'CA_WITHDRAWN' }
      path = decide(result, reason, describe(bar, at))
      ca = authorityOf(bar, at)
    } else if (against !== null) path = decide('bad', against, `profile of ${listed?.entity.name.zh ?? ''}`)
  } else {
    // Would it have been good under an authority that its list does not grant then? That, and no missing path, is the reason.
    const others = services.filter(one => objection(one, at) !== null)
    const without = others.length === 0 ? null : ask(question, held, others)
    const under = without === null ? null : listedOn(without.chain, others)
    const found = under === null ? null : objection(under, at)
    if (under !== null && found !== null && NO_PATH.includes(path.reason)) {
      path = { ...(without ?? path), ...found, detail: describe(under, at) }
      ca = authorityOf(under, at)
    } else if (held.trust.services.length === 0 && (question.anchors ?? []).length === 0)
      path = decide('unchecked', 'TRUST_ANCHORS_MISSING', 'no trust list is held that could be used')
  }
  return {
    result: path.result,
    reason: path.reason,
    detail: path.detail,
    at,
    purpose,
    holder: extractHolder(leaf, profile.holder, held.pseudonymKey),
    ca,
    path,
    validUntil: endOf(question, path, services, held),
  }
}

/** Reasons that mean: no anchor was reached. */
const NO_PATH: readonly ReasonCode[] = ['ISSUER_UNKNOWN']

/** How a certificate's subject is shown: an authority by its name, an organisation by its own, a person not at all. */
export const subjectShown = ({ subject, extensions }: Certificate, holder: Holder | null): string | null =>
  extensions.basicConstraints?.ca === true ? nameText(subject) : holder?.kind === 'organisation' ? holder.name : null

/** A name as people read it (RFC 4514, the last RDN first). */
export const nameText = ({ rdns }: Name): string =>
  rdns
    .map(rdn => rdn.map(({ type, text }) => `${ATTRIBUTES[type] ?? type}=${text ?? '#'}`).join('+'))
    .reverse()
    .join(', ')
const ATTRIBUTES: { readonly [oid: string]: string } = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
}
