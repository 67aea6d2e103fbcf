/**
 * Comma-separated extracts by a mapping file. The file is read as a stream: at most one row is held. The heading must have
 * every column that the mapping reads; columns that hold personal data are emptied before a row is mapped or quarantined.
 */

import { ExchangeError } from '../../schemas/errors.ts'
import type { Candidate } from '../../schemas/record.ts'
import { type Adapter, judged, type MappedRow, RAW_BYTES, type ReadOptions, type RowLocation, refused } from '../adapter.ts'
import { CHINA_OFFSET } from '../dates.ts'
import { readerWithoutEmpties, readFields, textAt } from '../fields.ts'
import type { Mapping } from '../mapping.ts'
import { type RowFault, rowFault } from '../row-fault.ts'
import { type CsvRow, csvRows } from './rows.ts'

const DAMAGES: { readonly [reason in (CsvRow & { kind: 'damaged' })['reason']]: RowFault } = {
  encoding: rowFault('FILE_ENCODING_INVALID', null, 'encoding', 'The line is in the stated encoding', '该行应为所述字符编码'),
  long: rowFault('ROW_MALFORMED', null, 'row-length', `A row has at most ${RAW_BYTES} bytes`, `一行最多 ${RAW_BYTES} 字节`),
  quotes: rowFault('ROW_MALFORMED', null, 'quotes', 'Quotes enclose whole cells and come in pairs', '引号应成对并包住整个单元格'),
  width: rowFault('ROW_MALFORMED', null, 'column-count', 'A row has as many cells as the heading', '列数应与表头一致'),
}

const headingOf = (row: CsvRow | undefined, mapping: Mapping, file: string): readonly string[] => {
  if (row === undefined) throw new ExchangeError('FILE_MALFORMED', `${file} is empty, a heading was expected`, { detail: { file } })
  if (row.kind === 'damaged') {
    const code = row.reason === 'encoding' ? 'FILE_ENCODING_INVALID' : 'FILE_MALFORMED'
    throw new ExchangeError(code, `the heading of ${file} cannot be read as ${mapping.encoding}`, {
      detail: { file, line: row.line, encoding: mapping.encoding, reason: row.reason },
    })
  }
  const heading = row.cells.map(cell => cell.trim())
  const wanted = new Set(mapping.fields.flatMap(field => field.readings.map(reading => reading.from)))
  const missing = [...wanted].filter(column => !heading.includes(column))
  if (missing.length > 0)
    throw new ExchangeError('FILE_MALFORMED', `${file} lacks ${missing.join(', ')}; its columns are ${heading.join(', ')}`, {
      detail: { file, missing, columns: heading },
    })
  const doubled = [...wanted].filter(column => heading.indexOf(column) !== heading.lastIndexOf(column))
  if (doubled.length > 0)
    throw new ExchangeError('FILE_MALFORMED', `${file} has ${doubled.join(', ')} more than once`, { detail: { file, doubled } })
  return heading
}

const quoted = (cell: string, delimiter: string): string =>
  cell.includes('"') || cell.includes('\n') || cell.includes(delimiter) ? `"${cell.replaceAll('"', '""')}"` : cell

const businessTime = (text: string | null, now: Date): string =>
  text === null ? now.toISOString() : text.length === 10 ? `${text}T00:00:00${CHINA_OFFSET}` : text

async function* read(bytes: AsyncIterable<Uint8Array>, { file, mapping, platform, now }: ReadOptions): AsyncIterable<MappedRow> {
  if (mapping === null || mapping.adapter !== 'csv' || mapping.dataset === null || mapping.key === null)
    throw new ExchangeError('MAPPING_INVALID', 'the csv adapter needs a mapping file for csv', { detail: { file } })
  const { dataset, key, delimiter, encoding } = mapping
  let heading: readonly string[] | null = null
  let headingText = ''
  let personal: readonly number[] = []
  let columns = new Map<string, number>()

  for await (const row of csvRows(bytes, { encoding, delimiter, limit: RAW_BYTES })) {
    if (heading === null) {
      heading = headingOf(row, mapping, file)
      if (row.kind === 'cells') headingText = row.text
      columns = new Map(heading.map((name, index) => [name, index]))
      personal = [...heading.entries()].filter(([, name]) => mapping.drop.has(name)).map(([index]) => index)
      continue
    }
    const location: RowLocation = { file, line: row.line, item: null }
    if (row.kind === 'damaged') {
      // in a row that cannot be taken apart nobody knows which part is personal
      yield { ...refused(location, dataset, DAMAGES[row.reason], personal.length > 0 ? '' : row.text), heading: headingText }
      continue
    }
    const cells = row.cells.map((cell, index) => (personal.includes(index) ? '' : cell))
    const raw = personal.length > 0 ? cells.map(cell => quoted(cell, delimiter)).join(delimiter) : row.text
    const cell = readerWithoutEmpties(column => cells[columns.get(column) ?? -1], mapping.empties)
    const fields = readFields(mapping.fields, cell)
    if (!fields.ok) {
      yield { ...refused(location, dataset, fields.fault, raw), heading: headingText }
      continue
    }
    const candidate: Candidate = {
      key: textAt(fields.body, key) ?? '',
      op: 'put',
      at: businessTime(mapping.at === null ? null : textAt(fields.body, mapping.at), now),
      platform: mapping.platform ?? platform,
      body: fields.body,
    }
    const parent = mapping.parent === null ? null : textAt(fields.body, mapping.parent)
    yield { ...judged(location, dataset, candidate, parent, raw), heading: headingText }
  }
  if (heading === null) headingOf(undefined, mapping, file)
}

export const csvAdapter: Adapter = { name: 'csv', read }
