/** Trust lists and single certificates at a node: how they stand, what is published, whether one is good. */
import { readFile } from 'node:fs/promises'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { certificatesOf } from '../../schemas/trust/certificate-files.ts'
import type { Acting } from './credentials.ts'
import type { FederationFile } from './federation-file.ts'
import { order } from './membership.ts'
import { formatTable } from './table.ts'
import { type Bilingual, both, type Terminal, writeJson } from './text.ts'
import { unreadable } from './verify.ts'

export type At = Acting & { readonly at: string; readonly json: boolean }
export type PublishFlags = At & { readonly days?: number; readonly add?: boolean }
export type VerifyFlags = At & { readonly when?: string; readonly purpose?: string }

type Check = {
  readonly id: string
  readonly verdict: string
  readonly code: string | null
  readonly reason: string | null
  readonly label: Bilingual
}
type List = {
  readonly id: string
  readonly operator: string
  readonly name: Bilingual
  readonly sequence: number
  readonly next_update: string
  readonly counts: boolean
  readonly why: string | null
  readonly checks: readonly Check[]
  readonly entities: number
}
type Status = {
  readonly ready: boolean
  readonly trouble: string | null
  readonly lists: readonly List[]
  readonly refused: readonly {
    readonly list_id: string
    readonly origin: string
    readonly sequence: number
    readonly code: string
    readonly reason: string | null
  }[]
  readonly crls: readonly {
    readonly source: string
    readonly number: string | null
    readonly delta: boolean
    readonly next_update: string | null
    readonly problem: string | null
  }[]
}

const MARKS: { readonly [verdict: string]: string } = { passed: '✔', failed: '✘', unchecked: '–' }

/** Exit code 1 while there is nothing to verify certificates by. */
export async function runTrustStatus(file: FederationFile, flags: At, terminal: Terminal): Promise<number> {
  const status = (await order(file, flags.at, flags, '/v1/trust-lists')) as Status
  if (flags.json) writeJson(terminal, status)
  else {
    const { out } = terminal
    for (const list of status.lists) {
      out.write(
        `${list.counts ? '✔' : '✘'} ${list.id}  ${both(list.name)}  第 ${list.sequence} 期 issue ${list.sequence}，${list.entities} 家机构 authorities\n`,
      )
      if (list.why !== null) out.write(`    ${both(WHY[list.why] ?? { zh: list.why, en: '' })}\n`)
      for (const { verdict, label, code, reason } of list.checks)
        out.write(`    ${MARKS[verdict] ?? '?'} ${both(label)}${code === null ? '' : `  ${code}: ${reason ?? ''}`}\n`)
    }
    for (const one of status.refused)
      out.write(`  ✘ ${one.origin}/${one.list_id} 第 ${one.sequence} 期被拒 issue refused  ${one.code}: ${one.reason ?? ''}\n`)
    showCrls(status.crls, terminal)
    out.write(
      status.ready
        ? '✔ 可核验证书 certificates can be verified\n'
        : `✘ 无法核验证书 certificates cannot be verified: ${status.trouble ?? ''}\n`,
    )
  }
  return status.ready ? 0 : 1
}

function showCrls(crls: Status['crls'], { out }: Terminal): void {
  if (crls.length === 0) return
  out.write(
    formatTable(
      ['吊销列表 revocation list', '编号 number', '下次更新 next update', '状态 state'],
      crls.map(one => [
        one.source.slice(0, 80),
        `${one.number ?? '–'}${one.delta ? ' Δ' : ''}`,
        one.next_update ?? '–',
        one.problem ?? '✔',
      ]),
    ),
  )
}

/** Exit code 1 if one of them could not be had. */
export async function runFetchCrls(file: FederationFile, flags: At, terminal: Terminal): Promise<number> {
  const answer = (await order(file, flags.at, flags, '/v1/revocation-lists', {})) as Pick<Status, 'crls'>
  if (flags.json) writeJson(terminal, answer)
  else showCrls(answer.crls, terminal)
  return answer.crls.every(({ problem }) => problem === null) ? 0 : 1
}

const WHY: { readonly [why: string]: Bilingual } = {
  'list-of-lists-missing': { zh: '尚未持有全国总表', en: 'the national list of lists is not held yet' },
  'operator-left': { zh: '其运营方已退出联盟', en: 'its operator has left the federation' },
  'not-named': { zh: '全国总表未列此表', en: 'the national list of lists does not name it' },
}

