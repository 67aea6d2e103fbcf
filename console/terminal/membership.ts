/** What the hub's people do about members: found, invite, see who waits, approve, suspend. */
import { writeFile } from 'node:fs/promises'
import { rotateOperator } from '../../runtime/broker/authority.ts'
import { trustConfiguration } from '../../runtime/broker/configuration.ts'
import { readKeyFile, readPassphrase, signerOf } from '../../runtime/keys/key-file.ts'
import { foundFederation } from '../../runtime/membership/founding.ts'
import { formatJoinFile, parseJoinFile } from '../../runtime/membership/join-file.ts'
import { replaceOwnerOnly } from '../../runtime/membership/member-folder.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { type Acting, headersFor } from './credentials.ts'
import { type FederationFile, holderNamed } from './federation-file.ts'
import { askJson } from './request.ts'
import { formatTable } from './table.ts'
import { type Terminal, writeJson } from './text.ts'

export type Order = Acting & { readonly json: boolean }
const TIMEOUT_MS = 60_000

/** Asks a hub or node as a client with a role. */
export async function order(file: FederationFile, at: string, acting: Acting, path: string, body?: object): Promise<unknown> {
  const holder = holderNamed(file, at)
  const headers = { ...(await headersFor(holder, acting)), ...(body === undefined ? {} : { 'content-type': 'application/json' }) }
  const asking = body === undefined ? { headers } : { method: 'POST' as const, headers, body: JSON.stringify(body) }
  return askJson(`${holder.url}${path}`, { ...asking, timeoutMs: TIMEOUT_MS })
}

export async function runFound(
  flags: {
    readonly fed: string
    readonly base: string
    readonly approvals: 1 | 2
    readonly key: string
    readonly recovery: string
    readonly recoveryPassphraseFile?: string
    readonly out: string
    readonly json: boolean
  },
  terminal: Terminal,
): Promise<number> {
  const { anchor } = await foundFederation({
    fed: flags.fed,
    base: flags.base,
    approvals: flags.approvals,
    keyFile: flags.key,
    recoveryFile: flags.recovery,
    recoveryPassphrase: await readPassphrase(flags.recoveryPassphraseFile),
    foundingFile: flags.out,
    now: new Date(),
  })
  if (flags.json) writeJson(terminal, { fed: flags.fed, anchor, founding_file: flags.out })
  else
    terminal.out.write(
      [
        `✔ ${flags.fed} 已创立 founded`,
        `  锚指纹 anchor fingerprint  ${anchor}`,
        '  请以独立途径告知各成员；恢复密钥请移至离线保管。',
        '  Tell it to every member by another way; take the recovery key to a safe place.',
        `  枢纽设置 for the hub: HUTONG_HUB_FOUNDING_FILE=${flags.out} HUTONG_HUB_KEY_FILE=${flags.key}`,
        '',
      ].join('\n'),
    )
  return 0
}

export type InviteFlags = Order & {
  readonly name: string
  readonly nameEn?: string
  readonly hours: number
  readonly writes?: readonly string[]
  readonly territory?: readonly string[]
  readonly out?: string
}

export async function runInvite(file: FederationFile, code: string, flags: InviteFlags, terminal: Terminal): Promise<number> {
  const answer = await order(file, 'hub', flags, '/v1/membership/invitations', {
    code,
    zh: flags.name,
    en: flags.nameEn ?? flags.name,
    lifetime_ms: flags.hours * 3_600_000,
    ...(flags.writes === undefined ? {} : { writes: flags.writes }),
    ...(flags.territory === undefined ? {} : { territory: flags.territory }),
  })
  const text = formatJoinFile(parseJoinFile(JSON.stringify(answer), 'hub'))
  if (flags.out === undefined) terminal.out.write(text)
  else {
    await writeFile(flags.out, text, { mode: 0o600, flag: 'wx' }).catch((cause: unknown) => {
      throw new ExchangeError('CONFIG_INVALID', `${flags.out}: expected a file that can be made`, { cause })
    })
    const { expires } = parseJoinFile(text, 'hub')
    terminal.out.write(
      `✔ ${flags.out}：交给 ${code}，${expires} 前有效，仅可用一次。Give it to ${code}; good once, until ${expires}.\n`,
    )
  }
  return 0
}

