/**
 * Builds a body from one row by a table of field rules. A field that is empty is left out, a required one that is empty is a
 * fault, and so is one that holds something unreadable even where it is optional: to drop in silence what a register said
 * would make the record say less than its origin did.
 */

import type { JsonObject, JsonValue } from '../schemas/record.ts'
import { CONVERTERS, type ConverterName } from './converters.ts'
import { type RowFault, rowFault } from './row-fault.ts'

export type FieldReading = {
  /** column or field of the row */
  readonly from: string
  readonly as: ConverterName
  readonly values?: { readonly [text: string]: JsonValue }
  /** unit of a bare number; `unitFrom` names the field that tells it, through `units` where that is a code */
  readonly unit?: string
  readonly unitFrom?: string
  readonly units?: { readonly [text: string]: string }
  readonly currency?: string
  readonly currencyFrom?: string
  readonly edition?: string
}

export type FieldRule = {
  /** path in the body: `capital`, `tenderer.name`, `winners.0.name` */
  readonly target: string
  readonly required: boolean
  /** tried in order: the first that is not empty and can be read is taken */
  readonly readings: readonly FieldReading[]
  /** where every reading is empty, or where there is none */
  readonly fallback?: JsonValue
}

export type ReadCell = (from: string) => string | undefined

/** What registers write when they have nothing to say. Compared after blanks around it are removed. */
export const EMPTIES: readonly string[] = ['', 'N/A', 'n/a', 'NA', '-', '--', '－', '—', '——', 'null', 'NULL']

export const readerWithoutEmpties =
  (read: ReadCell, empties: ReadonlySet<string>): ReadCell =>
  from => {
    const text = read(from)?.trim()
    return text === undefined || empties.has(text) ? undefined : text
  }

type Node = { [name: string]: JsonValue | Node } | (JsonValue | Node)[]

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null

const place = (body: Node, target: string, value: JsonValue): void => {
  const steps = target.split('.')
  let at: Node = body
  for (const [index, step] of steps.entries()) {
    const last = index === steps.length - 1
    const below = /^\d+$/.test(steps[index + 1] ?? '') ? [] : {}
    const known: unknown = Reflect.get(at, step)
    const next = last ? value : isNode(known) ? known : below
    Reflect.set(at, step, next)
    if (isNode(next)) at = next
  }
}

const options = (reading: FieldReading, read: ReadCell) => {
  const unitText = reading.unitFrom === undefined ? undefined : read(reading.unitFrom)
  const currencyText = reading.currencyFrom === undefined ? undefined : read(reading.currencyFrom)
  const currency = currencyText === undefined ? undefined : CONVERTERS.currency(currencyText, {})
  return {
    values: reading.values,
    unit: unitText === undefined ? reading.unit : (reading.units?.[unitText] ?? unitText),
    currency: currency?.ok === true && typeof currency.value === 'string' ? currency.value : reading.currency,
    edition: reading.edition,
  }
}

type Read = { readonly value: JsonValue | undefined } | { readonly fault: RowFault }

const readField = (rule: FieldRule, read: ReadCell): Read => {
  let fault: RowFault | null = null
  for (const reading of rule.readings) {
    const text = read(reading.from)
    if (text === undefined) continue
    const converted = CONVERTERS[reading.as](text, options(reading, read))
    if (converted.ok && converted.value !== null) return { value: converted.value }
    if (!converted.ok) fault ??= rowFault('ROW_FIELD_INVALID', reading.from, converted.rule, converted.en, converted.zh)
  }
  if (fault !== null) return { fault }
  if (rule.fallback !== undefined) return { value: rule.fallback }
  if (!rule.required) return { value: undefined }
  const from = rule.readings.map(reading => reading.from).join(', ')
  return { fault: rowFault('ROW_FIELD_MISSING', from, 'required', `${rule.target} needs a value`, `${rule.target} 必填`) }
}

export const readFields = (
  rules: readonly FieldRule[],
  read: ReadCell,
): { readonly ok: true; readonly body: JsonObject } | { readonly ok: false; readonly fault: RowFault } => {
  const body: { [name: string]: JsonValue } = {}
  for (const rule of rules) {
    const got = readField(rule, read)
    if ('fault' in got) return { ok: false, fault: got.fault }
    if (got.value !== undefined) place(body, rule.target, got.value)
  }
  // `winners.1` without `winners.0` leaves a hole, which JSON has no word for
  for (const [name, value] of Object.entries(body)) if (Array.isArray(value)) body[name] = value.filter(item => item !== undefined)
  return { ok: true, body }
}

/** The text at a path of a body; null where there is none. */
export const textAt = (body: JsonObject, target: string): string | null => {
  let at: unknown = body
  for (const step of target.split('.')) at = isNode(at) ? Reflect.get(at, step) : undefined
  return typeof at === 'string' ? at : null
}
