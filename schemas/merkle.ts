/**
 * Merkle trees of RFC 6962 §2.1, which RFC 9162 §2.1 keeps: over the entries of a log, so that one entry, or the whole of a former
 * state, is proved by a handful of hashes. Leaves and nodes are hashed under different prefixes, so that neither passes for the other.
 * Verifying follows the numbered steps of RFC 9162 and answers yes or no to whatever it is given: sizes, hashes and proofs come from
 * others. Positions are shifted by division: a bit operator would cut them to 32 bits.
 */
import { createHash } from 'node:crypto'
import { DIGEST_ALGORITHMS, type DigestAlgorithm } from './digest.ts'
import { ExchangeError } from './errors.ts'

export type Hash = Uint8Array

const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)

/** The root of a tree without entries. */
export const emptyRoot = (algorithm: DigestAlgorithm = 'sha-256'): Hash => createHash(DIGEST_ALGORITHMS[algorithm]).digest()

export const leafHash = (entry: Uint8Array, algorithm: DigestAlgorithm = 'sha-256'): Hash =>
  createHash(DIGEST_ALGORITHMS[algorithm]).update(LEAF).update(entry).digest()

export const nodeHash = (left: Hash, right: Hash, algorithm: DigestAlgorithm = 'sha-256'): Hash =>
  createHash(DIGEST_ALGORITHMS[algorithm]).update(NODE).update(left).update(right).digest()

const isOdd = (value: number): boolean => value % 2 === 1
const half = (value: number): number => Math.floor(value / 2)
const isSize = (value: number): boolean => Number.isSafeInteger(value) && value >= 0
const isEqual = (a: Hash, b: Hash): boolean => Buffer.compare(a, b) === 0
const isWhole = (hash: Hash, algorithm: DigestAlgorithm): boolean => hash.length === emptyRoot(algorithm).length

/** The largest power of two below `size` (RFC 6962 §2.1: where a tree divides). */
function splitOf(size: number): number {
  let split = 1
  while (split * 2 < size) split *= 2
  return split
}

/** The tree over these leaf hashes. */
export function treeRoot(leaves: readonly Hash[], algorithm: DigestAlgorithm = 'sha-256'): Hash {
  return rangeRoot(
    leaves.reduce<CompactRange>((range, leaf) => appendLeaf(range, leaf, algorithm), EMPTY_RANGE),
    algorithm,
  )
}

/** The audit path of the leaf at `index` (RFC 9162 §2.1.3.1), from the leaf upwards. */
export function inclusionProof(leaves: readonly Hash[], index: number, algorithm: DigestAlgorithm = 'sha-256'): Hash[] {
  if (leaves.length <= 1) return []
  const split = splitOf(leaves.length)
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)]
  return index < split
    ? [...inclusionProof(left, index, algorithm), treeRoot(right, algorithm)]
    : [...inclusionProof(right, index - split, algorithm), treeRoot(left, algorithm)]
}

export type InclusionQuestion = {
  readonly leaf: Hash
  readonly index: number
  readonly size: number
  readonly proof: readonly Hash[]
  readonly root: Hash
}

/** Whether the leaf stands at `index` in the tree of `size` leaves with this root (RFC 9162 §2.1.3.2). */
export function verifyInclusion(question: InclusionQuestion, algorithm: DigestAlgorithm = 'sha-256'): boolean {
  const { leaf, index, size, proof, root } = question
  if (!isSize(index) || !isSize(size) || index >= size) return false
  if (![leaf, ...proof].every(hash => isWhole(hash, algorithm))) return false
  let [at, last, made] = [index, size - 1, leaf]
  for (const hash of proof) {
    if (last === 0) return false
    if (isOdd(at) || at === last) {
      made = nodeHash(hash, made, algorithm)
      while (!isOdd(at) && at !== 0) [at, last] = [half(at), half(last)]
    } else made = nodeHash(made, hash, algorithm)
    ;[at, last] = [half(at), half(last)]
  }
  return last === 0 && isEqual(made, root)
}

