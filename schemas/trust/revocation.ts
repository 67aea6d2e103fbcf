/**
 * Whether a certificate is revoked, by the lists at hand: RFC 5280 §6.3.3, with indirect lists, scopes, partial reasons and deltas. A list
 * counts only if its signer may sign lists, has a path of its own to the same anchor, is not revoked itself, and the list is current. What
 * no such list covers for every reason is *unknown*, which is never "not revoked".
 */
import type { Certificate } from './certificate.ts'
import type { Crl } from './crl.ts'
import { bufferOf } from './der.ts'
import { ALL_REASONS, allowsUse, type DistributionPoint } from './extensions.ts'
import type { Work } from './limits.ts'
import { type GeneralName, isSameGeneralName, type Name, nameBelow } from './names.ts'
import type { Breach } from './path-checks.ts'
import { PROFILES, type ProfileName } from './profiles.ts'

export type RevocationFinding = {
  /** fingerprint */
  readonly certificate: string
  readonly status: 'good' | 'revoked' | 'unknown'
  /** of a revoked one its CRLReason, of an unknown one what is missing */
  readonly reason?: string
  readonly revokedAt?: number
  /** fingerprint of the list that says so */
  readonly crl?: string
}

export type CrlIndex = ReadonlyMap<string, { readonly complete: readonly Crl[]; readonly deltas: readonly Crl[] }>

/** By issuer, newest first. */
export function indexCrls(crls: readonly Crl[]): CrlIndex {
  const index = new Map<string, { complete: Crl[]; deltas: Crl[] }>()
  for (const crl of crls) {
    const lists = index.get(crl.issuer.canonical) ?? { complete: [], deltas: [] }
    index.set(crl.issuer.canonical, lists)
    const kind = crl.baseNumber === undefined ? lists.complete : lists.deltas
    kind.push(crl)
  }
  for (const { complete, deltas } of index.values())
    for (const list of [complete, deltas])
      list.sort((a, b) => b.thisUpdate - a.thisUpdate || Number((b.number ?? 0n) - (a.number ?? 0n)))
  return index
}

/** What it takes from path validation: signatures, and the path of a list's signer to the anchor of the chain. */
export type RevocationContext = {
  readonly at: number
  readonly profile: ProfileName
  readonly work: Work
  readonly crls: CrlIndex
  /** certificates that a list of this issuer may be signed with */
  readonly signers: (crl: Crl, above: readonly Certificate[]) => Iterable<Certificate>
  readonly isSignedBy: (crl: Crl, signer: Certificate, above: readonly Certificate[]) => boolean
  /** why the signer has no good path to the anchor of the chain */
  readonly breachOfSigner: (
    signer: Certificate,
    crl: Crl,
    above: readonly Certificate[],
    certificate: Certificate,
  ) => Breach | undefined
}

type Point = Pick<DistributionPoint, 'fullName' | 'relativeName' | 'reasons' | 'crlIssuer'>

const directoryNames = (names: readonly GeneralName[]): Name[] => names.flatMap(one => (one.kind === 'directory' ? [one.name] : []))

function namesOfPoint({ fullName, relativeName }: Point, base: Name): readonly GeneralName[] | undefined {
  if (fullName !== undefined) return fullName
  return relativeName && [{ kind: 'directory', name: nameBelow(base, relativeName) }]
}

/** §6.3.3 (b): whether a list covers the certificate under this distribution point. */
function covers(crl: Crl, certificate: Certificate, point: Point): boolean {
  const issuers = point.crlIssuer && directoryNames(point.crlIssuer)
  const { scope } = crl
  if (issuers !== undefined ? scope?.indirect !== true : crl.issuer.canonical !== certificate.issuer.canonical) return false
  if (scope === undefined) return true
  const isCa = certificate.extensions.basicConstraints?.ca === true
  if (scope.onlyAttribute || (scope.onlyUser && isCa) || (scope.onlyCa && !isCa)) return false
  const scoped = namesOfPoint(scope, crl.issuer)
  if (scoped === undefined) return true
  const named = namesOfPoint(point, crl.issuer) ?? point.crlIssuer ?? []
  return scoped.some(one => named.some(other => isSameGeneralName(one, other)))
}

const isSameBytes = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : bufferOf(a).equals(bufferOf(b))

/** §5.2.4, §6.3.3 (c): whether a delta carries a complete list on. */
const extendsList = (delta: Crl, base: Crl): boolean =>
  isSameBytes(delta.scope?.der, base.scope?.der) &&
  isSameBytes(delta.authorityKeyId?.keyId, base.authorityKeyId?.keyId) &&
  base.number !== undefined &&
  delta.number !== undefined &&
  delta.baseNumber !== undefined &&
  delta.baseNumber <= base.number &&
  base.number < delta.number