type Service = {
  readonly entity: Bilingual
  readonly region: string
  readonly service: Bilingual
  readonly type_label: Bilingual
  readonly status: string
  readonly status_label: Bilingual | null
  readonly since: string | null
  readonly certificates: readonly { readonly fingerprint: string; readonly not_after: string }[]
}

export async function runTrustList(file: FederationFile, id: string | null, flags: At, terminal: Terminal): Promise<number> {
  const name = id ?? (flags.at === '000000' ? 'CN' : flags.at)
  const answer = (await order(file, flags.at, flags, `/v1/trust-lists/${encodeURIComponent(name)}`)) as List & {
    readonly services: readonly Service[]
    readonly names?: readonly { readonly operator: string; readonly list: string }[]
  }
  if (flags.json) writeJson(terminal, answer)
  else {
    terminal.out.write(
      `${answer.id}  ${both(answer.name)}  第 ${answer.sequence} 期 issue ${answer.sequence}，至 until ${answer.next_update}\n`,
    )
    if (answer.names !== undefined)
      terminal.out.write(`  所列各表 names the lists of: ${answer.names.map(({ operator }) => operator).join(', ') || '–'}\n`)
    terminal.out.write(
      formatTable(
        ['机构 authority', '地区 region', '服务 service', '状态 status', '自 since', '证书 certificates'],
        answer.services.map(one => [
          one.entity.zh,
          one.region,
          `${one.type_label.zh} ${one.service.zh}`,
          one.status_label === null ? one.status : both(one.status_label),
          one.since ?? '–',
          one.certificates.map(({ fingerprint }) => fingerprint.slice(0, 16)).join(' '),
        ]),
      ),
    )
  }
  return 0
}

/** What may be published: a draft, a list as `trust list --json` shows it, or the claims of one. */
function contentOf(text: string, path: string): Content {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new ExchangeError('REQUEST_INVALID', `${path}: 应为 JSON expected JSON`, { cause })
  }
  const found = value as {
    LoTE?: { TrustedEntitiesList?: unknown; ListAndSchemeInformation?: { PointersToOtherLoTE?: unknown } }
    TrustedEntitiesList?: unknown
    PointersToOtherLoTE?: unknown
  } | null
  const list = found?.LoTE?.TrustedEntitiesList ?? found?.TrustedEntitiesList
  const pointers = found?.LoTE?.ListAndSchemeInformation?.PointersToOtherLoTE ?? found?.PointersToOtherLoTE
  if (!Array.isArray(list))
    throw new ExchangeError('REQUEST_INVALID', `${path}: 应含 TrustedEntitiesList expected TrustedEntitiesList (ETSI TS 119 602)`)
  return { TrustedEntitiesList: list, ...(Array.isArray(pointers) ? { PointersToOtherLoTE: pointers } : {}) }
}

type Content = { readonly TrustedEntitiesList: readonly unknown[]; readonly PointersToOtherLoTE?: readonly unknown[] }

/** What the last issue has, and behind it what is new: of an authority that stands there already, nothing is taken over. */
async function added(file: FederationFile, given: Content, flags: PublishFlags): Promise<Content> {
  const name = flags.at === '000000' ? 'CN' : flags.at
  const standing = (await order(file, flags.at, flags, `/v1/trust-lists/${name}`).catch((error: unknown): null => {
    if (isExchangeError(error) && error.code === 'TRUST_LIST_UNKNOWN') return null
    throw error
  })) as { readonly LoTE: object } | null
  if (standing === null) return given
  const last = contentOf(JSON.stringify(standing), name)
  const known = JSON.stringify(last.TrustedEntitiesList)
  const certificatesIn = (entity: unknown): string[] =>
    [...JSON.stringify(entity).matchAll(/"val":"([^"]+)"/g)].map(([, val = '']) => val)
  const fresh = given.TrustedEntitiesList.filter(entity => !certificatesIn(entity).some(val => known.includes(val)))
  return { ...last, TrustedEntitiesList: [...last.TrustedEntitiesList, ...fresh] }
}

