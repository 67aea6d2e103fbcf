/** A row of the source as the local envelope of the national data specification that a trading system pushes to its node. */
import { timestampOf } from './days.ts'
import { SOURCES, type SourceName, type SourceRow } from './tables.ts'

/** DATA_TYPE */
export const ADDED = '1'
export const CHANGED = '2'
export const DELETED = '3'

const tableOf = (source: SourceName, row: SourceRow): string => {
  if (source !== 'deal') return source.toUpperCase()
  return row.bid_section_code == null ? 'DEAL' : 'BID_SECTION'
}

/** What the node keeps the row under; an expert's local number is no key for anybody else. */
const keyOf = (source: SourceName, row: SourceRow): string | null | undefined =>
  source === 'expert' ? row.expert_pseudonym : (row.bid_section_code ?? row[SOURCES[source].key])

/** One line of JSON, with the columns that may leave and no others. */
export const documentOf = (source: SourceName, row: SourceRow, type: string): string => {
  const { leaves } = SOURCES[source]
  const sent = type === DELETED ? ['platform_code'] : leaves
  const data: { [field: string]: string } = {}
  for (const column of sent) {
    const value = row[column]
    if (value != null) data[column.toUpperCase()] = value
  }
  data.DATA_TIMESTAMP = timestampOf(new Date(row.changed_at ?? 0))
  return JSON.stringify({ TABLE: tableOf(source, row), DATA_TYPE: type, DATA_KEY: keyOf(source, row), DATA: data })
}
