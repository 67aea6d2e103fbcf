/**
 * Logs as one file, to carry across an air gap. An export asks for range after range and writes what comes, so that its size does not
 * matter; interrupted, it goes on behind the last whole entry of its file. An import sends the file as it is: the program that takes it
 * in checks every entry as if it had come by the road.
 */
import { createReadStream } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { BUNDLE_MEDIA_TYPE, type BundleItem, readBundle } from '../../schemas/bundle.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import type { EnvelopeClaims } from '../../schemas/generated/envelope.ts'
import { comparePositions, formatLogId, formatPosition, type LogId, type Position } from '../../schemas/log.ts'
import { parseToken } from '../../schemas/tokens.ts'
import { type FederationFile, holderNamed } from './federation-file.ts'
import { readOperatorToken } from './operator.ts'
import { askBytes, askJson } from './request.ts'
import { type Terminal, writeJson } from './text.ts'
import { showSent, uploadFile } from './upload.ts'

export type ExportOptions = {
  readonly at: string
  /** origin/dataset/audience */
  readonly logs: readonly string[]
  readonly epoch?: number
  readonly fromSeq?: number
  readonly toSeq?: number
  readonly out: string
  readonly resume: boolean
  readonly json: boolean
}

/** `issued`: when it was signed, in seconds. */
type Placed = { readonly log: LogId; readonly position: Position; readonly issued: number }
/** `whole`: up to the last entry that the holder has. */
type Span = { readonly log: LogId; readonly first: Position; readonly last: Position; readonly whole: boolean }
type HeldLog = LogId & { readonly head: Position | null }

/** @throws REQUEST_INVALID */
export function parseLogName(text: string): LogId {
  const [, origin = '', dataset = '', audience = ''] = /^([0-9]{6})\/([a-z0-9-]{1,64})\/([a-z0-9-]{1,64})$/.exec(text) ?? []
  if (origin !== '') return { origin, dataset, audience }
  throw new ExchangeError(
    'REQUEST_INVALID',
    `${text}: 应为 来源/数据集/范围 expected origin/dataset/audience, such as 530000/entity/all`,
  )
}

/** Where an entry says that it stands. Whether that is true is for whoever takes it in. */
export function placeOf(item: BundleItem): Placed {
  const claims = parseToken(item.token, item.kind).claims as Partial<EnvelopeClaims>
  const { iss = '', ds = '', aud = '', ep = 0, seq = 0, iat = 0 } = claims
  return { log: { origin: iss, dataset: ds, audience: aud }, position: { epoch: ep, seq }, issued: iat }
}

/** The first and last position of each log that is asked for, as the holder holds it. @throws LOG_UNKNOWN */
export function spansOf(held: readonly HeldLog[], options: Pick<ExportOptions, 'logs' | 'epoch' | 'fromSeq' | 'toSeq'>): Span[] {
  return options.logs.map(parseLogName).map(log => {
    const head = held.find(one => formatLogId(one) === formatLogId(log))?.head ?? null
    if (head === null) throw new ExchangeError('LOG_UNKNOWN', `expected a log held there, got ${formatLogId(log)}`)
    const { epoch } = options
    const first = { epoch: epoch ?? 1, seq: options.fromSeq ?? 0 }
    const end = epoch === undefined ? { epoch: head.epoch, seq: head.seq } : { epoch, seq: Number.MAX_SAFE_INTEGER }
    const last = options.toSeq === undefined ? end : { epoch: epoch ?? 1, seq: options.toSeq }
    const whole = comparePositions(last, head) >= 0
    return { log, first, last: whole ? { epoch: head.epoch, seq: head.seq } : last, whole }
  })
}

