/** Shows what of an own log a node has lost and, with `--yes`, has it declare that lost and open a new epoch. */
import { formatPosition, type Position } from '../../schemas/log.ts'
import { type FederationFile, nodeNamed } from './federation-file.ts'
import { readOperatorToken } from './operator.ts'
import { askJson } from './request.ts'
import { type Terminal, writeJson } from './text.ts'

export type ReopenOptions = {
  readonly at: string
  readonly dataset: string
  readonly audience?: string
  readonly without: readonly string[]
  readonly yes: boolean
  readonly json: boolean
}
type Answer = {
  readonly held: Position | null
  readonly lost: { readonly from: Position; readonly until: Position; readonly epoch: number } | null
  readonly asked: readonly string[]
  readonly silent: readonly string[]
  readonly known: readonly { readonly holder: string; readonly head: Position }[]
  readonly noted: Position | null
  readonly receipted: Position | null
  readonly found: readonly { readonly holder: string; readonly at: Position }[]
  readonly obstacles: readonly string[]
  readonly opened: Position | null
}

/** Taking back what can be had comes first. */
const TIMEOUT_MS = 300_000

const upTo = (place: Position | null): string => (place === null ? '无 nothing' : formatPosition(place))
const list = (names: readonly string[]): string => (names.length === 0 ? '无 none' : names.join(', '))

/** Exit code 1 unless the log can be, or was, opened again. @throws what the node answers */
export async function runReopen(
  file: FederationFile,
  { at, dataset, audience, without, yes, json }: ReopenOptions,
  terminal: Terminal,
): Promise<number> {
  const node = nodeNamed(file, at)
  const token = await readOperatorToken(at, node.operator_token_file)
  const answer = (await askJson(`${node.url}/v1/ledger/reopening`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ dataset, confirm: yes, without, ...(audience === undefined ? {} : { audience }) }),
    timeoutMs: TIMEOUT_MS,
  })) as Answer
  const ready = answer.opened !== null || answer.obstacles.length === 0
  if (json) writeJson(terminal, answer)
  else terminal.out.write(formatAnswer(`${at}/${dataset}/${audience ?? 'all'}`, answer))
  return ready ? 0 : 1
}

function formatAnswer(log: string, answer: Answer): string {
  const { lost, opened } = answer
  const lines = [
    `${log}`,
    `  本节点持有至 held here up to: ${upTo(answer.held)}`,
    `  本节点曾签封至 noted as sealed up to: ${upTo(answer.noted)}`,
    ...answer.known.map(({ holder, head }) => `  ${holder} 出示至 shows up to: ${formatPosition(head)}`),
    `  枢纽回执 the hub's receipt: ${answer.receipted === null ? '未超出以上 nothing beyond that' : formatPosition(answer.receipted)}`,
    `  已询问 asked: ${list(answer.asked)}`,
    `  未应答 silent: ${list(answer.silent)}`,
    ...(lost === null
      ? []
      : [
          `  ${opened === null ? '将声明遗失 would be declared lost' : '已声明遗失 declared lost'}: ${formatPosition(lost.from)} … ${formatPosition(lost.until)}`,
        ]),
    ...answer.found.map(
      ({ holder, at }) => `  曾声明遗失、现存于 declared lost before, and found at ${holder}: ${formatPosition(at)}`,
    ),
    ...answer.obstacles.map(one => `  ✘ ${one}`),
  ]
  if (opened !== null) lines.push(`✔ 已开启新纪元 a new epoch is open: ${formatPosition(opened)}`)
  else if (answer.obstacles.length === 0)
    lines.push('加 --yes 即声明遗失并开启新纪元。With --yes this is declared lost and a new epoch opened.')
  else if (lost !== null) lines.push('可用 --without 指明不再等待者。--without names those to go on without.')
  return `${lines.join('\n')}\n`
}
