/** What restricted entries say to a holder that is among their readers, when they arrive and when their key comes later. */
import { sql, type Transaction } from 'kysely'
import { isRestricted, type WrappedKey } from '../../schemas/content-key.ts'
import { isExchangeError } from '../../schemas/errors.ts'
import type { EnvelopeClaims } from '../../schemas/generated/envelope.ts'
import type { EpochClaims } from '../../schemas/generated/epoch.ts'
import type { LogId } from '../../schemas/log.ts'
import { type OpenedBody, openBytes } from '../../schemas/opening.ts'
import { checkRedactedBatch } from '../../schemas/redaction.ts'
import { parseToken } from '../../schemas/tokens.ts'
import type { Accepted, Effect, OpenedEntry } from './arrival.ts'
import type { Bodies, Opening } from './bodies.ts'
import type { Quarantined } from './quarantine.ts'
import { storedRedaction } from './redactions.ts'
import { recordAside } from './set-aside.ts'
import type { LedgerTables } from './tables.ts'

const CHUNK_ENTRIES = 16

type Unsealed = { readonly plain: Uint8Array | null; readonly content: OpenedBody }

/** The records of a restricted body, null where there are none for this holder. `openings` are those that arrive together with it. */
export async function unseal(
  trx: Transaction<LedgerTables>,
  bodies: Bodies,
  logId: number,
  { token, redaction, plain }: OpenedEntry,
  openings: readonly Opening[],
): Promise<Unsealed | null> {
  if (token.claims === null || plain === null || token.refusal !== null || !isRestricted(token.log.audience)) return null
  const read = await bodies.records(trx, logId, token.claims, plain, redaction, openings)
  if (read?.plain == null || redaction === null) return read
  try {
    checkRedactedBatch(null, read.plain, redaction.keys)
    return read
  } catch (error) {
    if (!isExchangeError(error)) throw error
    return { plain: null, content: { records: [], json: null, refused: [], erased: [], refusal: error } }
  }
}

type EntryRow = {
  epoch: number
  seq: number
  digest: string
  token: string
  encoding: string
  body: Buffer
  redaction: string | null
}

/** An opening may give the keys of earlier epochs to who joined since: what stands of them here takes effect with it. */
export async function readEarlier(
  trx: Transaction<LedgerTables>,
  bodies: Bodies,
  effect: Effect,
  { logId, log, token }: Opening & { readonly log: LogId },
  careful: boolean,
): Promise<Quarantined[]> {
  const { past = [] } = parseToken(token, 'epoch').claims as EpochClaims
  const aside: Quarantined[] = []
  for (const { ep } of past.filter(({ cek }) => bodies.concerns(cek as WrappedKey)))
    for (let after = 0; ; ) {
      const { rows } = await sql<EntryRow>`
        SELECT e.epoch, e.seq, e.digest, e.token, e.encoding, e.body, r.token AS redaction FROM envelope e
        LEFT JOIN redaction r ON r.log_id = e.log_id AND r.epoch = e.epoch AND r.seq = e.seq AND r.newest
        WHERE e.log_id = ${logId}::int AND e.epoch = ${ep}::int AND e.seq > ${after}::bigint AND e.refusal IS NULL
        ORDER BY e.seq LIMIT ${CHUNK_ENTRIES}`.execute(trx)
      const last = rows.at(-1)
      if (last === undefined) break
      after = last.seq
      for (const row of rows) aside.push(...(await applyEarlier(trx, bodies, effect, { logId, log, row }, careful)))
    }
  return aside
}

async function applyEarlier(
  trx: Transaction<LedgerTables>,
  bodies: Bodies,
  effect: Effect,
  { logId, log, row }: { readonly logId: number; readonly log: LogId; readonly row: EntryRow },
  careful: boolean,
): Promise<Quarantined[]> {
  const claims = parseToken(row.token, 'envelope').claims as EnvelopeClaims
  const redaction = row.redaction === null ? null : storedRedaction(row.redaction)
  const bytes = await openBytes(claims, row.body, row.encoding, redaction)
  const read = await bodies.records(trx, logId, claims, bytes, redaction)
  if (read === null) return []
  if (read.content.refusal !== null) {
    await sql`UPDATE envelope SET refusal = ${read.content.refusal.code}
      WHERE log_id = ${logId}::int AND epoch = ${row.epoch}::int AND seq = ${row.seq}::bigint`.execute(trx)
    return []
  }
  const { epoch, seq, digest, token: compact } = row
  const entry = { epoch, seq, digest, kind: 'envelope', previous: claims.prv } as const
  const token = { compact, log, kid: '', entry, claims, issuedAt: new Date(claims.iat * 1000), refusal: null }
  const accepted: Accepted = { logId, token, content: read.content, plain: read.plain }
  const unstorable = (await effect.apply(trx, [accepted], careful)).get(accepted) ?? []
  return [...read.content.refused, ...unstorable].map(refused => recordAside(accepted, refused, []))
}
