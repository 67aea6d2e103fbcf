/** Certificates in bulk: read here, sent to a node as rows, and what became of each shown as it comes. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ExchangeError } from '../../schemas/errors.ts'
import { parseCertificate } from '../../schemas/trust/certificate.ts'
import { certificatesOf } from '../../schemas/trust/certificate-files.ts'
import { fingerprintOf } from '../../schemas/trust/fingerprint.ts'
import { draftFromCertificates } from '../../schemas/trust/list-draft.ts'
import { tokenFor } from './credentials.ts'
import { type FederationFile, nodeNamed } from './federation-file.ts'
import { order } from './membership.ts'
import { sendRows } from './row-upload.ts'
import { formatTable } from './table.ts'
import type { Bilingual, Terminal } from './text.ts'
import { both, writeJson } from './text.ts'
import type { At, VerifyFlags } from './trust.ts'
import { unreadable } from './verify.ts'

export type ImportFlags = At & { readonly anchor?: readonly string[]; readonly draft?: string; readonly region?: string }

type Line = {
  readonly place: string
  readonly outcome: string
  readonly fingerprint: string | null
  readonly kind: string | null
  readonly subject: string | null
  readonly result: string | null
  readonly reason: string
  readonly said: Bilingual | null
}
type Sum = { readonly [name: string]: number }
type Imported = { readonly lines: readonly Line[]; readonly sum: Sum }

const SUFFIX = /\.(?:crt|cer|pem|der|p7b|p7c|crl)$/i
const LINES_KEPT = 10_000
const BAR_CELLS = 24

async function filesOf(paths: readonly string[]): Promise<string[]> {
  const files: string[] = []
  for (const path of paths) {
    const found = await stat(path).catch(unreadable(path))
    if (found.isFile()) files.push(path)
    else for (const name of (await readdir(path)).sort()) if (SUFFIX.test(name)) files.push(join(path, name))
  }
  if (files.length === 0)
    throw new ExchangeError('REQUEST_INVALID', '没有证书文件 expected files of certificates (.crt, .cer, .pem, .der, .p7b, .crl)')
  return files
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g

/** The rows of a file: each block of a PEM by itself, so that one that is damaged costs itself. */
export function rowsOf(place: string, bytes: Buffer): { readonly place: string; readonly data: string }[] {
  const blocks = bytes[0] === 0x30 ? [] : [...bytes.toString('latin1').matchAll(BLOCK)].map(([block]) => block)
  if (blocks.length < 2) return [{ place, data: bytes.toString('base64') }]
  return blocks.map((block, index) => ({ place: `${place}#${index + 1}`, data: Buffer.from(block, 'latin1').toString('base64') }))
}

async function* rowsIn(files: readonly string[]): AsyncGenerator<{ readonly place: string; readonly data: string }> {
  for (const path of files) yield* rowsOf(basename(path), await readFile(path).catch(unreadable(path)))
}

function progress({ err }: Terminal): { show(done: number, sent: number, all: boolean): void; clear(): void } {
  if (err.isTTY !== true) return { show: () => {}, clear: () => {} }
  let shown = 0
  return {
    show(done, sent, all) {
      if (performance.now() - shown < 100) return
      shown = performance.now()
      const part = all && sent > 0 ? done / sent : 0
      const bar = '█'.repeat(Math.round(part * BAR_CELLS)).padEnd(BAR_CELLS, '░')
      const text = all ? `${bar} ${Math.floor(part * 100)} %  ${done}/${sent}` : `发送 sending ${sent}`
      err.write(`\r\u001b[2K${text}`)
    },
    clear: () => void err.write('\r\u001b[2K'),
  }
}

async function bringIn(
  file: FederationFile,
  files: readonly string[],
  anchors: readonly string[],
  flags: At,
  terminal: Terminal,
): Promise<Imported> {
  const node = nodeNamed(file, flags.at)
  const token = await tokenFor({ name: flags.at, ...node }, flags)
  const query = anchors.length === 0 ? '' : `?anchor=${anchors.join(',')}`
  const bar = progress(terminal)
  const lines: Line[] = []
  let sum: Sum | null = null
  let sent = 0
  let done = 0
  let all = false
  async function* counted() {
    for await (const row of rowsIn(files)) {
      sent += 1
      bar.show(done, sent, all)
      yield row
    }
    all = true
  }
  try {
    for await (const line of sendRows(`${node.url}/v1/certificates${query}`, token, counted())) {
      const { sum: last, failed, ...one } = line as { sum?: Sum; failed?: { code: string; reason: string } }
      if (failed !== undefined) throw new ExchangeError('PROGRAM_UNREACHABLE', `${failed.code}: ${failed.reason}`)
      if (last !== undefined) sum = last
      else {
        done += 1
        bar.show(done, sent, all)
        // Of very many the good ones are counted only.
        if (lines.length < LINES_KEPT) lines.push(one as unknown as Line)
      }
    }
  } finally {
    bar.clear()
  }
  if (sum === null)
    throw new ExchangeError(
      'PROGRAM_UNREACHABLE',
      '导入未完成，可再次执行 broken off before its end: run it again, nothing is doubled',
    )
  return { lines, sum }
}

