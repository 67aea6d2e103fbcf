/**
 * A mapping file says, in YAML, how the columns of a local extract become a dataset's body, so that a province connects a new
 * system without code. It is checked whole before the first row is read (the published schema, then what a schema cannot say),
 * and every fault is reported at once with its line: a mistyped mapping never maps a single row.
 */

import { Ajv2020 } from 'ajv/dist/2020.js'
import { type Document, isNode, LineCounter, parseDocument } from 'yaml'
import type { OpenDatasetName } from '../schemas/datasets/datasets.ts'
import { ExchangeError } from '../schemas/errors.ts'
import type { JsonValue } from '../schemas/record.ts'
import type { ConverterName } from './converters.ts'
import { EMPTIES, type FieldReading, type FieldRule } from './fields.ts'
import schema from './mapping.schema.json' with { type: 'json' }
import { PERSONAL_COLUMNS } from './personal.ts'

export type Encoding = 'utf-8' | 'gb18030'

export type Mapping = {
  readonly adapter: 'csv' | 'ocds'
  /** null only for `ocds`, whose dataset is `trade` */
  readonly dataset: OpenDatasetName | null
  readonly encoding: Encoding
  readonly delimiter: string
  readonly key: string | null
  readonly at: string | null
  readonly parent: string | null
  readonly platform: string | null
  readonly region: string | null
  readonly empties: ReadonlySet<string>
  /** columns that reach neither a record nor the quarantine */
  readonly drop: ReadonlySet<string>
  readonly fields: readonly FieldRule[]
}

type ReadingText = {
  readonly from: string
  readonly as: ConverterName
  readonly values?: { readonly [text: string]: JsonValue }
  readonly unit?: string
  readonly unit_from?: string
  readonly currency?: string
  readonly currency_from?: string
  readonly edition?: string
}

type FieldText = Partial<ReadingText> & {
  readonly required?: boolean
  readonly default?: JsonValue
  readonly otherwise?: ReadingText
}

type MappingText = {
  readonly adapter: 'csv' | 'ocds'
  readonly dataset?: OpenDatasetName
  readonly encoding?: Encoding
  readonly delimiter?: string
  readonly key?: string
  readonly at?: string
  readonly parent?: string
  readonly platform?: string
  readonly region?: string
  readonly empty?: readonly string[]
  readonly drop?: readonly string[]
  readonly fields?: { readonly [target: string]: FieldText }
}

const ajv = new Ajv2020({ allErrors: true, strict: true, strictRequired: false, allowUnionTypes: true })
const validate = ajv.compile<MappingText>(schema)

const MAPPING_BYTES = 256 * 1024

type Fault = { readonly path: readonly string[]; readonly expected: string }

const lineOf = (document: Document, lines: LineCounter, path: readonly string[]): number => {
  for (let length = path.length; length >= 0; length -= 1) {
    const node: unknown = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
  }
  return 1
}

const refuse = (faults: readonly string[], cause?: unknown): never => {
  throw new ExchangeError('MAPPING_INVALID', faults.join('; '), { detail: { faults }, cause })
}

const schemaFaults = (): Fault[] =>
  (validate.errors ?? [])
    .filter(({ keyword }) => keyword !== 'if' && keyword !== 'anyOf')
    .map(({ instancePath, message = 'is not valid', params }) => {
      const path = instancePath
        .split('/')
        .slice(1)
        .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
      const named: unknown = params.additionalProperty ?? params.propertyName
      const allowed: unknown = params.allowedValues
      const detail = typeof named === 'string' ? ` (${named})` : Array.isArray(allowed) ? ` (${allowed.join(', ')})` : ''
      return { path: typeof named === 'string' ? [...path, named] : path, expected: `${message}${detail}` }
    })

