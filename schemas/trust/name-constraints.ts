/**
 * Name constraints (RFC 5280 §4.2.1.10, §6.1.3(b), (c)). Constraints of a path are kept per certificate that carries them: a name must
 * lie in a permitted subtree of *every* one that permits its kind, and in no excluded one; so permitted sets narrow and never widen.
 * A kind that cannot be processed refuses any name of that kind. The cost is names × subtrees, bounded before it is spent.
 */
import type { NameConstraints, Subtree } from './extensions.ts'
import type { Work } from './limits.ts'
import { hostOfUri, isDnsName, isPresentedDns, mailboxOf } from './name-forms.ts'
import { attributesOf, EMAIL_ADDRESS, type GeneralName, isWithinName, type Name, type NameKind } from './names.ts'
import type { ReasonCode } from './reasons.ts'

const textOf = (name: GeneralName): string => ('value' in name ? name.value : '')
/** hosts have no case */
const hostOf = (name: GeneralName): string => textOf(name).toLowerCase()

const isAtOrBelow = (name: string, base: string): boolean => base === '' || name === base || name.endsWith(`.${base}`)

function hasSoundMask(octets: Uint8Array): boolean {
  const mask = octets.subarray(octets.length / 2)
  const bits = [...mask].map(octet => octet.toString(2).padStart(8, '0')).join('')
  return /^1*0*$/.test(bits)
}

function isWithinNetwork(address: Uint8Array, network: Uint8Array): boolean {
  const { length } = address
  if (network.length !== length * 2) return false
  return address.every((octet, index) => ((octet ^ (network[index] ?? 0)) & (network[length + index] ?? 0)) === 0)
}

/** The host of an rfc822Name constraint: one host, or with a leading period all hosts below it. */
function isWithinHosts(host: string, base: string): boolean {
  return base === '' || (base.startsWith('.') ? host.endsWith(base) : host === base)
}

type KindRow = {
  /** whether a constraint of this kind has its form */
  readonly soundBase: (base: GeneralName) => boolean
  /** whether a name of this kind can be compared at all */
  readonly soundName: (name: GeneralName) => boolean
  /** whether every name that the name stands for lies in the subtree */
  readonly within: (name: GeneralName, base: GeneralName) => boolean
  /** whether some name that it stands for lies there; `within` unless the name is a pattern */
  readonly touches?: (name: GeneralName, base: GeneralName) => boolean
}

const KINDS: { readonly [kind in NameKind]?: KindRow } = {
  dns: {
    soundBase: base => base.kind === 'dns' && (base.value === '' || isDnsName(base.value)),
    soundName: name => name.kind === 'dns' && isPresentedDns(name.value),
    within(name, base) {
      const [value, subtree] = [hostOf(name), hostOf(base)]
      return isAtOrBelow(value.startsWith('*.') ? value.slice(2) : value, subtree)
    },
    touches(name, base) {
      const [value, subtree] = [hostOf(name), hostOf(base)]
      if (!value.startsWith('*.')) return isAtOrBelow(value, subtree)
      // *.example.com may turn out to be bar.example.com
      return isAtOrBelow(value.slice(2), subtree) || isAtOrBelow(subtree, value.slice(2))
    },
  },
  email: {
    soundBase(base) {
      const text = textOf(base)
      return text === '' || (text.includes('@') ? mailboxOf(text) !== undefined : isDnsName(text.replace(/^\./, '')))
    },
    soundName: name => mailboxOf(textOf(name)) !== undefined,
    within(name, base) {
      const mailbox = mailboxOf(textOf(name))
      const text = textOf(base)
      const asked = mailboxOf(text)
      if (mailbox === undefined) return false
      return asked === undefined
        ? isWithinHosts(mailbox.host, text.toLowerCase())
        : mailbox.local === asked.local && mailbox.host === asked.host
    },
  },
  uri: {
    soundBase: base => base.kind === 'uri' && (base.value === '' || isDnsName(base.value.replace(/^\./, ''))),
    soundName: name => hostOfUri(textOf(name)) !== undefined,
    within: (name, base) => isWithinHosts(hostOfUri(textOf(name)) ?? '', hostOf(base)),
  },
  ip: {
    soundBase: base => base.kind === 'ip' && (base.octets.length === 8 || base.octets.length === 32) && hasSoundMask(base.octets),
    soundName: name => name.kind === 'ip' && (name.octets.length === 4 || name.octets.length === 16),
    within(name, base) {
      return name.kind === 'ip' && base.kind === 'ip' && isWithinNetwork(name.octets, base.octets)
    },
  },
  directory: {
    soundBase: () => true,
    soundName: () => true,
    within(name, base) {
      return name.kind === 'directory' && base.kind === 'directory' && isWithinName(name.name, base.name)
    },
  },
}

/** A form that §4.2.1.10 describes; kinds without a description there are of none, and sound. */
export const isSoundSubtree = ({ base }: Subtree): boolean => KINDS[base.kind]?.soundBase(base) ?? true

const canProcess = ({ base, minimum, maximum }: Subtree): boolean =>
  KINDS[base.kind]?.soundBase(base) === true && minimum === 0 && maximum === undefined

const isSameForm = (a: GeneralName, b: GeneralName): boolean =>
  a.kind === b.kind && (a.kind !== 'other' || b.kind !== 'other' || a.type === b.type)

export type ConstraintBreach = { readonly reason: ReasonCode; readonly detail: string }

function breachOf(name: GeneralName, { permitted, excluded }: NameConstraints): ConstraintBreach | undefined {
  const allowed = permitted.filter(({ base }) => isSameForm(base, name))
  const refused = excluded.filter(({ base }) => isSameForm(base, name))
  if (allowed.length + refused.length === 0) return undefined
  const row = KINDS[name.kind]
  if (row === undefined || ![...allowed, ...refused].every(canProcess))
    return { reason: 'NAME_CONSTRAINT_UNSUPPORTED', detail: name.kind }
  if (!row.soundName(name)) return { reason: 'NAME_NOT_PERMITTED', detail: `a ${name.kind} name that cannot be compared` }
  const touches = row.touches ?? row.within
  if (refused.some(({ base }) => touches(name, base))) return { reason: 'NAME_EXCLUDED', detail: `a ${name.kind} name` }
  if (allowed.length > 0 && !allowed.some(({ base }) => row.within(name, base)))
    return { reason: 'NAME_NOT_PERMITTED', detail: `a ${name.kind} name` }
  return undefined
}

/**
 * The names of a certificate that constraints apply to: its subject, its alternative names, and for want of the latter the e-mail
 * addresses within the subject.
 */
export function constrainedNames(subject: Name, alternatives: readonly GeneralName[] | undefined): GeneralName[] {
  const names: GeneralName[] = subject.rdns.length === 0 ? [] : [{ kind: 'directory', name: subject }]
  if (alternatives !== undefined) return [...names, ...alternatives]
  return [...names, ...attributesOf(subject, EMAIL_ADDRESS).map(value => ({ kind: 'email' as const, value }))]
}

/** The first breach among names; nothing if all keep all constraints. Each name counts as compared with each subtree. */
export function breachOfNames(
  names: readonly GeneralName[],
  constraints: readonly NameConstraints[],
  work: Work,
): ConstraintBreach | undefined {
  for (const constraint of constraints) {
    work.spend('nameComparisons', names.length * (constraint.permitted.length + constraint.excluded.length))
    for (const name of names) {
      const breach = breachOf(name, constraint)
      if (breach !== undefined) return breach
    }
  }
  return undefined
}