const COUNTS: readonly (readonly [string, Bilingual])[] = [
  ['imported', { zh: '新导入', en: 'imported' }],
  ['unchanged', { zh: '已有', en: 'held already' }],
  ['repeated', { zh: '重复', en: 'repeated' }],
  ['crls', { zh: '吊销列表', en: 'revocation lists' }],
  ['quarantined', { zh: '入隔离区', en: 'in quarantine' }],
]
const VERDICTS: readonly (readonly [string, Bilingual])[] = [
  ['good', { zh: '有效', en: 'good' }],
  ['bad', { zh: '无效', en: 'bad' }],
  ['unchecked', { zh: '无法核验', en: 'cannot be checked' }],
]
const formatCounts = (sum: Sum, counts: typeof COUNTS): string =>
  counts.map(([name, label]) => `${sum[name] ?? 0} ${both(label)}`).join(' + ')

function report({ lines, sum }: Imported, { json }: { readonly json: boolean }, terminal: Terminal, most: number): void {
  if (json) {
    writeJson(terminal, { ...sum, rows_shown: lines })
    return
  }
  const shown = lines.filter(({ outcome, result }) => outcome === 'quarantined' || result !== 'good').slice(0, most)
  if (shown.length > 0)
    terminal.out.write(
      formatTable(
        ['文件 file', '结论 verdict', '原因 reason', '主题 subject'],
        shown.map(one => [one.place, one.result ?? one.outcome, one.reason, one.subject ?? '–']),
      ),
    )
  terminal.out.write(`${sum.rows ?? 0} 行 rows: ${formatCounts(sum, COUNTS)}\n`)
  terminal.out.write(`${sum.certificates ?? 0} 张证书 certificates = ${formatCounts(sum, VERDICTS)}\n`)
}

/** Exit code 1 if something went into quarantine. */
export async function runCertificateImport(
  file: FederationFile,
  paths: readonly string[],
  flags: ImportFlags,
  terminal: Terminal,
): Promise<number> {
  const imported = await bringIn(file, await filesOf(paths), [], flags, terminal)
  report(imported, flags, terminal, 50)
  return (imported.sum.quarantined ?? 0) === 0 ? 0 : 1
}

/** Certificates of authorities, under roots that are named here; those that are good make a draft of a list. */
export async function runTrustImport(
  file: FederationFile,
  paths: readonly string[],
  flags: ImportFlags,
  terminal: Terminal,
): Promise<number> {
  const anchorFiles = flags.anchor ?? []
  const roots = (
    await Promise.all(anchorFiles.map(async path => certificatesOf(await readFile(path).catch(unreadable(path)))))
  ).flat()
  const files = [...new Set([...anchorFiles, ...(await filesOf(paths))])]
  const imported = await bringIn(file, files, roots.map(fingerprintOf), flags, terminal)
  report(imported, flags, terminal, 200)
  if (flags.draft !== undefined) {
    const good = new Set(
      imported.lines.filter(({ kind, result }) => kind === 'ca' && result === 'good').map(({ fingerprint }) => fingerprint),
    )
    for (const root of roots) good.delete(fingerprintOf(root))
    const ders = (await Promise.all(files.map(async path => readFile(path)))).flatMap(bytes => {
      try {
        return certificatesOf(bytes)
      } catch {
        return [] // it is in quarantine
      }
    })
    const authorities = ders.filter(der => good.delete(fingerprintOf(der))).map(parseCertificate)
    const draft = { TrustedEntitiesList: draftFromCertificates(authorities, flags.region ?? flags.at, new Date()) }
    await writeFile(flags.draft, `${JSON.stringify(draft, null, 2)}\n`, { flag: 'wx' }).catch((cause: unknown) => {
      throw new ExchangeError('REQUEST_INVALID', `${flags.draft}: 无法写入，或文件已存在 cannot be written, or is there already`, {
        cause,
      })
    })
    if (!flags.json)
      terminal.out.write(
        `✔ ${flags.draft}  ${authorities.length} 家机构的草稿，补充后以 hutong trust publish 发布 a draft of ${authorities.length} authorities: complete it, then publish it\n`,
      )
  }
  return (imported.sum.quarantined ?? 0) === 0 ? 0 : 1
}

export async function runEvidence(
  file: FederationFile,
  fingerprint: string,
  flags: VerifyFlags & { readonly out: string },
  terminal: Terminal,
): Promise<number> {
  const query = new URLSearchParams()
  if (flags.when !== undefined) query.set('at', flags.when)
  if (flags.purpose !== undefined) query.set('purpose', flags.purpose)
  const evidence = await order(
    file,
    flags.at,
    flags,
    `/v1/certificates/${encodeURIComponent(fingerprint.toLowerCase())}/evidence?${query}`,
  )
  await writeFile(flags.out, `${JSON.stringify(evidence)}\n`, { flag: 'wx', mode: 0o600 }).catch((cause: unknown) => {
    throw new ExchangeError('REQUEST_INVALID', `${flags.out}: 无法写入，或文件已存在 cannot be written, or is there already`, {
      cause,
    })
  })
  if (flags.json) writeJson(terminal, { file: flags.out, fingerprint })
  else terminal.out.write(`✔ ${flags.out}  以 hutong verify 离线复验 check it offline with hutong verify\n`)
  return 0
}
