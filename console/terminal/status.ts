/**
 * Where every log stands at every holder, side by side. Asking comes first, judging second, so that the judgement is a function of
 * the answers. A holder that does not answer has no position at all: it is shown as unreachable, never as empty.
 */
import { readFile } from 'node:fs/promises'
import { DOUBTS, type DoubtKind } from '../../runtime/ledger/doubts.ts'
import { isExchangeError } from '../../schemas/errors.ts'
import { comparePositions, formatLogId, formatPosition, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import { audiencesRead, type Membership, parseMembership } from '../../schemas/membership.ts'
import { type FederationFile, type Holder, holdersOf } from './federation-file.ts'
import { operatorHeaders } from './operator.ts'
import { askJson } from './request.ts'
import { formatTable } from './table.ts'
import { type Bilingual, both, shortDigest, type Terminal, writeJson } from './text.ts'

const TIMEOUT_MS = 2000
/** of each holder, the newest first; --json has all */
const DOUBTS_SHOWN = 8

type QuarantineCount = {
  readonly kind: string
  readonly origin: string | null
  readonly dataset: string | null
  readonly code: string
  readonly count: number
}
/** What a holder saw that does not fit and proves nothing by itself. */
type Doubt = {
  readonly kind: string
  readonly about: string
  readonly count: number
  readonly last: string
  readonly reason: string | null
}
type LogAnswer = LogId & {
  readonly head: LogHead | null
  readonly origin_state?: string
  readonly frozen?: boolean
  /** of a log that began there with a snapshot: the newest entry that is still missing before it */
  readonly missing_until?: Position | null
}
export type HolderAnswer =
  | {
      readonly logs: readonly LogAnswer[]
      readonly quarantine: readonly QuarantineCount[]
      readonly doubts?: readonly Doubt[]
      /** proofs against the hub */
      readonly convictions?: number
    }
  | { readonly error: string }

export type LogStatus = LogId & {
  /** by holder; null where it holds nothing of the log, or does not answer */
  readonly heads: { readonly [holder: string]: LogHead | null }
  /** every holder that answers and should hold the log holds it up to the same entry */
  readonly same: boolean
  /** envelopes behind the furthest holder; null where that cannot be said */
  readonly lag: { readonly [holder: string]: number | null }
  /** as the hub sees it, else the first holder that answers: own, current, late, missing */
  readonly origin_state: string | null
  /** holders that have frozen it, because its origin has signed two histories */
  readonly frozen: readonly string[]
  /** holders that began it with a snapshot, and the newest entry that each is still missing before that */
  readonly missing_until: { readonly [holder: string]: Position }
}
export type FederationStatus = {
  readonly federation: string
  readonly at: string
  /** every holder answers, and all logs are the same everywhere */
  readonly converged: boolean
  readonly holders: readonly { readonly name: string; readonly url: string; readonly reachable: boolean; readonly error?: string }[]
  readonly logs: readonly LogStatus[]
  readonly quarantine: { readonly [holder: string]: readonly QuarantineCount[] }
  readonly doubts: { readonly [holder: string]: readonly Doubt[] }
  /** how many proofs against the hub each holder has */
  readonly convictions: { readonly [holder: string]: number }
}

/** The hub and the origin hold every log; a member those whose audience it belongs to. */
export function shouldHold(membership: Membership, holder: string, log: LogId): boolean {
  if (holder === 'hub' || holder === log.origin || log.audience === 'all') return true
  const member = membership.members.get(holder)
  return member !== undefined && audiencesRead(member).includes(log.audience)
}

const lagOf = (head: LogHead | null, furthest: LogHead | null): number | null => {
  if (furthest === null) return null
  if (head === null) return furthest.epoch === 1 ? furthest.seq : null
  return head.epoch === furthest.epoch ? furthest.seq - head.seq : null
}

function mergeLog(
  id: LogId,
  holders: readonly Holder[],
  answers: ReadonlyMap<string, HolderAnswer>,
  membership: Membership,
): LogStatus {
  const name = formatLogId(id)
  const found = new Map<string, LogAnswer | null>()
  for (const holder of holders) {
    if (!shouldHold(membership, holder.name, id)) continue
    const answer = answers.get(holder.name)
    found.set(
      holder.name,
      answer !== undefined && 'logs' in answer ? (answer.logs.find(log => formatLogId(log) === name) ?? null) : null,
    )
  }
  const answering = [...found.keys()].filter(holder => 'logs' in (answers.get(holder) ?? {}))
  const heads = [...found].map(([holder, log]): [string, LogHead | null] => [holder, log?.head ?? null])
  const furthest = heads.reduce<LogHead | null>(
    (best, [, head]) => (head !== null && (best === null || comparePositions(head, best) > 0) ? head : best),
    null,
  )
  const digests = new Set(answering.map(holder => found.get(holder)?.head?.digest ?? null))
  const states = answering.filter(holder => holder !== id.origin).map(holder => found.get(holder)?.origin_state ?? null)
  return {
    ...id,
    heads: Object.fromEntries(heads),
    same: digests.size <= 1,
    lag: Object.fromEntries(heads.map(([holder, head]) => [holder, answering.includes(holder) ? lagOf(head, furthest) : null])),
    origin_state: states.find(state => state !== null) ?? null,
    frozen: [...found].flatMap(([holder, log]) => (log?.frozen === true ? [holder] : [])),
    missing_until: Object.fromEntries(
      [...found].flatMap(([holder, log]) => (log?.missing_until == null ? [] : [[holder, log.missing_until]])),
    ),
  }
}

const byHolder = <T>(
  answers: ReadonlyMap<string, HolderAnswer>,
  read: (answer: Extract<HolderAnswer, { readonly logs: unknown }>) => T,
): { readonly [holder: string]: T } =>
  Object.fromEntries([...answers].flatMap(([name, answer]) => ('logs' in answer ? [[name, read(answer)]] : [])))

/** Pure: what the answers of all holders mean together. */
export function mergeStatus(options: {
  readonly file: FederationFile
  readonly membership: Membership
  readonly answers: ReadonlyMap<string, HolderAnswer>
  readonly at: Date
}): FederationStatus {
  const { file, membership, answers } = options
  const holders = holdersOf(file)
  const ids = new Map<string, LogId>()
  for (const answer of answers.values()) {
    if ('logs' in answer)
      for (const { origin, dataset, audience } of answer.logs)
        ids.set(`${origin}/${dataset}/${audience}`, { origin, dataset, audience })
  }
  const logs = [...ids].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, id]) => mergeLog(id, holders, answers, membership))
  const states = holders.map(({ name, url }) => {
    const answer = answers.get(name)
    if (answer !== undefined && 'logs' in answer) return { name, url, reachable: true }
    return { name, url, reachable: false, error: answer?.error ?? 'not asked' }
  })
  return {
    federation: file.fed,
    at: options.at.toISOString(),
    converged: states.every(state => state.reachable) && logs.every(log => log.same),
    holders: states,
    logs,
    quarantine: byHolder(answers, answer => answer.quarantine),
    doubts: byHolder(answers, answer => answer.doubts ?? []),
    convictions: byHolder(answers, answer => answer.convictions ?? 0),
  }
}

