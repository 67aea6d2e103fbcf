/**
 * Open Contracting 1.1 as JSON: release packages, record packages, single releases, one or several in a file. Each release
 * becomes one put of the record whose key is its ocid, in order of date, so that a later one supersedes; each carries what all
 * releases of the package so far say together. A record of a record package becomes its compiled release.
 */

import type { Candidate } from '../../schemas/record.ts'
import { type Adapter, judged, type MappedRow, type ReadOptions, type RowLocation, refused } from '../adapter.ts'
import { readInstant } from '../dates.ts'
import { type ExactJson, type ExactObject, exactText, isExactObject, withoutMembers } from '../exact-json.ts'
import { jsonItems } from '../json-items.ts'
import { PERSONAL_MEMBERS } from '../personal.ts'
import { rowFault } from '../row-fault.ts'
import { mergeReleases } from './merge.ts'
import { tradeOf } from './trade.ts'

/** A package is held whole, because its releases are put into order; larger ones are published in parts. */
const PACKAGE_BYTES = 64 * 1024 * 1024

type Release = { readonly item: string; readonly value: ExactJson; readonly at: string | null }

const isLinked = (value: ExactJson): boolean => isExactObject(value) && value.url !== undefined && value.ocid === undefined

const release = (item: string, value: ExactJson): Release => {
  const date = isExactObject(value) ? exactText(value.date) : undefined
  return { item, value, at: date === undefined ? null : readInstant(date) }
}

const listOf = (value: ExactJson | undefined): readonly ExactJson[] => (Array.isArray(value) ? value : [])

/** A record's compiled release, or its embedded releases, or the record itself where it only links to them. */
const ofRecord = (item: string, record: ExactJson): readonly Release[] => {
  if (!isExactObject(record)) return [release(item, record)]
  if (isExactObject(record.compiledRelease)) return [release(`${item}.compiledRelease`, record.compiledRelease)]
  const embedded = listOf(record.releases)
  if (embedded.length === 0 || embedded.some(isLinked)) return [release(item, record)]
  return embedded.map((one, index) => release(`${item}.releases[${index}]`, one))
}

const releasesOf = (path: string, value: ExactJson): readonly Release[] => {
  if (isExactObject(value) && Array.isArray(value.records))
    return listOf(value.records).flatMap((record, index) => ofRecord(`${path}records[${index}]`, record))
  if (isExactObject(value) && Array.isArray(value.releases) && value.compiledRelease === undefined && value.ocid === undefined)
    return listOf(value.releases).map((one, index) => release(`${path}releases[${index}]`, one))
  if (isExactObject(value) && (value.compiledRelease !== undefined || Array.isArray(value.releases)))
    return ofRecord(path === '' ? '$' : path.slice(0, -1), value)
  return [release(path === '' ? '$' : path.slice(0, -1), value)]
}

const inOrder = (releases: readonly Release[]): readonly Release[] =>
  releases.toSorted((one, other) => Date.parse(one.at ?? '') - Date.parse(other.at ?? '') || 0)

const regionOf = ({ mapping, platform }: ReadOptions): string => mapping?.region ?? /^\d{6}/.exec(platform)?.[0] ?? '000000'

const row = (location: RowLocation, one: Release, before: Map<string, ExactObject>, options: ReadOptions): MappedRow => {
  const { value, at } = one
  const raw = typeof value === 'object' ? JSON.stringify(value) : ''
  const refuse = (field: string | null, rule: string, en: string, zh: string): MappedRow =>
    refused(location, 'trade', rowFault('ROW_MALFORMED', field, rule, en, zh), raw)
  if (!isExactObject(value)) return refuse(null, 'release', 'A release is an object', '发布应为对象')
  if (value.compiledRelease === undefined && Array.isArray(value.releases))
    return refuse('releases', 'linked-release', 'A record holds its releases or its compiled release', '记录应包含发布或汇编发布')
  const ocid = exactText(value.ocid)
  if (ocid === undefined) return refuse('ocid', 'required', 'A release names its contracting process', '发布应标明 ocid')
  if (at === null) return refuse('date', 'datetime', 'A release has a date by RFC 3339', '发布应有 RFC 3339 日期')
  const known = before.get(ocid)
  const compiled = known === undefined ? value : mergeReleases(known, value)
  const trade = tradeOf(compiled, regionOf(options))
  if (!trade.ok) return refused(location, 'trade', trade.fault, raw)
  before.set(ocid, compiled)
  const platform = options.mapping?.platform ?? options.platform
  const candidate: Candidate = { key: ocid, op: 'put', at, platform, body: trade.body }
  return judged(location, 'trade', candidate, null, raw)
}

async function* read(bytes: AsyncIterable<Uint8Array>, options: ReadOptions): AsyncIterable<MappedRow> {
  for await (const item of jsonItems(bytes, { limit: PACKAGE_BYTES, personal: PERSONAL_MEMBERS })) {
    const path = item.index === 0 ? '' : `[${item.index}].`
    if (item.fault !== null) {
      yield refused({ file: options.file, line: item.line, item: `[${item.index}]` }, 'trade', item.fault, item.text)
      continue
    }
    const before = new Map<string, ExactObject>()
    for (const one of inOrder(releasesOf(path, withoutMembers(item.value, PERSONAL_MEMBERS))))
      yield row({ file: options.file, line: item.line, item: one.item }, one, before, options)
  }
}

export const ocdsAdapter: Adapter = { name: 'ocds', read }
