/** What a member's people do at their own node: join, change keys, leave, speak about alliances. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readKeyFile, readPassphrase, signerOf } from '../../runtime/keys/key-file.ts'
import { parseJoinFile } from '../../runtime/membership/join-file.ts'
import { joinFederation } from '../../runtime/membership/joining.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { Acting } from './credentials.ts'
import type { FederationFile } from './federation-file.ts'
import { prepareMemberHome } from './member-home.ts'
import { order } from './membership.ts'
import { formatTable } from './table.ts'
import { type Terminal, writeJson } from './text.ts'

export type At = Acting & { readonly at: string; readonly json: boolean }

export type JoinFlags = {
  readonly folder?: string
  readonly recovery?: string
  readonly passphraseFile?: string
  readonly recoveryPassphraseFile?: string
  readonly anchor?: string
  readonly agent?: string
  readonly wait: boolean
}

/** Exit code 1 while it is not admitted. @throws JOIN_* */
export async function runJoin(path: string, flags: JoinFlags, terminal: Terminal): Promise<number> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ExchangeError('JOIN_FILE_INVALID', `${path}: expected a readable file`, { cause })
  })
  const file = parseJoinFile(text, path)
  if (flags.anchor !== undefined && flags.anchor !== file.anchor)
    throw new ExchangeError('JOIN_ANCHOR_FOREIGN', `${path}: the file trusts the anchor ${file.anchor}, expected ${flags.anchor}`)
  const folder = flags.folder ?? join('.hutong', `member-${file.code}`)
  const recoveryFile = flags.recovery ?? `recovery-${file.code}.jwk.json`
  const say = (line: string): void => void terminal.out.write(`${line}\n`)
  let brokers = file.brokers
  const admitted = await joinFederation({
    file,
    folder,
    recoveryFile,
    passphrase: await readPassphrase(flags.passphraseFile),
    agentSocket: flags.agent,
    recoveryPassphrase: await readPassphrase(flags.recoveryPassphraseFile),
    wait: flags.wait,
    signal: new AbortController().signal,
    onProgress(progress) {
      if (progress.step === 'admitted') brokers = progress.brokers
      if (progress.step === 'made') {
        say(`  锚指纹 anchor  ${progress.anchor}  请与另行告知的核对 compare it with what you were told`)
        say(`  本方指纹 your fingerprint  ${progress.fingerprint}`)
        say('  请以电话等另一途径告知枢纽的批准人。Tell it to the approver at the hub by another way, such as the telephone.')
        say(`  恢复密钥 recovery key  ${recoveryFile}  请移至离线保管 take it to a safe place`)
      } else if (progress.step === 'pending') say(`… 待 waiting: ${progress.missing.join('; ')}（${progress.who.join('; ')}）`)
      else if (progress.step === 'unreachable') say(`… 枢纽暂无应答，继续等待 the hub does not answer, waiting: ${progress.reason}`)
      else say(`✔ ${file.code} 已加入 ${file.fed}，成员日志 admitted, membership log ${progress.position}`)
    },
  })
  if (!admitted) return 1
  const home = await prepareMemberHome(file, { folder, brokers, passphraseFile: flags.passphraseFile, agentSocket: flags.agent })
  say(`  启动节点 start the node:  env $(cat ${home.settingsFile}) node_modules/.bin/node node/main.ts`)
  say(`  随后 then:  npm run -s hutong -- --home ${home.folder} node keys --at ${file.code}`)
  return 0
}

type Key = {
  readonly kid: string
  readonly alg: string
  readonly state: string
  readonly held: boolean
  readonly active_from: number | null
  readonly retired_at: number | null
  readonly stolen: boolean
  readonly closings: readonly { readonly log: string; readonly epoch: number; readonly seq: number }[] | null
}
type AnchorRow = { readonly fingerprint: string; readonly state: string; readonly stolen: boolean; readonly confirmed: boolean }
type Own = {
  readonly code: string
  readonly position: number
  readonly standing: string
  readonly alarms: number
  readonly anchors: readonly AnchorRow[]
  readonly recovery: string
  readonly keys: readonly Key[]
}

