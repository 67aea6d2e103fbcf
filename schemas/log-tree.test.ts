import { describe, expect, it } from 'vitest'
import { type Digest, digestOf } from './digest.ts'
import { growTree, type LogTree, proveEntry, rootOf, verifyEntry } from './log-tree.ts'

const digests = (count: number, algorithm: 'sha-256' | 'sm3' = 'sha-256'): Digest[] =>
  Array.from({ length: count }, (_, index) => digestOf(`entry ${index}`, algorithm))
const grown = (all: readonly Digest[]): Digest => {
  let tree: LogTree | null = null
  for (const digest of all) tree = growTree(tree, digest)
  if (tree === null) throw new Error('no entries')
  return rootOf(tree)
}

describe.each(['sha-256', 'sm3'] as const)('the tree over a log of %s', algorithm => {
  it.each([1, 2, 3, 7, 8, 33])('proves every entry of %d against the root that grew with them', count => {
    const all = digests(count, algorithm)
    const root = grown(all)
    expect(root.startsWith(`${algorithm}:`)).toBe(true)
    for (const [seq, digest] of all.entries()) expect(verifyEntry(digest, proveEntry(all, seq), root)).toBe(true)
  })

  it('proves no other entry, at no other position, under no other root', () => {
    const all = digests(9, algorithm)
    const root = grown(all)
    const proof = proveEntry(all, 4)
    const entry = all[4] ?? ''
    expect(verifyEntry(all[5] ?? '', proof, root)).toBe(false)
    expect(verifyEntry(entry, { ...proof, seq: 5 }, root)).toBe(false)
    expect(verifyEntry(entry, { ...proof, until: 3 }, root)).toBe(false)
    expect(verifyEntry(entry, { ...proof, path: proof.path.slice(1) }, root)).toBe(false)
    expect(verifyEntry(entry, proof, grown(digests(10, algorithm)))).toBe(false)
  })
})
