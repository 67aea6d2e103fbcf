/**
 * What is looked at on one disk: chain, bytes, state and erasures of a log, against what its origin committed. Written again, so that the
 * product's own judges are not asked about themselves.
 */
import { digestOf } from '../../schemas/digest.ts'
import { canonicalText } from '../../schemas/jcs.ts'
import { comparePositions, formatPosition, type LogHead, type Position } from '../../schemas/log.ts'
import type { ExchangeRecord, JsonValue } from '../../schemas/record.ts'
import { parseChunk } from '../../schemas/snapshot.ts'
import { type DiskLog, LOST, type Row, type StoredEntry } from './disk.ts'
import { type History, positionOf } from './histories.ts'
import { fail } from './invariants.ts'

export type Checked = {
  readonly code: string
  readonly id: string
  readonly log: DiskLog
  readonly honest: boolean
  readonly history: History | undefined
}

export function checkLedger({ code, id, log, honest, history }: Checked): void {
  let before: LogHead | null = log.wanted
  for (const stored of log.entries) {
    const place = `${code} holds ${id} ${formatPosition(stored.entry)}`
    if (!follows(before, stored)) fail('once', `${place} behind ${before === null ? 'nothing' : formatPosition(before)}`)
    checkBytes(place, stored, log)
    const at = formatPosition(stored.entry)
    const known = history?.digests.get(at) ?? history?.lost.get(at)
    if (honest && known !== stored.entry.digest) fail('honest', `${place}, which its origin did not commit`)
    before = stored.entry
  }
  const last = before ?? log.base
  if ((log.head?.digest ?? null) !== (last?.digest ?? null)) fail('once', `${code}: the head of ${id} is not its last entry`)
}

function checkBytes(place: string, stored: StoredEntry, log: DiskLog): void {
  const redaction = log.redactions.get(formatPosition(stored.entry))
  if ((redaction?.token ?? null) !== (stored.redaction ?? null)) fail('gone', `${place} with a body that was erased`)
  if (stored.body === null) return
  if (digestOf(stored.body) !== (redaction?.new ?? stored.dig)) fail('bytes', `${place} with other bytes than its origin signed`)
}

/** Whether an entry may stand behind another. */
function follows(before: LogHead | null, { entry }: StoredEntry): boolean {
  if (entry.kind === 'opening' && entry.lost != null) {
    const { epoch, seq, previous } = entry.lost
    if (before === null) return epoch === 1 && seq === 0
    if (before.epoch >= entry.epoch || comparePositions({ epoch: before.epoch, seq: before.seq + 1 }, { epoch, seq }) < 0)
      return false
    return before.epoch !== epoch || before.seq !== seq - 1 || before.digest === previous
  }
  if (before === null) return entry.kind === 'opening' && entry.epoch === 1
  if (entry.kind === 'envelope')
    return entry.epoch === before.epoch && entry.seq === before.seq + 1 && entry.previous === before.digest
  const { closing } = entry
  return entry.epoch === before.epoch + 1 && closing?.seq === before.seq && closing.digest === before.digest
}

export function checkState({ code, id, log }: Checked): void {
  const losses = log.entries.flatMap(({ entry }) =>
    entry.kind === 'opening' && entry.lost != null ? [{ from: entry.lost, to: entry }] : [],
  )
  const isLost = (at: Position): boolean =>
    losses.some(({ from, to }) => comparePositions(at, from) >= 0 && comparePositions(at, to) < 0)
  const effective = log.entries.filter(
    ({ kind, refusal, entry }) => kind === 'envelope' && (refusal === null || refusal === LOST) && !isLost(entry),
  )
  const expected = effective.map(({ entry }) => formatPosition(entry)).join(' ')
  if (log.applied.join(' ') !== expected)
    fail('once', `${code} applied ${id} as ${log.applied.join(' ')}, its ledger says ${expected}`)
  const { base } = log
  const later = base === null ? effective : effective.filter(({ entry }) => comparePositions(entry, base) > 0)
  if (log.loading === null && !sameRows(replay(later, log.loaded), log.rows))
    fail('replay', `${code}: the state of ${id} is not that of its ledger`)
}