export async function runTrustPublish(
  file: FederationFile,
  path: string,
  flags: PublishFlags,
  terminal: Terminal,
): Promise<number> {
  const text = await readFile(path, 'utf8').catch(unreadable(path))
  const given = contentOf(text, path)
  const content = flags.add === true ? await added(file, given, flags) : given
  const body = { ...content, ...(flags.days === undefined ? {} : { days: flags.days }) }
  const issue = (await order(file, flags.at, flags, '/v1/trust-lists', body)) as { id: string; sequence: number; digest: string }
  if (flags.json) writeJson(terminal, issue)
  else terminal.out.write(`✔ ${issue.id} 第 ${issue.sequence} 期已发布 issue ${issue.sequence} published\n  ${issue.digest}\n`)
  return 0
}

type Verdict = {
  readonly result: 'good' | 'bad' | 'unchecked'
  readonly reason: string
  readonly said: Bilingual
  readonly clause: string
  readonly detail: string
  readonly at: string
  readonly purpose: string
  readonly fingerprint: string
  readonly subject: string | null
  readonly holder: {
    readonly kind: string
    readonly uscc: string | null
    readonly name: string | null
    readonly pseudonym: string | null
  } | null
  readonly ca: {
    readonly entity: Bilingual
    readonly region: string
    readonly list: string
    readonly sequence: number
    readonly status: string
  } | null
  readonly province: { readonly zh: string | null } | null
  readonly chain: readonly { readonly fingerprint: string; readonly subject: string | null }[]
  readonly steps: readonly { readonly check: string; readonly clause: string; readonly ok: boolean; readonly reason?: string }[]
  readonly lists: readonly {
    readonly id: string
    readonly sequence: number
    readonly fresh: boolean
    readonly complete_at: string | null
  }[]
}

const RESULTS: { readonly [result: string]: Bilingual } = {
  good: { zh: '✔ 有效', en: 'good' },
  bad: { zh: '✘ 无效', en: 'bad' },
  unchecked: { zh: '– 无法核验', en: 'cannot be checked now' },
}

export function formatVerdict(path: string, verdict: Verdict): string {
  const { holder, ca } = verdict
  const lines = [
    path,
    `  ${both(RESULTS[verdict.result] ?? { zh: verdict.result, en: '' })}  ${verdict.reason}  (${verdict.clause})`,
    `    ${both(verdict.said)}`,
    ...(verdict.detail === '' ? [] : [`    ${verdict.detail}`]),
    `  指纹 fingerprint  ${verdict.fingerprint}`,
    `  时刻、用途 time, purpose  ${verdict.at}, ${verdict.purpose}`,
    `  持有人 holder  ${holder === null ? '–' : (holder.uscc ?? holder.pseudonym ?? holder.kind)}${holder?.name == null ? '' : `  ${holder.name}`}`,
    `  机构 authority  ${ca === null ? '–' : `${ca.entity.zh}，${verdict.province?.zh ?? ca.region}，列表 list ${ca.list} #${ca.sequence}，${ca.status}`}`,
    ...verdict.lists.map(
      list =>
        `  列表 list ${list.id} #${list.sequence}  ${list.fresh ? '✔ 最新 fresh' : `✘ 自 ${list.complete_at ?? '–'} 后未确认 not known to be the newest since`}`,
    ),
    ...verdict.chain.map((one, index) => `  ${'  '.repeat(index)}└ ${one.subject ?? '·'}  ${one.fingerprint.slice(0, 16)}`),
    ...verdict.steps.filter(({ ok }) => !ok).map(step => `  ✘ ${step.check} (${step.clause}) ${step.reason ?? ''}`),
  ]
  return `${lines.join('\n')}\n`
}

/** Exit code 0 only if it is good. */
export async function runVerifyCertificate(
  file: FederationFile,
  path: string,
  flags: VerifyFlags,
  terminal: Terminal,
): Promise<number> {
  const bytes = await readFile(path).catch(unreadable(path))
  const [first, ...rest] = certificatesOf(bytes).map(der => Buffer.from(der).toString('base64'))
  if (first === undefined) throw new ExchangeError('CERTIFICATE_MALFORMED', `${path}: 其中没有证书 expected a certificate in it`)
  const verdict = (await order(file, flags.at, flags, '/v1/certificates/verify', {
    certificate: first,
    ...(rest.length === 0 ? {} : { intermediates: rest }),
    ...(flags.when === undefined ? {} : { at: flags.when }),
    ...(flags.purpose === undefined ? {} : { purpose: flags.purpose }),
  })) as Verdict
  if (flags.json) writeJson(terminal, { file: path, ...verdict })
  else terminal.out.write(formatVerdict(path, verdict))
  return verdict.result === 'good' ? 0 : 1
}