/** That the tree of the first `first` leaves is where this one began (RFC 9162 §2.1.4.1); of 1 to all of the leaves. */
export function consistencyProof(leaves: readonly Hash[], first: number, algorithm: DigestAlgorithm = 'sha-256'): Hash[] {
  const below = (range: readonly Hash[], size: number, known: boolean): Hash[] => {
    if (size === range.length) return known ? [] : [treeRoot(range, algorithm)]
    const split = splitOf(range.length)
    const [left, right] = [range.slice(0, split), range.slice(split)]
    return size <= split
      ? [...below(left, size, known), treeRoot(right, algorithm)]
      : [...below(right, size - split, false), treeRoot(left, algorithm)]
  }
  if (!isSize(first) || first === 0 || first > leaves.length)
    throw new RangeError(`expected a tree of 1 to ${leaves.length} leaves, got ${first}`)
  return below(leaves, first, true)
}

export type ConsistencyQuestion = {
  readonly first: number
  readonly second: number
  readonly firstRoot: Hash
  readonly secondRoot: Hash
  readonly proof: readonly Hash[]
}

/** Whether the second tree is the first with leaves appended (RFC 9162 §2.1.4.2). From no leaves at all nothing can be proved. */
export function verifyConsistency(question: ConsistencyQuestion, algorithm: DigestAlgorithm = 'sha-256'): boolean {
  const { first, second, firstRoot, secondRoot, proof } = question
  if (!isSize(first) || !isSize(second) || first > second) return false
  if (first === second) return proof.length === 0 && isEqual(firstRoot, secondRoot)
  if (first === 0 || proof.length === 0) return false
  if (![firstRoot, ...proof].every(hash => isWhole(hash, algorithm))) return false
  let [at, last] = [first - 1, second - 1]
  while (isOdd(at)) [at, last] = [half(at), half(last)]
  // A first tree of 2^k leaves is itself the node that the proof would begin with.
  const [seed = firstRoot, ...path] = at === 0 ? [firstRoot, ...proof] : proof
  let [before, after] = [seed, seed]
  for (const hash of path) {
    if (last === 0) return false
    if (isOdd(at) || at === last) {
      ;[before, after] = [nodeHash(hash, before, algorithm), nodeHash(hash, after, algorithm)]
      while (!isOdd(at) && at !== 0) [at, last] = [half(at), half(last)]
    } else after = nodeHash(after, hash, algorithm)
    ;[at, last] = [half(at), half(last)]
  }
  return last === 0 && isEqual(before, firstRoot) && isEqual(after, secondRoot)
}

/**
 * A tree as its maximal whole subtrees, left to right: one hash for each bit of its size. Enough to append and to give the root, in
 * O(log n), without the leaves; {@link formatRange} and {@link parseRange} store and resume it.
 */
export type CompactRange = { readonly size: number; readonly nodes: readonly Hash[] }

export const EMPTY_RANGE: CompactRange = { size: 0, nodes: [] }

export function appendLeaf({ size, nodes }: CompactRange, leaf: Hash, algorithm: DigestAlgorithm = 'sha-256'): CompactRange {
  const kept = [...nodes]
  let made = leaf
  for (let rest = size; isOdd(rest); rest = half(rest)) made = nodeHash(kept.pop() ?? made, made, algorithm)
  return { size: size + 1, nodes: [...kept, made] }
}

export function rangeRoot({ nodes }: CompactRange, algorithm: DigestAlgorithm = 'sha-256'): Hash {
  const last = nodes.at(-1)
  if (last === undefined) return emptyRoot(algorithm)
  return nodes.slice(0, -1).reduceRight((right, left) => nodeHash(left, right, algorithm), last)
}

/** `<size>` and the hashes in base64url, with dots between them. */
export const formatRange = ({ size, nodes }: CompactRange): string =>
  [String(size), ...nodes.map(node => Buffer.from(node).toString('base64url'))].join('.')

const bitsOf = (size: number): number => {
  let bits = 0
  for (let rest = size; rest > 0; rest = half(rest)) bits += rest % 2
  return bits
}

/** @throws TREE_MALFORMED */
export function parseRange(text: string, algorithm: DigestAlgorithm = 'sha-256'): CompactRange {
  const [count = '', ...parts] = text.split('.')
  const size = Number(count)
  if (!/^(0|[1-9][0-9]{0,15})$/.test(count) || !isSize(size))
    throw new ExchangeError('TREE_MALFORMED', 'expected a number of leaves')
  const nodes = parts.map(part => Buffer.from(part, 'base64url'))
  const good = nodes.every((node, index) => isWhole(node, algorithm) && node.toString('base64url') === parts[index])
  if (!good || nodes.length !== bitsOf(size))
    throw new ExchangeError('TREE_MALFORMED', `expected ${bitsOf(size)} hashes for ${size} leaves, got ${nodes.length}`)
  return { size, nodes }
}
