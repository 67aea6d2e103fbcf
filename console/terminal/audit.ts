/**
 * The audit log of a hub or node: shown, exported, verified. A verification needs the entries, the signed heads and the public keys of
 * the membership file; it comes to the same result from an export, offline.
 */
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import {
  type AuditEntry,
  type AuditFinding,
  auditVerifier,
  openAuditHeads,
  parseAuditEntry,
} from '../../schemas/access/audit-chain.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { Membership } from '../../schemas/membership.ts'
import type { VerificationKey } from '../../schemas/tokens.ts'
import { type Acting, headersFor } from './credentials.ts'
import { type FederationFile, holderNamed } from './federation-file.ts'
import { newestMembership } from './membership-copy.ts'
import { askJson } from './request.ts'
import { formatTable } from './table.ts'
import { type Terminal, writeJson } from './text.ts'
import { unreadable } from './verify.ts'

export type AtOptions = Acting & { readonly at: string; readonly json: boolean }
type Part = { readonly entry: AuditEntry } | { readonly head: string } | { readonly origin: string }

/** The whole log as the program gives it out. */
async function* online(file: FederationFile, options: AtOptions): AsyncGenerator<Part> {
  const holder = holderNamed(file, options.at)
  const headers = await headersFor(holder, options)
  yield { origin: holder.name }
  for (let after: number | null = 0; after !== null; ) {
    const page = (await askJson(`${holder.url}/v1/audit?after=${after}`, { headers })) as {
      readonly entries: readonly unknown[]
      readonly heads: readonly string[]
      readonly next: number | null
    }
    for (const entry of page.entries) yield { entry: parseAuditEntry(entry) }
    for (const head of page.heads) yield { head }
    after = page.next
  }
}

/** One JSON object a line, as `audit export` writes them. */
async function* fromFile(path: string): AsyncGenerator<Part> {
  const lines = createInterface({
    input: (await open(path).catch(unreadable(path))).createReadStream(),
    crlfDelay: Number.POSITIVE_INFINITY,
  })
  let line = 0
  for await (const text of lines) {
    line += 1
    let value: { readonly entry?: unknown; readonly head?: unknown; readonly origin?: unknown }
    try {
      value = JSON.parse(text)
    } catch {
      throw new ExchangeError('FILE_MALFORMED', `${path}:${line}: 应为 JSON expected JSON`)
    }
    if (value.entry !== undefined) yield { entry: parseAuditEntry(value.entry) }
    else if (typeof value.head === 'string') yield { head: value.head }
    else if (typeof value.origin === 'string') yield { origin: value.origin }
    else throw new ExchangeError('FILE_MALFORMED', `${path}:${line}: 应为审计日志条目 expected an entry or a head`)
  }
}

const keysOf = (membership: Membership, origin: string): Map<string, VerificationKey> => {
  const keys = origin === 'hub' ? membership.hubKeys : (membership.members.get(origin)?.keys ?? [])
  return new Map(keys.map(({ kid, alg, key }) => [kid, { alg, key }]))
}

/** Entries first, heads when all are known: a head is judged against the entry that it names. */
async function judge(parts: AsyncIterable<Part>, membership: Membership) {
  const entries: AuditEntry[] = []
  const tokens: string[] = []
  let origin = ''
  for await (const part of parts) {
    if ('entry' in part) entries.push(part.entry)
    else if ('head' in part) tokens.push(part.head)
    else origin = part.origin
  }
  const opened = await openAuditHeads(tokens, { fed: membership.fed, origin, keys: keysOf(membership, origin) })
  const verifier = auditVerifier(opened.heads)
  for (const entry of entries) verifier.push(entry)
  const end = verifier.end()
  const findings: readonly AuditFinding[] = [...opened.findings, ...end.findings]
  const unsigned_from = end.last > end.signedTo ? end.signedTo + 1 : null
  return { origin, entries: end.entries, heads: tokens.length, last: end.last, signed_to: end.signedTo, unsigned_from, findings }
}

/** Exit code 1 if an entry was edited, taken out, put in or moved, or a head does not verify. */
export async function runAuditVerify(
  file: FederationFile | null,
  options: AtOptions & { readonly file?: string; readonly membershipFile: string },
  terminal: Terminal,
): Promise<number> {
  const membership = await newestMembership(options.membershipFile, options.file === undefined ? (file?.hub.url ?? null) : null)
  const parts = options.file === undefined ? (file === null ? null : online(file, options)) : fromFile(options.file)
  if (parts === null) throw new ExchangeError('REQUEST_INVALID', '给出 --at 或 --file expected --at or --file')
  const verdict = await judge(parts, membership)
  const { origin, entries, heads, last, signed_to, unsigned_from, findings } = verdict
  if (options.json) writeJson(terminal, verdict)
  else {
    for (const { seq, said } of findings) terminal.out.write(`✘ ${seq} ${said}\n`)
    const sums = `${origin}: ${entries} 条 entries，${heads} 个签名 signed heads，签名至 signed up to ${signed_to} / ${last}`
    if (unsigned_from !== null)
      terminal.out.write(
        `… 自 ${unsigned_from} 起尚未签名，数据库属主仍可改写 not signed from ${unsigned_from} on: whoever owns the database can still rewrite it\n`,
      )
    terminal.out.write(findings.length === 0 ? `✔ ${sums}，完整 whole\n` : `✘ ${sums}；${findings.length} 处不符 findings\n`)
  }
  return findings.length === 0 ? 0 : 1
}

export async function runAuditExport(
  file: FederationFile,
  options: AtOptions & { readonly out: string },
  terminal: Terminal,
): Promise<number> {
  await using out = await open(options.out, 'wx', 0o600).catch((cause: unknown) => {
    throw new ExchangeError('REQUEST_INVALID', `${options.out}: 无法写入或文件已存在 cannot be written, or is there already`, {
      cause,
    })
  })
  let entries = 0
  for await (const part of online(file, options)) {
    if ('entry' in part) entries += 1
    await out.appendFile(`${JSON.stringify(part)}\n`)
  }
  await out.sync()
  terminal.out.write(`✔ ${options.out}: ${entries} 条 entries\n`)
  return 0
}

export type ShowOptions = AtOptions & {
  readonly limit: number
  readonly operation?: string
  readonly actor?: string
  readonly resource?: string
}

/** The newest entries that match, oldest of them first. */
export async function runAuditShow(file: FederationFile, options: ShowOptions, terminal: Terminal): Promise<number> {
  const holder = holderNamed(file, options.at)
  const headers = await headersFor(holder, options)
  let newest: AuditEntry[] = []
  for (let after: number | null = 0; after !== null; ) {
    const query = new URLSearchParams({ after: String(after) })
    for (const name of ['operation', 'actor', 'resource'] as const) if (options[name] !== undefined) query.set(name, options[name])
    const page = (await askJson(`${holder.url}/v1/audit?${query}`, { headers })) as { entries: unknown[]; next: number | null }
    newest = [...newest, ...page.entries.map(parseAuditEntry)].slice(-options.limit)
    after = page.next
  }
  if (options.json) writeJson(terminal, newest)
  else {
    const heads = ['编号 seq', '时间 at', '主体 actor', '操作 operation', '对象 resource', '结果 decision', '目的 purpose']
    const rows = newest.map(({ seq, at, actor, operation, resource, decision, purpose }) => [
      String(seq),
      at,
      actor,
      operation,
      resource ?? '–',
      decision,
      purpose ?? '–',
    ])
    terminal.out.write(formatTable(heads, rows))
  }
  return 0
}
