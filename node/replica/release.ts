/** A refused record, taken up again: read once more from the envelope that says it, checked by today's schema, applied at its position. */
import { type Kysely, sql } from 'kysely'
import { type Bodies, bodiesForAll } from '../../runtime/ledger/bodies.ts'
import { readLog, readRange } from '../../runtime/ledger/ledger.ts'
import { isLost, LOST } from '../../runtime/ledger/losses.ts'
import { storedRedaction } from '../../runtime/ledger/redactions.ts'
import { notWhole, type Releaser, released, stays } from '../../runtime/ledger/release.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { isDataError, translateDatabaseError } from '../../runtime/postgres/database.ts'
import { parseDatasetName } from '../../schemas/datasets/datasets.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { EnvelopeClaims } from '../../schemas/generated/envelope.ts'
import { openBytes } from '../../schemas/opening.ts'
import { parseToken } from '../../schemas/tokens.ts'
import { replicaTable } from './datasets.ts'
import { applyRecords } from './replicator.ts'

export const recordReleaser =
  (db: Kysely<LedgerTables>, bodies: Bodies = bodiesForAll): Releaser =>
  async ({ origin, dataset, audience, epoch, seq, item }) => {
    if (origin === null || dataset === null || audience === null || epoch === null || seq === null || item === null) {
      return notWhole('this record does not say where it stands')
    }
    const state = await readLog(db, { origin, dataset, audience })
    const [entry] = state === null ? [] : await readRange(db, state.id, epoch, seq, 1)
    if (state === null || entry?.position.seq !== seq || entry.body === null) {
      return notWhole('the envelope that says this record is not here')
    }
    if (await isLost(db, state.id, { epoch, seq }))
      return stays(new ExchangeError(LOST, 'its origin has declared the envelope lost'))
    const name = parseDatasetName(dataset)
    const claims = parseToken(entry.token, 'envelope').claims as EnvelopeClaims
    const redaction = entry.redaction == null ? null : storedRedaction(entry.redaction)
    const bytes = await openBytes(claims, entry.body, entry.encoding, redaction)
    const content = (await bodies.records(db, state.id, claims, bytes, redaction))?.content
    if (content === undefined) return notWhole('its envelope is encrypted for others')
    if (content.refusal !== null) return stays(content.refusal)
    const refused = content.refused.find(one => one.index === item)
    if (refused !== undefined) return stays(refused.error)
    const record = content.records.find(one => one.index === item)
    if (content.erased.some(one => one.index === item)) return notWhole('this record was erased by a redaction')
    if (record === undefined) return notWhole('its envelope has no record at this place')
    try {
      await db.transaction().execute(trx => applyRecords(trx, name, { logId: state.id, epoch, seq }, [record]))
    } catch (error) {
      if (!isDataError(error)) throw error
      return stays(translateDatabaseError(error))
    }
    const { rows } = await sql<{ ver: number }>`
      SELECT ver FROM ${sql.table(replicaTable(name))} WHERE log_id = ${state.id}::int AND key = ${record.key}`.execute(db)
    const standing = rows[0]?.ver ?? 0
    return released(standing > record.ver ? `superseded by version ${standing}` : `applied, version ${record.ver}`)
  }