/** What the schema cannot say: names that must refer to each other, and columns that may not be mapped. */
const meaningFaults = (text: MappingText): Fault[] => {
  const faults: Fault[] = []
  const fields = text.fields ?? {}
  const named = (role: 'key' | 'at' | 'parent'): FieldText | undefined => {
    const target = text[role]
    if (target === undefined) return undefined
    const field = Object.hasOwn(fields, target) ? fields[target] : undefined
    if (field === undefined) faults.push({ path: [role], expected: `must name one of the fields, ${target} is none` })
    return field
  }
  const key = named('key')
  if (key !== undefined && key.required !== true) faults.push({ path: ['key'], expected: 'must name a required field' })
  const at = named('at')
  if (at !== undefined && at.as !== 'date' && at.as !== 'datetime')
    faults.push({ path: ['at'], expected: 'must name a field read as date or datetime' })
  named('parent')
  for (const [target, field] of Object.entries(fields))
    for (const [place, reading] of [
      [[], field],
      [['otherwise'], field.otherwise],
    ] as const) {
      if (reading?.from === undefined) continue
      if (PERSONAL_COLUMNS.has(reading.from) || text.drop?.includes(reading.from) === true)
        faults.push({ path: ['fields', target, ...place, 'from'], expected: `must not read ${reading.from}, which is dropped` })
      if (reading.as === 'code-table' && reading.values === undefined)
        faults.push({ path: ['fields', target, ...place, 'as'], expected: 'needs values, the code table' })
    }
  return faults
}

const reading = (text: ReadingText): FieldReading => ({
  from: text.from,
  as: text.as,
  ...(text.values === undefined ? {} : { values: text.values }),
  ...(text.unit === undefined ? {} : { unit: text.unit }),
  ...(text.unit_from === undefined ? {} : { unitFrom: text.unit_from }),
  ...(text.currency === undefined ? {} : { currency: text.currency }),
  ...(text.currency_from === undefined ? {} : { currencyFrom: text.currency_from }),
  ...(text.edition === undefined ? {} : { edition: text.edition }),
})

const fieldRule = (target: string, field: FieldText): FieldRule => {
  const { from, as } = field
  const first = from === undefined || as === undefined ? [] : [reading({ ...field, from, as })]
  const readings = field.otherwise === undefined ? first : [...first, reading(field.otherwise)]
  const fallback = field.default === undefined ? {} : { fallback: field.default }
  return { target, required: field.required ?? false, readings, ...fallback }
}

const plainValue = (document: Document): unknown => {
  try {
    return document.toJS({ maxAliasCount: 0 })
  } catch (error) {
    return refuse(['a mapping file has no aliases'], error)
  }
}

/** @throws ExchangeError MAPPING_INVALID with every fault, each with its line */
export const parseMapping = (yamlText: string): Mapping => {
  if (Buffer.byteLength(yamlText) > MAPPING_BYTES) refuse([`a mapping file has at most ${MAPPING_BYTES} bytes`])
  const lines = new LineCounter()
  const document = parseDocument(yamlText, { lineCounter: lines, schema: 'core', version: '1.2' })
  if (document.errors.length > 0)
    refuse(
      document.errors.map(error => `line ${error.linePos?.[0].line ?? 1}: ${error.message.split('\n')[0] ?? 'not YAML'}`),
      document.errors[0],
    )
  const text = plainValue(document)
  const said = (faults: readonly Fault[]): string[] =>
    faults.map(({ path, expected }) => `line ${lineOf(document, lines, path)}: ${path.join('.') || 'the file'} ${expected}`)
  if (!validate(text)) return refuse(said(schemaFaults()))
  const faults = meaningFaults(text)
  if (faults.length > 0) refuse(said(faults))
  return {
    adapter: text.adapter,
    dataset: text.dataset ?? null,
    encoding: text.encoding ?? 'utf-8',
    delimiter: text.delimiter ?? ',',
    key: text.key ?? null,
    at: text.at ?? null,
    parent: text.parent ?? null,
    platform: text.platform ?? null,
    region: text.region ?? null,
    empties: new Set(['', ...(text.empty ?? EMPTIES)]),
    drop: new Set([...PERSONAL_COLUMNS, ...(text.drop ?? [])]),
    fields: Object.entries(text.fields ?? {}).map(([target, field]) => fieldRule(target, field)),
  }
}
