/**
 * What becomes of a candidate: a new version of its record, nothing (it says what already stands), a place among the parked until
 * its parent comes, or a refusal. Decided inside the transaction that seals, against the state that this transaction has locked.
 */
import { type Kysely, sql } from 'kysely'
import type { OpenDatasetName } from '../../schemas/datasets/datasets.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { judgeIJson } from '../../schemas/i-json.ts'
import { LIMITS } from '../../schemas/limits.ts'
import type { LogId } from '../../schemas/log.ts'
import type { Candidate, ExchangeRecord } from '../../schemas/record.ts'
import { checkBody, checkRecord } from '../../schemas/validators.ts'
import type { IntakeTables } from '../intake/tables.ts'
import { replicaTable } from '../replica/datasets.ts'

export type Item = {
  readonly candidate: Candidate
  /** key of the record, in the same log, that must stand before this one can */
  readonly parent: string | null
  /** where it came from, for people: file, request or program */
  readonly place: string
  readonly line: number | null
  /** of a row released from quarantine: when it was read. What was sealed since and is not older than the row stands. */
  readonly readAt?: Date
}

export type Decision =
  | { readonly kind: 'record'; readonly record: ExchangeRecord }
  | { readonly kind: 'unchanged'; readonly ver: number }
  | { readonly kind: 'superseded'; readonly ver: number }
  | { readonly kind: 'parked'; readonly parent: string }
  | { readonly kind: 'refused'; readonly error: ExchangeError }

type Standing = { readonly ver: number; readonly op: string; readonly same: boolean; readonly at: Date; readonly appliedAt: Date }
type Found = { index: number; ver: number; op: string; same: boolean; at: Date; applied_at: Date }

/** a record stands two levels deep in its body: the batch and its list */
const RECORD_DEPTH = LIMITS.jsonDepth - 2

/** Nothing is sealed that another holder would have to refuse. */
function faultOf(dataset: OpenDatasetName, candidate: Candidate): ExchangeError | null {
  const record = { ...candidate, ver: 1 }
  const iJson = judgeIJson(record, RECORD_DEPTH)
  if (iJson !== null)
    return new ExchangeError('RECORD_NOT_IJSON', `${iJson.reason} at "${iJson.path}"`, { detail: { rule: iJson.rule } })
  const faults = checkRecord(record)
  const [fault] = faults.length > 0 || candidate.op !== 'put' ? faults : checkBody(dataset, candidate.body, 'sealing')
  if (fault === undefined) return null
  return new ExchangeError('RECORD_SCHEMA_INVALID', `${fault.path === '' ? 'record' : fault.path}: ${fault.expected}`, {
    detail: { rule: fault.rule },
  })
}

const sameStatement = (a: Candidate, b: Candidate): boolean =>
  a.op === b.op &&
  a.platform === b.platform &&
  (a.op !== 'put' || b.op !== 'put' || JSON.stringify(a.body) === JSON.stringify(b.body))

/** `earlier` are records decided in the same transaction that do not stand in the replica yet. */
export async function decide(
  db: Kysely<IntakeTables>,
  logId: number,
  log: LogId,
  items: readonly Item[],
  earlier: readonly ExchangeRecord[] = [],
): Promise<Decision[]> {
  const dataset = log.dataset as OpenDatasetName
  const faults = items.map(item => faultOf(dataset, item.candidate))
  const sound = items.map(({ candidate }, index) => ({ ...candidate, index })).filter((_, index) => faults[index] === null)
  const standing = await readStanding(db, dataset, logId, sound)
  const parents = await readParents(db, dataset, logId, items)
  const latest = new Map<string, ExchangeRecord>(earlier.map(record => [record.key, record]))
  const decisions: Decision[] = []
  for (const [index, item] of items.entries()) {
    const fault = faults[index]
    if (fault != null) {
      decisions.push({ kind: 'refused', error: fault })
      continue
    }
    if (item.parent !== null && !parents.has(item.parent) && latest.get(item.parent)?.op !== 'put') {
      if (item.readAt !== undefined && (await isParked(db, log, item.candidate.key))) {
        decisions.push({ kind: 'superseded', ver: 0 })
        continue
      }
      await park(db, log, item, item.parent)
      decisions.push({ kind: 'parked', parent: item.parent })
      continue
    }
    const decision = decideOne(item, latest.get(item.candidate.key), standing.get(index))
    if (decision.kind === 'record') latest.set(decision.record.key, decision.record)
    decisions.push(decision)
  }
  return decisions
}

