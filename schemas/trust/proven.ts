/**
 * What questions may share: signatures that were seen to hold, and indexes of the material. Only what is true for ever is kept (a
 * signature of this certificate by this key), never a verdict, so that sharing changes the cost and not the answer. The arrays whose
 * indexes are kept must not be changed afterwards; give a new array instead.
 */
import { BoundedCache } from './bounded-cache.ts'
import type { Certificate } from './certificate.ts'
import type { Crl } from './crl.ts'
import { indexMaterial, type Material } from './path-building.ts'
import { type CrlIndex, indexCrls } from './revocation.ts'

export type Proven = {
  /** by fingerprint of what is signed: the keys, and signer IDs of SM2, that were seen to have signed it */
  readonly signatures: BoundedCache<readonly string[]>
  material(anchors: readonly Certificate[], intermediates: readonly Certificate[]): Material
  crls(crls: readonly Crl[]): CrlIndex
}

/** keys that sign one certificate: one, but for parameters that are inherited and signer IDs */
const MOST_KEYS = 8

export function rememberSignature(proven: Proven | undefined, fingerprint: string, id: string): void {
  const known = proven?.signatures.get(fingerprint) ?? []
  proven?.signatures.set(fingerprint, [...known.slice(1 - MOST_KEYS), id])
}

/** `entries` signatures are remembered at most; indexes go with their arrays. */
export function createProven(entries = 16_384): Proven {
  const materials = new WeakMap<readonly Certificate[], WeakMap<readonly Certificate[], Material>>()
  const lists = new WeakMap<readonly Crl[], CrlIndex>()
  return {
    signatures: new BoundedCache(entries),
    material(anchors, intermediates) {
      const under = materials.get(anchors) ?? new WeakMap<readonly Certificate[], Material>()
      const material = under.get(intermediates) ?? indexMaterial(anchors, intermediates)
      under.set(intermediates, material)
      materials.set(anchors, under)
      return material
    },
    crls(crls) {
      const index = lists.get(crls) ?? indexCrls(crls)
      lists.set(crls, index)
      return index
    },
  }
}
