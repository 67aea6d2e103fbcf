/**
 * What RFC 5280 §6.1 asks of certificates whose signatures hold: first of each by itself (validity, algorithms, critical extensions, and
 * of issuers that they are CAs), then of the path as a whole, from the anchor down (names, policies, lengths, purposes). An anchor is
 * held to its own constraints as RFC 5937 has it; its signature is nobody's concern.
 */
import { type AlgorithmPolicy, refusalOfKey, refusalOfSignature } from './algorithm-policy.ts'
import { type Certificate, isSelfIssued } from './certificate.ts'
import { bufferOf } from './der.ts'
import { allowsUse, type NameConstraints } from './extensions.ts'
import type { Work } from './limits.ts'
import { breachOfNames, constrainedNames } from './name-constraints.ts'
import { isPresentedDns, mailboxOf, octetsOfIp } from './name-forms.ts'

import { ANY_POLICY, type PolicyQuestion, PolicyState } from './policies.ts'
import { PROFILES, type ProfileName } from './profiles.ts'
import { EXTENDED_KEY_USAGE, type Purpose } from './purposes.ts'
import { REASONS, type ReasonCode } from './reasons.ts'

export type Breach = { readonly reason: ReasonCode; readonly detail: string; readonly index?: number }
export type Rules = {
  /** to the second, in milliseconds since 1970 */
  readonly at: number
  readonly algorithms: AlgorithmPolicy
  readonly profile: ProfileName
}
/** `trusted` is a leaf that is an anchor itself */
export type Role = 'leaf' | 'trusted' | 'intermediate' | 'anchor'

const QUALIFIERS = new Set(['1.3.6.1.5.5.7.2.1', '1.3.6.1.5.5.7.2.2'])

function unprocessable({ extensions }: Certificate): string | undefined {
  const unknown = extensions.unknown.find(({ critical }) => critical)
  if (unknown !== undefined) return unknown.oid
  const policies = extensions.all.find(({ oid, critical }) => critical && oid === '2.5.29.32')
  // §4.2.1.4: critical policies with a qualifier that is not understood
  return policies && extensions.certificatePolicies?.flatMap(({ qualifiers }) => qualifiers).find(one => !QUALIFIERS.has(one))
}

function breachAsIssuer({ version, extensions: { basicConstraints, keyUsage } }: Certificate, role: Role): Breach | undefined {
  // §6.1.4 (k): a certificate without extensions is a CA's only if somebody said so, as whoever names an anchor does
  const isCa = basicConstraints === undefined ? role === 'anchor' && version !== 3 : basicConstraints.ca
  if (!isCa) return { reason: 'NOT_A_CA', detail: basicConstraints === undefined ? 'no basicConstraints' : 'cA is false' }
  if (keyUsage !== undefined && !allowsUse(keyUsage, 'keyCertSign'))
    return { reason: 'CERTIFICATE_SIGNING_NOT_ALLOWED', detail: 'no keyCertSign' }
  return undefined
}

/** What is wrong with a certificate in its role, wherever it stands. */
export function breachOf(certificate: Certificate, role: Role, { at, algorithms, profile }: Rules): Breach | undefined {
  if (at < certificate.notBefore)
    return { reason: 'NOT_YET_VALID', detail: `from ${new Date(certificate.notBefore).toISOString()}` }
  if (at > certificate.notAfter) return { reason: 'EXPIRED', detail: `until ${new Date(certificate.notAfter).toISOString()}` }
  for (const { reason, detail } of certificate.faults)
    if (REASONS[reason].profile !== true || PROFILES[profile].has(reason)) return { reason, detail }
  const unknown = unprocessable(certificate)
  if (unknown !== undefined) return { reason: 'CRITICAL_EXTENSION_UNKNOWN', detail: unknown }
  const key = refusalOfKey(certificate.key, algorithms)
  if (key !== undefined) return { reason: key, detail: certificate.key.algorithm.oid }
  const signature =
    role === 'anchor' || role === 'trusted' ? undefined : refusalOfSignature(certificate.signature.algorithm, algorithms)
  if (signature !== undefined) return { reason: signature, detail: certificate.signature.algorithm.oid }
  return role === 'leaf' || role === 'trusted' ? undefined : breachAsIssuer(certificate, role)
}

export type PathInputs = {
  readonly policies: PolicyQuestion
  readonly maxPathLength?: number
  readonly purpose?: Purpose
}

/** §4.2.1.12: a CA that names purposes lends no other to what it signs. */
function breachOfPurpose(
  { extensions: { extendedKeyUsage } }: Certificate,
  purpose: Purpose | undefined,
  isLeaf: boolean,
): Breach | undefined {
  const asked = purpose?.extendedKeyUsage ?? []
  if (extendedKeyUsage === undefined)
    return isLeaf && purpose?.extendedKeyUsageRequired === true
      ? { reason: 'EXTENDED_KEY_USAGE_REFUSED', detail: 'no extKeyUsage' }
      : undefined
  if (asked.length === 0 || extendedKeyUsage.includes(EXTENDED_KEY_USAGE.any)) return undefined
  return asked.some(one => extendedKeyUsage.includes(one))
    ? undefined
    : { reason: 'EXTENDED_KEY_USAGE_REFUSED', detail: extendedKeyUsage.join(' ') }
}

