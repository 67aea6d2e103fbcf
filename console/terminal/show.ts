/** One record as one node shows it: who said it, where it stands in the origin's log, and how that was verified. */
import { ERRORS, ExchangeError } from '../../schemas/errors.ts'
import { formatPosition } from '../../schemas/log.ts'
import { type FederationFile, nodeNamed } from './federation-file.ts'
import { operatorHeaders } from './operator.ts'
import { askJson } from './request.ts'
import { type Bilingual, both, type Terminal, writeJson } from './text.ts'

type Item = {
  readonly key: string
  readonly op: string
  readonly ver: number
  readonly at: string
  readonly why?: string
  readonly platform: string
  readonly body: unknown
  readonly origin: string
  readonly audience: string
  readonly position: { readonly epoch: number; readonly seq: number; readonly item: number }
  readonly envelope: string | null
  readonly verification: { readonly state: string; readonly signer?: string; readonly kid?: string; readonly at?: string }
  readonly freshness?: { readonly state: string; readonly said: Bilingual } | null
}

const STATES: { readonly [state: string]: string } = {
  verified: '✔ 已验证 verified',
  own: '✔ 本方签发 own',
  snapshot: '✔ 取自已核对状态根的快照 from a snapshot whose signed state root was checked',
  disputed: '✘ 有争议：来源签署了两份历史 disputed: its origin signed two histories',
}

function formatItem(item: Item, dataset: string, names: FederationFile['nodes']): string {
  const node = names[item.origin]
  const { state, signer = '–', kid = '–', at = '–' } = item.verification
  return [
    `${dataset} ${item.key}`,
    `  来源 origin        ${item.origin} ${node === undefined ? '' : both(node)}`,
    `  平台 platform      ${item.platform}`,
    `  范围 audience      ${item.audience}`,
    `  操作 op, ver       ${item.op}${item.why === undefined ? '' : ` (${item.why})`}, ${item.ver}`,
    `  时间 at            ${item.at}`,
    `  位置 position      ${formatPosition(item.position)} #${item.position.item}`,
    `  信封 envelope      ${item.envelope ?? '– 此处不存 not held here'}`,
    `  验证 verification  ${STATES[state] ?? `? ${state}`}; ${signer}, kid ${kid}, ${at}`,
    ...(item.freshness == null
      ? []
      : [`  新鲜度 freshness    ${item.freshness.state === 'fresh' ? '✔' : '✘'} ${both(item.freshness.said)}`]),
    `  内容 body`,
    ...(JSON.stringify(item.body, null, 2) ?? '–').split('\n').map(line => `    ${line}`),
    '',
  ].join('\n')
}

export type ShowOptions = { readonly at: string; readonly origin?: string; readonly json: boolean }

/** @throws PROGRAM_UNKNOWN, DATASET_UNKNOWN, RECORD_UNKNOWN, PROGRAM_UNREACHABLE */
export async function runShow(
  file: FederationFile,
  dataset: string,
  key: string,
  options: ShowOptions,
  terminal: Terminal,
): Promise<number> {
  const { url, operator_token_file } = nodeNamed(file, options.at)
  const headers = await operatorHeaders(options.at, operator_token_file)
  const query = options.origin === undefined ? '' : `?origin=${encodeURIComponent(options.origin)}`
  const answer = (await askJson(`${url}/v1/${encodeURIComponent(dataset)}/${encodeURIComponent(key)}${query}`, { headers })) as {
    readonly items?: readonly Item[]
  }
  const items = answer.items ?? []
  if (items.length === 0)
    throw new ExchangeError('RECORD_UNKNOWN', `${both(ERRORS.RECORD_UNKNOWN)} ${dataset} ${key} @ ${options.at}`)
  if (options.json) writeJson(terminal, answer)
  else terminal.out.write(items.map(item => formatItem(item, dataset, file.nodes)).join('\n'))
  return 0
}
