/**
 * Takes a file in through an adapter. Every row ends in exactly one of five sums: sealed, unchanged, superseded (a later row of the
 * same file speaks of the same key), parked (its parent has not come), refused (quarantined with file, line, field, rule, reason).
 * The file is read twice: first to learn which row speaks last for each key, so that reading the same file again changes nothing. What
 * is small enough is kept from the first reading.
 */
import type { Kysely } from 'kysely'
import type { Adapter, MappedRow, ReadOptions, RowFault, RowLocation } from '../../adapters/adapter.ts'
import { type Quarantined, quarantine, type Reading } from '../../runtime/ledger/quarantine.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { DATASETS, type OpenDatasetName } from '../../schemas/datasets/datasets.ts'
import { ERRORS, type ExchangeError } from '../../schemas/errors.ts'
import type { ItemResult, Sealer } from '../ledger/sealer.ts'
import type { Admission } from './admission.ts'

export type Refusal = RowFault & Pick<RowLocation, 'line' | 'item'>
export type IngestSum = {
  rows: number
  sealed: number
  unchanged: number
  superseded: number
  parked: number
  refused: number
  /** the first refusals; all of them stand in the quarantine */
  refusals: Refusal[]
}

type RecordRow = MappedRow & { readonly kind: 'record' }

const BATCH_ROWS = 512
const SHOWN_REFUSALS = 50
/** characters of rows that are kept from the first reading, so that they need not be read and mapped again */
const KEPT_CHARACTERS = 16 * 1024 * 1024

export async function ingest(
  adapter: Adapter,
  open: () => AsyncIterable<Uint8Array>,
  options: ReadOptions & {
    readonly origin: string
    readonly sealer: Sealer
    readonly db: Kysely<LedgerTables>
    /** of the mapping, as it is stored here */
    readonly mappingDigest: string | null
    readonly admission: Admission
    /** null: that of each dataset */
    readonly audience: string | null
  },
): Promise<IngestSum> {
  const { sealer, db, origin } = options
  const sum: IngestSum = { rows: 0, sealed: 0, unchanged: 0, superseded: 0, parked: 0, refused: 0, refusals: [] }
  const { last, rows } = await firstReading(adapter, open, options)
  const batches = new Map<OpenDatasetName, RecordRow[]>()
  let aside: Quarantined[] = []
  const reading = {
    adapter: adapter.name,
    mapping: options.mappingDigest,
    platform: options.platform,
    readAt: options.now,
  }

  function refuse(row: MappedRow, fault: RowFault): void {
    sum.refused += 1
    if (sum.refusals.length < SHOWN_REFUSALS) sum.refusals.push({ ...fault, line: row.location.line, item: row.location.item })
    aside.push(rowAside(origin, row, fault, reading, options.audience))
  }

  async function flush(dataset: OpenDatasetName): Promise<void> {
    const offered = batches.get(dataset) ?? []
    batches.set(dataset, [])
    const barred = await options.admission.enter(
      dataset,
      offered.map(row => row.candidate.key),
    )
    const rows = offered.filter(row => !barred.has(row.candidate.key))
    for (const row of offered) {
      const conflict = barred.get(row.candidate.key)
      if (conflict !== undefined) refuse(row, faultOf(conflict))
    }
    if (rows.length === 0) return
    const audience = options.audience ?? DATASETS.find(one => one.name === dataset)?.audience ?? 'all'
    const items = rows.map(row => ({
      candidate: row.candidate,
      parent: row.parent,
      place: row.location.file,
      line: row.location.line,
    }))
    const results = await sealer.submit(dataset, audience, items)
    for (const [index, result] of results.entries()) {
      const row = rows[index]
      if (row !== undefined) settle(row, result)
    }
  }

  function settle(row: RecordRow, result: ItemResult): void {
    if (result.kind !== 'refused') sum[result.kind] += 1
    // What the same file added and took back again never stood here, and need not be taken back.
    else if (result.error.code === 'RECORD_UNKNOWN' && last.get(idOf(row))?.earlier === true) sum.unchanged += 1
    else refuse(row, faultOf(result.error))
  }

  let index = 0
  for await (const row of rows ?? adapter.read(open(), options)) {
    sum.rows += 1
    if (row.kind === 'refused') refuse(row, row.fault)
    else if (last.get(idOf(row))?.index !== index) sum.superseded += 1
    else {
      const refusal = options.admission.judge(row)
      if (refusal !== null) refuse(row, faultOf(refusal))
      else {
        const batch = batches.get(row.dataset) ?? []
        batches.set(row.dataset, batch)
        if (batch.push(row) >= BATCH_ROWS) await flush(row.dataset)
      }
    }
    index += 1
    if (aside.length >= BATCH_ROWS) {
      await quarantine(db, aside)
      aside = []
    }
  }
  for (const dataset of batches.keys()) await flush(dataset)
  await quarantine(db, aside)
  return sum
}

const idOf = (row: RecordRow): string => `${row.dataset}/${row.candidate.key}`

type LastRow = { readonly index: number; readonly earlier: boolean }

/** Which row speaks last for each key; and the rows themselves, unless they are too many to keep. */
async function firstReading(
  adapter: Adapter,
  open: () => AsyncIterable<Uint8Array>,
  options: ReadOptions,
): Promise<{ readonly last: Map<string, LastRow>; readonly rows: readonly MappedRow[] | null }> {
  const last = new Map<string, LastRow>()
  let rows: MappedRow[] | null = []
  let kept = 0
  let index = 0
  for await (const row of adapter.read(open(), options)) {
    if (row.kind === 'record') last.set(idOf(row), { index, earlier: last.has(idOf(row)) })
    index += 1
    kept += row.raw.length
    if (kept > KEPT_CHARACTERS) rows = null
    rows?.push(row)
  }
  return { last, rows }
}

export function faultOf(error: ExchangeError): RowFault {
  const { zh } = ERRORS[error.code]
  return {
    code: error.code,
    field: null,
    rule: typeof error.detail.rule === 'string' ? error.detail.rule : 'state',
    en: error.reason,
    zh,
  }
}

const rowAside = (
  origin: string,
  row: MappedRow,
  fault: RowFault,
  reading: Omit<Reading, 'heading'>,
  audience: string | null,
): Quarantined => ({
  kind: 'row',
  origin,
  dataset: row.dataset,
  // Released, it goes to whom it was meant for and to nobody else.
  audience,
  key: row.kind === 'record' ? row.candidate.key : null,
  place: row.location.item === null ? row.location.file : `${row.location.file} ${row.location.item}`,
  line: row.location.line,
  field: fault.field,
  rule: fault.rule,
  code: fault.code,
  reason: fault.en,
  reasonZh: fault.zh,
  ...(row.whole ? { reading: { ...reading, heading: row.heading ?? null } } : {}),
  content: Buffer.from(row.raw),
})
