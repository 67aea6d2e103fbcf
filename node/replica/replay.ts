/** What the ledger says of a log, entry by entry: the records that took effect, as they were signed. Of what was declared lost, none do. */
import type { Transaction } from 'kysely'
import { type Bodies, bodiesForAll } from '../../runtime/ledger/bodies.ts'
import { appliedEntriesOf, type HeldEntry, isBehind } from '../../runtime/ledger/ledger.ts'
import { storedRedaction } from '../../runtime/ledger/redactions.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { EnvelopeClaims } from '../../schemas/generated/envelope.ts'
import type { LogId, Position } from '../../schemas/log.ts'
import { openBytes } from '../../schemas/opening.ts'
import { parseToken } from '../../schemas/tokens.ts'
import { type PlacedRecord, placedRecords } from './replicator.ts'

const CHUNK_ENTRIES = 8

type LogRow = { readonly id: number; readonly log: LogId }
type Replayed = { readonly entry: HeldEntry; readonly records: readonly PlacedRecord[] }

export async function* replayRecords(
  trx: Transaction<LedgerTables>,
  { id, log }: LogRow,
  bodies: Bodies = bodiesForAll,
): AsyncGenerator<Replayed, void, undefined> {
  for (let after: Position | null = null; ; ) {
    const entries = await appliedEntriesOf(trx, id).where(isBehind(after)).limit(CHUNK_ENTRIES).execute()
    const last = entries.at(-1)
    if (last === undefined) return
    for (const entry of entries) {
      const aside = await asideOf(trx, log, entry)
      yield { entry, records: ((await recordsOf(trx, id, entry, bodies)) ?? []).filter(record => !aside.has(record.index)) }
    }
    after = last
  }
}

/**
 * What an entry says to this holder, nothing where it is for others; null where its bytes are not what was signed, which the check of
 * the ledger names.
 */
export async function recordsOf(
  trx: Transaction<LedgerTables>,
  id: number,
  entry: HeldEntry,
  bodies: Bodies,
): Promise<readonly PlacedRecord[] | null> {
  try {
    const claims = parseToken(entry.token, 'envelope').claims as EnvelopeClaims
    const redaction = entry.redaction === null ? null : storedRedaction(entry.redaction)
    const bytes = await openBytes(claims, entry.body ?? new Uint8Array(), entry.encoding, redaction)
    const read = await bodies.records(trx, id, claims, bytes, redaction)
    return read === null ? [] : placedRecords(read.content)
  } catch {
    return null
  }
}

/** Records that stand in quarantine and so have no row. */
export async function asideOf(trx: Transaction<LedgerTables>, log: LogId, at: Position): Promise<Set<number>> {
  const rows = await trx
    .selectFrom('quarantine')
    .select('item')
    .where('kind', '=', 'record')
    .where('origin', '=', log.origin)
    .where('dataset', '=', log.dataset)
    .where('audience', '=', log.audience)
    .where('epoch', '=', at.epoch)
    .where('seq', '=', at.seq)
    .where('released_at', 'is', null)
    .execute()
  return new Set(rows.map(row => row.item ?? -1))
}