/** RFC 5937 §3.2: the policies of an anchor narrow what is asked for. */
function initialPolicies(question: PolicyQuestion, { extensions: { certificatePolicies } }: Certificate): PolicyQuestion {
  const named = certificatePolicies?.map(({ policy }) => policy) ?? [ANY_POLICY]
  if (named.includes(ANY_POLICY)) return question
  const { initial } = question
  return { ...question, initial: initial.includes(ANY_POLICY) ? named : initial.filter(one => named.includes(one)) }
}

/** §6.1.2 to §6.1.5 of a chain, leaf first, anchor last, but for signatures, validity and revocation. */
export function checkPath(
  chain: readonly Certificate[],
  { policies, maxPathLength, purpose }: PathInputs,
  work: Work,
): { readonly policies: readonly string[]; readonly breach?: Breach } {
  const anchor = chain.at(-1)
  if (anchor === undefined) return { policies: [] }
  const count = chain.length - 1
  const constraints: NameConstraints[] = []
  const state = new PolicyState(initialPolicies(policies, anchor), Math.max(count, 1), work)
  let length = maxPathLength ?? chain.length
  const enter = ({ extensions }: Certificate): void => {
    if (extensions.nameConstraints !== undefined) constraints.push(extensions.nameConstraints)
    length = Math.min(length, extensions.basicConstraints?.pathLength ?? length)
  }
  const fail = (index: number, breach: Breach): { policies: readonly string[]; breach: Breach } => ({
    policies: [],
    breach: { ...breach, index },
  })
  const outer = breachOfPurpose(anchor, purpose, count === 0)
  if (outer !== undefined) return fail(count, outer)
  if (count > 0) {
    enter(anchor)
    state.constrain(anchor.extensions)
  }
  for (let index = Math.max(count - 1, 0); index >= 0; index--) {
    const certificate = chain[index]
    if (certificate === undefined) break
    const isLeaf = index === 0
    const selfIssued = isSelfIssued(certificate)
    const { extensions, subject } = certificate
    if (constraints.length > 0 && (isLeaf || !selfIssued)) {
      const breach = breachOfNames(constrainedNames(subject, extensions.subjectAltName), constraints, work)
      if (breach !== undefined) return fail(index, breach)
    }
    const policy = state.check(extensions, !isLeaf && selfIssued)
    if (policy !== undefined) return fail(index, { reason: policy, detail: 'no policy is left' })
    const purposeBreach = breachOfPurpose(certificate, purpose, isLeaf)
    if (purposeBreach !== undefined) return fail(index, purposeBreach)
    if (isLeaf) break
    const mapping = state.prepare(extensions, selfIssued)
    if (mapping !== undefined) return fail(index, { reason: mapping, detail: 'policyMappings' })
    if (!selfIssued && length-- <= 0)
      return fail(index, { reason: 'PATH_TOO_LONG', detail: `${count - 1} between leaf and anchor` })
    enter(certificate)
  }
  const { policies: held, reason } = state.finish(chain[0]?.extensions ?? anchor.extensions)
  return reason === undefined ? { policies: held } : fail(0, { reason, detail: 'no policy that is asked for' })
}

export type PeerName = { readonly kind: 'dns' | 'ip' | 'email'; readonly value: string }

function isPresented({ extensions: { subjectAltName = [] } }: Certificate, { kind, value }: PeerName): boolean {
  if (kind === 'ip') {
    const octets = octetsOfIp(value)
    return octets !== undefined && subjectAltName.some(name => name.kind === 'ip' && octets.equals(bufferOf(name.octets)))
  }
  if (kind === 'email') {
    const asked = mailboxOf(value)
    if (asked === undefined) return false
    return subjectAltName.some(name => {
      const found = name.kind === 'email' ? mailboxOf(name.value) : undefined
      return found !== undefined && found.local === asked.local && found.host === asked.host
    })
  }
  const asked = value.toLowerCase()
  const parent = asked.slice(asked.indexOf('.') + 1)
  return subjectAltName.some(name => {
    if (name.kind !== 'dns' || !isPresentedDns(name.value)) return false
    const found = name.value.toLowerCase()
    // RFC 9525 §6.3: * is the whole leftmost label, and stands for exactly one; the common name is no name of a host
    return found === asked || (found.startsWith('*.') && asked.includes('.') && found.slice(2) === parent && !asked.startsWith('*'))
  })
}

/** What the leaf lacks for the question. */
export function breachOfQuestion(leaf: Certificate, purpose: Purpose | undefined, names: readonly PeerName[]): Breach | undefined {
  const { keyUsage, basicConstraints } = leaf.extensions
  if (purpose?.ca === true && basicConstraints?.ca !== true) return { reason: 'NOT_A_CA', detail: 'asked for a CA certificate' }
  if (keyUsage !== undefined) {
    const all = purpose?.keyUsage ?? []
    const any = purpose?.anyKeyUsage ?? []
    const missing = all.find(name => !allowsUse(keyUsage, name))
    if (missing !== undefined) return { reason: 'KEY_USAGE_REFUSED', detail: missing }
    if (any.length > 0 && !any.some(name => allowsUse(keyUsage, name)))
      return { reason: 'KEY_USAGE_REFUSED', detail: any.join(' or ') }
  }
  const absent = names.find(name => !isPresented(leaf, name))
  return absent && { reason: 'PEER_NAME_MISMATCH', detail: absent.kind }
}
