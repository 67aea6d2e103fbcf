import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Extensions } from './extensions.ts'
import { Work, WorkExceeded } from './limits.ts'
import { ANY_POLICY, type PolicyQuestion, PolicyState } from './policies.ts'
import { ask, authority, holder, inhibitAny, type Made, mappings, policies, policyConstraints, root } from './sample-paths.ts'

type Cert = Pick<Extensions, 'certificatePolicies' | 'policyMappings' | 'policyConstraints' | 'inhibitAnyPolicy'> & {
  readonly selfIssued: boolean
}

/** The answer of our state: the policies, or a reason. */
function byGraph(path: readonly Cert[], question: PolicyQuestion): string {
  const state = new PolicyState(question, path.length, new Work())
  for (const [index, cert] of path.entries()) {
    const last = index === path.length - 1
    const extensions = { ...cert, all: [], unknown: [] }
    const reason =
      state.check(extensions, !last && cert.selfIssued) ?? (last ? undefined : state.prepare(extensions, cert.selfIssued))
    if (reason !== undefined) return 'refused'
    if (last) {
      const { policies: held, reason: end } = state.finish(extensions)
      return end === undefined ? held.join(' ') : 'refused'
    }
  }
  return ''
}

/** The tree of RFC 5280 §6.1, word by word and without regard to cost: what the graph has to agree with. */
type Tree = { policy: string; expected: string[]; children: Tree[]; parent: Tree | null }
function byTree(path: readonly Cert[], { initial, requireExplicit, inhibitMapping, inhibitAny: noAny }: PolicyQuestion): string {
  const n = path.length
  let tree: Tree | null = { policy: ANY_POLICY, expected: [ANY_POLICY], children: [], parent: null }
  let [explicit, mapping, any] = [requireExplicit ? 0 : n + 1, inhibitMapping ? 0 : n + 1, noAny ? 0 : n + 1]
  const atDepth = (depth: number): Tree[] => {
    let level = tree === null ? [] : [tree]
    for (let at = 0; at < depth; at++) level = level.flatMap(node => node.children)
    return level
  }
  const add = (parent: Tree, policy: string, expected: string[]): void =>
    void parent.children.push({ policy, expected, children: [], parent })
  const prune = (depth: number): void => {
    for (let at = depth; at >= 0; at--)
      for (const node of atDepth(at))
        if (node.children.length === 0) {
          if (node.parent === null) tree = null
          else node.parent.children = node.parent.children.filter(one => one !== node)
        }
  }
  for (const [index, cert] of path.entries()) {
    const i = index + 1
    const last = i === n
    const named = cert.certificatePolicies?.map(({ policy }) => policy)
    if (named !== undefined && tree !== null) {
      for (const policy of named.filter(one => one !== ANY_POLICY)) {
        const above = atDepth(i - 1)
        const matching = above.filter(({ expected }) => expected.includes(policy))
        for (const node of matching) add(node, policy, [policy])
        if (matching.length === 0) for (const node of above.filter(one => one.policy === ANY_POLICY)) add(node, policy, [policy])
      }
      if (named.includes(ANY_POLICY) && (any > 0 || (!last && cert.selfIssued)))
        for (const node of atDepth(i - 1))
          for (const expected of node.expected)
            if (!node.children.some(({ policy }) => policy === expected)) add(node, expected, [expected])
      prune(i - 1)
    }
    if (named === undefined) tree = null
    if (explicit === 0 && tree === null) return 'refused'
    if (last) {
      if (explicit > 0) explicit--
      if (cert.policyConstraints?.requireExplicit === 0) explicit = 0
      break
    }
    if (cert.policyMappings?.some(({ issuer, subject }) => issuer === ANY_POLICY || subject === ANY_POLICY)) return 'refused'
    const subjects = new Map<string, string[]>()
    for (const { issuer, subject } of cert.policyMappings ?? []) subjects.set(issuer, [...(subjects.get(issuer) ?? []), subject])
    for (const [issuer, to] of subjects) {
      const level = atDepth(i)
      const nodes = level.filter(({ policy }) => policy === issuer)
      if (mapping > 0) {
        for (const node of nodes) node.expected = to
        if (nodes.length === 0)
          for (const node of level.filter(({ policy }) => policy === ANY_POLICY)) if (node.parent) add(node.parent, issuer, to)
      } else {
        for (const node of nodes) if (node.parent) node.parent.children = node.parent.children.filter(one => one !== node)
        prune(i - 1)
      }
    }
    if (!cert.selfIssued) [explicit, mapping, any] = [Math.max(0, explicit - 1), Math.max(0, mapping - 1), Math.max(0, any - 1)]
    explicit = Math.min(explicit, cert.policyConstraints?.requireExplicit ?? explicit)
    mapping = Math.min(mapping, cert.policyConstraints?.inhibitMapping ?? mapping)
    any = Math.min(any, cert.inhibitAnyPolicy ?? any)
  }
  const roots = new Set<string>()
  for (let depth = 1; depth <= n; depth++)
    for (const node of atDepth(depth))
      if (node.parent?.policy === ANY_POLICY && (node.policy !== ANY_POLICY || depth === n)) roots.add(node.policy)
  const held = initial.includes(ANY_POLICY)
    ? [...roots]
    : roots.has(ANY_POLICY)
      ? [...initial]
      : [...roots].filter(one => initial.includes(one))
  return explicit > 0 || held.length > 0 ? held.sort().join(' ') : 'refused'
}

