/**
 * Who holds a certificate, read where the profile of its authority says: an organisation by its code, a natural person by a keyed hash
 * of the identity number alone. The number itself is in no value that leaves this file, nor is a person's name: both would name a
 * bidder's employee wherever a verdict goes. A code whose check fails is kept with that verdict, since codes in use fail it.
 */
import { createHmac } from 'node:crypto'
import { isIdentityNumber } from '../codes/identity-number.ts'
import { judgeUscc, type UsccJudgement } from '../codes/uscc.ts'
import { isExchangeError } from '../errors.ts'
import type { Certificate } from './certificate.ts'
import { contentOf, type Der, inside, readDer, TAG } from './der.ts'
import type { HolderRule } from './trust-list.ts'

/** With which identity numbers are hidden; a program keeps its own, so that hashes of two programs do not meet. */
export type PseudonymKey = { readonly key: Uint8Array; readonly hash?: 'sha256' | 'sm3' }

export type Holder = {
  readonly kind: 'organisation' | 'person'
  /** 18 characters, half-width and upper case */
  readonly uscc: string | null
  /** of `uscc`: its two checks, GB 32100 and GB 11714 */
  readonly judgement: Pick<UsccJudgement, 'outer' | 'inner'> | null
  /** GB 11714, 9 characters; those of the credit code where there is one */
  readonly organisationCode: string | null
  /** registration number of a business licence */
  readonly businessLicence: string | null
  /** keyed hash in base64url; null without a key */
  readonly pseudonym: string | null
  /** of an organisation only */
  readonly name: string | null
  readonly foundAt: { readonly oid: string; readonly where: 'extension' | 'subject' }
}

type Place = HolderRule['where']
const rule = (oid: string, kind: HolderRule['kind'], where: Place = 'extension'): HolderRule => ({ oid, kind, where })

/**
 * Where an authority without rules of its own has them: the extensions of GB/T 20518 and GM/T 0015 under both arcs in use, and the place
 * of GM/T 0015-2023. Codes before numbers of persons, since certificates of organisations carry that of whoever applied.
 */
export const DEFAULT_HOLDER_RULES: readonly HolderRule[] = [
  rule('1.2.156.10260.4.4', 'uscc'),
  rule('1.2.156.10260.4.1.4', 'auto'),
  rule('1.2.86.11.7.3', 'auto'),
  rule('1.2.156.10260.4.1.3', 'business-licence'),
  rule('1.2.86.11.7.4', 'business-licence'),
  // organizationIdentifier (X.520 §6.4.6)
  rule('2.5.4.97', 'auto', 'subject'),
  rule('1.2.156.10260.4.1.1', 'identity-number'),
  rule('1.2.86.11.7.1', 'identity-number'),
]

const ORGANISATION_NAME = '2.5.4.10'
const COMMON_NAME = '2.5.4.3'
const LONGEST = 128
const DEEPEST = 4

const utf8 = new TextDecoder('utf-8', { fatal: true })
const utf16 = new TextDecoder('utf-16be', { fatal: true })
const latin1 = (octets: Buffer): string => octets.toString('latin1')
const STRINGS: { readonly [tag: number]: (octets: Buffer) => string } = {
  [TAG.UTF8_STRING]: octets => utf8.decode(octets),
  [TAG.BMP_STRING]: octets => utf16.decode(octets),
  [TAG.PRINTABLE_STRING]: latin1,
  [TAG.NUMERIC_STRING]: latin1,
  [TAG.IA5_STRING]: latin1,
  [TAG.VISIBLE_STRING]: latin1,
  [TAG.TELETEX_STRING]: latin1,
  [TAG.OCTET_STRING]: octets => utf8.decode(octets),
}

/** The first text in an element: itself, or within the CHOICE or SET in which identity numbers stand (GB/T 20518 §5.2.4). */
function textIn(node: Der, depth = 0): string | null {
  const decode = STRINGS[node.tag]
  if (decode !== undefined) return decode(contentOf(node))
  if ((node.tag & 0xc0) === 0x80 && (node.tag & 0x20) === 0) return utf8.decode(contentOf(node))
  if ((node.tag & 0x20) === 0 || depth === DEEPEST) return null
  const reader = inside(node)
  while (!reader.done) {
    const text = textIn(reader.any(), depth + 1)
    if (text !== null) return text
  }
  return null
}

/** Text of an extension's value: DER of a string, or, as some authorities write it, the bare text. */
function textOf(value: Uint8Array): string | null {
  try {
    return textIn(readDer(value))
  } catch (error) {
    const text = isExchangeError(error) ? Buffer.from(value).toString('latin1') : ''
    return /^[\x20-\x7e]+$/.test(text) ? text : null
  }
}

