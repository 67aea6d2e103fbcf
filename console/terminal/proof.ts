/**
 * Proofs that a signer has said two things that cannot both be true: fetched from whoever holds one, and verified offline from the file
 * and the membership file alone.
 */
import { writeFile } from 'node:fs/promises'
import { ERRORS, type ErrorCode, ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { formatLogId, type LogId } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import {
  formatProof,
  HUB_SIGNER,
  judgeStatements,
  type OpenedStatement,
  openStatement,
  parseProof,
  type Statements,
} from '../../schemas/proof.ts'
import { parseLogName } from './bundle.ts'
import { type FederationFile, holderNamed, holdersOf } from './federation-file.ts'
import { operatorHeaders } from './operator.ts'
import { askJson } from './request.ts'
import { type Bilingual, both, type Terminal, writeJson } from './text.ts'

export type ProofVerification = {
  readonly kind: 'proof'
  readonly valid: boolean
  /** who signed both: a member's code, or `hub`; null unless the proof holds */
  readonly signer: string | null
  readonly log: LogId | null
  /** as far as they open */
  readonly statements: readonly (Pick<OpenedStatement, 'kind' | 'signer' | 'kid' | 'says' | 'digest'> | null)[]
  /** why they cannot both be true */
  readonly contradiction: Bilingual | null
  /** why the proof does not hold */
  readonly code: ErrorCode | null
  /** which statement the fault is in, 1 or 2; null where it is in both together */
  readonly at: 1 | 2 | null
  readonly reason: string | null
}

/** Never throws for what the bytes hold. */
export async function verifyProof(bytes: Uint8Array, membership: Membership): Promise<ProofVerification> {
  const opened: OpenedStatement[] = []
  let at: 1 | 2 | null = null
  const shown = (): ProofVerification['statements'] =>
    [0, 1].map(index => {
      const one = opened[index]
      return one === undefined ? null : { kind: one.kind, signer: one.signer, kid: one.kid, says: one.says, digest: one.digest }
    })
  const nothing = { kind: 'proof', signer: null, log: null, contradiction: null } as const
  try {
    const [a, b] = parseProof(bytes)
    at = 1
    const first = await openStatement(a, membership)
    opened.push(first)
    at = 2
    const second = await openStatement(b, membership)
    opened.push(second)
    at = null
    const { signer, contradiction, reason } = judgeStatements(first, second)
    const found = { signer, log: contradiction.log, contradiction: reason }
    return { kind: 'proof', valid: true, ...found, statements: shown(), code: null, at: null, reason: null }
  } catch (error) {
    if (!isExchangeError(error)) throw error
    return { ...nothing, valid: false, statements: shown(), code: error.code, at, reason: error.reason }
  }
}

const ACCUSED: { readonly [who: string]: Bilingual } = {
  hub: { zh: '枢纽：其声明无效，各日志链照常', en: 'the hub: its word is broken, the logs go on' },
  origin: { zh: '来源：其该日志链应予冻结', en: 'the origin: this log of its is to be frozen' },
}

export function formatProofVerification(path: string, found: ProofVerification): string {
  const statements = found.statements.map((one, index) =>
    one === null
      ? `  ${index + 1}  ?`
      : `  ${index + 1}  ${one.kind}  ${one.says}\n     ${one.signer}, kid ${one.kid}\n     ${one.digest}`,
  )
  const lines = [path, '  矛盾证明 proof of contradiction', ...statements]
  if (found.valid && found.contradiction !== null && found.signer !== null) {
    lines.push(`  ${found.contradiction.zh}`, `  ${found.contradiction.en}`)
    lines.push(`  ${found.signer}  ${both(ACCUSED[found.signer === HUB_SIGNER ? 'hub' : 'origin'] as Bilingual)}`)
    lines.push(
      both({ zh: '✔ 证明成立：同一签署方的两份声明不可能同时为真。', en: 'The proof holds: its signer cannot have meant both.' }),
    )
  } else if (found.code !== null) {
    const where = found.at === null ? '' : ` (第 ${found.at} 份 statement ${found.at})`
    lines.push(`  ✘ ${found.code}${where}`, `      ${both(ERRORS[found.code])}`, `      ${found.reason ?? ''}`)
    lines.push(both({ zh: '✘ 证明不成立。', en: 'The proof does not hold.' }))
  }
  return [...lines, ''].join('\n')
}

export type ProofExportOptions = {
  /** origin/dataset/audience, or `hub` */
  readonly log: string
  readonly at?: string
  /** which of several against the hub, from 1, the oldest first */
  readonly number: number
  readonly out: string
  readonly json: boolean
}
type ForksAnswer = {
  readonly forks: readonly { readonly log: LogId; readonly statements: Statements; readonly reason: string }[]
  readonly hub: readonly { readonly statements: Statements; readonly reason: string }[]
}

/** Writes the proof that one holder has. Without `at`, all are asked in turn. @throws PROOF_UNKNOWN, PROGRAM_UNREACHABLE */
export async function runProofExport(file: FederationFile, options: ProofExportOptions, terminal: Terminal): Promise<number> {
  const name = options.log === HUB_SIGNER ? HUB_SIGNER : formatLogId(parseLogName(options.log))
  const holders = options.at === undefined ? holdersOf(file) : [holderNamed(file, options.at)]
  let silent: unknown = null
  for (const holder of holders) {
    const answer = await askJson(`${holder.url}/v1/forks`, {
      headers: await operatorHeaders(holder.name, holder.operator_token_file),
    }).catch((error: unknown): null => {
      silent = error
      return null
    })
    if (answer === null) continue
    const { forks, hub } = answer as ForksAnswer
    const found = name === HUB_SIGNER ? hub[options.number - 1] : forks.find(fork => formatLogId(fork.log) === name)
    if (found === undefined) continue
    await writeFile(options.out, formatProof(found.statements), { flag: 'wx', mode: 0o600 }).catch((cause: unknown) => {
      throw new ExchangeError('REQUEST_INVALID', `${options.out}: 无法写入，或文件已存在 cannot be written, or is there already`, {
        cause,
      })
    })
    if (options.json) writeJson(terminal, { file: options.out, from: holder.name, about: name, reason: found.reason })
    else terminal.out.write(`✔ ${options.out}  ${name}，来自 from ${holder.name}\n  ${found.reason}\n`)
    return 0
  }
  if (silent !== null) throw silent
  throw new ExchangeError('PROOF_UNKNOWN', `${name}: 所问各方均无其证明 nobody who was asked holds a proof about it`)
}