const [A, B, C, D] = ['1.1', '1.2', '1.3', '1.4'] as const
const policy = fc.constantFrom<string>(A, B, C, D)
const anyOrPolicy = fc.oneof({ weight: 4, arbitrary: policy }, { weight: 1, arbitrary: fc.constant(ANY_POLICY) })
const skip = fc.option(fc.nat(2), { nil: undefined, freq: 3 })
const cert: fc.Arbitrary<Cert> = fc
  .record({
    named: fc.option(fc.uniqueArray(anyOrPolicy, { minLength: 1, maxLength: 4 }), { nil: undefined, freq: 9 }),
    mapped: fc.option(fc.uniqueArray(fc.tuple(policy, policy), { minLength: 1, maxLength: 4 }), { nil: undefined }),
    explicit: skip,
    mapping: skip,
    any: skip,
    selfIssued: fc.boolean(),
  })
  .map(({ named, mapped, explicit, mapping, any, selfIssued }) => ({
    selfIssued,
    ...(named && { certificatePolicies: named.map(one => ({ policy: one, qualifiers: [] })) }),
    ...(mapped && { policyMappings: mapped.map(([issuer, subject]) => ({ issuer, subject })) }),
    ...((explicit ?? mapping) !== undefined && {
      policyConstraints: {
        ...(explicit !== undefined && { requireExplicit: explicit }),
        ...(mapping !== undefined && { inhibitMapping: mapping }),
      },
    }),
    ...(any !== undefined && { inhibitAnyPolicy: any }),
  }))
const question: fc.Arbitrary<PolicyQuestion> = fc.record({
  initial: fc.oneof(fc.constant([ANY_POLICY]), fc.uniqueArray(policy, { minLength: 1, maxLength: 3 })),
  requireExplicit: fc.boolean(),
  inhibitMapping: fc.boolean(),
  inhibitAny: fc.boolean(),
})

test('the graph of RFC 9618 answers as the tree of RFC 5280 does', () => {
  fc.assert(
    fc.property(fc.array(cert, { minLength: 1, maxLength: 5 }), question, (path, asked) => {
      expect(byGraph(path, asked)).toBe(byTree(path, asked))
    }),
    { numRuns: 2000 },
  )
})

