/**
 * What a verdict on a certificate rested on, as one file that stands by itself: the certificate and its path, the revocation lists, the
 * trust lists with the envelopes that say them, the head of the log with the proof that each envelope stands in it, what other members
 * witnessed of that log, and the membership log that says whose keys these are. Whoever knows the fingerprint of the federation's anchor
 * checks all of it on a machine without a network, years later: nothing is asked, and no clock but the question's own counts.
 */

import { isDateTime } from '../dates.ts'
import { digestOf } from '../digest.ts'
import { tokenDigest } from '../envelope.ts'
import { type ErrorCode, ExchangeError, isExchangeError } from '../errors.ts'
import { readIJson } from '../i-json.ts'
import { formatLogId, formatPosition, type LogId } from '../log.ts'
import { type EntryProof, PROOF_HASHES, verifyEntry } from '../log-tree.ts'
import { applyEntry } from '../membership/application.ts'
import { emptyState, type MembershipState, membershipOf } from '../membership/state.ts'
import type { Membership } from '../membership.ts'
import { openBytes, openRecords, openToken } from '../opening.ts'
import { checkAddressed, openRedaction } from '../redaction.ts'
import { openHead } from '../statements.ts'
import { parseToken } from '../tokens.ts'
import { type Certificate, parseCertificate } from './certificate.ts'
import { type Crl, parseCrl } from './crl.ts'
import { fingerprintOf } from './fingerprint.ts'
import { PURPOSES, type PurposeName } from './purposes.ts'
import { checkExpiry, judgeTrustList } from './trust-list-checks.ts'
import { createTrustMaterial, needsNationalList, type StandingList } from './trust-material.ts'
import { type CertificateVerdict, verifyCertificate } from './verification.ts'

export const EVIDENCE_FORM = 'hutong-evidence/1'
export const EVIDENCE_MEDIA_TYPE = 'application/vnd.hutong.evidence+json'
export const EVIDENCE_LIMITS = {
  bytes: 256 * 1024 * 1024,
  chain: 20,
  crls: 64,
  lists: 8,
  witnesses: 8,
  membership: 100_000,
  depth: 6,
} as const

export type ListEvidence = {
  /** the list, a compact JWS */
  readonly list: string
  /** the envelope that says it: token, plain body in base64, and the redaction of its position if there is one */
  readonly envelope: string
  readonly body: string
  readonly redaction: string | null
  /** a later head of its log, by its origin, and that the envelope stands in the tree that it states */
  readonly head: string | null
  readonly proof: EntryProof | null
  /** heads of other members that hold the log as it stands there */
  readonly witnesses: readonly string[]
}
export type Evidence = {
  readonly form: typeof EVIDENCE_FORM
  readonly fed: string
  readonly made_at: string
  /** the member that made the file; its word is not needed */
  readonly made_by: string
  readonly question: { readonly fingerprint: string; readonly at: string; readonly purpose: PurposeName }
  readonly verdict: { readonly result: string; readonly reason: string }
  /** base64 of DER: the certificate, those between it and its anchor, and revocation lists */
  readonly certificate: string
  readonly chain: readonly string[]
  readonly crls: readonly string[]
  readonly lists: readonly ListEvidence[]
  /** every entry of the membership log from the first; empty where the membership is a configured file */
  readonly membership: readonly string[]
}

const malformed = (reason: string): ExchangeError => new ExchangeError('EVIDENCE_MALFORMED', reason)

export const isEvidenceFile = (bytes: Uint8Array): boolean =>
  Buffer.from(bytes.subarray(0, 64)).toString('latin1').replace(/\s/g, '').startsWith(`{"form":"${EVIDENCE_FORM}"`)

type Fields = { readonly [name: string]: unknown }
const fieldsOf = (value: unknown, what: string): Fields => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(`expected ${what} to be an object`)
  return value as Fields
}
const textIn = (fields: Fields, name: string, pattern = /^[\s\S]*$/): string => {
  const value = fields[name]
  if (typeof value !== 'string' || !pattern.test(value)) throw malformed(`expected ${name} of its form`)
  return value
}
const listIn = (fields: Fields, name: string, most: number): readonly unknown[] => {
  const value = fields[name]
  if (!Array.isArray(value) || value.length > most) throw malformed(`expected ${name}: a list of at most ${most}`)
  return value
}
const textsIn = (fields: Fields, name: string, most: number): string[] =>
  listIn(fields, name, most).map(one => {
    if (typeof one !== 'string') throw malformed(`expected ${name}: a list of texts`)
    return one
  })
