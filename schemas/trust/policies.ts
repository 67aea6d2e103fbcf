/**
 * Certificate policies (RFC 5280 §6.1.3(d)–(f), §6.1.4(a)–(j), §6.1.5(g)) by the graph of RFC 9618 instead of the tree: at each depth a
 * policy is one node with several parents, so that a level is never larger than what its certificate names, and a hostile chain of
 * mappings costs what it weighs. Only the newest level is kept; of a node it is enough to know which policies of the anchor's own domain
 * lead to it (`roots`), because nothing else is asked of the graph at the end.
 */
import type { Extensions } from './extensions.ts'
import type { Work } from './limits.ts'
import type { ReasonCode } from './reasons.ts'

export const ANY_POLICY = '2.5.29.32.0'

export type PolicyQuestion = {
  readonly initial: readonly string[]
  readonly requireExplicit: boolean
  readonly inhibitMapping: boolean
  readonly inhibitAny: boolean
}
export const ANY_POLICIES: PolicyQuestion = {
  initial: [ANY_POLICY],
  requireExplicit: false,
  inhibitMapping: false,
  inhibitAny: false,
}

/** What a node accepts of the next certificate, and the policies below anyPolicy that it descends from. */
type Node = { readonly expected: ReadonlySet<string>; readonly roots: ReadonlySet<string> }
type Level = ReadonlyMap<string, Node>

const union = (sets: readonly ReadonlySet<string>[], work: Work): ReadonlySet<string> => {
  const [first] = sets
  if (sets.length === 1 && first !== undefined) return first
  const all = new Set<string>()
  for (const set of sets) {
    work.spend('policyNodes', set.size)
    for (const one of set) all.add(one)
  }
  return all
}

const NO_POLICIES: readonly string[] = []
const ANY_SET: ReadonlySet<string> = new Set([ANY_POLICY])
/** §6.1.2 (a): one node, anyPolicy. */
const ROOT: Level = new Map([[ANY_POLICY, { expected: ANY_SET, roots: ANY_SET }]])

/** State of §6.1.2 (a), (d)–(f); `null` is a graph without nodes. */
export class PolicyState {
  #level: Level | null = ROOT
  #explicit: number
  #mapping: number
  #any: number
  readonly #initial: readonly string[]
  readonly #work: Work

  constructor({ initial, requireExplicit, inhibitMapping, inhibitAny }: PolicyQuestion, certificates: number, work: Work) {
    this.#initial = initial
    this.#explicit = requireExplicit ? 0 : certificates + 1
    this.#mapping = inhibitMapping ? 0 : certificates + 1
    this.#any = inhibitAny ? 0 : certificates + 1
    this.#work = work
  }

  /** §6.1.3 (d) to (f). */
  check({ certificatePolicies }: Extensions, mayBeAny: boolean): ReasonCode | undefined {
    if (certificatePolicies === undefined) this.#level = null
    else if (this.#level !== null) {
      const named = new Set(certificatePolicies.map(({ policy }) => policy))
      this.#level = this.#next(this.#level, named, named.has(ANY_POLICY) && (this.#any > 0 || mayBeAny))
    }
    return this.#explicit > 0 || this.#level !== null ? undefined : 'POLICY_REQUIRED'
  }

