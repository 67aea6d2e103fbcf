/** Gives files of rows to a node and says what became of every row. The sum has to add up, and is checked here too. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ExchangeError } from '../../schemas/errors.ts'
import { type FederationFile, nodeNamed } from './federation-file.ts'
import { readOperatorToken, storeMapping } from './operator.ts'
import { type Bilingual, both, type Terminal, writeJson } from './text.ts'
import { showSent, uploadFile } from './upload.ts'

export const ADAPTERS = ['csv', 'national', 'ocds'] as const

/** Which files of a folder an adapter is meant to read; a file that is named is read whatever it is called. */
const SUFFIXES: { readonly [adapter in (typeof ADAPTERS)[number]]: readonly string[] } = {
  csv: ['.csv', '.txt'],
  national: ['.json', '.ndjson', '.jsonl'],
  ocds: ['.json'],
}

const COUNTS = {
  sealed: { zh: '已签封', en: 'sealed' },
  unchanged: { zh: '未变', en: 'unchanged' },
  superseded: { zh: '被较新数据取代', en: 'superseded by newer data' },
  parked: { zh: '等待上级数据', en: 'parked' },
  refused: { zh: '拒绝，入隔离区', en: 'refused, in quarantine' },
} as const satisfies { readonly [name: string]: Bilingual }
type CountName = keyof typeof COUNTS
const COUNT_NAMES = Object.keys(COUNTS) as CountName[]

export type Refusal = {
  readonly line: number | null
  readonly item: string | null
  readonly field: string | null
  readonly rule: string | null
  readonly code: string
  readonly en: string
  readonly zh: string
}
export type Sum = { readonly [name in CountName | 'rows']: number } & { readonly refusals: readonly Refusal[] }

/** @throws PROGRAM_UNREACHABLE if a count is missing */
export function parseSum(answer: unknown): Sum {
  const fields = (answer ?? {}) as { readonly [name: string]: unknown }
  const count = (name: string): number => {
    const value = fields[name]
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
    throw new ExchangeError('PROGRAM_UNREACHABLE', `expected the count ${name} in the node's answer`)
  }
  const refusals = Array.isArray(fields.refusals) ? (fields.refusals as Refusal[]) : []
  const [sealed, unchanged, superseded, parked, refused] = COUNT_NAMES.map(count) as [number, number, number, number, number]
  return { rows: count('rows'), sealed, unchanged, superseded, parked, refused, refusals }
}

export const addsUp = (sum: Sum): boolean => COUNT_NAMES.reduce((total, name) => total + sum[name], 0) === sum.rows

export const addSums = (sums: readonly Sum[]): Sum => {
  const total = (name: CountName | 'rows'): number => sums.reduce((count, sum) => count + sum[name], 0)
  const refusals = sums.flatMap(sum => sum.refusals)
  return {
    rows: total('rows'),
    sealed: total('sealed'),
    unchanged: total('unchanged'),
    superseded: total('superseded'),
    parked: total('parked'),
    refused: total('refused'),
    refusals,
  }
}

const REFUSALS_SHOWN = 20

const formatRefusal = ({ line, item, field, rule, code, zh, en }: Refusal): string => {
  const place = line === null || line === undefined ? (item ?? '–') : `第 ${line} 行 line ${line}`
  return `    ${place} · ${field ?? '–'} · ${rule ?? '–'} · ${code}\n      ${zh} ${en}\n`
}

export function formatSum(name: string, sum: Sum): string {
  const parts = COUNT_NAMES.map(count => `${sum[count]} ${both(COUNTS[count])}`).join(' + ')
  const more = sum.refused - Math.min(sum.refusals.length, REFUSALS_SHOWN)
  return [
    `${name}\n`,
    `  ${sum.rows} 行 rows = ${parts}\n`,
    addsUp(sum) ? '' : '  ✘ 合计不符：有行下落不明 The sum does not add up: rows are unaccounted for\n',
    ...sum.refusals.slice(0, REFUSALS_SHOWN).map(formatRefusal),
    sum.refusals.length > 0 && more > 0 ? `    … 另有 ${more} 条 and ${more} more\n` : '',
  ].join('')
}

