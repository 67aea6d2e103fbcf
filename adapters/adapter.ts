/**
 * An adapter reads what a trading system gives (a file, an extract, a batch of local envelopes) and says for every row either
 * the record that it becomes or why it becomes none. It never throws for a row: one bad row costs itself. It throws a coded
 * `ExchangeError` only where the file as a whole cannot be read. It keeps nothing between two calls, numbers nothing, looks
 * nothing up: parking a child whose parent is missing, versions and positions are the node's.
 */

import type { OpenDatasetName } from '../schemas/datasets/datasets.ts'
import type { Candidate } from '../schemas/record.ts'
import { checkBody } from '../schemas/validators.ts'
import type { Mapping } from './mapping.ts'
import { holdsIdentityNumber, maskIdentityNumbers } from './personal.ts'
import { type RowFault, rowFault } from './row-fault.ts'

export type { RowFault } from './row-fault.ts'

export type RowLocation = {
  readonly file: string
  /** counted from 1, of the row's first character; null where the format has no lines */
  readonly line: number | null
  /** path in a JSON file, such as `releases[2]` */
  readonly item: string | null
}

export type MappedRow =
  | {
      readonly kind: 'record'
      readonly location: RowLocation
      readonly dataset: OpenDatasetName
      readonly candidate: Candidate
      /** key of the record of the same dataset that must exist first */
      readonly parent: string | null
      readonly raw: string
      readonly whole: boolean
      readonly heading?: string
    }
  | {
      readonly kind: 'refused'
      readonly location: RowLocation
      readonly dataset: OpenDatasetName | null
      readonly fault: RowFault
      /** the row's own text for the quarantine, without personal fields, at most `RAW_BYTES`; empty where it had to be withheld */
      readonly raw: string
      /** whether `raw` is all that the adapter read, so that it can be read again; what was cut, masked or withheld cannot */
      readonly whole: boolean
      /** the line that must stand before `raw` to read it again, where the format has one */
      readonly heading?: string
    }

export type ReadOptions = {
  /** the name that locations carry */
  readonly file: string
  readonly mapping: Mapping | null
  /** PLATFORM_CODE for rows that name none */
  readonly platform: string
  readonly now: Date
}

export interface Adapter {
  readonly name: 'csv' | 'national' | 'ocds'
  /** @throws ExchangeError FILE_MALFORMED, FILE_ENCODING_INVALID or MAPPING_INVALID where no row can be read at all */
  read(bytes: AsyncIterable<Uint8Array>, options: ReadOptions): AsyncIterable<MappedRow>
}

/** A row, and what of it may stand in the quarantine, in bytes of UTF-8. */
export const RAW_BYTES = 64 * 1024

const PLATFORM_CODE = /^[0-9A-Za-z][0-9A-Za-z_.-]{0,63}$/
const KEY = /^[^\p{Cc}\p{Cs}]{1,128}$/u

/** The beginning of a text that fits the quarantine, cut between characters, with identity numbers made unreadable. */
const quarantineText = (text: string): string => {
  const masked = maskIdentityNumbers(text)
  if (Buffer.byteLength(masked) <= RAW_BYTES) return masked
  return Buffer.from(masked)
    .subarray(0, RAW_BYTES)
    .toString('utf8')
    .replace(/\uFFFD+$/u, '')
}

/** The text as the quarantine keeps it, and whether that is all of it. */
const kept = (raw: string): { raw: string; whole: boolean } => {
  const text = quarantineText(raw)
  return { raw: text, whole: text !== '' && text === raw }
}

export const refused = (location: RowLocation, dataset: OpenDatasetName | null, fault: RowFault, raw: string): MappedRow => ({
  kind: 'refused',
  location,
  dataset,
  fault,
  ...kept(raw),
})

const keyFault = (candidate: Candidate): RowFault | null => {
  if (!KEY.test(candidate.key))
    return rowFault(
      'ROW_FIELD_INVALID',
      'key',
      'key',
      'A key has 1 to 128 characters and no control characters',
      '键须为 1 至 128 个字符且不含控制字符',
    )
  if (!PLATFORM_CODE.test(candidate.platform))
    return rowFault('ROW_FIELD_INVALID', 'platform', 'platform', 'The platform is a PLATFORM_CODE', '平台应为 PLATFORM_CODE')
  const spoken = JSON.stringify([candidate.key, candidate.op === 'put' ? candidate.body : null])
  if (holdsIdentityNumber(spoken))
    return rowFault(
      'ROW_FIELD_INVALID',
      null,
      'identity-number',
      'The row holds a resident identity number, which never leaves its province',
      '该行含有公民身份号码，不得出省',
    )
  return null
}

/** The record, if its dataset's schema closes over it (sealing); otherwise its refusal, with the schema's own field and rule. */
export const judged = (
  location: RowLocation,
  dataset: OpenDatasetName,
  candidate: Candidate,
  parent: string | null,
  raw: string,
): MappedRow => {
  const fault = keyFault(candidate)
  if (fault !== null) return refused(location, dataset, fault, raw)
  if (candidate.op === 'put') {
    const [first] = checkBody(dataset, candidate.body, 'sealing')
    if (first !== undefined) {
      const invalid = rowFault('RECORD_SCHEMA_INVALID', first.path, first.rule, `Expected ${first.expected}`, first.zh)
      return refused(location, dataset, invalid, raw)
    }
  }
  return { kind: 'record', location, dataset, candidate, parent, ...kept(raw) }
}