function decideOne({ candidate, readAt }: Item, decided: ExchangeRecord | undefined, standing: Standing | undefined): Decision {
  const ver = decided?.ver ?? standing?.ver ?? 0
  const same = decided === undefined ? standing?.same === true : sameStatement(candidate, decided)
  if (same) return { kind: 'unchanged', ver }
  if (readAt !== undefined) {
    const since = decided !== undefined || (standing !== undefined && standing.appliedAt >= readAt)
    const at = decided === undefined ? standing?.at : new Date(decided.at)
    if (since && at !== undefined && at >= new Date(candidate.at)) return { kind: 'superseded', ver }
  }
  if (candidate.op === 'retract') {
    const op = decided?.op ?? standing?.op
    if (op === undefined)
      return { kind: 'refused', error: new ExchangeError('RECORD_UNKNOWN', 'expected a record that stands here, to take it back') }
    if (op === 'retract') return { kind: 'unchanged', ver }
  }
  return { kind: 'record', record: { ...candidate, ver: ver + 1 } }
}

async function readStanding(
  db: Kysely<IntakeTables>,
  dataset: OpenDatasetName,
  logId: number,
  candidates: readonly (Candidate & { index: number })[],
): Promise<Map<number, Standing>> {
  // Most candidates of a first load stand nowhere yet: only for those that do are bodies compared.
  const keys = await standingKeys(db, dataset, logId, candidates)
  const known = candidates.filter(candidate => keys.has(candidate.key))
  if (known.length === 0) return new Map()
  const { rows } = await sql<Found>`
    SELECT c.index, held.ver, held.op, held.at, held.applied_at,
      coalesce(held.op = c.op AND held.platform = c.platform AND held.body IS NOT DISTINCT FROM c.body, false) AS same
    FROM json_to_recordset(${JSON.stringify(known)}::json) AS c(index int, key text, op text, platform text, body jsonb)
    JOIN ${sql.table(replicaTable(dataset))} held ON held.log_id = ${logId}::int AND held.key = c.key`.execute(db)
  return new Map(rows.map(row => [row.index, { ver: row.ver, op: row.op, same: row.same, at: row.at, appliedAt: row.applied_at }]))
}

async function standingKeys(
  db: Kysely<IntakeTables>,
  dataset: OpenDatasetName,
  logId: number,
  candidates: readonly Candidate[],
): Promise<ReadonlySet<string>> {
  if (candidates.length === 0) return new Set()
  const keys = [...new Set(candidates.map(candidate => candidate.key))]
  const { rows } = await sql<{ key: string }>`
    SELECT key FROM ${sql.table(replicaTable(dataset))} WHERE log_id = ${logId}::int AND key = ANY(${keys}::text[])`.execute(db)
  return new Set(rows.map(row => row.key))
}

async function readParents(
  db: Kysely<IntakeTables>,
  dataset: OpenDatasetName,
  logId: number,
  items: readonly Item[],
): Promise<Set<string>> {
  const wanted = [...new Set(items.flatMap(item => (item.parent === null ? [] : [item.parent])))]
  if (wanted.length === 0) return new Set()
  const { rows } = await sql<{ key: string }>`
    SELECT key FROM ${sql.table(replicaTable(dataset))} WHERE log_id = ${logId}::int AND key = ANY(${wanted}::text[]) AND op = 'put'`.execute(
    db,
  )
  return new Set(rows.map(row => row.key))
}

async function isParked(db: Kysely<IntakeTables>, log: LogId, key: string): Promise<boolean> {
  const row = await db
    .selectFrom('parked')
    .select('id')
    .where('dataset', '=', log.dataset)
    .where('audience', '=', log.audience)
    .where('key', '=', key)
    .executeTakeFirst()
  return row !== undefined
}

async function park(db: Kysely<IntakeTables>, log: LogId, item: Item, parent: string): Promise<void> {
  const waiting = { parent_key: parent, candidate: JSON.stringify(item.candidate), place: item.place, line: item.line }
  await db
    .insertInto('parked')
    .values({ dataset: log.dataset, audience: log.audience, key: item.candidate.key, ...waiting })
    .onConflict(conflict => conflict.columns(['dataset', 'audience', 'key']).doUpdateSet(waiting))
    .execute()
}

/** Takes out of the parking place those whose parent has just been decided. */
export async function releaseChildren(db: Kysely<IntakeTables>, log: LogId, decisions: readonly Decision[]): Promise<Item[]> {
  const parents = decisions.flatMap(decision =>
    decision.kind === 'record' && decision.record.op === 'put' ? [decision.record.key] : [],
  )
  if (parents.length === 0) return []
  const { rows } = await sql<{ id: number; candidate: Candidate; parent_key: string; place: string; line: number | null }>`
    DELETE FROM parked
    WHERE dataset = ${log.dataset} AND audience = ${log.audience} AND parent_key = ANY(${[...new Set(parents)]}::text[])
    RETURNING id, candidate, parent_key, place, line`.execute(db)
  return rows
    .sort((a, b) => a.id - b.id)
    .map(row => ({ candidate: row.candidate, parent: row.parent_key, place: row.place, line: row.line }))
}