type Request = {
  readonly code: string
  readonly zh: string
  readonly en: string
  readonly state: string
  readonly invited_by: string
  readonly expires: string
  readonly missing: readonly string[]
  readonly who: readonly string[]
}

export type PendingFlags = Order & { readonly all?: boolean }
const OPEN = new Set(['invited', 'pending'])

export async function runPending(file: FederationFile, flags: PendingFlags, terminal: Terminal): Promise<number> {
  const answer = (await order(file, 'hub', flags, '/v1/membership/requests')) as { requests?: readonly Request[] }
  const requests = (answer.requests ?? []).filter(({ state }) => flags.all === true || OPEN.has(state))
  if (flags.json) writeJson(terminal, { requests })
  else if (requests.length === 0) terminal.out.write('没有未了结的邀请或申请。Nothing waits; --all shows what was settled.\n')
  else
    terminal.out.write(
      formatTable(
        ['成员 member', '名称 name', '状态 state', '邀请人 invited by', '缺少 missing', '由谁 who'],
        requests.map(one => [
          one.code,
          `${one.zh} ${one.en}`,
          one.state,
          one.invited_by,
          one.missing.join('; '),
          one.who.join('; '),
        ]),
      ),
    )
  return 0
}

/** An order about one member; says what became of it. */
export async function runMemberOrder(
  file: FederationFile,
  { code, act, body, done }: { readonly code: string; readonly act: string; readonly body: object; readonly done: string },
  flags: Order,
  terminal: Terminal,
): Promise<number> {
  const answer = (await order(file, 'hub', flags, `/v1/membership/members/${code}/${act}`, body)) as { readonly position?: number }
  if (flags.json) writeJson(terminal, answer)
  else
    terminal.out.write(`✔ ${code} ${done}${answer.position === undefined ? '' : `，成员日志 membership log ${answer.position}`}\n`)
  return 0
}

type MemberAnswer = {
  readonly code: string
  readonly kind: string
  readonly zh: string
  readonly en: string
  readonly standing: string
  readonly writes: readonly string[]
}

export async function runMembers(file: FederationFile, flags: Order, terminal: Terminal): Promise<number> {
  const answer = (await order(file, 'hub', flags, '/v1/members')) as { position: number; members: readonly MemberAnswer[] }
  if (flags.json) writeJson(terminal, answer)
  else
    terminal.out.write(
      formatTable(
        ['成员 member', '名称 name', '类别 kind', '状态 standing', '可写 writes'],
        answer.members.map(one => [one.code, `${one.zh} ${one.en}`, one.kind, one.standing, one.writes.join(' ')]),
      ),
    )
  return 0
}

export async function runAnchorRollover(file: FederationFile, stage: string, flags: Order, terminal: Terminal): Promise<number> {
  const answer = (await order(file, 'hub', flags, '/v1/membership/anchor', { stage })) as { position: number; fingerprint: string }
  if (flags.json) writeJson(terminal, answer)
  else terminal.out.write(`✔ ${stage}：${answer.fingerprint}，成员日志 membership log ${answer.position}\n`)
  return 0
}

type Ended = { readonly seq: number; readonly act: string; readonly code: string | null; readonly stays: boolean }
const REPLACE_ATTEMPTS = 4

