/** The proofs of transparency-dev/merkle: a tree of files, each an inclusion or a consistency proof with what a verifier has to say. */
import { verifyConsistency, verifyInclusion } from '../../schemas/merkle.ts'
import { isObject, type Json, type JsonFile, malformed, readJsonTree } from './material.ts'
import { accepted, type Judged, refused, type Suite, type SuiteCase } from './suite.ts'

const hashOf = (value: unknown): Uint8Array => Buffer.from(typeof value === 'string' ? value : '', 'base64')
const hashesOf = (value: unknown): Uint8Array[] => (Array.isArray(value) ? value.map(hashOf) : [])
const judged = (holds: boolean): Judged => (holds ? accepted() : refused('PROOF_DOES_NOT_VERIFY'))

const KINDS: readonly { readonly marks: readonly string[]; verify(proof: Json): boolean }[] = [
  {
    marks: ['leafIdx', 'treeSize', 'root', 'leafHash'],
    verify: ({ leafIdx, treeSize, root, leafHash, proof }) =>
      verifyInclusion({
        index: Number(leafIdx),
        size: Number(treeSize),
        root: hashOf(root),
        leaf: hashOf(leafHash),
        proof: hashesOf(proof),
      }),
  },
  {
    marks: ['size1', 'size2', 'root1', 'root2'],
    verify: ({ size1, size2, root1, root2, proof }) =>
      verifyConsistency({
        first: Number(size1),
        second: Number(size2),
        firstRoot: hashOf(root1),
        secondRoot: hashOf(root2),
        proof: hashesOf(proof),
      }),
  },
]

function caseOf({ path, value }: JsonFile): SuiteCase {
  const kind = isObject(value) ? KINDS.find(({ marks }) => marks.every(mark => Object.hasOwn(value, mark))) : undefined
  if (!isObject(value) || kind === undefined || typeof value.wantErr !== 'boolean')
    throw malformed(path, 'expected an inclusion or consistency proof with wantErr')
  return { id: path, expected: value.wantErr ? 'refused' : 'accepted', judge: () => judged(kind.verify(value)) }
}

export const merkle: Suite = {
  name: 'merkle',
  zh: '散列树证明（transparency-dev/merkle）',
  en: 'Merkle proofs (transparency-dev/merkle)',
  async read(path) {
    const files = await readJsonTree(path)
    if (files.length === 0) throw malformed(path, 'expected a tree of proofs')
    return files.map(caseOf)
  },
}
