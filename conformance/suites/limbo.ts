/**
 * C2SP/x509-limbo: path validation, each case one JSON object with its certificates in it. Fields that a later version of the suite
 * adds are left alone, features that it adds set a case aside: the suite asks for both.
 */
import { ALGORITHM_POLICY, type AlgorithmPolicy } from '../../schemas/trust/algorithm-policy.ts'
import type { PathQuestion } from '../../schemas/trust/path-validation.ts'
import { certificatesOf, crlsOf, judgePath, leafOf } from './certificates.ts'
import { filesOf, isObject, type Json, type JsonFile, malformed, readJsonTree, textOf, textsOf, timeOf } from './material.ts'
import type { Rule } from './rules.ts'
import { type Expected, type Judged, notApplicable, refused, type Suite, type SuiteCase } from './suite.ts'

const EXPECTED: { readonly [result: string]: Expected | undefined } = { SUCCESS: 'accepted', FAILURE: 'refused' }

/** Features that change nothing here: the product does what they mark as optional. */
const KNOWN_FEATURES = new Set([
  'has-policy-constraints',
  'has-cert-policies',
  'name-constraint-dn',
  'pedantic-serial-number',
  'pedantic-rfc5280',
  'max-chain-depth',
  'rfc5280-incompatible-with-webpki',
  'denial-of-service',
  'has-crl',
])

/** In this order; the first that holds names the rule. */
const ASIDE: readonly { readonly rule: Rule; holds(id: string, features: readonly string[]): boolean }[] = [
  { rule: 'web-pki', holds: id => id.startsWith('webpki::') },
  { rule: 'web-pki', holds: (_id, features) => features.some(one => one.startsWith('pedantic-webpki')) },
  { rule: 'public-suffix', holds: (_id, features) => features.includes('pedantic-public-suffix-wildcard') },
  { rule: 'policies-unsupported', holds: (_id, features) => features.includes('no-cert-policies') },
  { rule: 'feature-unknown', holds: (_id, features) => features.some(one => !KNOWN_FEATURES.has(one)) },
]

/** RFC 5280 §4.2.1.12. Any purpose is no constraint. */
const PURPOSES: { readonly [name: string]: string | undefined } = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  emailProtection: '1.3.6.1.5.5.7.3.4',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  OCSPSigning: '1.3.6.1.5.5.7.3.9',
}
/** What a case asks for that names no purpose: the side of TLS that it plays. */
const PURPOSE_OF_KIND: { readonly [kind: string]: readonly string[] | undefined } = {
  SERVER: ['serverAuth'],
  CLIENT: ['clientAuth'],
}
/** The suite's names of signature algorithms (RSA_WITH_SHA256, RSASSA_PSS, ED25519, …) as the policy's. */
const signatureNamesOf = (name: string): string[] => {
  if (name === 'RSASSA_PSS') return ['rsa-pss-sha256', 'rsa-pss-sha384', 'rsa-pss-sha512']
  const [family = '', digest] = name.toLowerCase().split('_with_')
  return [digest === undefined ? family : `${family}-${digest.replaceAll('_', '-')}`]
}
const policyOf = (names: readonly string[]): AlgorithmPolicy | undefined =>
  names.length === 0 ? undefined : { ...ALGORITHM_POLICY, signatures: new Set(names.flatMap(signatureNamesOf)) }

const ANY_PURPOSE = new Set(['anyExtendedKeyUsage', '2.5.29.37.0'])

const KINDS: { readonly [kind: string]: 'dns' | 'ip' | 'email' | undefined } = { DNS: 'dns', IP: 'ip', RFC822: 'email' }

const namesOf = (one: Json): NonNullable<PathQuestion['names']> =>
  [one.expected_peer_name, ...(Array.isArray(one.expected_peer_names) ? one.expected_peer_names : [])].flatMap(name => {
    const kind = isObject(name) ? KINDS[String(name.kind)] : undefined
    return isObject(name) && kind !== undefined && typeof name.value === 'string' ? [{ kind, value: name.value }] : []
  })

function judge(one: Json, at: number): Judged {
  const peer = textOf(one.peer_certificate)
  if (peer === null) return refused('CERTIFICATE_MALFORMED')
  const names = namesOf(one)
  const keyUsage = textsOf(one.key_usage).map(name => (name === 'contentCommitment' ? 'nonRepudiation' : name))
  const asked = textsOf(one.extended_key_usage)
  const extendedKeyUsage = (asked.length === 0 ? (PURPOSE_OF_KIND[String(one.validation_kind)] ?? []) : asked)
    .filter(name => !ANY_PURPOSE.has(name))
    .map(name => PURPOSES[name] ?? name)
  const crls = textsOf(one.crls)
  const algorithms = policyOf(textsOf(one.signature_algorithms))
  return judgePath({
    leaf: leafOf(peer),
    intermediates: certificatesOf(textsOf(one.untrusted_intermediates)),
    anchors: certificatesOf(textsOf(one.trusted_certs)),
    crls: crlsOf(crls),
    at,
    // The suite holds certificates against what RFC 5280 asks of those who issue them, too.
    profile: 'issuance',
    // Where lists are given, every certificate of the chain needs one, as the suite's harness for OpenSSL has it.
    revocation: crls.length > 0 || textsOf(one.features).includes('has-crl') ? 'required' : 'ignored',
    purpose: { keyUsage, extendedKeyUsage } as NonNullable<PathQuestion['purpose']>,
    ...(algorithms === undefined ? {} : { algorithms }),
    ...(names.length === 0 ? {} : { names }),
    ...(typeof one.max_chain_depth === 'number' ? { maxPathLength: one.max_chain_depth } : {}),
  })
}

function caseOf(path: string, one: unknown, now: number): SuiteCase {
  const id = isObject(one) ? textOf(one.id) : null
  const expected = isObject(one) ? EXPECTED[String(one.expected_result)] : undefined
  if (!isObject(one) || id === null || expected === undefined) throw malformed(path, 'expected cases with id and expected_result')
  const features = textsOf(one.features)
  const aside = ASIDE.find(({ holds }) => holds(id, features))
  if (aside !== undefined) return { id, expected, judge: () => notApplicable(aside.rule) }
  const at = timeOf(one.validation_time, now)
  if (at === null) throw malformed(path, `${id}: expected a validation_time of RFC 3339`)
  return { id, expected, judge: () => judge(one, at) }
}

type Cases = { readonly path: string; readonly cases: readonly unknown[] }
const casesOf = ({ path, value }: JsonFile): Cases | null =>
  isObject(value) && Array.isArray(value.testcases) ? { path, cases: value.testcases } : null

export const limbo: Suite = {
  name: 'limbo',
  zh: '证书路径验证（x509-limbo）',
  en: 'path validation (x509-limbo)',
  async read(path) {
    const files = filesOf(path, await readJsonTree(path), casesOf, 'expected testcases of x509-limbo')
    const now = Date.now()
    return files.flatMap(file => file.cases.map(one => caseOf(file.path, one, now)))
  },
}
