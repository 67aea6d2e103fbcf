/**
 * The Merkle tree over one epoch of a log (RFC 6962 §2.1): its leaves are the digests of the entries, from the opening on, as they are
 * written. Its root, which the origin states in its head, binds every entry as the chain does, and one entry is proved with a dozen
 * hashes instead of all that came after it. The epoch's opening says by its own digest which hash the tree is of.
 */
import { algorithmOfDigest, type Digest, type DigestAlgorithm } from './digest.ts'
import {
  appendLeaf,
  type CompactRange,
  EMPTY_RANGE,
  type Hash,
  inclusionProof,
  leafHash,
  rangeRoot,
  verifyInclusion,
} from './merkle.ts'

/** Datasets whose logs have one: those that somebody proves single entries of, years later. */
export const TREE_DATASETS: readonly string[] = ['trust']
/** a proof of the largest tree that a log of this exchange can have */
export const PROOF_HASHES = 48

const bytesOf = (digest: Digest): Buffer => Buffer.from(digest, 'latin1')
const written = (hash: Hash, algorithm: DigestAlgorithm): Digest => `${algorithm}:${Buffer.from(hash).toString('base64url')}`

/** A tree that grows with its log. */
export type LogTree = { readonly algorithm: DigestAlgorithm; readonly range: CompactRange }

export const growTree = (tree: LogTree | null, digest: Digest): LogTree => {
  const { algorithm, range } = tree ?? { algorithm: algorithmOfDigest(digest), range: EMPTY_RANGE }
  return { algorithm, range: appendLeaf(range, leafHash(bytesOf(digest), algorithm), algorithm) }
}
export const rootOf = ({ range, algorithm }: LogTree): Digest => written(rangeRoot(range, algorithm), algorithm)

/** That the entry at `seq` stands in the tree of the epoch up to `until`, both positions in it. */
export type EntryProof = { readonly seq: number; readonly until: number; readonly path: readonly string[] }

/** `digests`: of all entries of the epoch from 0 up to the position that the head names. */
export function proveEntry(digests: readonly Digest[], seq: number): EntryProof {
  const algorithm = algorithmOfDigest(digests[0] ?? '')
  const leaves = digests.map(digest => leafHash(bytesOf(digest), algorithm))
  const path = inclusionProof(leaves, seq, algorithm).map(hash => Buffer.from(hash).toString('base64url'))
  return { seq, until: digests.length - 1, path }
}

export function verifyEntry(digest: Digest, { seq, until, path }: EntryProof, root: Digest): boolean {
  const algorithm = algorithmOfDigest(root)
  const [, hash = ''] = root.split(':', 2)
  return verifyInclusion(
    {
      leaf: leafHash(bytesOf(digest), algorithm),
      index: seq,
      size: until + 1,
      proof: path.map(one => Buffer.from(one, 'base64url')),
      root: Buffer.from(hash, 'base64url'),
    },
    algorithm,
  )
}
