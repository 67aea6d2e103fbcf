/**
 * The search for a path (RFC 5280 §6.1): issuers in the order of `path-building.ts`, each held to its role and its signature before the
 * search goes on above it, a complete path to all the rest. A path that fails gives way to the next. The signer of a revocation list needs
 * a path of its own to the same anchor (§6.3.3 (f)), which is found by the same search, one level deeper.
 */
import { ALGORITHM_POLICY, refusalOfSignature } from './algorithm-policy.ts'
import { type Certificate, isSelfIssued } from './certificate.ts'
import type { Crl } from './crl.ts'
import type { Work } from './limits.ts'
import { certificatesOf, indexMaterial, isOtherKey, issuersOf, type Material } from './path-building.ts'
import {
  type Breach,
  breachOf,
  breachOfQuestion,
  checkPath,
  type PathInputs,
  type PeerName,
  type Role,
  type Rules,
} from './path-checks.ts'
import type { PathQuestion } from './path-question.ts'
import { type Failure, STAGES, type Stage } from './path-steps.ts'
import { ANY_POLICIES } from './policies.ts'
import { type CrlIndex, indexCrls, type RevocationContext, type RevocationFinding, statusOf } from './revocation.ts'
import { lacksParameters, SignatureBook } from './signature-book.ts'

export type Found = {
  readonly chain: readonly Certificate[]
  readonly policies: readonly string[]
  readonly revocation: readonly RevocationFinding[]
}
/** What a path is sought for: the question's leaf, or the signer of a list that the question needs. */
type Target = {
  readonly leaf: Certificate
  readonly inputs: PathInputs
  readonly names: readonly PeerName[]
  /** fingerprint: the anchor that a list's signer has to share (§6.3.3 (f)) */
  readonly anchor?: string
  readonly depth: number
  /** lists whose signer is being looked into, by fingerprint, with that of the signer */
  readonly pending: ReadonlyMap<string, string>
}

/** §6.1.4 (l), (m), seen from below, so that no path is built that a CA on it, or the question, forbids. */
function isTooLong(
  chain: readonly Certificate[],
  issuer: Certificate,
  isAnchor: boolean,
  most: number | undefined,
): Breach | undefined {
  const between = chain.filter((one, index) => index > 0 && !isSelfIssued(one)).length
  const counted = between + (isAnchor || isSelfIssued(issuer) ? 0 : 1)
  const allowed = issuer.extensions.basicConstraints?.pathLength
  if ((allowed === undefined || between <= allowed) && (most === undefined || counted <= most)) return undefined
  return { reason: 'PATH_TOO_LONG', detail: `${counted} between leaf and anchor` }
}

/** Keeps the failure that came furthest: by stage, then by length, the first of equals. A revocation outweighs what is merely unknown. */
class Progress {
  best: Failure
  #rank = -1

  constructor(leaf: Certificate) {
    this.best = {
      stage: 'search',
      reason: 'ISSUER_UNKNOWN',
      detail: 'no issuer that leads to an anchor',
      certificate: leaf,
      chain: [leaf],
    }
  }

  note(failure: Failure): void {
    const rank = STAGES.indexOf(failure.stage) * 1000 + (failure.reason === 'REVOKED' ? 500 : 0) + failure.chain.length
    if (rank <= this.#rank) return
    this.#rank = rank
    this.best = failure
  }
}

export class PathSearch {
  readonly #question: PathQuestion
  readonly #work: Work
  readonly #rules: Rules
  readonly #material: Material
  readonly #crls: CrlIndex
  readonly #signatures: SignatureBook
  readonly #breaches = new Map<Certificate, { readonly [role in Role]?: Breach | null }>()
  readonly #statuses = new Map<string, RevocationFinding>()
  readonly #signers = new Map<string, Breach | null>()
  readonly #progress: Progress

  constructor(question: PathQuestion, work: Work) {
    const { anchors, intermediates, crls, proven, at, algorithms = ALGORITHM_POLICY, profile = 'validation' } = question
    this.#question = question
    this.#progress = new Progress(question.leaf)
    this.#work = work
    this.#signatures = new SignatureBook(question, work)
    this.#rules = { at: Math.floor(at / 1000) * 1000, algorithms, profile }
    this.#material = proven === undefined ? indexMaterial(anchors, intermediates) : proven.material(anchors, intermediates)
    this.#crls = proven === undefined ? indexCrls(crls) : proven.crls(crls)
  }

