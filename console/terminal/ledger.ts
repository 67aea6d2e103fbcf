/** Has a program re-hash what stands in its database, and prints what it finds. */

import { ExchangeError } from '../../schemas/errors.ts'
import { formatLogId, formatPosition, type LogId, type Position } from '../../schemas/log.ts'
import { type FederationFile, holderNamed } from './federation-file.ts'
import { readOperatorToken } from './operator.ts'
import { askLines } from './request.ts'
import { type Terminal, writeJson } from './text.ts'

type Line = {
  readonly kind: 'finding' | 'progress' | 'log' | 'end' | 'failed'
  readonly log?: LogId
  readonly check?: string
  readonly position?: Position | null
  /** of a log that was loaded from a snapshot: the position whose state it was */
  readonly base?: Position
  readonly item?: number
  readonly key?: string
  readonly expected?: string
  readonly found?: string
  readonly logs?: number
  readonly entries?: number
  readonly records?: number
  readonly findings?: number
}

const formatFinding = ({ log, check, position, item, key, expected, found }: Line): string => {
  const at = position == null ? '' : ` ${formatPosition(position)}`
  const record = item === undefined ? '' : ` #${item} ${key ?? ''}`
  return `✘ ${log === undefined ? '?' : formatLogId(log)}${at}${record}  ${check}\n    应为 expected: ${expected}\n    实为 found:    ${found}\n`
}

/** Exit code 1 if a row was found that is not what was signed. @throws PROGRAM_UNREACHABLE if it could not be finished */
export async function runLedgerVerify(
  file: FederationFile,
  { at, json }: { readonly at: string; readonly json: boolean },
  terminal: Terminal,
): Promise<number> {
  const holder = holderNamed(file, at)
  const token = await readOperatorToken(holder.name, holder.operator_token_file)
  const url = `${holder.url}/v1/ledger/verification`
  const findings: Line[] = []
  const begun: { readonly log: LogId; readonly base: Position }[] = []
  let end: Line | null = null
  for await (const value of askLines(url, token)) {
    const line = value as Line
    if (line.kind === 'end') end = line
    if (line.kind === 'finding') findings.push(line)
    if (line.base !== undefined && line.log !== undefined) begun.push({ log: line.log, base: line.base })
    if (line.kind === 'finding' && !json) terminal.out.write(formatFinding(line))
    if (line.kind === 'progress' && terminal.err.isTTY === true && line.log !== undefined)
      terminal.err.write(`\r\u001b[2K${formatLogId(line.log)} ${line.entries}\r`)
  }
  if (terminal.err.isTTY === true) terminal.err.write('\r\u001b[2K')
  if (end === null)
    throw new ExchangeError('PROGRAM_UNREACHABLE', `${url}: 核验未能完成，详见该程序的日志 could not be finished; its log says why`)
  const { logs = 0, entries = 0, records = 0 } = end
  if (json) writeJson(terminal, { at: holder.name, logs, entries, records, findings, ...(begun.length === 0 ? {} : { begun }) })
  else {
    for (const { log, base } of begun)
      terminal.out.write(
        `· ${formatLogId(log)}: 自快照 ${formatPosition(base)} 起核验，此前条目此处不存 verified from its snapshot on, earlier entries are not held here\n`,
      )
    const sums = `${logs} 条日志链 logs, ${entries} 条 entries, ${records} 条记录 records`
    terminal.out.write(
      findings.length === 0
        ? `✔ ${holder.name}: ${sums}，与签名一致 as they were signed\n`
        : `✘ ${holder.name}: ${sums}；${findings.length} 处不符 findings\n`,
    )
  }
  return findings.length === 0 ? 0 : 1
}