/** The recovery key signs here, and never leaves this process. */
export async function runReplaceAnchor(
  file: FederationFile,
  flags: Order & { readonly recovery: string; readonly recoveryPassphraseFile?: string; readonly ends?: number },
  terminal: Terminal,
): Promise<number> {
  const recovery = signerOf(await readKeyFile(flags.recovery, await readPassphrase(flags.recoveryPassphraseFile)))
  const body = flags.ends === undefined ? {} : { ends: flags.ends }
  for (let attempt = 1; ; attempt += 1) {
    const prepared = (await order(file, 'hub', flags, '/v1/membership/anchor/replacement', body)) as {
      claims: object
      ended: readonly Ended[]
    }
    const token = await recovery.sign('membership', prepared.claims)
    const answer = (await order(file, 'hub', flags, '/v1/membership/anchor/replacement/signed', { token }).catch(
      (error: unknown) => {
        // Something was entered between the two: prepared anew, on top of it.
        if (!isExchangeError(error) || error.code !== 'KEY_CHANGE_INVALID' || attempt === REPLACE_ATTEMPTS) throw error
        return null
      },
    )) as { position: number; fingerprint: string; voided: readonly number[] } | null
    if (answer === null) continue
    if (flags.json) writeJson(terminal, { ...answer, ended: prepared.ended })
    else {
      const void_ = new Set(answer.voided)
      terminal.out.write(
        [
          `✔ 锚密钥已更换，成员日志 replaced, membership log ${answer.position}`,
          `  新锚指纹 new anchor fingerprint  ${answer.fingerprint}`,
          '  请以独立途径告知各成员核对。Tell it to every member by another way; each confirms it with: hutong node anchor --fingerprint',
          ...prepared.ended.map(
            ({ seq, act, code }) =>
              `  ${seq} ${act}${code === null ? '' : ` ${code}`}  ${void_.has(seq) ? '已作废 void' : '保留 stays'}`,
          ),
          '',
        ].join('\n'),
      )
    }
    return 0
  }
}

export async function runBrokerRotation(file: FederationFile, program: string, flags: Order, terminal: Terminal): Promise<number> {
  const answer = await order(file, 'hub', flags, `/v1/membership/broker/${program}/rotate`, {})
  if (flags.json) writeJson(terminal, answer)
  else
    terminal.out.write(
      `✔ ${program}：原有凭据已作废，其程序将自行换发。What it had is void; its program makes a new key by itself.\n`,
    )
  return 0
}

/** Offline: the root key of the operator never comes near the hub. */
export async function runOperatorRotation(
  flags: { readonly authority: string; readonly root: string; readonly trust: string; readonly json: boolean },
  terminal: Terminal,
): Promise<number> {
  const authority = await rotateOperator(flags.authority, flags.root)
  const { fed, operatorToken } = authority
  const trust = trustConfiguration({ operatorToken, system: await authority.system() }, './accounts')
  await replaceOwnerOnly(flags.trust, `${JSON.stringify(trust, null, 2)}\n`)
  if (flags.json) writeJson(terminal, { fed, trust_file: flags.trust })
  else
    terminal.out.write(
      `✔ ${fed}：运营者签名密钥已更换。请用 ${flags.trust} 重启消息代理，再重启枢纽。Start the broker again with ${flags.trust}, then the hub.\n`,
    )
  return 0
}

type PolicyAnswer = {
  readonly algorithms: readonly string[]
  readonly approvals: number
  readonly territory: string
  readonly position: number
}

/** `change`: null shows it. */
export async function runPolicy(file: FederationFile, change: object | null, flags: Order, terminal: Terminal): Promise<number> {
  if (change !== null && Object.keys(change).length === 0)
    throw new ExchangeError('REQUEST_INVALID', '给出 --algorithms 或 --approvals expected --algorithms or --approvals')
  const answer = (await order(file, 'hub', flags, '/v1/membership/policy', ...(change === null ? [] : [change]))) as PolicyAnswer
  if (flags.json) writeJson(terminal, answer)
  else
    terminal.out.write(
      formatTable(
        ['算法 algorithms', '批准人数 approvals', '区划表 table of regions', '成员日志 membership log'],
        [[answer.algorithms.join(' '), String(answer.approvals), answer.territory, String(answer.position)]],
      ),
    )
  return 0
}
