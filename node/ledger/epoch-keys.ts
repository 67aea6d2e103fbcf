/**
 * The content keys of the own restricted logs. The origin is one of the readers, so the key of the current epoch is taken from its
 * opening like anybody else's, and stored nowhere. When the readers or their keys have changed since that opening, or it cannot be
 * opened here, the next batch begins a new epoch under a new key: who left reads nothing new, who joined reads from there on, and what
 * was said before only where its alliance gave it the past.
 */
import { type Kysely, sql } from 'kysely'
import type { Bodies } from '../../runtime/ledger/bodies.ts'
import { entriesAt } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { createContentKey, type Reader, wrapContentKey } from '../../schemas/content-key.ts'
import type { ContentKeys } from '../../schemas/envelope.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import type { EpochClaims } from '../../schemas/generated/epoch.ts'
import { LIMITS } from '../../schemas/limits.ts'
import { formatLogId, type LogHead, type LogId } from '../../schemas/log.ts'
import { mayHoldContentKey, readersChangedAt, readersOf, wrappingKeys } from '../../schemas/membership/content-keys.ts'
import { type Membership, mayAddress, memberOf } from '../../schemas/membership.ts'
import { parseToken } from '../../schemas/tokens.ts'

type State = { readonly id: number; readonly log: LogId }
/** `opening`: null while the current epoch goes on */
export type EpochKey = { readonly contentKey: Uint8Array; readonly opening: ContentKeys | null }

export type EpochKeys = {
  /** @throws AUDIENCE_NOT_ALLOWED, AUDIENCE_KEYS_MISSING */
  current(db: Kysely<LedgerTables>, state: State, head: LogHead | null, membership: Membership): Promise<EpochKey>
  /** for an epoch that is opened whatever stands. @throws AUDIENCE_NOT_ALLOWED, AUDIENCE_KEYS_MISSING */
  fresh(db: Kysely<LedgerTables>, state: State, membership: Membership): Promise<EpochKey & { readonly opening: ContentKeys }>
}

/** what one wrapped key, and one recipient of it, add to an opening's token at most */
const WRAPPED_BYTES = 512
const RECIPIENT_BYTES = 480
/** earlier epochs that one opening gives at most */
const PAST_EPOCHS = 64

export function createEpochKeys(bodies: Bodies): EpochKeys {
  function readers(log: LogId, membership: Membership): Reader[] {
    if (!mayAddress(membership, memberOf(membership, log.origin), log.audience))
      throw new ExchangeError(
        'AUDIENCE_NOT_ALLOWED',
        `${log.origin}: expected an audience that it may address, got ${log.audience}`,
      )
    const keys = new Map(wrappingKeys(membership, log.origin, log.audience).map(({ code, jwk }) => [code, jwk]))
    const all = readersOf(membership, log.origin, log.audience).map(({ code }) => code)
    const without = all.filter(code => !keys.has(code))
    const own = keys.get(log.origin)
    if (without.length > 0 || own === undefined)
      throw missing(`${log.audience}: expected an encryption key of each reader, none of ${without.join(', ') || log.origin}`)
    if (!bodies.holds(own.kid)) throw missing(`${log.origin}: expected the key file of its encryption key ${own.kid} here`)
    return [...keys].map(([code, { kid, x }]) => ({ code, enc: { kty: 'OKP', crv: 'X25519', x, kid } }))
  }

  const keyOf = (db: Kysely<LedgerTables>, logId: number, epoch: number): Promise<Uint8Array | null> =>
    bodies.keyOf(db, logId, epoch).catch((error: unknown) => {
      if (isExchangeError(error) && error.code === 'BODY_UNREADABLE') return null
      throw error
    })

  /** The newest earlier epochs first, as many as fit: for members of an alliance that may have them and were not given them yet. */
  async function pastOf(
    db: Kysely<LedgerTables>,
    { id, log }: State,
    membership: Membership,
    now: readonly Reader[],
  ): Promise<ContentKeys['past']> {
    if (!log.audience.startsWith('alliance-')) return []
    const { rows } = await sql<{ epoch: number; token: string }>`
      SELECT epoch, token FROM envelope WHERE log_id = ${id}::int AND seq = 0 AND refusal IS NULL ORDER BY epoch DESC`.execute(db)
    const openings = rows.map(({ token }) => parseToken(token, 'epoch').claims as EpochClaims)
    const given = new Set<string>()
    for (const { ep, cek, past = [] } of openings)
      for (const one of [{ ep, cek }, ...past])
        for (const { header } of one.cek?.recipients ?? []) given.add(`${one.ep} ${header.kid}`)
    let room = (LIMITS.epochTokenBytes * 3) / 4 - WRAPPED_BYTES * 4 - RECIPIENT_BYTES * now.length
    const due: { epoch: number; wrapped: ContentKeys['wrapped'] }[] = []
    for (const { ep, mem } of openings) {
      const lacking = now.filter(
        ({ code, enc }) => !given.has(`${ep} ${enc.kid}`) && mayHoldContentKey(membership, code, log.audience, mem),
      )
      room -= lacking.length === 0 ? 0 : WRAPPED_BYTES + RECIPIENT_BYTES * lacking.length
      if (room < 0 || due.length === PAST_EPOCHS) break
      const key = lacking.length === 0 ? null : await keyOf(db, id, ep)
      if (key !== null) due.push({ epoch: ep, wrapped: await wrapContentKey(key, lacking) })
    }
    return due
  }

  async function fresh(db: Kysely<LedgerTables>, state: State, membership: Membership) {
    const now = readers(state.log, membership)
    const contentKey = createContentKey()
    const past = await pastOf(db, state, membership, now)
    return { contentKey, opening: { wrapped: await wrapContentKey(contentKey, now), past } }
  }

  return {
    fresh,
    async current(db, state, head, membership) {
      const { id, log } = state
      if (head === null) return fresh(db, state, membership)
      readers(log, membership)
      const [opening] = (await entriesAt(db, [{ logId: id, at: { epoch: head.epoch, seq: 0 } }])).values()
      if (opening === undefined) throw new ExchangeError('INTERNAL', `${formatLogId(log)}: epoch ${head.epoch} has no opening here`)
      const { mem } = parseToken(opening.token, 'epoch').claims as EpochClaims
      const contentKey = mem < readersChangedAt(membership, log.origin, log.audience) ? null : await keyOf(db, id, head.epoch)
      return contentKey === null ? fresh(db, state, membership) : { contentKey, opening: null }
    },
  }
}

const missing = (reason: string): ExchangeError => new ExchangeError('AUDIENCE_KEYS_MISSING', reason)