/** Exit code 0 when the file holds all that was asked for. */
export async function runExport(file: FederationFile, options: ExportOptions, terminal: Terminal): Promise<number> {
  const holder = holderNamed(file, options.at)
  const token = await readOperatorToken(holder.name, holder.operator_token_file).catch((): null => null)
  const { logs: held } = (await askJson(
    `${holder.url}/v1/logs`,
    token === null ? {} : { headers: { authorization: `Bearer ${token}` } },
  )) as { readonly logs: readonly HeldLog[] }
  const spans = spansOf(held, options)
  await using out = await openOut(options.out, options.resume)
  const before = options.resume ? await readBack(out, options.out) : NOTHING_WRITTEN
  const written: Written[] = []
  for (const span of spans) {
    const done = before.last.get(formatLogId(span.log)) ?? null
    const { last, issued, ...sum } = await exportSpan(holder.url, token, span, done, out, terminal)
    const erased = await exportErased(holder.url, token, { ...span, until: span.whole ? null : issued }, before.erased, out)
    written.push({ ...sum, last, erased })
  }
  await out.sync()
  const { size } = await out.stat()
  if (options.json) writeJson(terminal, { file: options.out, bytes: size, logs: written })
  else {
    for (const { log, entries, last, erased } of written) {
      const more = erased === 0 ? '' : `；另附 ${erased} 项此前位置的删除声明 and ${erased} redactions of positions before`
      terminal.out.write(
        `${formatLogId(log)}  ${entries} 条 entries，至 up to ${last === null ? '–' : formatPosition(last)}${more}\n`,
      )
    }
    terminal.out.write(`✔ ${options.out} (${size} 字节 bytes)\n`)
  }
  return 0
}

const openOut = (path: string, resume: boolean): Promise<FileHandle> =>
  open(path, resume ? 'a+' : 'wx', 0o600).catch((cause: unknown) => {
    throw new ExchangeError(
      'REQUEST_INVALID',
      `${path}: 无法写入，或文件已存在（--resume 续写） cannot be written, or is there already (--resume goes on with it)`,
      { cause },
    )
  })

type Written = { readonly log: LogId; readonly entries: number; readonly last: Position | null; readonly erased: number }
/** What an earlier export wrote: how far each log came, and redactions by themselves. */
type Before = { readonly last: ReadonlyMap<string, Placed>; readonly erased: ReadonlySet<string> }
const NOTHING_WRITTEN: Before = { last: new Map(), erased: new Set() }

/** Reads what an earlier export wrote, cuts off what is not whole, and says how far each log came. */
async function readBack(out: FileHandle, path: string): Promise<Before> {
  const last = new Map<string, Placed>()
  const erased = new Set<string>()
  let end = 0
  try {
    for await (const item of readBundle(createReadStream(path))) {
      const place = placeOf(item)
      if (item.kind === 'redaction') erased.add(item.token)
      else last.set(formatLogId(place.log), place)
      end = item.end
    }
  } catch (error) {
    if (!isExchangeError(error)) throw error
    await out.truncate(end)
  }
  return { last, erased }
}

async function exportSpan(
  url: string,
  token: string | null,
  { log, first, last }: Span,
  done: Placed | null,
  out: FileHandle,
  { err }: Terminal,
): Promise<{ log: LogId; entries: number; last: Position | null; issued: number }> {
  let next = done === null ? first : { epoch: done.position.epoch, seq: done.position.seq + 1 }
  let entries = 0
  let reached = done?.position ?? null
  let issued = done?.issued ?? 0
  while (comparePositions(next, last) <= 0) {
    const query = new URLSearchParams({ epoch: String(next.epoch), from: String(next.seq) })
    const bytes = await patiently(() =>
      askBytes(`${url}/v1/logs/${log.origin}/${log.dataset}/${log.audience}/envelopes?${query}`, token),
    )
    let took = 0
    let end = 0
    for await (const item of readBundle(whole(bytes))) {
      const { position, issued: at } = placeOf(item)
      if (comparePositions(position, last) > 0) break
      issued = at
      took += 1
      end = item.end
      reached = position
    }
    if (took === 0) {
      if (next.epoch >= last.epoch) break
      next = { epoch: next.epoch + 1, seq: 0 }
      continue
    }
    await out.appendFile(bytes.subarray(0, end))
    entries += took
    next = { epoch: reached?.epoch ?? next.epoch, seq: (reached?.seq ?? 0) + 1 }
    if (err.isTTY === true && reached !== null)
      err.write(`\r\u001b[2K${formatLogId(log)} ${formatPosition(reached)} / ${formatPosition(last)}`)
  }
  if (err.isTTY === true) err.write('\r\u001b[2K')
  return { log, entries, last: reached, issued }
}

