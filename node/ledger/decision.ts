/**
 * What becomes of a candidate: a new version of its record, nothing (it says what already stands), a place among the parked until
 * its parent comes, or a refusal. Decided inside the transaction that seals, against the state that this transaction has locked.
 */
import { type Kysely, sql, type Transaction } from 'kysely'
import { type Statement as PreparedStatement, wireOf } from '../../runtime/postgres/pipeline.ts'
import type { OpenDatasetName } from '../../schemas/datasets/datasets.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { judgeIJson } from '../../schemas/i-json.ts'
import { LIMITS } from '../../schemas/limits.ts'
import type { LogId } from '../../schemas/log.ts'
import { type Candidate, type ExchangeRecord, isSameJson, type JsonValue } from '../../schemas/record.ts'
import { versionAfter } from '../../schemas/reopening-rule.ts'
import { checkBody, checkRecord } from '../../schemas/validators.ts'
import type { IntakeTables } from '../intake/tables.ts'
import { REPLICAS, replicaTable } from '../replica/datasets.ts'

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

type Standing = {
  readonly key: string
  readonly ver: number
  readonly op: string
  readonly platform: string
  readonly body: JsonValue
  readonly at: Date
  readonly applied_at: Date
}

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

type Statement = { readonly op: string; readonly platform: string; readonly body?: JsonValue }
const sameStatement = (a: Statement, b: Statement): boolean =>
  a.op === b.op && a.platform === b.platform && (a.op !== 'put' || isSameJson(a.body, b.body))

/** `earlier` are records decided in the same transaction that do not stand in the replica yet. */
export async function decide(
  db: Transaction<IntakeTables>,
  logId: number,
  log: LogId,
  items: readonly Item[],
  earlier: readonly ExchangeRecord[] = [],
  /** no new version is this one or below */
  floor: number | Promise<number> = 0,
): Promise<Decision[]> {
  const dataset = log.dataset as OpenDatasetName
  const faults = items.map(item => faultOf(dataset, item.candidate))
  const standing = await readStanding(db, dataset, logId, keysOf(items, faults))
  const least = await floor
  const latest = new Map<string, ExchangeRecord>(earlier.map(record => [record.key, record]))
  const decisions: Decision[] = []
  for (const [index, item] of items.entries()) {
    const fault = faults[index]
    if (fault != null) {
      decisions.push({ kind: 'refused', error: fault })
      continue
    }
    if (item.parent !== null && standing.get(item.parent)?.op !== 'put' && latest.get(item.parent)?.op !== 'put') {
      if (item.readAt !== undefined && (await isParked(db, log, item.candidate.key))) {
        decisions.push({ kind: 'superseded', ver: 0 })
        continue
      }
      await park(db, log, item, item.parent)
      decisions.push({ kind: 'parked', parent: item.parent })
      continue
    }
    const decision = decideOne(item, latest.get(item.candidate.key), standing.get(item.candidate.key), least)
    if (decision.kind === 'record') latest.set(decision.record.key, decision.record)
    decisions.push(decision)
  }
  return decisions
}

function decideOne(
  { candidate, readAt }: Item,
  decided: ExchangeRecord | undefined,
  standing: Standing | undefined,
  floor: number,
): Decision {
  const ver = decided?.ver ?? standing?.ver ?? 0
  const last = decided ?? standing
  if (last !== undefined && sameStatement(candidate, last)) return { kind: 'unchanged', ver }
  if (readAt !== undefined) {
    const since = decided !== undefined || (standing !== undefined && standing.applied_at >= readAt)
    const at = decided === undefined ? standing?.at : new Date(decided.at)
    if (since && at !== undefined && at >= new Date(candidate.at)) return { kind: 'superseded', ver }
  }
  if (candidate.op === 'retract') {
    const op = decided?.op ?? standing?.op
    if (op === undefined)
      return { kind: 'refused', error: new ExchangeError('RECORD_UNKNOWN', 'expected a record that stands here, to take it back') }
    if (op === 'retract') return { kind: 'unchanged', ver }
  }
  return { kind: 'record', record: { ...candidate, ver: versionAfter(ver, floor) } }
}

/** Keys whose state decides: those of the candidates, and of the records that they need. */
const keysOf = (items: readonly Item[], faults: readonly (ExchangeError | null)[]): string[] => {
  const keys = new Set<string>()
  for (const [index, { candidate, parent }] of items.entries()) {
    if (faults[index] === null) keys.add(candidate.key)
    if (parent !== null) keys.add(parent)
  }
  return [...keys]
}

const STANDING: ReadonlyMap<string, PreparedStatement> = new Map(
  REPLICAS.map(({ dataset }) => [
    dataset,
    {
      name: `standing_${dataset}`,
      text: `SELECT key, ver, op, platform, body, at, applied_at FROM ${replicaTable(dataset)} WHERE log_id = $1 AND key = ANY($2::text[])`,
    },
  ]),
)

async function readStanding(
  trx: Transaction<IntakeTables>,
  dataset: OpenDatasetName,
  logId: number,
  keys: readonly string[],
): Promise<Map<string, Standing>> {
  const statement = STANDING.get(dataset)
  if (keys.length === 0 || statement === undefined) return new Map()
  const send = await wireOf(trx)
  return new Map((await send<Standing>(statement, [logId, keys])).map(row => [row.key, row]))
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

const PARKED: PreparedStatement = {
  name: 'anyone_parked',
  text: 'SELECT EXISTS (SELECT FROM parked WHERE dataset = $1 AND audience = $2) AS parked',
}

/** Sent with the question for what stands: mostly nobody waits, and then nobody need be looked for among a thousand parents. */
export async function anyoneParked(trx: Transaction<IntakeTables>, log: LogId): Promise<boolean> {
  const send = await wireOf(trx)
  return (await send<{ parked: boolean }>(PARKED, [log.dataset, log.audience])).some(row => row.parked)
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