const STATES: { readonly [state: string]: string } = {
  announced: '已公告 announced',
  active: '有效 active',
  retired: '已停用 retired',
}

/** Exit code 1 if somebody tried to change this member without its signature. */
export async function runKeys(file: FederationFile, flags: At, terminal: Terminal): Promise<number> {
  const own = (await order(file, flags.at, flags, '/v1/membership')) as Own
  if (flags.json) writeJson(terminal, own)
  else {
    terminal.out.write(
      `${own.code}  ${own.standing}  成员日志 membership log ${own.position}  恢复密钥 recovery key ${own.recovery}\n`,
    )
    terminal.out.write(
      formatTable(
        ['密钥 key', '算法 alg', '状态 state', '自 from', '至 until', '各日志终止 closings'],
        own.keys.map(key => [
          `${key.kid}${key.held ? '' : '（不在此 not here）'}`,
          key.alg,
          `${STATES[key.state] ?? key.state}${key.stolen ? '（被盗 stolen）' : ''}`,
          String(key.active_from ?? '–'),
          String(key.retired_at ?? '–'),
          key.closings?.map(({ log, epoch, seq }) => `${log}@${epoch}.${seq}`).join(' ') ?? '',
        ]),
      ),
    )
    if (own.alarms > 0)
      terminal.out.write(
        `✘ 有 ${own.alarms} 个条目未经本方签署而变更本成员 entries change this member without its signature: /v1/membership/alarms\n`,
      )
  }
  return own.alarms > 0 ? 1 : 0
}

export async function runRollover(file: FederationFile, stage: string | undefined, flags: At, terminal: Terminal): Promise<number> {
  const body = stage === undefined ? {} : { stage }
  const answer = (await order(file, flags.at, flags, '/v1/membership/rollover', body)) as {
    stage: string
    kid: string
    position: number
  }
  if (flags.json) writeJson(terminal, answer)
  else terminal.out.write(`✔ ${answer.stage}：${answer.kid}，成员日志 membership log ${answer.position}\n`)
  return 0
}

type Affected = {
  readonly log: string
  readonly epoch: number
  readonly seq: number
  readonly key: string
  readonly ver: number
  readonly op: string
}

/** The recovery key signs here, and never leaves this process. */
export async function runReplaceStolen(
  file: FederationFile,
  flags: At & { readonly recovery: string; readonly recoveryPassphraseFile?: string; readonly since?: string },
  terminal: Terminal,
): Promise<number> {
  const recovery = signerOf(await readKeyFile(flags.recovery, await readPassphrase(flags.recoveryPassphraseFile)))
  const { claims, unreceipted } = (await order(file, flags.at, flags, '/v1/membership/replacement', {})) as {
    claims: object
    unreceipted: number
  }
  const token = await recovery.sign('keys', claims)
  const body = { token, ...(flags.since === undefined ? {} : { since: flags.since }) }
  const answer = (await order(file, flags.at, flags, '/v1/membership/replacement/signed', body)) as {
    position: number
    affected: readonly Affected[]
  }
  if (flags.json) writeJson(terminal, answer)
  else {
    terminal.out.write(`✔ 密钥已更换，成员日志 replaced, membership log ${answer.position}\n`)
    if (unreceipted > 0)
      terminal.out.write(`  ${unreceipted} 条日志链尚无最新回执 logs have no receipt for their last entries yet\n`)
    terminal.out.write(`  被盗密钥签署的记录 records that the stolen key signed: ${answer.affected.length}\n`)
    for (const { log, epoch, seq, key, ver, op } of answer.affected)
      terminal.out.write(`  ${log}@${epoch}.${seq}  ${op} ${key} v${ver}\n`)
  }
  return 0
}