  #next(level: Level, named: ReadonlySet<string>, any: boolean): Level | null {
    const parents = new Map<string, Node[]>()
    for (const node of level.values()) {
      this.#work.spend('policyNodes', node.expected.size)
      for (const policy of node.expected) {
        const same = parents.get(policy)
        if (same === undefined) parents.set(policy, [node])
        else same.push(node)
      }
    }
    const fromAny = parents.get(ANY_POLICY) ?? []
    const next = new Map<string, Node>()
    const add = (policy: string, above: readonly Node[], isRoot: boolean): void => {
      this.#work.spend('policyNodes')
      const roots = isRoot
        ? new Set([policy])
        : union(
            above.map(node => node.roots),
            this.#work,
          )
      next.set(policy, { expected: new Set([policy]), roots })
    }
    // (d)(1): by name, else below anyPolicy, where a policy of the anchor's own domain begins
    for (const policy of named) {
      const above = policy === ANY_POLICY ? undefined : parents.get(policy)
      if (above !== undefined) add(policy, above, false)
      else if (policy !== ANY_POLICY && fromAny.length > 0) add(policy, fromAny, true)
    }
    // (d)(2): anyPolicy stands for whatever is expected and not named
    if (any) for (const [policy, above] of parents) if (!next.has(policy)) add(policy, above, false)
    return next.size === 0 ? null : next
  }

  /** §6.1.4 (a), (b) and (h) to (j). */
  prepare({ policyMappings, policyConstraints, inhibitAnyPolicy }: Extensions, selfIssued: boolean): ReasonCode | undefined {
    if (policyMappings?.some(({ issuer, subject }) => issuer === ANY_POLICY || subject === ANY_POLICY) === true)
      return 'POLICY_MAPPING_INVALID'
    if (policyMappings !== undefined && this.#level !== null) this.#level = this.#mapped(this.#level, policyMappings)
    if (!selfIssued) {
      this.#explicit = Math.max(0, this.#explicit - 1)
      this.#mapping = Math.max(0, this.#mapping - 1)
      this.#any = Math.max(0, this.#any - 1)
    }
    this.constrain({ ...(policyConstraints && { policyConstraints }), ...(inhibitAnyPolicy !== undefined && { inhibitAnyPolicy }) })
    return undefined
  }

  /** §6.1.4 (i) and (j); of an anchor by RFC 5937 §3.2. */
  constrain({ policyConstraints, inhibitAnyPolicy }: Pick<Extensions, 'policyConstraints' | 'inhibitAnyPolicy'>): void {
    this.#explicit = Math.min(this.#explicit, policyConstraints?.requireExplicit ?? this.#explicit)
    this.#mapping = Math.min(this.#mapping, policyConstraints?.inhibitMapping ?? this.#mapping)
    this.#any = Math.min(this.#any, inhibitAnyPolicy ?? this.#any)
  }

  #mapped(level: Level, mappings: NonNullable<Extensions['policyMappings']>): Level | null {
    const byIssuer = new Map<string, Set<string>>()
    for (const { issuer, subject } of mappings) {
      this.#work.spend('policyNodes')
      const same = byIssuer.get(issuer)
      if (same === undefined) byIssuer.set(issuer, new Set([subject]))
      else same.add(subject)
    }
    const next = new Map(level)
    const any = level.get(ANY_POLICY)
    for (const [issuer, subjects] of byIssuer) {
      const node = level.get(issuer)
      if (this.#mapping === 0) next.delete(issuer)
      else if (node !== undefined) next.set(issuer, { expected: subjects, roots: node.roots })
      else if (any !== undefined) next.set(issuer, { expected: subjects, roots: new Set([issuer]) })
    }
    return next.size === 0 ? null : next
  }

  /** §6.1.5 (a), (b), (g): the policies that hold for whoever asked, or why none does. */
  finish({ policyConstraints }: Extensions): { readonly policies: readonly string[]; readonly reason?: ReasonCode } {
    const explicit = policyConstraints?.requireExplicit === 0 ? 0 : Math.max(0, this.#explicit - 1)
    const policies = this.#level === null ? NO_POLICIES : this.#intersect(this.#level)
    return explicit > 0 || policies.length > 0 ? { policies } : { policies, reason: 'POLICY_REQUIRED' }
  }

  #intersect(level: Level): string[] {
    const authority = union(
      [...level.values()].map(({ roots }) => roots),
      this.#work,
    )
    if (this.#initial.includes(ANY_POLICY)) return [...authority].sort()
    if (authority.has(ANY_POLICY)) return [...new Set(this.#initial)].sort()
    return [...new Set(this.#initial)].filter(policy => authority.has(policy)).sort()
  }
}
