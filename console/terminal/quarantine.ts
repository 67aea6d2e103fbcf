/** What stands in quarantine at a program, and taking it up again after its fault was mended. */
import { ExchangeError } from '../../schemas/errors.ts'
import { type FederationFile, holderNamed } from './federation-file.ts'
import { readMapping } from './ingest.ts'
import { operatorHeaders, readOperatorToken, storeMapping } from './operator.ts'
import { askJson } from './request.ts'
import { formatTable } from './table.ts'
import { type Terminal, writeJson } from './text.ts'

type Item = {
  readonly id: number
  readonly kind: string
  readonly origin: string | null
  readonly dataset: string | null
  readonly epoch: number | null
  readonly seq: number | null
  readonly item: number | null
  readonly place: string | null
  readonly line: number | null
  readonly field: string | null
  readonly code: string
  readonly reason: string
  readonly reason_zh: string | null
}

export type ListOptions = {
  readonly at: string
  readonly code?: string
  readonly kind?: string
  readonly limit: number
  readonly json: boolean
}

const whereOf = ({ epoch, seq, item, place, line }: Item): string =>
  epoch !== null && seq !== null
    ? `${epoch}.${seq}${item === null ? '' : ` #${item}`}`
    : `${place ?? '–'}${line === null ? '' : `:${line}`}`

export async function runQuarantineList(file: FederationFile, options: ListOptions, terminal: Terminal): Promise<number> {
  const { name, url, operator_token_file } = holderNamed(file, options.at)
  const headers = await operatorHeaders(name, operator_token_file)
  const query = new URLSearchParams({ limit: String(options.limit) })
  if (options.code !== undefined) query.set('code', options.code)
  if (options.kind !== undefined) query.set('kind', options.kind)
  const answer = (await askJson(`${url}/v1/quarantine?${query}`, { headers })) as {
    readonly items: readonly Item[]
    readonly next: number | null
  }
  if (options.json) {
    writeJson(terminal, answer)
    return 0
  }
  const heads = ['编号 id', '种类 kind', '来源 origin', '数据集 dataset', '位置 place', '代码 code', '理由 reason']
  const rows = answer.items.map(one => [
    String(one.id),
    one.kind,
    one.origin ?? '–',
    one.dataset ?? '–',
    whereOf(one),
    one.code,
    `${one.field === null ? '' : `${one.field}: `}${one.reason_zh ?? ''} ${one.reason}`.trim(),
  ])
  terminal.out.write(rows.length === 0 ? '隔离区为空 Nothing stands in quarantine\n' : formatTable(heads, rows))
  if (answer.next !== null) terminal.out.write('… 另有更多，--limit 显示更多 and more: --limit shows them\n')
  return 0
}

type Answer = {
  readonly released: number
  readonly stay: number
  readonly unknown: readonly number[]
  readonly items: readonly {
    readonly id: number
    readonly kind: string
    readonly outcome?: string
    readonly code?: string
    readonly reason?: string
  }[]
}
export type ReleaseOptions = {
  readonly at: string
  readonly code?: string
  readonly mapping?: string
  readonly adapter: string
  readonly json: boolean
}

/** A release reads and seals what may be many rows. */
const TIMEOUT_MS = 600_000

/** Exit code 1 if something stays. @throws REQUEST_INVALID */
export async function runQuarantineRelease(
  file: FederationFile,
  ids: readonly string[],
  options: ReleaseOptions,
  terminal: Terminal,
): Promise<number> {
  if ((ids.length === 0) === (options.code === undefined)) {
    throw new ExchangeError('REQUEST_INVALID', '给出编号或 --code，二者取一 expected either numbers or --code')
  }
  if (!ids.every(id => /^[1-9][0-9]{0,14}$/.test(id))) throw new ExchangeError('REQUEST_INVALID', '编号应为整数 expected numbers')
  const holder = holderNamed(file, options.at)
  const token = await readOperatorToken(holder.name, holder.operator_token_file)
  const text = options.mapping === undefined ? null : await readMapping(options.adapter, options.mapping)
  const mapping = text === null ? {} : { mapping: await storeMapping(holder.url, token, text) }
  const asked = options.code === undefined ? { ids: ids.map(Number) } : { code: options.code }
  const answer = (await askJson(`${holder.url}/v1/quarantine/release`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...asked, ...mapping }),
    timeoutMs: TIMEOUT_MS,
  })) as Answer
  if (options.json) writeJson(terminal, answer)
  else {
    for (const { id, kind, outcome, code, reason } of answer.items)
      terminal.out.write(outcome === undefined ? `✘ ${id} ${kind}  ${code}: ${reason}\n` : `✔ ${id} ${kind}  ${outcome}\n`)
    for (const id of answer.unknown) terminal.out.write(`– ${id} 不在隔离区 not in quarantine\n`)
    terminal.out.write(`${answer.released} 已解除 released, ${answer.stay} 仍在 stay\n`)
  }
  return answer.stay === 0 && answer.unknown.length === 0 ? 0 : 1
}
