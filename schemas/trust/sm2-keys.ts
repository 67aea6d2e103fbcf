/**
 * Keys of SM2 (GB/T 32918.2). The library checks a signature seven times as fast with a table of the key's points, which costs as much as a
 * dozen checks and most of a megabyte. Whoever sends certificates chooses their keys; so a table is made only for a key that has checked
 * often enough to have earned it, and the tables that were used last are kept, as many as `limits.ts` has room for.
 */
import { sm2 } from 'sm-crypto-v2'
import { BoundedCache } from './bounded-cache.ts'
import { bufferOf } from './der.ts'
import { KEY_LIMITS } from './limits.ts'

type Point = ReturnType<typeof sm2.precomputePublicKey>
export type Sm2Key = {
  /** what the next check costs */
  units(): number
  /** whether the key has earned a table that it does not have */
  isTableDue(): boolean
  /** whether r and s, 64 hexadecimal digits each, are the key's over a digest, which has Z in it */
  verify(digest: Uint8Array, numbers: string, mayMakeTable: boolean): boolean
  /** the digest of signer ID, curve and key that goes before the message (§5.5) */
  z(id: string): Uint8Array
}

/** Measured beside a check of ECDSA P-256: a check without a table and one with it, and the making of a table. */
export const SM2_UNITS = { plain: 50, prepared: 8, table: 600 } as const
/** 8-bit windows: 33 × 128 points of three numbers */
const TABLE_BYTES = 704 * 1024
/** From then on a table has paid for itself: ski rental, at most twice the least cost. */
export const CHECKS_BEFORE_TABLE = Math.ceil(SM2_UNITS.table / (SM2_UNITS.plain - SM2_UNITS.prepared))

const tables = new BoundedCache<Point>(Math.floor(KEY_LIMITS.sm2TableBytes / TABLE_BYTES))
export const tablesHeld = (): number => tables.size

const UNCOMPRESSED_BYTES = 65
const MOST_IDS = 16

/** Undefined of octets that are no uncompressed point of the curve. */
export function importSm2(bits: Uint8Array): Sm2Key | undefined {
  const hex = bufferOf(bits).toString('hex')
  if (bits.length !== UNCOMPRESSED_BYTES || !hex.startsWith('04') || !sm2.verifyPublicKey(hex)) return undefined
  const zs = new Map<string, Uint8Array>()
  let checks = 0
  return {
    units: () => (tables.get(hex) === undefined ? SM2_UNITS.plain : SM2_UNITS.prepared),
    isTableDue: () => checks >= CHECKS_BEFORE_TABLE && tables.get(hex) === undefined,
    verify(digest, numbers, mayMakeTable) {
      let table = tables.get(hex)
      if (table === undefined && checks >= CHECKS_BEFORE_TABLE && mayMakeTable) {
        table = sm2.precomputePublicKey(hex)
        tables.set(hex, table)
      }
      checks += 1
      return sm2.doVerifySignature(digest, numbers, table ?? hex, { hash: false, der: false })
    },
    z(id) {
      const z = zs.get(id) ?? sm2.getZ(hex, id)
      if (zs.size >= MOST_IDS) zs.clear()
      zs.set(id, z)
      return z
    },
  }
}