test('mappings that would double a tree at every step cost a graph no more than they weigh', () => {
  const names = Array.from({ length: 40 }, (_, index) => `1.9.${index}`)
  const doubling: Cert = {
    selfIssued: false,
    certificatePolicies: names.map(one => ({ policy: one, qualifiers: [] })),
    policyMappings: names.flatMap(issuer => names.map(subject => ({ issuer, subject }))),
  }
  const work = new Work({ policyNodes: 5_000_000 })
  const path = Array.from({ length: 18 }, () => doubling)
  const state = new PolicyState(
    { initial: [ANY_POLICY], requireExplicit: true, inhibitMapping: false, inhibitAny: false },
    path.length,
    work,
  )
  for (const one of path) {
    expect(state.check({ ...one, all: [], unknown: [] }, false)).toBeUndefined()
    expect(state.prepare({ ...one, all: [], unknown: [] }, false)).toBeUndefined()
  }
  expect(work.spent.policyNodes).toBeLessThan(18 * 40 * 40 * 50)
  const poor = new PolicyState(
    { initial: [ANY_POLICY], requireExplicit: true, inhibitMapping: false, inhibitAny: false },
    18,
    new Work({ policyNodes: 1000 }),
  )
  expect(() =>
    path.forEach(
      one => void (poor.check({ ...one, all: [], unknown: [] }, false) ?? poor.prepare({ ...one, all: [], unknown: [] }, false)),
    ),
  ).toThrow(WorkExceeded)
})

describe('on paths', () => {
  const top = root('root')
  const explicit = { initial: [ANY_POLICY], requireExplicit: true, inhibitMapping: false, inhibitAny: false }
  const chain = (caExtensions: readonly Buffer[], leafExtensions: readonly Buffer[], anchor: Made = top): Made[] => {
    const ca = authority('ca', anchor, { extensions: caExtensions })
    return [holder('leaf', ca, { extensions: leafExtensions }), ca, anchor]
  }

  test('a policy has to hold from the anchor to the leaf, if one is asked for', () => {
    expect(ask(chain([policies(A)], [policies(A)]), { policies: explicit })).toMatchObject({ result: 'good', policies: [A] })
    expect(ask(chain([policies(A)], [policies(B)]), { policies: explicit }).reason).toBe('POLICY_REQUIRED')
    expect(ask(chain([policies(A)], [policies(B)]))).toMatchObject({ result: 'good', policies: [] })
    expect(ask(chain([], [policies(A)]), { policies: explicit }).reason).toBe('POLICY_REQUIRED')
    expect(ask(chain([policies(A)], [policies(A)]), { policies: { ...explicit, initial: [B] } }).reason).toBe('POLICY_REQUIRED')
  })

  test('a CA may ask for one itself, and forbid anyPolicy below', () => {
    expect(ask(chain([policyConstraints(0)], [])).reason).toBe('POLICY_REQUIRED')
    expect(ask(chain([policies(A), policyConstraints(0)], [policies(A)])).result).toBe('good')
    expect(ask(chain([policies(A), policyConstraints(0), inhibitAny(0)], [policies(ANY_POLICY)])).reason).toBe('POLICY_REQUIRED')
    expect(ask(chain([policies(A), policyConstraints(0)], [policies(ANY_POLICY)]))).toMatchObject({ result: 'good', policies: [A] })
  })

  test('a mapped policy is known by its name above', () => {
    const mapped = [policies(A), mappings([A, B])]
    expect(ask(chain(mapped, [policies(B)]), { policies: { ...explicit, initial: [A] } })).toMatchObject({
      result: 'good',
      policies: [A],
    })
    expect(ask(chain(mapped, [policies(A)]), { policies: explicit }).reason).toBe('POLICY_REQUIRED')
    expect(ask(chain(mapped, [policies(B)]), { policies: { ...explicit, inhibitMapping: true } }).reason).toBe('POLICY_REQUIRED')
    expect(ask(chain([policies(A), mappings([A, ANY_POLICY])], [policies(A)])).reason).toBe('POLICY_MAPPING_INVALID')
    expect(ask(chain([policies(A), mappings([ANY_POLICY, A])], [policies(A)])).reason).toBe('POLICY_MAPPING_INVALID')
  })

  test('the policies of an anchor narrow what is asked for', () => {
    const anchor = root('narrow', { extensions: [policies(A)] })
    expect(ask(chain([policies(ANY_POLICY)], [policies(B)], anchor), { policies: explicit }).reason).toBe('POLICY_REQUIRED')
    expect(ask(chain([policies(ANY_POLICY)], [policies(A)], anchor), { policies: explicit }).result).toBe('good')
    expect(ask(chain([policies(A)], [policies(B)], root('strict', { extensions: [policyConstraints(0)] }))).reason).toBe(
      'POLICY_REQUIRED',
    )
  })
})