async function askHolder({ name, url, operator_token_file }: Holder): Promise<HolderAnswer> {
  try {
    const headers = await operatorHeaders(name, operator_token_file)
    const answer = (await askJson(`${url}/v1/logs`, { headers, timeoutMs: TIMEOUT_MS })) as { readonly [name: string]: unknown }
    const { logs, quarantine, doubts, convictions } = answer
    if (!Array.isArray(logs)) return { error: 'expected a list of logs' }
    return {
      logs: logs as LogAnswer[],
      quarantine: Array.isArray(quarantine) ? (quarantine as QuarantineCount[]) : [],
      doubts: Array.isArray(doubts) ? (doubts as Doubt[]) : [],
      convictions: typeof convictions === 'number' ? convictions : 0,
    }
  } catch (error) {
    return { error: isExchangeError(error) ? error.message : 'unknown' }
  }
}

/** The furthest position that anybody holds; two digests there are two histories. */
const furthestOf = (log: LogStatus): LogHead | null => {
  const [holder] = Object.entries(log.lag).find(([, lag]) => lag === 0) ?? []
  return holder === undefined ? null : (log.heads[holder] ?? null)
}

const cellOf = (log: LogStatus, holder: string, reachable: boolean): string => {
  const head = log.heads[holder]
  if (head === undefined) return '·'
  if (!reachable) return '?'
  if (head === null) return '无 none'
  const lag = log.lag[holder]
  if (lag !== 0) return `${formatPosition(head)} ${typeof lag === 'number' ? `−${lag}` : '≠'}`
  return head.digest === furthestOf(log)?.digest ? '=' : `≠ ${shortDigest(head.digest)}`
}

