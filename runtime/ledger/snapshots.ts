/**
 * Snapshots kept here for others, in the database: a manifest and the chunks that it names. Two are kept of each log, because a
 * newcomer may be half way through the former when the next one stands.
 *
 * Erasure reaches them. Whoever stores a chunk and whoever erases take turns (an advisory lock for each log), and a chunk is held
 * against the redactions known by then: whichever comes first, the content is gone after both.
 */
import { type Kysely, sql, type Transaction } from 'kysely'
import { decodeBody, type EncodedBody, encodeBody } from '../../schemas/encoding.ts'
import { LIMITS } from '../../schemas/limits.ts'
import { comparePositions, formatPosition, type LogHead, type Position } from '../../schemas/log.ts'
import { type ChunkLine, DIGEST_BYTES, eraseInChunk, formatChunk, type SnapshotMark } from '../../schemas/snapshot.ts'
import { redactionsAt } from './redactions.ts'
import type { LedgerTables } from './tables.ts'

const KEPT = 2
const LOCK_CLASS = 0x48_55

export type KeptSnapshot = SnapshotMark & { readonly id: number; readonly manifest: Buffer }
export type KeptChunk = EncodedBody & { readonly number: number }

type Reader = Kysely<LedgerTables>
type Writer = Transaction<LedgerTables>

const lockChunks = (trx: Writer, logId: number) => sql`SELECT pg_advisory_xact_lock(${LOCK_CLASS}::int, ${logId}::int)`.execute(trx)

export async function keptSnapshots(db: Reader, logId: number): Promise<KeptSnapshot[]> {
  const rows = await db
    .selectFrom('snapshot')
    .selectAll()
    .where('log_id', '=', logId)
    .where('whole', '=', true)
    .orderBy('epoch', 'desc')
    .orderBy('seq', 'desc')
    .orderBy('id', 'desc')
    .execute()
  return rows.map(({ id, epoch, seq, digest, root, records, manifest }) => ({
    id,
    at: { epoch, seq, digest },
    root,
    records,
    manifest,
  }))
}

/** The newest whole snapshot of each log, by the log's id. */
export async function newestMarks(db: Reader): Promise<Map<number, SnapshotMark>> {
  const { rows } = await sql<LogHead & { log_id: number; root: string; records: number }>`
    SELECT DISTINCT ON (log_id) log_id, epoch, seq, digest, root, records FROM snapshot
    WHERE whole ORDER BY log_id, epoch DESC, seq DESC, id DESC`.execute(db)
  return new Map(
    rows.map(({ log_id, epoch, seq, digest, root, records }) => [log_id, { at: { epoch, seq, digest }, root, records }]),
  )
}

/** Begins one that is not whole yet; what was left of an earlier attempt goes. */
export async function beginSnapshot(db: Reader, logId: number, at: LogHead): Promise<number> {
  return db.transaction().execute(async trx => {
    await lockChunks(trx, logId)
    await trx.deleteFrom('snapshot').where('log_id', '=', logId).where('whole', '=', false).execute()
    const { id } = await trx
      .insertInto('snapshot')
      .values({ log_id: logId, ...at, root: '', records: 0, manifest: Buffer.alloc(0), whole: false })
      .returning('id')
      .executeTakeFirstOrThrow()
    return id
  })
}

export async function storeChunk(
  db: Reader,
  { id, logId }: { readonly id: number; readonly logId: number },
  number: number,
  lines: readonly ChunkLine[],
): Promise<void> {
  const plain = formatChunk(lines)
  const sent = await encodeBody(plain)
  await db.transaction().execute(async trx => {
    await lockChunks(trx, logId)
    const places = [...new Map(lines.map(({ place }) => [formatPosition(place), place])).values()]
    let erased: Uint8Array | null = null
    for (const [place, { keys }] of await redactionsAt(trx, logId, places)) {
      const [epoch = 0, seq = 0] = place.split('.').map(Number)
      erased = eraseInChunk(erased ?? plain, { epoch, seq }, keys) ?? erased
    }
    const { encoding, bytes } = erased === null ? sent : await encodeBody(erased)
    await trx
      .insertInto('snapshot_chunk')
      .values({
        snapshot_id: id,
        number,
        first_key: lines[0]?.key ?? '',
        last_key: lines.at(-1)?.key ?? '',
        encoding,
        body: Buffer.from(bytes),
      })
      .execute()
  })
}

/** From here on it is served; the oldest goes. */
export async function finishSnapshot(
  db: Reader,
  { id, logId }: { readonly id: number; readonly logId: number },
  { root, records, manifest }: { readonly root: string; readonly records: number; readonly manifest: Uint8Array },
): Promise<void> {
  await db.transaction().execute(async trx => {
    await lockChunks(trx, logId)
    await trx
      .updateTable('snapshot')
      .set({ root, records, manifest: Buffer.from(manifest), whole: true })
      .where('id', '=', id)
      .execute()
    const old = (await keptSnapshots(trx, logId)).slice(KEPT).map(one => one.id)
    if (old.length > 0) await trx.deleteFrom('snapshot').where('id', 'in', old).execute()
  })
}

export async function readChunks(db: Reader, id: number, from: number, limit: number): Promise<KeptChunk[]> {
  const rows = await db
    .selectFrom('snapshot_chunk')
    .select(['number', 'encoding', 'body'])
    .where('snapshot_id', '=', id)
    .where('number', '>=', from)
    .orderBy('number')
    .limit(limit)
    .execute()
  return rows.map(({ number, encoding, body }) => ({ number, encoding: encoding as EncodedBody['encoding'], bytes: body }))
}

export const groupsOf = (manifest: Uint8Array): number => manifest.length / DIGEST_BYTES

/** Takes what a redaction names out of every snapshot that reaches its position, whole or not yet. */
export async function eraseInSnapshots(trx: Writer, logId: number, at: Position, keys: readonly string[]): Promise<void> {
  await lockChunks(trx, logId)
  const { rows } = await sql<{ snapshot_id: number; number: number; encoding: string; body: Buffer } & Position>`
    SELECT c.snapshot_id, c.number, c.encoding, c.body, s.epoch, s.seq FROM snapshot s JOIN snapshot_chunk c ON c.snapshot_id = s.id
    WHERE s.log_id = ${logId}::int
      AND EXISTS (SELECT FROM unnest(${keys}::text[]) AS k WHERE k COLLATE "C" BETWEEN c.first_key AND c.last_key)`.execute(trx)
  for (const { snapshot_id, number, encoding, body, epoch, seq } of rows) {
    if (comparePositions({ epoch, seq }, at) < 0) continue
    const erased = eraseInChunk(await decodeBody(body, encoding, LIMITS.snapshotChunkBytes), at, new Set(keys))
    if (erased === null) continue
    const sent = await encodeBody(erased)
    await trx
      .updateTable('snapshot_chunk')
      .set({ encoding: sent.encoding, body: Buffer.from(sent.bytes) })
      .where('snapshot_id', '=', snapshot_id)
      .where('number', '=', number)
      .execute()
  }
}
