/**
 * Bodies as far as this holder can read them. What is said to everyone is read as it stands; of a restricted audience, the content key of
 * the epoch is taken from its opening, or from a later one that gave it to those who joined since. Nothing of it is stored: the opening
 * and the holder's own key are all that is needed, at any time. A holder that is not among the readers, the hub above all, gets null and
 * checks chain and digest only.
 */
import { type Kysely, sql } from 'kysely'
import { decryptBody, isRestricted, openSealedBody, unwrapContentKey, type WrappedKey } from '../../schemas/content-key.ts'
import type { Digest } from '../../schemas/digest.ts'
import { tokenDigest } from '../../schemas/envelope.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { EnvelopeClaims } from '../../schemas/generated/envelope.ts'
import type { EpochClaims } from '../../schemas/generated/epoch.ts'
import { type OpenedBody, openRecords } from '../../schemas/opening.ts'
import { parseToken } from '../../schemas/tokens.ts'
import type { UnwrappingKeys } from '../keys/enc-keys.ts'
import type { LedgerTables } from './tables.ts'

/** an opening's token, of a log that its holder knows by this number */
export type Opening = { readonly logId: number; readonly epoch: number; readonly token: string }
type Redacted = { readonly pdg?: Digest; readonly keys: ReadonlySet<string> } | null

type Read<Result> = (
  db: Kysely<LedgerTables>,
  logId: number,
  claims: EnvelopeClaims,
  bytes: Uint8Array,
  redaction?: Redacted,
  arrived?: readonly Opening[],
) => Promise<Result | null>

export type Bodies = {
  /** whether the key of that identifier is held here */
  holds(kid: string): boolean
  /** whether a wrapped key is meant for this holder */
  concerns(wrapped: WrappedKey): boolean
  /** Null where no key of this holder is among the readers'. @throws BODY_UNREADABLE */
  keyOf(db: Kysely<LedgerTables>, logId: number, epoch: number, arrived?: readonly Opening[]): Promise<Uint8Array | null>
  /** The plain body of bytes that `dig` names, null where it is for others. @throws BODY_UNREADABLE */
  readonly plain: Read<Uint8Array>
  /** The same of one that stands in the ledger: whether it is the text that was signed was settled when it came. @throws BODY_UNREADABLE */
  held(db: Kysely<LedgerTables>, logId: number, claims: EnvelopeClaims, bytes: Uint8Array): Promise<Uint8Array | null>
  /** Its records, null where they are for others. What is not readable though it should be is a refusal, like any fault of its origin. */
  readonly records: Read<{ readonly plain: Uint8Array | null; readonly content: OpenedBody }>
}

/** unwrapped keys at hand */
const KEPT_KEYS = 512

const unreadable = (reason: string): ExchangeError => new ExchangeError('BODY_UNREADABLE', reason)

export function createBodies(keys: UnwrappingKeys): Bodies {
  const kept = new Map<string, Uint8Array>()

  async function unwrap(wrapped: WrappedKey, name: string): Promise<Uint8Array | null> {
    const known = kept.get(name)
    if (known !== undefined) return known
    for (const [kid, key] of keys) {
      const found = await unwrapContentKey(wrapped, kid, key)
      if (found === null) continue
      if (kept.size >= KEPT_KEYS) kept.clear()
      kept.set(name, found)
      return found
    }
    return null
  }

  async function keyOf(
    db: Kysely<LedgerTables>,
    logId: number,
    epoch: number,
    arrived: readonly Opening[] = [],
  ): Promise<Uint8Array | null> {
    if (keys.size === 0) return null
    const { rows } = await sql<{ epoch: number; token: string }>`
      SELECT epoch, token FROM envelope WHERE log_id = ${logId}::int AND seq = 0 AND epoch >= ${epoch}::int ORDER BY epoch`.execute(
      db,
    )
    for (const opening of [...rows, ...arrived.filter(one => one.logId === logId && one.epoch >= epoch)]) {
      const { cek, past = [] } = parseToken(opening.token, 'epoch').claims as EpochClaims
      if (opening.epoch === epoch && cek === undefined) throw unreadable('expected an opening that wraps its content key')
      const wrapped = opening.epoch === epoch ? cek : past.find(one => one.ep === epoch)?.cek
      const found = wrapped === undefined ? null : await unwrap(wrapped as WrappedKey, `${tokenDigest(opening.token)} ${epoch}`)
      if (found !== null) return found
    }
    return null
  }

  const plain: Bodies['plain'] = async (db, logId, claims, bytes, redaction = null, arrived = []) => {
    if (!isRestricted(claims.aud)) return bytes
    const key = await keyOf(db, logId, claims.ep, arrived)
    return key === null ? null : openSealedBody(key, claims, redaction === null ? claims.pdg : redaction.pdg, bytes)
  }

  return {
    holds: kid => keys.has(kid),
    concerns: ({ recipients }) => recipients.some(({ header }) => header?.kid !== undefined && keys.has(header.kid)),
    keyOf,
    plain,
    async held(db, logId, claims, bytes) {
      if (!isRestricted(claims.aud)) return bytes
      const key = await keyOf(db, logId, claims.ep)
      const { fed, iss: origin, ds: dataset, aud: audience, ep: epoch, seq } = claims
      return key === null ? null : decryptBody(key, fed, { origin, dataset, audience }, { epoch, seq }, bytes)
    },
    async records(db, logId, claims, bytes, redaction = null, arrived = []) {
      try {
        const read = await plain(db, logId, claims, bytes, redaction, arrived)
        return read === null ? null : { plain: read, content: openRecords(claims, read, redaction?.keys) }
      } catch (error) {
        if (!(error instanceof ExchangeError) || error.code !== 'BODY_UNREADABLE') throw error
        return { plain: null, content: { records: [], json: null, refused: [], erased: [], refusal: error } }
      }
    },
  }
}

/** For a holder that reads nothing restricted: the hub. */
export const bodiesForAll: Bodies = createBodies(new Map())