/** The highest version of each key; among equals the first, since a repeat changes nothing. What was erased counts and says nothing. */
function replay(entries: readonly StoredEntry[], loaded: ReadonlyMap<string, Row>): Map<string, Row> {
  const rows = new Map(loaded)
  for (const { entry, records, erased = [] } of entries) {
    const at = formatPosition(entry)
    const said = [
      ...records.map((record): [string, Row] => [record.key, rowSaid(record, at)]),
      ...erased.map(({ key, ver }): [string, Row] => [key, { ver, op: 'erased', text: '', at }]),
    ]
    for (const [key, row] of said) {
      const standing = rows.get(key)
      if (standing === undefined || standing.ver < row.ver) rows.set(key, row)
    }
  }
  return rows
}

const rowSaid = (record: ExchangeRecord, at: string): Row => ({
  ver: record.ver,
  op: record.op,
  text: record.op === 'put' ? canonicalText(record.body as JsonValue) : record.why,
  at,
})

/** An erased row has no text of its own to compare. */
export const sameRows = (a: ReadonlyMap<string, Row>, b: ReadonlyMap<string, Row>): boolean =>
  a.size === b.size &&
  [...a].every(([key, row]) => {
    const other = b.get(key)
    return other?.ver === row.ver && (other.text === row.text || other.op === 'erased' || row.op === 'erased')
  })

/** The state that the origin's own history gives at a position. */
export function stateOfHistory({ digests, records }: History, at: Position): Map<string, Row> {
  const places = [...digests.keys()].map(positionOf).filter(place => comparePositions(place, at) <= 0)
  const rows = new Map<string, Row>()
  for (const place of places.sort(comparePositions))
    for (const record of records.get(formatPosition(place)) ?? []) {
      const standing = rows.get(record.key)
      if (standing === undefined || standing.ver < record.ver) rows.set(record.key, rowSaid(record, formatPosition(place)))
    }
  return rows
}

type Batch = {
  readonly salt: string
  readonly records: readonly { readonly key: string; readonly op: string; readonly body?: unknown }[]
}
const batchOf = (body: Buffer): Batch => JSON.parse(body.toString('utf8')) as Batch

/** Every redaction that was taken is one that its origin might sign, and changed what it names. */
export function checkErasures({ code, id, log, history }: Checked): void {
  if (history === undefined) return
  for (const [at, { token, keys }] of log.redactions) {
    const place = `${code} has erased in ${id} ${at}`
    if (!history.redactions.has(token)) fail('erased', `${place}, which its origin did not sign`)
    for (const { key, ver } of history.records.get(at) ?? [])
      if (keys.has(key) && highestOf(history, key) <= ver) fail('erased', `${place} what still stands of ${key}`)
    const [held, first] = [log.index.get(at)?.body, history.bodies.get(at)]
    if (held == null || first === undefined) continue
    const [now, then] = [batchOf(held).records, batchOf(first).records]
    const expected = then.map(record => (record.op === 'put' && keys.has(record.key) ? { ...record, body: null } : record))
    if (JSON.stringify(now) !== JSON.stringify(expected)) fail('erased', `${place} something else than it names`)
  }
  for (const { mark, chunks } of log.kept)
    for (const line of chunks.flatMap(parseChunk)) {
      const redaction = log.redactions.get(formatPosition(line.place))
      if (redaction?.keys.has(line.key) === true && !line.erased && line.record?.op === 'put')
        fail('gone', `${code} keeps ${line.key} of ${id} in its snapshot of ${formatPosition(mark.at)}`)
    }
}

/** Of everything that the origin ever said: an entry may arrive redacted before the one that superseded it. */
const highestOf = ({ records }: History, key: string): number =>
  Math.max(0, ...[...records.values()].flat().flatMap(record => (record.key === key ? [record.ver] : [])))