  /** the failure that came furthest so far */
  get failure(): Failure {
    return this.#progress.best
  }

  /** @throws WorkExceeded */
  run(): { readonly found?: Found; readonly failure?: Failure } {
    const { leaf, policies = ANY_POLICIES, maxPathLength, purpose, names = [] } = this.#question
    const inputs = { policies, ...(maxPathLength !== undefined && { maxPathLength }), ...(purpose && { purpose }) }
    return this.#find({ leaf, inputs, names, depth: 0, pending: NONE_PENDING })
  }

  #find(target: Target): { readonly found?: Found; readonly failure?: Failure } {
    const { leaf, anchor } = target
    const trusted = anchor === undefined ? this.#material.anchors.has(leaf.fingerprint) : anchor === leaf.fingerprint
    const breach = this.#breachOf(leaf, trusted ? 'trusted' : 'leaf')
    if (breach !== undefined) return { failure: { stage: 'issuing', certificate: leaf, chain: [leaf], ...breach } }
    const search = target.depth === 0 ? this.#progress : new Progress(leaf)
    const found = trusted ? this.#complete([leaf], target, search) : this.#extend([leaf], target, search)
    return found === undefined ? { failure: search.best } : { found }
  }

  #extend(chain: readonly Certificate[], target: Target, search: Progress): Found | undefined {
    const top = chain.at(-1)
    if (top === undefined) return undefined
    for (const issuer of issuersOf(this.#material, chain)) {
      this.#work.spend('visited')
      const isAnchor =
        this.#material.anchors.has(issuer.fingerprint) && (target.anchor ?? issuer.fingerprint) === issuer.fingerprint
      const longer = [...chain, issuer]
      const breach = this.#breachOfLink(top, issuer, isAnchor)
      if (breach !== undefined) {
        // a certificate with another key is not the one that signed
        if (!isOtherKey(top.extensions.authorityKeyId, issuer))
          search.note({ stage: 'issuing', certificate: breach.reason === 'SIGNATURE_BAD' ? top : issuer, chain: longer, ...breach })
        continue
      }
      const tooLong = isTooLong(chain, issuer, isAnchor, target.inputs.maxPathLength)
      if (tooLong !== undefined) {
        search.note({ stage: 'path', certificate: issuer, chain: longer, ...tooLong })
        continue
      }
      if (!isAnchor && longer.length >= this.#work.limits.depth) {
        search.note({
          stage: 'search',
          certificate: issuer,
          chain: longer,
          reason: 'WORK_LIMIT',
          detail: 'the bound on depth is reached',
        })
        continue
      }
      const found = isAnchor ? this.#complete(longer, target, search) : this.#extend(longer, target, search)
      if (found !== undefined) return found
    }
    return undefined
  }

  #breachOf(certificate: Certificate, role: Role): Breach | undefined {
    const known = this.#breaches.get(certificate)?.[role]
    if (known !== undefined) return known ?? undefined
    const breach = breachOf(certificate, role, this.#rules)
    if (role !== 'leaf') this.#breaches.set(certificate, { ...this.#breaches.get(certificate), [role]: breach ?? null })
    return breach
  }

  #breachOfLink(below: Certificate, issuer: Certificate, isAnchor: boolean): Breach | undefined {
    const breach = this.#breachOf(issuer, isAnchor ? 'anchor' : 'intermediate')
    // a key without its parameters is tried once the path gives them
    return breach ?? (lacksParameters(issuer.key) ? undefined : this.#signatures.breach(below, issuer, issuer.key))
  }