/** Exit code 1 while a key of the hub has not been compared. */
export async function runAnchor(
  file: FederationFile,
  flags: At & { readonly fingerprint?: string },
  terminal: Terminal,
): Promise<number> {
  const { fingerprint } = flags
  const answer = (await (fingerprint === undefined
    ? order(file, flags.at, flags, '/v1/membership')
    : order(file, flags.at, flags, '/v1/membership/anchor', { fingerprint }))) as { anchors: readonly AnchorRow[] }
  const open = answer.anchors.filter(({ state, confirmed }) => state !== 'retired' && !confirmed)
  if (flags.json) writeJson(terminal, { anchors: answer.anchors })
  else
    terminal.out.write(
      formatTable(
        ['枢纽密钥 key of the hub', '状态 state', '已核对 compared'],
        answer.anchors.map(one => [
          one.fingerprint,
          `${STATES[one.state] ?? one.state}${one.stolen ? '（被盗 stolen）' : ''}`,
          one.confirmed ? '是 yes' : one.state === 'retired' ? '–' : '否，请另行核对 no: compare it by another way',
        ]),
      ),
    )
  return open.length > 0 ? 1 : 0
}

/** An order of this member about itself that answers with a key. */
export async function runNodeOrder(file: FederationFile, path: string, flags: At, terminal: Terminal): Promise<number> {
  const answer = (await order(file, flags.at, flags, `/v1/membership/${path}`, {})) as {
    kid?: string
    key?: string
    position?: number
  }
  if (flags.json) writeJson(terminal, answer)
  else {
    const where = answer.position === undefined ? '' : `，成员日志 membership log ${answer.position}`
    terminal.out.write(`✔ ${answer.kid ?? answer.key ?? ''}${where}\n`)
  }
  return 0
}

export async function runLeave(file: FederationFile, flags: At, terminal: Terminal): Promise<number> {
  const answer = (await order(file, flags.at, flags, '/v1/membership/leave', {})) as { position: number }
  if (flags.json) writeJson(terminal, answer)
  else terminal.out.write(`✔ ${flags.at} 已退出，成员日志 has left, membership log ${answer.position}\n`)
  return 0
}

/** Exit code 1 while consents are missing. */
export async function runAlliance(
  file: FederationFile,
  { path, body }: { readonly path: string; readonly body: object },
  flags: At,
  terminal: Terminal,
): Promise<number> {
  const answer = (await order(file, flags.at, flags, path, body)) as { position: number | null; missing: readonly string[] }
  if (flags.json) writeJson(terminal, answer)
  else if (answer.position !== null) terminal.out.write(`✔ 已生效，成员日志 in force, membership log ${answer.position}\n`)
  else terminal.out.write(`… 已记录，待同意 noted, consent is missing of: ${answer.missing.join(', ')}\n`)
  return answer.position === null ? 1 : 0
}

export async function runAlliances(file: FederationFile, flags: At, terminal: Terminal): Promise<number> {
  type Row = {
    readonly id: string
    readonly zh: string
    readonly en: string
    readonly members: readonly string[]
    readonly consented?: readonly string[]
  }
  const answer = (await order(file, flags.at, flags, '/v1/alliances')) as { proposals: readonly Row[]; alliances: readonly Row[] }
  if (flags.json) writeJson(terminal, answer)
  else
    terminal.out.write(
      formatTable(
        ['协作区 alliance', '名称 name', '成员 members', '状态 state'],
        [
          ...answer.alliances.map(one => [one.id, `${one.zh} ${one.en}`, one.members.join(' '), '有效 in force']),
          ...answer.proposals.map(one => [
            one.id,
            `${one.zh} ${one.en}`,
            one.members.join(' '),
            `待同意 consented: ${one.consented?.join(' ') ?? ''}`,
          ]),
        ],
      ),
    )
  return 0
}
