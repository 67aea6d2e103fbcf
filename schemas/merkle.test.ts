import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  appendLeaf,
  type CompactRange,
  consistencyProof,
  EMPTY_RANGE,
  emptyRoot,
  formatRange,
  type Hash,
  inclusionProof,
  leafHash,
  nodeHash,
  parseRange,
  rangeRoot,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts'

const leavesOf = (count: number): Hash[] => Array.from({ length: count }, (_, index) => leafHash(Buffer.from(`entry ${index}`)))

/** The definition of RFC 9162 §2.1.1, word by word, to hold the short way against. */
function definition(leaves: readonly Hash[]): Hash {
  const [only] = leaves
  if (only === undefined) return createHash('sha256').digest()
  if (leaves.length === 1) return only
  const split = 2 ** Math.floor(Math.log2(leaves.length - 1))
  return nodeHash(definition(leaves.slice(0, split)), definition(leaves.slice(split)))
}

const flipped = (hash: Hash, bit: number): Hash => {
  const other = Uint8Array.from(hash)
  const at = Math.floor(bit / 8) % other.length
  other[at] = (other[at] ?? 0) ^ (1 << (bit % 8))
  return other
}

const tree = fc.integer({ min: 1, max: 70 }).chain(size => fc.record({ size: fc.constant(size), at: fc.nat({ max: size - 1 }) }))
const bit = fc.nat({ max: 255 })

describe('a tree', () => {
  it('hashes leaves and nodes under the prefixes of RFC 9162 §2.1.1', () => {
    const bytes = Buffer.from('entry')
    expect(leafHash(bytes)).toEqual(createHash('sha256').update('\u0000entry').digest())
    expect(nodeHash(bytes, bytes)).toEqual(createHash('sha256').update('\u0001entryentry').digest())
    expect(leafHash(bytes, 'sm3')).toEqual(createHash('sm3').update('\u0000entry').digest())
  })

  it('has the root that the definition gives, for every size', () => {
    for (let size = 0; size <= 70; size += 1) expect(treeRoot(leavesOf(size))).toEqual(definition(leavesOf(size)))
    expect(treeRoot([])).toEqual(emptyRoot())
  })

  it('takes a leaf in O(log n), and goes on from where it was stored', () => {
    let range: CompactRange = EMPTY_RANGE
    for (const [index, leaf] of leavesOf(70).entries()) {
      range = appendLeaf(parseRange(formatRange(range)), leaf)
      expect(range.size).toBe(index + 1)
      expect(range.nodes.length).toBeLessThanOrEqual(Math.ceil(Math.log2(range.size + 1)))
      expect(rangeRoot(range)).toEqual(definition(leavesOf(index + 1)))
    }
  })

  it.each(['', 'x', '-1', '1', '01.aaaa', '3.aaaa.bbbb', `1.${'A'.repeat(44)}`, `2.${'A'.repeat(43)}.${'A'.repeat(43)}`])(
    'is not resumed from %j',
    text => {
      const fault = (): unknown => parseRange(text)
      expect(fault).toThrow(expect.objectContaining({ code: 'TREE_MALFORMED' }))
    },
  )
})