  #complete(chain: readonly Certificate[], target: Target, search: Progress): Found | undefined {
    this.#work.spend('paths')
    const fail = (stage: Stage, { reason, detail, index = 0 }: Breach, revocation?: readonly RevocationFinding[]): undefined => {
      search.note({ stage, reason, detail, chain, certificate: chain[index] ?? target.leaf, ...(revocation && { revocation }) })
    }
    const inherited = chain.some(({ key }) => lacksParameters(key)) ? this.#signatures.breachOfInherited(chain) : undefined
    if (inherited !== undefined) return fail('issuing', inherited)
    const { policies, breach } = checkPath(chain, target.inputs, this.#work)
    if (breach !== undefined) return fail('path', breach)
    const revocation = this.#question.revocation === 'ignored' ? [] : this.#statusesOf(chain, target)
    const revoked = revocation.find(({ status }) => status === 'revoked')
    const refused =
      revoked ?? (this.#question.revocation === 'required' ? revocation.find(({ status }) => status === 'unknown') : undefined)
    if (refused !== undefined) {
      const index = chain.findIndex(({ fingerprint }) => fingerprint === refused.certificate)
      return fail(
        'revocation',
        { reason: revoked === undefined ? 'REVOCATION_UNKNOWN' : 'REVOKED', detail: refused.reason ?? '', index },
        revocation,
      )
    }
    const unfit = breachOfQuestion(target.leaf, target.inputs.purpose, target.names)
    return unfit === undefined ? { chain, policies, revocation } : fail('question', unfit, revocation)
  }

  /** Statuses of all but the anchor, from the top. */
  #statusesOf(chain: readonly Certificate[], target: Target): RevocationFinding[] {
    const findings: RevocationFinding[] = []
    for (let index = chain.length - 2; index >= 0; index--) {
      const certificate = chain[index]
      if (certificate !== undefined) findings.push(this.#statusOf(certificate, chain.slice(index + 1), target))
    }
    return findings
  }

  #statusOf(certificate: Certificate, above: readonly Certificate[], target: Target): RevocationFinding {
    const id = [certificate, ...above].map(({ fingerprint }) => fingerprint).join('')
    const known = this.#statuses.get(id)
    if (known !== undefined) return known
    const { at, profile, algorithms } = this.#rules
    const context: RevocationContext = {
      at,
      profile,
      work: this.#work,
      crls: this.#crls,
      signers: (crl, higher) => this.#signersOf(crl, higher),
      isSignedBy: (crl, signer, higher) =>
        refusalOfSignature(crl.signature.algorithm, algorithms) === undefined && this.#signatures.isSignedBy(crl, signer, higher),
      breachOfSigner: (signer, crl, higher, subject) => this.#breachOfSigner(signer, crl, higher, subject, target),
    }
    const finding = statusOf(certificate, above, context)
    // within a circle of lists an answer holds for that circle alone
    if (target.pending.size === 0) this.#statuses.set(id, finding)
    return finding
  }

  *#signersOf(crl: Crl, above: readonly Certificate[]): Generator<Certificate> {
    const named = above.filter(({ subject }) => subject.canonical === crl.issuer.canonical)
    yield* named
    for (const one of certificatesOf(this.#material, crl.issuer, crl.authorityKeyId)) {
      this.#work.spend('visited')
      if (!named.includes(one)) yield one
    }
  }

  #breachOfSigner(
    signer: Certificate,
    crl: Crl,
    above: readonly Certificate[],
    subject: Certificate,
    target: Target,
  ): Breach | undefined {
    // the path itself is being judged
    if (above.some(({ fingerprint }) => fingerprint === signer.fingerprint)) return undefined
    const waiting = target.pending.get(crl.fingerprint)
    // a list may speak of its own signer: whoever issued that certificate said that it does
    if (waiting !== undefined) return waiting === subject.fingerprint && waiting === signer.fingerprint ? undefined : CIRCULAR
    if (target.depth >= this.#work.limits.crlDepth)
      return { reason: 'WORK_LIMIT', detail: 'the bound on signers of lists is reached' }
    const anchor = above.at(-1)?.fingerprint
    const id = `${signer.fingerprint} ${anchor} ${crl.fingerprint}`
    const known = this.#signers.get(id)
    if (known !== undefined) return known ?? undefined
    const { failure } = this.#find({
      leaf: signer,
      inputs: { policies: ANY_POLICIES },
      names: [],
      ...(anchor !== undefined && { anchor }),
      depth: target.depth + 1,
      pending: new Map([...target.pending, [crl.fingerprint, signer.fingerprint]]),
    })
    const breach = failure && { reason: failure.reason, detail: failure.detail }
    if (target.pending.size === 0) this.#signers.set(id, breach ?? null)
    return breach
  }
}

const NONE_PENDING: Target['pending'] = new Map()
const CIRCULAR: Breach = { reason: 'REVOCATION_UNKNOWN', detail: 'its list depends on itself' }