/**
 * What was erased before the first position of a part: whoever holds those positions already learns of it in no other way. Only what the
 * entries of the file allow goes along: everything, if they reach the holder's last one, else what was signed before the last of them.
 * Within the part a redaction stands beside its envelope.
 */
async function exportErased(
  url: string,
  token: string | null,
  { log, first, until }: { readonly log: LogId; readonly first: Position; readonly until: number | null },
  done: ReadonlySet<string>,
  out: FileHandle,
): Promise<number> {
  if (comparePositions(first, { epoch: 1, seq: 0 }) <= 0) return 0
  let erased = 0
  for (let cursor = { issued: 0, epoch: 0, seq: 0 }; ; ) {
    const query = new URLSearchParams(Object.entries(cursor).map(([name, value]): [string, string] => [name, String(value)]))
    const address = `${url}/v1/logs/${log.origin}/${log.dataset}/${log.audience}/redactions?${query}`
    const bytes = await patiently(() => askBytes(address, token))
    if (bytes.length === 0) return erased
    let start = 0
    for await (const item of readBundle(whole(bytes))) {
      const { position, issued } = placeOf(item)
      cursor = { issued, ...position }
      const wanted = comparePositions(position, first) < 0 && (until === null || issued < until) && !done.has(item.token)
      if (wanted) await out.appendFile(bytes.subarray(start, item.end))
      if (wanted) erased += 1
      start = item.end
    }
  }
}

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

const RATE_LIMIT_PAUSE_MS = 5000

/** Who asks without a token is counted; a long export then waits its turn. */
async function patiently<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (!isExchangeError(error) || error.code !== 'REQUEST_RATE_LIMITED') throw error
      await delay(RATE_LIMIT_PAUSE_MS)
    }
  }
}

type ImportAnswer = {
  readonly entries: number
  readonly accepted: number
  readonly duplicate: number
  /** redactions that took effect */
  readonly erased: number
  readonly refused: number
  readonly waiting: number
  readonly gaps: readonly { readonly log: LogId; readonly missing: { readonly epoch: number; readonly from: number } }[]
  readonly logs: readonly { readonly log: LogId; readonly head: Position | null }[]
}

/** Exit code 1 if entries were refused or do not follow on. @throws BUNDLE_MALFORMED saying how far it came */
export async function runImport(
  file: FederationFile,
  path: string,
  { at, json }: { readonly at: string; readonly json: boolean },
  terminal: Terminal,
): Promise<number> {
  const holder = holderNamed(file, at)
  const token = await readOperatorToken(holder.name, holder.operator_token_file)
  const { size } = await stat(path).catch((cause: unknown) => {
    throw new ExchangeError('REQUEST_INVALID', `${path}: 无法读取文件 expected a readable file`, { cause })
  })
  const progress = showSent(terminal, path, size)
  let answer: ImportAnswer
  try {
    const upload = { path, size, token, mediaType: BUNDLE_MEDIA_TYPE, onSent: progress.sent }
    answer = (await uploadFile(`${holder.url}/v1/bundles`, upload)) as ImportAnswer
  } finally {
    progress.clear()
  }
  const sound = answer.refused === 0 && answer.waiting === 0 && answer.gaps.length === 0
  if (json) writeJson(terminal, { file: path, at: holder.name, ...answer })
  else terminal.out.write(formatImport(path, answer, sound))
  return sound ? 0 : 1
}

function formatImport(path: string, answer: ImportAnswer, sound: boolean): string {
  const { entries, accepted, duplicate, erased, refused, waiting } = answer
  return [
    `${sound ? '✔' : '✘'} ${path}: ${entries} 条 entries = ${accepted} 接受 accepted + ${duplicate} 已有 held already + ${erased} 删除 erased + ${refused} 拒绝 refused + ${waiting} 等待 waiting`,
    ...answer.gaps.map(
      ({ log, missing }) =>
        `  缺 missing: ${formatLogId(log)} 自 from ${formatPosition({ epoch: missing.epoch, seq: missing.from })}`,
    ),
    ...answer.logs.map(({ log, head }) => `  ${formatLogId(log)}  至 up to ${head === null ? '–' : formatPosition(head)}`),
    '',
  ].join('\n')
}
