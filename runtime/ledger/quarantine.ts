/**
 * Quarantine: nothing is dropped in silence. What was refused stands here with its bytes, its code and where it came from, until
 * somebody releases it. The same refusal of the same bytes stands once, however often it comes. Each origin has a quota of bytes;
 * past it the digest and the count remain, so that nobody can fill another's disk.
 */
import { type Kysely, sql } from 'kysely'
import { digestOf } from '../../schemas/digest.ts'
import type { ErrorCode } from '../../schemas/errors.ts'
import type { LedgerTables, QuarantineRow } from './tables.ts'

/** bytes kept for one origin; what cannot be shown to come from any member shares one quota */
export const QUARANTINE_BYTES_PER_ORIGIN = 64 * 1024 * 1024

export type Quarantined = {
  readonly kind: QuarantineRow['kind']
  readonly origin: string | null
  readonly dataset?: string | null
  readonly audience?: string | null
  readonly epoch?: number | null
  readonly seq?: number | null
  readonly item?: number | null
  readonly key?: string | null
  readonly place?: string | null
  readonly line?: number | null
  readonly field?: string | null
  readonly rule?: string | null
  readonly code: ErrorCode
  readonly reason: string
  readonly reasonZh?: string | null
  /** of an envelope: how its body is encoded */
  readonly encoding?: string
  /** of a row: what it takes to read it again; absent where the bytes are not the whole row */
  readonly reading?: Reading
  readonly content: Uint8Array
  /** the bytes are those of something erased here: digest and count are kept, they are not */
  readonly withheld?: boolean
}

/** What an adapter needs to read a row once more. */
export type Reading = {
  readonly adapter: string
  /** digest of the mapping */
  readonly mapping: string | null
  readonly platform: string
  /** the line of a file that names its columns */
  readonly heading: string | null
  /** when the file was read: what was sealed since is newer than the row */
  readonly readAt: Date
}

/** Sets things aside. Safe inside or outside a transaction, and to repeat. Returns how many were new. */
export async function quarantine(db: Kysely<LedgerTables>, items: readonly Quarantined[]): Promise<number> {
  if (items.length === 0) return 0
  const room = await roomOf(db, [...new Set(items.map(item => item.origin))])
  const rows = items.map(item => {
    const digest = digestOf(item.content)
    const left = (room.get(item.origin) ?? 0) - item.content.length
    room.set(item.origin, Math.max(0, left))
    const place = [
      item.kind,
      item.origin,
      item.dataset,
      item.audience,
      item.epoch,
      item.seq,
      item.item,
      item.place,
      item.line,
      item.code,
      digest,
    ]
    return {
      identity: digestOf(JSON.stringify(place)),
      kind: item.kind,
      origin: item.origin,
      dataset: item.dataset ?? null,
      audience: item.audience ?? null,
      epoch: item.epoch ?? null,
      seq: item.seq ?? null,
      item: item.item ?? null,
      key: item.key ?? null,
      place: item.place ?? null,
      line: item.line ?? null,
      field: item.field ?? null,
      rule: item.rule ?? null,
      code: item.code,
      reason: item.reason,
      reason_zh: item.reasonZh ?? null,
      content: left < 0 || item.withheld === true ? null : Buffer.from(item.content),
      content_digest: digest,
      content_bytes: item.content.length,
      encoding: item.encoding ?? null,
      adapter: item.reading?.adapter ?? null,
      mapping: item.reading?.mapping ?? null,
      platform: item.reading?.platform ?? null,
      heading: item.reading?.heading ?? null,
      read_at: item.reading?.readAt ?? null,
      released_at: null,
      outcome: null,
    }
  })
  const written = await db
    .insertInto('quarantine')
    .values([...new Map(rows.map(row => [row.identity, row])).values()])
    // What was released and is refused again stands here again: nothing is dropped in silence.
    .onConflict(conflict =>
      conflict
        .column('identity')
        .doUpdateSet(({ ref }) => ({
          content: ref('excluded.content'),
          encoding: ref('excluded.encoding'),
          adapter: ref('excluded.adapter'),
          mapping: ref('excluded.mapping'),
          platform: ref('excluded.platform'),
          heading: ref('excluded.heading'),
          read_at: ref('excluded.read_at'),
          released_at: null,
          outcome: null,
        }))
        .where('quarantine.released_at', 'is not', null),
    )
    .executeTakeFirst()
  return Number(written.numInsertedOrUpdatedRows ?? 0n)
}

async function roomOf(db: Kysely<LedgerTables>, origins: readonly (string | null)[]): Promise<Map<string | null, number>> {
  const room = new Map<string | null, number>()
  for (const origin of origins) {
    const { rows } = await sql<{ bytes: string | number }>`
      SELECT coalesce(sum(content_bytes), 0)::bigint AS bytes FROM quarantine
      WHERE origin IS NOT DISTINCT FROM ${origin}::text AND content IS NOT NULL AND released_at IS NULL`.execute(db)
    room.set(origin, Math.max(0, QUARANTINE_BYTES_PER_ORIGIN - Number(rows[0]?.bytes ?? 0)))
  }
  return room
}

export type QuarantineCount = {
  readonly kind: string
  readonly origin: string | null
  readonly dataset: string | null
  readonly code: string
  readonly count: number
}

export async function countQuarantine(db: Kysely<LedgerTables>): Promise<QuarantineCount[]> {
  const { rows } = await sql<QuarantineCount>`
    SELECT kind, origin, dataset, code, count(*)::int AS count FROM quarantine WHERE released_at IS NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`.execute(
    db,
  )
  return rows
}