const nullable = (fields: Fields, name: string): string | null => (fields[name] === null ? null : textIn(fields, name))
const whole = (fields: Fields, name: string): number => {
  const value = fields[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw malformed(`expected ${name}: a whole number`)
  return value
}

function proofOf(value: unknown): EntryProof | null {
  if (value === null) return null
  const fields = fieldsOf(value, 'proof')
  return { seq: whole(fields, 'seq'), until: whole(fields, 'until'), path: textsIn(fields, 'path', PROOF_HASHES) }
}

/** The file as it stands; nothing in it is believed yet. @throws EVIDENCE_MALFORMED */
export function parseEvidence(bytes: Uint8Array): Evidence {
  if (bytes.length > EVIDENCE_LIMITS.bytes) throw malformed(`expected at most ${EVIDENCE_LIMITS.bytes} bytes, got ${bytes.length}`)
  const { value, faults } = readIJson(bytes, EVIDENCE_LIMITS.depth)
  const [fault] = faults
  if (fault !== undefined) throw malformed(`${fault.reason} at "${fault.path}"`)
  const file = fieldsOf(value, 'the file')
  const question = fieldsOf(file.question, 'question')
  const verdict = fieldsOf(file.verdict, 'verdict')
  const purpose = textIn(question, 'purpose')
  const at = textIn(question, 'at')
  if (file.form !== EVIDENCE_FORM) throw malformed(`expected ${EVIDENCE_FORM}`)
  if (!Object.hasOwn(PURPOSES, purpose)) throw malformed('expected a purpose of the table')
  if (!isDateTime(at)) throw malformed('expected at: a time by RFC 3339')
  return {
    form: EVIDENCE_FORM,
    fed: textIn(file, 'fed'),
    made_at: textIn(file, 'made_at'),
    made_by: textIn(file, 'made_by', /^[0-9]{6}$/),
    question: { fingerprint: textIn(question, 'fingerprint', /^[0-9a-f]{64}$/), at, purpose: purpose as PurposeName },
    verdict: { result: textIn(verdict, 'result'), reason: textIn(verdict, 'reason') },
    certificate: textIn(file, 'certificate'),
    chain: textsIn(file, 'chain', EVIDENCE_LIMITS.chain),
    crls: textsIn(file, 'crls', EVIDENCE_LIMITS.crls),
    lists: listIn(file, 'lists', EVIDENCE_LIMITS.lists).map(value => {
      const fields = fieldsOf(value, 'a list')
      return {
        list: textIn(fields, 'list'),
        envelope: textIn(fields, 'envelope'),
        body: textIn(fields, 'body'),
        redaction: nullable(fields, 'redaction'),
        head: nullable(fields, 'head'),
        proof: proofOf(fields.proof),
        witnesses: textsIn(fields, 'witnesses', EVIDENCE_LIMITS.witnesses),
      }
    }),
    membership: textsIn(file, 'membership', EVIDENCE_LIMITS.membership),
  }
}

export const EVIDENCE_CHECKS = {
  form: { zh: '格式与大小', en: 'form and sizes' },
  membership: { zh: '成员日志与锚', en: 'membership log and anchor' },
  list: { zh: '信任列表：版本、结构、签名', en: 'trust list: version, structure, signature' },
  expiry: { zh: '信任列表：该时刻未过期', en: 'trust list: not expired then' },
  envelope: { zh: '载有该列表的信封', en: 'the envelope that says it' },
  log: { zh: '信封在日志链中（默克尔证明与来源链头）', en: "the envelope stands in the log (Merkle proof and origin's head)" },
  witnesses: { zh: '其他成员的见证', en: 'witnessed by other members' },
  certificate: { zh: '证书路径、吊销与用途', en: 'path, revocation and purpose of the certificate' },
  verdict: { zh: '与文件所载结论一致', en: 'the verdict is the one that the file states' },
} as const
export type EvidenceCheckId = keyof typeof EVIDENCE_CHECKS
export type EvidenceCheck = {
  readonly id: EvidenceCheckId
  /** the list that it is about */
  readonly about: string | null
  readonly verdict: 'passed' | 'failed' | 'unchecked'
  readonly code?: ErrorCode
  readonly note?: string
}
export type EvidenceVerification = {
  readonly kind: 'evidence'
  /** nothing failed: the verdict is what follows from the file, whichever it is */
  readonly valid: boolean
  readonly question: Evidence['question'] | null
  readonly verdict: Pick<CertificateVerdict, 'result' | 'reason'> | null
  readonly checks: readonly EvidenceCheck[]
}

/** What the checker knows by another way: the anchor's fingerprint, or a membership file. */
export type EvidenceTrust = {
  /** fingerprints, one of which has to be the anchor's */
  readonly anchors: readonly string[]
  /** for evidence without a membership log */
  readonly membership: Membership | null
}

/** @throws MEMBERSHIP_UNTRUSTED and what the log is refused with */
async function membershipFrom({ fed, membership: tokens }: Evidence, trust: EvidenceTrust): Promise<Membership> {
  if (tokens.length === 0) {
    if (trust.membership === null)
      throw new ExchangeError('MEMBERSHIP_UNTRUSTED', 'the file holds no membership log, and no membership file was given')
    return trust.membership
  }
  let refused: unknown = null
  for (const anchor of trust.anchors) {
    let state: MembershipState = emptyState({ fed, anchor })
    try {
      for (const token of tokens) state = (await applyEntry(state, token)).state
      return await membershipOf(state)
    } catch (error) {
      if (!isExchangeError(error)) throw error
      refused = error
    }
  }
  throw refused ?? new ExchangeError('MEMBERSHIP_UNTRUSTED', 'expected the fingerprint of an anchor')
}

class Checks {
  readonly all: EvidenceCheck[] = []
  pass(id: EvidenceCheckId, about: string | null = null, note?: string): void {
    this.all.push({ id, about, verdict: 'passed', ...(note === undefined ? {} : { note }) })
  }
  skip(id: EvidenceCheckId, about: string | null, note: string): void {
    this.all.push({ id, about, verdict: 'unchecked', note })
  }
  fail(id: EvidenceCheckId, about: string | null, error: unknown): void {
    if (!isExchangeError(error)) throw error
    this.all.push({ id, about, verdict: 'failed', code: error.code, note: error.reason })
  }
}

const invalid = (reason: string): ExchangeError => new ExchangeError('EVIDENCE_INVALID', reason)

/** One list, from its envelope to those who witnessed its log; null if it is not to be believed. */
async function checkList(one: ListEvidence, membership: Membership, at: number, checks: Checks): Promise<StandingList | null> {
  const about = digestOf(one.list).slice(0, 20)
  let log: LogId
  let position: { epoch: number; seq: number }
  try {
    const opened = await openToken('envelope', one.envelope, membership, null)
    if (opened.refusal !== null) throw opened.refusal
    const { claims } = opened
    if (claims === null || opened.log.dataset !== 'trust')
      throw invalid(`expected an envelope of trust, got ${formatLogId(opened.log)}`)
    const redaction = one.redaction === null ? null : await openRedaction(one.redaction, membership, opened.log)
    if (redaction !== null) checkAddressed(redaction, claims)
    const body = await openBytes(claims, Buffer.from(one.body, 'base64'), 'identity', redaction)
    const { records } = openRecords(claims, body, redaction?.keys)
    const says = records.some(record => record.op === 'put' && (record.body as { list?: unknown }).list === one.list)
    if (!says) throw invalid('expected the list in a record of its envelope')
    log = opened.log
    position = { epoch: opened.entry.epoch, seq: opened.entry.seq }
    checks.pass('envelope', about, `${formatLogId(log)} ${formatPosition(position)}`)
  } catch (error) {
    checks.fail('envelope', about, error)
    return null
  }
  const judged = await judgeTrustList(one.list, { membership, at: { log, position }, now: at, completeAt: null, budgetSeconds: 0 })
  if (!judged.genuine || judged.list === null) {
    const { code, reason } = judged.refusal ?? {}
    checks.fail('list', about, new ExchangeError(code ?? 'TRUST_LIST_STRUCTURE_INVALID', reason ?? 'expected a list'))
    return null
  }
  const { list } = judged
  const name = `${list.operator}/${list.id} #${list.sequence}`
  checks.pass('list', name)
  const expiry = checkExpiry(list, at)
  if (expiry.verdict === 'failed') checks.skip('expiry', name, expiry.reason ?? '')
  else checks.pass('expiry', name)
  await checkPlace(one, name, { log, ...position }, membership, checks)
  return { list, withdrawnAt: null }
}

async function checkPlace(
  { envelope, head: token, proof, witnesses }: ListEvidence,
  name: string,
  place: { readonly log: LogId; readonly epoch: number; readonly seq: number },
  membership: Membership,
  checks: Checks,
): Promise<void> {
  if (token === null || proof === null) return checks.skip('log', name, '文件中没有日志证明 the file holds no proof of the log')
  const digest = tokenDigest(envelope)
  try {
    const head = await openHead(token, membership, place.log)
    const stated = head.logs.find(({ log }) => formatLogId(log) === formatLogId(place.log))
    if (stated?.tree == null) throw invalid('expected a head that states the root of this log')
    if (stated.head.epoch !== place.epoch || stated.head.seq !== proof.until || proof.seq !== place.seq)
      throw invalid('expected a proof for the positions of envelope and head')
    if (!verifyEntry(digest, proof, stated.tree))
      throw invalid('the envelope does not stand in the tree whose root the head states')
    checks.pass('log', name, `${proof.path.length} 个散列 hashes，至 up to ${formatPosition(stated.head)}`)
    const seen: string[] = []
    for (const witness of witnesses) {
      const [first] = (parseToken(witness, 'head').claims as { logs?: { ds: string }[] }).logs ?? []
      const { iss = '', aud = '' } = parseToken(witness, 'head').claims as { iss?: string; aud?: string }
      const own = first === undefined ? null : { origin: iss, dataset: first.ds, audience: aud }
      const { origin, held } = await openHead(witness, membership, own)
      const at = held.find(({ log }) => formatLogId(log) === formatLogId(place.log))?.head
      const same =
        at?.epoch === place.epoch &&
        ((at.seq === stated.head.seq && at.digest === stated.head.digest) || (at.seq === place.seq && at.digest === digest))
      if (!same || origin === place.log.origin) throw invalid(`${origin}: expected a witness of this log as the head has it`)
      seen.push(origin)
    }
    if (seen.length > 0) checks.pass('witnesses', name, [...new Set(seen)].join(', '))
    else checks.skip('witnesses', name, '文件中没有见证 the file holds none')
  } catch (error) {
    checks.fail('log', name, error)
  }
}

/** Checks the whole file. Never throws for what it holds. */
export async function verifyEvidence(bytes: Uint8Array, trust: EvidenceTrust): Promise<EvidenceVerification> {
  const checks = new Checks()
  const done = (
    question: Evidence['question'] | null,
    verdict: Pick<CertificateVerdict, 'result' | 'reason'> | null,
  ): EvidenceVerification => ({
    kind: 'evidence',
    valid: checks.all.every(one => one.verdict !== 'failed') && verdict !== null,
    question,
    verdict,
    checks: checks.all,
  })
  let evidence: Evidence
  let leaf: Certificate
  let chain: Certificate[]
  let crls: Crl[]
  try {
    evidence = parseEvidence(bytes)
    const der = Buffer.from(evidence.certificate, 'base64')
    if (fingerprintOf(der) !== evidence.question.fingerprint) throw malformed('expected the certificate that the question names')
    leaf = parseCertificate(der)
    chain = evidence.chain.map(one => parseCertificate(Buffer.from(one, 'base64')))
    crls = evidence.crls.map(one => parseCrl(Buffer.from(one, 'base64')))
    checks.pass('form')
  } catch (error) {
    checks.fail('form', null, error)
    return done(null, null)
  }
  const { question } = evidence
  let membership: Membership
  try {
    membership = await membershipFrom(evidence, trust)
    if (membership.fed !== evidence.fed) throw new ExchangeError('FEDERATION_FOREIGN', `expected federation ${membership.fed}`)
    checks.pass('membership', null, `${membership.fed} ${membership.position}`)
  } catch (error) {
    checks.fail('membership', null, error)
    return done(question, null)
  }
  const at = Date.parse(question.at)
  const lists: StandingList[] = []
  for (const one of evidence.lists) {
    const list = await checkList(one, membership, at, checks)
    if (list !== null) lists.push(list)
  }
  const held = { trust: createTrustMaterial(lists, needsNationalList(membership)), crls, authorities: [] }
  const { result, reason } = verifyCertificate({ leaf, intermediates: chain, at, purpose: question.purpose }, held)
  const found = { result, reason }
  checks.pass('certificate', null, `${result} ${reason}`)
  if (result === evidence.verdict.result && reason === evidence.verdict.reason) checks.pass('verdict')
  else
    checks.fail(
      'verdict',
      null,
      invalid(`the file states ${evidence.verdict.result} ${evidence.verdict.reason}, got ${result} ${reason}`),
    )
  return done(question, found)
}
