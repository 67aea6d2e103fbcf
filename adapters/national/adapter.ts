/**
 * The national data specification's local envelopes as JSON: an array or one after the other, each
 * `{ "DATA_TYPE": "1|2|3", "DATA_KEY", "TABLE", "DATA": { … } }`. Add and change become put, delete becomes retract. Fields that
 * are never replicated are dropped before anything else looks at the envelope, so they reach neither record nor quarantine; a
 * child names its parent, and the node parks it where the parent has not come yet.
 */

import type { Candidate, RetractReason } from '../../schemas/record.ts'
import { type Adapter, judged, type MappedRow, RAW_BYTES, type ReadOptions, type RowLocation, refused } from '../adapter.ts'
import { CONVERTERS } from '../converters.ts'
import { readInstant } from '../dates.ts'
import { type ExactJson, ExactNumber, type ExactObject, exactText, isExactObject, withoutMembers } from '../exact-json.ts'
import { EMPTIES, type ReadCell, readerWithoutEmpties, readFields } from '../fields.ts'
import { type JsonItem, jsonItems } from '../json-items.ts'
import { PERSONAL_FIELDS } from '../personal.ts'
import { type RowFault, rowFault } from '../row-fault.ts'
import { KINDS, type Kind } from './kinds.ts'

const EMPTY: ReadonlySet<string> = new Set(EMPTIES)

/** DATA_TYPE: 1 add, 2 change, 3 delete */
const OPERATIONS: { readonly [type: string]: Candidate['op'] } = { '1': 'put', '2': 'put', '3': 'retract' }

/** REASON of a deletion, by word; what is not here is a withdrawal. */
const REASONS: { readonly [reason: string]: RetractReason } = {
  corrected: 'corrected',
  更正: 'corrected',
  错误: 'corrected',
  repaired: 'repaired',
  信用修复: 'repaired',
  修复: 'repaired',
  withdrawn: 'withdrawn',
  撤回: 'withdrawn',
  ordered: 'ordered',
  责令: 'ordered',
  责令撤销: 'ordered',
}

const known = <Value>(table: { readonly [name: string]: Value }, name: string | undefined): Value | undefined =>
  name !== undefined && Object.hasOwn(table, name) ? table[name] : undefined

const cellText = (value: ExactJson | undefined): string | undefined => {
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (Array.isArray(value)) {
    const parts = value.map(cellText)
    return parts.every(part => part !== undefined) ? parts.join(';') : undefined
  }
  return exactText(value)
}

const kindOf = (envelope: ExactObject, data: ExactObject): Kind | undefined => {
  const table = exactText(envelope.TABLE)
  if (table !== undefined) return KINDS.find(({ name }) => name === table.trim().toUpperCase())
  return KINDS.find(({ sign }) => data[sign] !== undefined)
}

const missing = (field: string, en: string, zh: string): RowFault => rowFault('ROW_FIELD_MISSING', field, 'required', en, zh)

const invalid = (field: string, rule: string, en: string, zh: string): RowFault =>
  rowFault('ROW_FIELD_INVALID', field, rule, en, zh)

const timeOf = (read: ReadCell, now: Date): string | null => {
  const text = read('DATA_TIMESTAMP')
  return text === undefined ? now.toISOString() : readInstant(text)
}

/** The record's key, written as the kind's own field is, so that a deletion meets what an addition made. */
const keyOf = (kind: Kind, read: ReadCell, dataKey: string | undefined, op: Candidate['op']): string | undefined => {
  const text = read(kind.key) ?? (op === 'retract' && kind.keyFromEnvelope ? dataKey : undefined)
  if (text === undefined || kind.dataset !== 'entity') return text
  const code = CONVERTERS.code(text, {})
  return code.ok && typeof code.value === 'string' ? code.value : text
}

const mapped = (location: RowLocation, envelope: ExactObject, { platform, now }: ReadOptions): MappedRow => {
  const data = isExactObject(envelope.DATA) ? envelope.DATA : {}
  const read = readerWithoutEmpties(field => cellText(data[field]), EMPTY)
  const readEnvelope = readerWithoutEmpties(field => cellText(envelope[field]), EMPTY)
  const kind = kindOf(envelope, data)
  const person = kind?.person
  const personField = person?.values.includes(read(person.field) ?? '') ? person.field : null
  // a local key of an expert may be an identity, and a person's own row has nothing that may be kept
  const shown = kind?.keyFromEnvelope === false || kind === undefined ? withoutMembers(envelope, new Set(['DATA_KEY'])) : envelope
  const raw = personField !== null ? '' : JSON.stringify(shown)
  const refuse = (fault: RowFault): MappedRow => refused(location, kind?.dataset ?? null, fault, raw)

  if (kind === undefined)
    return refuse(
      invalid('TABLE', 'table', 'TABLE or a field of DATA names a known kind', 'TABLE 或 DATA 的字段应表明已知的数据种类'),
    )
  if (personField !== null)
    return refuse(invalid(personField, 'natural-person', 'Records about natural persons do not cross', '自然人信息不跨域交换'))
  const op = known(OPERATIONS, readEnvelope('DATA_TYPE'))
  if (op === undefined) return refuse(invalid('DATA_TYPE', 'data-type', 'DATA_TYPE is 1, 2 or 3', 'DATA_TYPE 应为 1、2 或 3'))
  if (op === 'put' && !isExactObject(envelope.DATA)) return refuse(missing('DATA', 'DATA is an object', 'DATA 应为对象'))
  const key = keyOf(kind, read, readEnvelope('DATA_KEY'), op)
  if (key === undefined) return refuse(missing(kind.key, `${kind.key} names the record`, `${kind.key} 标识该记录`))
  const at = timeOf(read, now) ?? null
  if (at === null) return refuse(invalid('DATA_TIMESTAMP', 'datetime', 'A time is yyyyMMddHHmmss', '时间应为 yyyyMMddHHmmss'))
  const common = { key, at, platform: read('PLATFORM_CODE') ?? platform }
  if (op === 'retract') {
    const why = known(REASONS, readEnvelope('REASON') ?? read('REASON')) ?? 'withdrawn'
    return judged(location, kind.dataset, { ...common, op, why }, null, raw)
  }
  const fields = readFields(kind.fields, read)
  if (!fields.ok) return refuse(fields.fault)
  const parent = kind.parent === null ? null : (read(kind.parent) ?? null)
  return judged(location, kind.dataset, { ...common, op, body: fields.body }, parent, raw)
}

const row = (item: JsonItem, options: ReadOptions): MappedRow => {
  const location: RowLocation = { file: options.file, line: item.line, item: `[${item.index}]` }
  if (item.fault !== null) return refused(location, null, item.fault, item.text)
  const envelope = withoutMembers(item.value, PERSONAL_FIELDS)
  if (isExactObject(envelope)) return mapped(location, envelope, options)
  const shown = envelope instanceof ExactNumber || typeof envelope !== 'object' ? '' : JSON.stringify(envelope)
  return refused(location, null, rowFault('ROW_MALFORMED', null, 'envelope', 'An envelope is an object', '信封应为对象'), shown)
}

async function* read(bytes: AsyncIterable<Uint8Array>, options: ReadOptions): AsyncIterable<MappedRow> {
  for await (const item of jsonItems(bytes, { limit: RAW_BYTES, personal: PERSONAL_FIELDS })) yield row(item, options)
}

export const nationalAdapter: Adapter = { name: 'national', read }
