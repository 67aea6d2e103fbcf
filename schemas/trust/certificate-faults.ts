/**
 * Where a well-formed certificate is not what RFC 5280 §4 lets a conforming CA issue. Each rule is a row: the reason, and a test that
 * gives what was found, or nothing. Path validation (§6) stands on none of them; a profile decides which it refuses.
 */
import { TAG } from './der.ts'
import { allowsUse, EXTENSION_ROWS, type Extensions } from './extensions.ts'
import { isSoundSubtree } from './name-constraints.ts'
import { isPresentedDns, mailboxOf } from './name-forms.ts'
import { type GeneralName, isSameName, isSoundText, type Name } from './names.ts'
import type { Fault, ReasonCode } from './reasons.ts'

type Issued = {
  readonly serial: string
  readonly issuer: Name
  readonly subject: Name
  readonly notBefore: number
  readonly notAfter: number
  readonly extensions: Extensions
}
type Written = { readonly sameAlgorithm: boolean; readonly timeTags: readonly number[] }
type Rule = (issued: Issued, written: Written) => string | false | undefined

const isCa = ({ extensions }: Issued): boolean => extensions.basicConstraints?.ca === true
const isEmpty = (name: Name): boolean => name.rdns.length === 0

function isSoundName(name: GeneralName): boolean {
  if (name.kind === 'dns') return isPresentedDns(name.value)
  if (name.kind === 'email') return mailboxOf(name.value) !== undefined
  if (name.kind === 'ip') return name.octets.length === 4 || name.octets.length === 16
  // absolute, with something behind the scheme
  if (name.kind === 'uri') return /^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$/i.test(name.value)
  return true
}

const Y2050 = Date.UTC(2050, 0, 1)
const inForm = (time: number, tag: number | undefined): boolean => time >= Y2050 === (tag === TAG.GENERALIZED_TIME)

const RULES: readonly (readonly [ReasonCode, Rule])[] = [
  ['SIGNATURE_ALGORITHM_MISMATCH', (_, { sameAlgorithm }) => !sameAlgorithm && 'signatureAlgorithm differs from signature'],
  ['SERIAL_NOT_POSITIVE', ({ serial }) => (serial === '00' || serial >= '8') && `serial ${serial}`],
  ['SERIAL_TOO_LONG', ({ serial }) => serial.length > 40 && `${serial.length / 2} octets`],
  ['ISSUER_EMPTY', ({ issuer }) => isEmpty(issuer) && 'issuer is an empty sequence'],
  ['NAME_TEXT', ({ issuer, subject }) => !(isSoundText(issuer) && isSoundText(subject)) && 'a string is not of its encoding'],
  ['SUBJECT_EMPTY', issued => isEmpty(issued.subject) && isCa(issued) && 'subject is an empty sequence'],
  [
    'VALIDITY_FORM',
    ({ notBefore, notAfter }, { timeTags: [from, until] }) =>
      !(inForm(notBefore, from) && inForm(notAfter, until)) && 'UTCTime through 2049, GeneralizedTime from 2050',
  ],
  [
    'ALTERNATIVE_NAME_MISSING',
    ({ subject, extensions }) => isEmpty(subject) && extensions.subjectAltName === undefined && 'no subject and no subjectAltName',
  ],
  [
    'ALTERNATIVE_NAME_NOT_CRITICAL',
    ({ subject, extensions }) =>
      isEmpty(subject) && extensions.all.some(({ oid, critical }) => oid === '2.5.29.17' && !critical) && 'subject is empty',
  ],
  [
    'ALTERNATIVE_NAME_MALFORMED',
    ({ extensions }) => extensions.subjectAltName?.some(name => !isSoundName(name)) === true && 'subjectAltName',
  ],
  [
    'EXTENSION_CRITICALITY',
    issued => {
      const wrong = issued.extensions.all.find(({ oid, critical }) => {
        const asked = EXTENSION_ROWS[oid]?.critical
        if (asked === undefined) return false
        return asked === 'never' ? critical : !critical && (asked === 'always' || isCa(issued))
      })
      return wrong && (EXTENSION_ROWS[wrong.oid]?.name ?? wrong.oid)
    },
  ],
  [
    'AUTHORITY_KEY_ID_MISSING',
    // the one exception: a root, which names itself
    ({ issuer, subject, extensions }) =>
      extensions.authorityKeyId?.keyId === undefined && !isSameName(issuer, subject) && 'no keyIdentifier',
  ],
  ['SUBJECT_KEY_ID_MISSING', issued => isCa(issued) && issued.extensions.subjectKeyId === undefined && 'no subjectKeyIdentifier'],
  ['KEY_USAGE_EMPTY', ({ extensions }) => extensions.keyUsage?.bits === 0 && 'no bit is set'],
  [
    'KEY_USAGE_PADDED',
    ({ extensions }) => extensions.keyUsage?.tight === false && extensions.keyUsage.bits !== 0 && 'trailing zero bits',
  ],
  [
    'BASIC_CONSTRAINTS_INCONSISTENT',
    issued => {
      const { basicConstraints, keyUsage } = issued.extensions
      const signs = keyUsage === undefined ? isCa(issued) : allowsUse(keyUsage, 'keyCertSign')
      if (signs && !isCa(issued)) return 'keyCertSign without cA'
      return (
        basicConstraints?.pathLength !== undefined && !(isCa(issued) && signs) && 'pathLenConstraint without cA and keyCertSign'
      )
    },
  ],
  ['NAME_CONSTRAINTS_NOT_CA', issued => issued.extensions.nameConstraints !== undefined && !isCa(issued) && 'no CA certificate'],
  [
    'NAME_CONSTRAINTS_MALFORMED',
    ({ extensions: { nameConstraints } }) =>
      nameConstraints !== undefined &&
      ![...nameConstraints.permitted, ...nameConstraints.excluded].every(isSoundSubtree) &&
      'a subtree is not of its form',
  ],
  ['NAME_CONSTRAINTS_EMPTY', ({ extensions }) => extensions.nameConstraints?.empty === true && 'no subtree'],
  [
    'POLICY_REPEATED',
    ({ extensions: { certificatePolicies } }) =>
      certificatePolicies !== undefined &&
      new Set(certificatePolicies.map(({ policy }) => policy)).size < certificatePolicies.length &&
      'a policy stands twice',
  ],
  [
    'POLICY_CONSTRAINTS_EMPTY',
    ({ extensions: { policyConstraints } }) =>
      policyConstraints !== undefined && Object.keys(policyConstraints).length === 0 && 'neither field is present',
  ],
]

export function faultsOf(issued: Issued, written: Written): Fault[] {
  const faults: Fault[] = []
  for (const [reason, rule] of RULES) {
    const detail = rule(issued, written)
    if (detail) faults.push({ reason, detail })
  }
  return faults
}