/** Each argument is a file, or a folder whose files for the adapter are meant, in the order of their names. @throws REQUEST_INVALID */
export async function listFiles(
  paths: readonly string[],
  adapter: (typeof ADAPTERS)[number],
): Promise<{ readonly path: string; readonly size: number }[]> {
  const files: { path: string; size: number }[] = []
  for (const path of paths) {
    const found = await stat(path).catch((cause: unknown) => {
      throw new ExchangeError('REQUEST_INVALID', `${path}: 无法读取 expected a file or a folder that can be read`, { cause })
    })
    if (found.isFile()) files.push({ path, size: found.size })
    if (!found.isDirectory()) continue
    const inside = (await readdir(path, { withFileTypes: true })).filter(
      entry => entry.isFile() && SUFFIXES[adapter].some(suffix => entry.name.toLowerCase().endsWith(suffix)),
    )
    if (inside.length === 0)
      throw new ExchangeError(
        'REQUEST_INVALID',
        `${path}: 目录中没有 ${SUFFIXES[adapter].join('、')} 文件 expected a folder with ${SUFFIXES[adapter].join(', ')} files in it`,
      )
    for (const { name } of inside.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      files.push({ path: join(path, name), size: (await stat(join(path, name))).size })
    }
  }
  return files
}

const SHIPPED = join(dirname(fileURLToPath(import.meta.url)), '../../adapters')
const MAPPING_SUFFIX = '.mapping.yaml'

/** A file, or the name of a mapping shipped with the adapter. @throws MAPPING_INVALID listing the shipped ones */
export async function readMapping(adapter: string, mapping: string): Promise<string> {
  const folder = join(SHIPPED, adapter)
  const path = /^[a-z0-9-]+$/.test(mapping) ? join(folder, `${mapping}${MAPPING_SUFFIX}`) : mapping
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const shipped = (await readdir(folder).catch((): string[] => []))
      .filter(name => name.endsWith(MAPPING_SUFFIX))
      .map(name => name.slice(0, -MAPPING_SUFFIX.length))
    const names = shipped.join(', ') || '–'
    throw new ExchangeError(
      'MAPPING_INVALID',
      `${mapping}: 既不是可读文件，也不是内置映射（${names}） expected a readable file or a shipped mapping (${names})`,
      { cause },
    )
  }
}

export type IngestOptions = {
  readonly at: string
  readonly adapter: (typeof ADAPTERS)[number]
  readonly mapping?: string
  readonly platform?: string
  readonly json: boolean
}

/** Exit code 1 if a sum does not add up; rows that were refused are a finding of their own and no fault of the ingest. */
export async function runIngest(
  file: FederationFile,
  paths: readonly string[],
  options: IngestOptions,
  terminal: Terminal,
): Promise<number> {
  const node = nodeNamed(file, options.at)
  const files = await listFiles(paths, options.adapter)
  const token = await readOperatorToken(options.at, node.operator_token_file)
  const mapping = options.mapping === undefined ? null : await readMapping(options.adapter, options.mapping)
  const digest = mapping === null ? null : await storeMapping(node.url, token, mapping)
  const sums: Sum[] = []
  for (const { path, size } of files) {
    const query = new URLSearchParams({ file: basename(path) })
    if (digest !== null) query.set('mapping', digest)
    if (options.platform !== undefined) query.set('platform', options.platform)
    const progress = showSent(terminal, basename(path), size)
    try {
      sums.push(
        parseSum(
          await uploadFile(`${node.url}/v1/ingest/${options.adapter}?${query}`, {
            path,
            size,
            token,
            mediaType: 'application/octet-stream',
            onSent: progress.sent,
          }),
        ),
      )
    } finally {
      progress.clear()
    }
    const last = sums.at(-1)
    if (!options.json && last !== undefined) terminal.out.write(formatSum(path, last))
  }
  report(files, sums, { ...options, url: node.url }, terminal)
  return sums.every(addsUp) ? 0 : 1
}

function report(
  files: readonly { readonly path: string }[],
  sums: readonly Sum[],
  { at, url, json }: { at: string; url: string; json: boolean },
  terminal: Terminal,
): void {
  const total = addSums(sums)
  if (json) {
    const { refusals: _, ...counts } = total
    const each = sums.map((sum, index) => ({ file: files[index]?.path ?? '', ...sum }))
    writeJson(terminal, { node: at, ...counts, adds_up: sums.every(addsUp), files: each, quarantine: `${url}/v1/quarantine` })
    return
  }
  if (sums.length > 1) terminal.out.write(formatSum(`合计 total (${sums.length})`, { ...total, refusals: [] }))
  if (total.refused > 0) terminal.out.write(`隔离区全部内容 all of the quarantine: ${url}/v1/quarantine?kind=row\n`)
}