const tidy = (text: string | null | undefined): string | null => {
  const plain = (text ?? '').normalize('NFKC').replace(/\s+/g, '').slice(0, LONGEST)
  return plain === '' ? null : plain
}

const subjectText = ({ subject }: Certificate, type: string): string | null =>
  subject.rdns.flat().find(attribute => attribute.type === type)?.text ?? null

function find(
  certificate: Certificate,
  { oid, where }: HolderRule,
): { readonly text: string; readonly where: 'extension' | 'subject' } | null {
  const extension = where === 'subject' ? undefined : certificate.extensions.unknown.find(one => one.oid === oid)
  const inExtension = extension === undefined ? null : tidy(textOf(extension.value))
  if (inExtension !== null) return { text: inExtension, where: 'extension' }
  const inSubject = where === 'extension' ? null : tidy(subjectText(certificate, oid))
  return inSubject === null ? null : { text: inSubject, where: 'subject' }
}

const CREDIT_CODE = /^[0-9A-HJ-NP-RTUWXY]{18}$/
const ORGANISATION_CODE = /^[0-9A-Z]{8}-?[0-9X]$/

/** An identifier may say in front what it is (ETSI EN 319 412-1 §5.1.4: `NTRCN-`, `VATCN-`), or stand behind a label. */
const withoutPrefix = (text: string): string => text.replace(/^[A-Z]{3}[A-Z]{2}-/, '')

type Read = { readonly kind: 'uscc' | 'organisation-code' | 'business-licence' | 'identity-number'; readonly text: string }

/** What a text is. Whatever the rule says, what looks like an identity number is one. */
function read(text: string, kind: HolderRule['kind']): Read | null {
  const plain = withoutPrefix(text).toUpperCase()
  if (kind === 'identity-number' || isIdentityNumber(plain)) return { kind: 'identity-number', text: plain }
  if (CREDIT_CODE.test(plain)) return { kind: 'uscc', text: plain }
  if (kind === 'uscc') return plain.length === 18 ? { kind, text: plain } : null
  if (kind !== 'business-licence' && ORGANISATION_CODE.test(plain))
    return { kind: 'organisation-code', text: plain.replace('-', '') }
  if (kind === 'auto') return /^[0-9]{13,15}$/.test(plain) ? { kind: 'business-licence', text: plain } : null
  return { kind, text: plain }
}

export const pseudonymOf = (identityNumber: string, { key, hash = 'sha256' }: PseudonymKey): string =>
  createHmac(hash, key).update(`identity-number ${identityNumber}`).digest('base64url')

/**
 * The holder by the first rule that finds something; null if none does, so that nothing is said of who it is. Never throws for a parsed
 * certificate.
 */
export function extractHolder(certificate: Certificate, rules: readonly HolderRule[], pseudonymKey?: PseudonymKey): Holder | null {
  for (const one of rules.length === 0 ? DEFAULT_HOLDER_RULES : rules) {
    const found = find(certificate, one)
    const said = found === null ? null : read(found.text, one.kind)
    if (found === null || said === null) continue
    const foundAt = { oid: one.oid, where: found.where }
    const none = {
      uscc: null,
      judgement: null,
      organisationCode: null,
      businessLicence: null,
      pseudonym: null,
      name: null,
      foundAt,
    }
    if (said.kind === 'identity-number')
      return { ...none, kind: 'person', pseudonym: pseudonymKey === undefined ? null : pseudonymOf(said.text, pseudonymKey) }
    const name = (subjectText(certificate, ORGANISATION_NAME) ?? subjectText(certificate, COMMON_NAME))?.slice(0, LONGEST) ?? null
    const organisation = { ...none, kind: 'organisation' as const, name }
    if (said.kind === 'business-licence') return { ...organisation, businessLicence: said.text }
    if (said.kind === 'organisation-code') return { ...organisation, organisationCode: said.text }
    const { outer, inner, normalised } = judgeUscc(said.text)
    return { ...organisation, uscc: normalised, judgement: { outer, inner }, organisationCode: normalised.slice(8, 17) }
  }
  return null
}

/** One text for one holder, to find their certificates by; null where the holder has no name that may be written down. */
export const holderId = ({ uscc, organisationCode, businessLicence, pseudonym }: Holder): string | null =>
  uscc !== null
    ? `uscc:${uscc}`
    : organisationCode !== null
      ? `organisation:${organisationCode}`
      : businessLicence !== null
        ? `licence:${businessLicence}`
        : pseudonym !== null
          ? `person:${pseudonym}`
          : null