const formatFurthest = (head: LogHead | null): string =>
  head === null ? '–' : `${formatPosition(head)} ${shortDigest(head.digest)}`

const STATES: { readonly [state: string]: string } = {
  current: '正常 current',
  late: '迟 late',
  missing: '缺 missing',
  own: '本方 own',
}

const verdictOf = ({ converged, holders }: FederationStatus): Bilingual => {
  if (converged) return { zh: '✔ 各持有方一致。', en: 'All holders agree.' }
  if (holders.some(holder => !holder.reachable))
    return { zh: '✘ 有持有方未应答，无法断定一致。', en: 'Some holder does not answer, so nobody can say that all agree.' }
  return { zh: '✘ 各持有方尚不一致。', en: 'Holders do not agree yet.' }
}

/** What a supervisor acts on: proofs first, then doubts. */
function alarmsOf({ logs, convictions, doubts }: FederationStatus): string[] {
  const frozen = logs
    .filter(log => log.frozen.length > 0)
    .map(log => {
      const id = formatLogId(log)
      return `✘ ${id} 已冻结 is frozen (${log.frozen.join(', ')})：hutong proof export ${id}\n`
    })
  const convicted = Object.entries(convictions).filter(([, count]) => count > 0)
  const hub = convicted.map(
    ([holder, count]) =>
      `✘ ${holder} 持有 ${count} 份枢纽自相矛盾的证明 holds proofs against the hub：hutong proof export hub --at ${holder}\n`,
  )
  const doubtful = Object.entries(doubts).flatMap(([holder, list]) =>
    list.slice(0, DOUBTS_SHOWN).map(({ kind, about, count, last, reason }) => {
      const said = DOUBTS[kind as DoubtKind]
      const what = said === undefined ? kind : both(said)
      return `? ${holder}  ${about} ×${count} ${last}  ${what}${reason === null ? '' : ` (${reason})`}\n`
    }),
  )
  return [...frozen, ...hub, ...doubtful]
}

const partlyHeld = (log: LogStatus): string[] =>
  Object.entries(log.missing_until).map(
    ([holder, at]) =>
      `· ${holder}  ${formatLogId(log)} 以快照起始，${formatPosition(at)} 及此前的历史尚未回填 began with a snapshot; its history up to ${formatPosition(at)} is not held there\n`,
  )

export function formatStatus(status: FederationStatus): string {
  const { holders, logs, quarantine } = status
  const heads = ['日志链 log', '最新 furthest', '来源 origin', ...holders.map(holder => holder.name)]
  const rows = logs.map(log => [
    formatLogId(log),
    formatFurthest(furthestOf(log)),
    STATES[log.origin_state ?? ''] ?? '–',
    ...holders.map(({ name, reachable }) => cellOf(log, name, reachable)),
  ])
  const refused = holders.map(({ name, reachable }) =>
    reachable ? String((quarantine[name] ?? []).reduce((sum, { count }) => sum + Number(count), 0)) : '?',
  )
  const silent = holders.filter(holder => !holder.reachable)
  return [
    `${status.federation}  ${status.at}\n`,
    formatTable(heads, [...rows, ['隔离区 quarantine', '', '', ...refused]]),
    '= 与最新一致 as the furthest   −n 落后 behind   ≠ 不同 different   ? 无应答 unreachable   · 不在范围 not its audience\n',
    ...alarmsOf(status),
    ...logs.flatMap(partlyHeld),
    ...silent.map(({ name, url }) => `✘ ${name} 没有应答，其数据未知 does not answer; what it holds is unknown (${url})\n`),
    `${both(verdictOf(status))}\n`,
  ].join('')
}

/** Exit code 0 when anybody answered: whether holders agree is the answer, `converged`, and not a fault of the asking. */
export async function runStatus(file: FederationFile, { json }: { readonly json: boolean }, terminal: Terminal): Promise<number> {
  const membership = await parseMembership(await readFile(file.membership_file, 'utf8'))
  const answers = new Map(await Promise.all(holdersOf(file).map(async holder => [holder.name, await askHolder(holder)] as const)))
  const status = mergeStatus({ file, membership, answers, at: new Date() })
  if (json) writeJson(terminal, status)
  else terminal.out.write(formatStatus(status))
  return status.holders.some(holder => holder.reachable) ? 0 : 1
}