function isCurrent({ thisUpdate, nextUpdate }: Crl, at: number): boolean {
  return thisUpdate <= at && nextUpdate !== undefined && at <= nextUpdate
}

function isUsable(crl: Crl, { profile, work }: RevocationContext): boolean {
  work.spend('crls')
  return crl.unprocessable === undefined && !crl.faults.some(({ reason }) => PROFILES[profile].has(reason))
}

/** Why a list says nothing here; its signer, found and good, if it does. */
function signerOf(
  crl: Crl,
  certificate: Certificate,
  above: readonly Certificate[],
  context: RevocationContext,
): Certificate | string {
  let why = 'no certificate of its signer'
  for (const signer of context.signers(crl, above)) {
    const { keyUsage } = signer.extensions
    // (f): a signer whose uses are named must have this one
    if (keyUsage !== undefined && !allowsUse(keyUsage, 'cRLSign')) why = 'its signer may not sign lists'
    else if (!context.isSignedBy(crl, signer, above)) why = 'its signature does not verify'
    else {
      const breach = context.breachOfSigner(signer, crl, above, certificate)
      if (breach === undefined) return signer
      why = `its signer: ${breach.reason}`
    }
  }
  return why
}

type Status = { readonly mask: number; readonly revoked?: { readonly reason: string; readonly at: number; readonly crl: string } }

/** One list under one distribution point: what it adds, or why nothing. */
function statusBy(
  crl: Crl,
  deltas: readonly Crl[],
  certificate: Certificate,
  point: Point,
  above: readonly Certificate[],
  context: RevocationContext,
  known: number,
): Status | string {
  // (d), (e)
  const reasons = (crl.scope?.onlyReasons ?? ALL_REASONS) & (point.reasons ?? ALL_REASONS)
  if ((reasons & ~known) === 0) return 'it covers no further reason'
  if (!isUsable(crl, context)) return 'it cannot be processed'
  if (crl.thisUpdate > context.at) return 'it is of a later time'
  const fitting = deltas.filter(one => isCurrent(one, context.at) && extendsList(one, crl))
  // (a): a list that has run out is still a base
  if (!isCurrent(crl, context.at) && fitting.length === 0) return 'it is not current'
  const signer = signerOf(crl, certificate, above, context)
  if (typeof signer === 'string') return signer
  // (h): the same key signs both; a delta of somebody else's does not hide the one behind it
  const verified = fitting.find(one => isUsable(one, context) && context.isSignedBy(one, signer, above))
  if (!isCurrent(crl, context.at) && verified === undefined) return 'it is not current'
  const issuer = certificate.issuer.canonical
  const changed = verified?.entry(issuer, certificate.serial)
  const entry = changed ?? crl.entry(issuer, certificate.serial)
  // (i) to (k)
  if (entry === undefined || entry.reason === 'removeFromCRL') return { mask: reasons }
  return {
    mask: reasons,
    revoked: { reason: entry.reason, at: entry.revokedAt, crl: (changed && verified ? verified : crl).fingerprint },
  }
}

/** The status of the certificate at the bottom of a chain, the rest of which stands above it. */
export function statusOf(certificate: Certificate, above: readonly Certificate[], context: RevocationContext): RevocationFinding {
  const { fingerprint, issuer } = certificate
  // the point that needs no extension: the issuer's own list, for all reasons
  const points: readonly Point[] = [
    ...(certificate.extensions.crlDistributionPoints ?? []),
    { fullName: [{ kind: 'directory', name: issuer }] },
  ]
  let mask = 0
  let last: string | undefined
  let why = 'no list of its issuer'
  for (const point of points) {
    const issuers = point.crlIssuer === undefined ? [issuer] : directoryNames(point.crlIssuer)
    for (const { complete, deltas } of issuers.flatMap(name => context.crls.get(name.canonical) ?? [])) {
      for (const crl of complete) {
        if (mask === ALL_REASONS) break
        if (!covers(crl, certificate, point)) continue
        const status = statusBy(crl, deltas, certificate, point, above, context, mask)
        if (typeof status === 'string') {
          why = mask === 0 ? status : why
          continue
        }
        const { revoked } = status
        if (revoked !== undefined)
          return { certificate: fingerprint, status: 'revoked', reason: revoked.reason, revokedAt: revoked.at, crl: revoked.crl }
        mask |= status.mask
        last = crl.fingerprint
      }
    }
  }
  if (mask === ALL_REASONS && last !== undefined) return { certificate: fingerprint, status: 'good', crl: last }
  return { certificate: fingerprint, status: 'unknown', reason: mask === 0 ? why : 'not every reason is covered' }
}