describe('an inclusion proof', () => {
  it('verifies for every leaf of every tree, and for no other leaf, place or root', () => {
    fc.assert(
      fc.property(tree, bit, ({ size, at }, turned) => {
        const leaves = leavesOf(size)
        const leaf = leaves[at] ?? leafHash(Buffer.of())
        const question = { leaf, index: at, size, proof: inclusionProof(leaves, at), root: treeRoot(leaves) }
        expect(verifyInclusion(question)).toBe(true)
        expect(verifyInclusion({ ...question, leaf: flipped(leaf, turned) })).toBe(false)
        expect(verifyInclusion({ ...question, root: flipped(question.root, turned) })).toBe(false)
        for (let index = 0; index < size; index += 1) if (index !== at) expect(verifyInclusion({ ...question, index })).toBe(false)
        for (const [place, hash] of question.proof.entries())
          expect(verifyInclusion({ ...question, proof: question.proof.with(place, flipped(hash, turned)) })).toBe(false)
      }),
      { numRuns: 60 },
    )
  })

  it('does not verify cut, lengthened, with garbage, or for a size that it was not made for', () => {
    fc.assert(
      fc.property(tree, fc.uint8Array({ maxLength: 40 }), fc.nat({ max: 200 }), ({ size, at }, garbage, other) => {
        const leaves = leavesOf(size)
        const proof = inclusionProof(leaves, at)
        const question = { leaf: leaves[at] ?? garbage, index: at, size, proof, root: treeRoot(leaves) }
        expect(verifyInclusion({ ...question, proof: [...proof, garbage] })).toBe(false)
        expect(verifyInclusion({ ...question, proof: [garbage, ...proof] })).toBe(false)
        if (proof.length > 0) {
          expect(verifyInclusion({ ...question, proof: proof.slice(1) })).toBe(false)
          expect(verifyInclusion({ ...question, proof: proof.slice(0, -1) })).toBe(false)
        }
        // Another size may ask for the very same path; then the statement is about the same nodes, and the root speaks.
        if (inclusionProofLength(at, other) !== proof.length) expect(verifyInclusion({ ...question, size: other })).toBe(false)
      }),
    )
  })

  it.each([
    [0, 0],
    [1, 1],
    [-1, 1],
    [0.5, 2],
    [2 ** 64, 1],
    [0, Number.NaN],
  ])('stands for nothing at index %d of %d', (index, size) => {
    const leaf = leafHash(Buffer.of())
    expect(verifyInclusion({ leaf, index, size, proof: [], root: leaf })).toBe(false)
  })

  it('is judged beyond 32 bits too', () => {
    const [leaf = emptyRoot(), sibling = emptyRoot()] = leavesOf(2)
    // The last leaf of 2^40 + 1 has one sibling: the tree of the 2^40 before it.
    const root = nodeHash(sibling, leaf)
    expect(verifyInclusion({ leaf, index: 2 ** 40, size: 2 ** 40 + 1, proof: [sibling], root })).toBe(true)
    expect(verifyInclusion({ leaf, index: 0, size: 2 ** 40 + 1, proof: [sibling], root })).toBe(false)
  })
})

/** How long the path of RFC 9162 §2.1.3.1 is. */
function inclusionProofLength(index: number, size: number): number {
  if (index >= size) return -1
  if (size === 1) return 0
  const split = 2 ** Math.floor(Math.log2(size - 1))
  return 1 + (index < split ? inclusionProofLength(index, split) : inclusionProofLength(index - split, size - split))
}

describe('a consistency proof', () => {
  it('verifies between every two sizes of every tree, and between no other roots or sizes', () => {
    fc.assert(
      fc.property(tree, bit, ({ size, at }, turned) => {
        const leaves = leavesOf(size)
        const first = at + 1
        const question = {
          first,
          second: size,
          firstRoot: treeRoot(leaves.slice(0, first)),
          secondRoot: treeRoot(leaves),
          proof: consistencyProof(leaves, first),
        }
        expect(verifyConsistency(question)).toBe(true)
        expect(verifyConsistency({ ...question, firstRoot: flipped(question.firstRoot, turned) })).toBe(false)
        expect(verifyConsistency({ ...question, secondRoot: flipped(question.secondRoot, turned) })).toBe(false)
        expect(verifyConsistency({ ...question, first: question.second + 1 })).toBe(false)
        expect(verifyConsistency({ ...question, first: 0 })).toBe(false)
        expect(verifyConsistency({ ...question, proof: [...question.proof, question.firstRoot] })).toBe(false)
        if (first === size) return
        expect(verifyConsistency({ ...question, firstRoot: question.secondRoot, secondRoot: question.firstRoot })).toBe(false)
        expect(verifyConsistency({ ...question, proof: question.proof.slice(1) })).toBe(false)
        expect(verifyConsistency({ ...question, proof: [Buffer.of(), ...question.proof] })).toBe(false)
        for (const [place, hash] of question.proof.entries())
          expect(verifyConsistency({ ...question, proof: question.proof.with(place, flipped(hash, turned)) })).toBe(false)
      }),
      { numRuns: 80 },
    )
  })

  it('is not made from a tree without leaves, nor from one that is larger', () => {
    expect(() => consistencyProof(leavesOf(3), 0)).toThrow(RangeError)
    expect(() => consistencyProof(leavesOf(3), 4)).toThrow(RangeError)
  })

  it('answers whatever it is given, and takes nothing of it', () => {
    const hashes = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 })
    const any = fc.oneof(fc.nat(), fc.double(), fc.constantFrom(2 ** 53, 2 ** 64, -1))
    fc.assert(
      fc.property(any, any, hashes, fc.uint8Array({ maxLength: 40 }), (first, second, proof, root) => {
        const unequal = Uint8Array.from([...root, 1])
        expect(verifyConsistency({ first, second, firstRoot: root, secondRoot: unequal, proof })).toBe(false)
        expect(verifyInclusion({ leaf: root, index: first, size: second, proof, root: unequal })).toBe(false)
      }),
    )
  })
})
