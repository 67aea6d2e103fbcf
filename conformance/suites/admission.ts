/**
 * What the admission of a certification authority and of a maker of seals have in common: a folder of samples with a manifest that says
 * what each of them is, cases made of it, and a report for people and programs, from which the row of a trust list is made.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import { ERRORS, type ErrorCode, ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { type Certificate, parseCertificate } from '../../schemas/trust/certificate.ts'
import { certificatesOf } from '../../schemas/trust/certificate-files.ts'
import { type Crl, parseCrl } from '../../schemas/trust/crl.ts'
import { REASONS, type ReasonCode } from '../../schemas/trust/reasons.ts'
import type { Text, WireEntity } from '../../schemas/trust/trust-list.ts'
import { isObject, type Json, malformed, readJson, textOf, textsOf, timeOf } from './material.ts'

export const MANIFEST = 'manifest.json'
const FILE_MAX_BYTES = 32 * 1024 * 1024

export type AdmissionCase = {
  /** file and check */
  readonly id: string
  readonly zh: string
  readonly en: string
  /** a reason code, or the code of an error for what cannot be read */
  readonly expected: string
  readonly got: string
  readonly detail: string
  readonly ok: boolean
}
export type AdmissionReport = {
  readonly kind: 'ca' | 'seal'
  readonly name: Text
  readonly region: string
  /** time that the samples were judged at */
  readonly at: string
  readonly passed: boolean
  readonly cases: readonly AdmissionCase[]
  /** what the samples show, in the words of a trust list's profile */
  readonly found: Json
  /** rows for `hutong trust publish`, once every case has passed */
  readonly draft: { readonly TrustedEntitiesList: readonly WireEntity[] } | null
}

export type Samples = {
  readonly manifest: Json
  readonly name: Text
  readonly region: string
  readonly at: number
  file(name: string): Promise<Buffer>
  certificate(name: string): Promise<Certificate>
  certificates(names: unknown): Promise<Certificate[]>
  crls(names: unknown): Promise<Crl[]>
  /** objects of a list in the manifest */
  rows(field: string): readonly Json[]
}

const faulty = (expectation: string, cause?: unknown): ExchangeError => malformed(MANIFEST, expectation, cause)

function nameOf(value: unknown): Text {
  const { zh, en } = isObject(value) ? value : { zh: value, en: value }
  const [first, second] = [textOf(zh), textOf(en)]
  if (first === null || second === null) throw faulty('expected a name as text, or as {zh, en}')
  return { zh: first, en: second }
}

/** @throws SUITE_MALFORMED, SUITE_FILE_MISSING */
export async function openSamples(folder: string, kind: AdmissionReport['kind'], now: number): Promise<Samples> {
  const manifest = await readJson(join(folder, MANIFEST))
  if (!isObject(manifest) || manifest.kind !== kind) throw faulty(`expected an object of the kind "${kind}"`)
  const region = textOf(manifest.region)
  if (region === null || !/^(CN|[0-9]{6})$/.test(region)) throw faulty('expected a region code')
  const at = timeOf(manifest.at, now)
  if (at === null) throw faulty('expected a time by RFC 3339 at "at"')

  async function file(name: string): Promise<Buffer> {
    const path = normalize(name)
    if (path.startsWith('..') || path.startsWith('/') || path.includes('\0'))
      throw faulty(`expected a file of the folder, got ${name}`)
    const bytes = await readFile(join(folder, path)).catch((cause: unknown) => {
      throw new ExchangeError('SUITE_FILE_MISSING', `expected a file ${name} that the manifest names`, { cause })
    })
    if (bytes.length > FILE_MAX_BYTES) throw faulty(`expected ${name} to have at most ${FILE_MAX_BYTES} bytes`)
    return bytes
  }
  const all = async <T>(names: unknown, read: (name: string) => Promise<T[]>): Promise<T[]> => {
    const found: T[] = []
    for (const name of textsOf(names)) found.push(...(await read(name)))
    return found
  }
  return {
    manifest,
    name: nameOf(manifest.name),
    region,
    at,
    file,
    async certificate(name) {
      const [der, ...more] = certificatesOf(await file(name))
      if (der === undefined || more.length > 0)
        throw new ExchangeError('CERTIFICATE_MALFORMED', `expected one certificate in ${name}`)
      return parseCertificate(der)
    },
    certificates: names => all(names, async name => certificatesOf(await file(name)).map(parseCertificate)),
    crls: names => all(names, async name => [parseCrl(derOf(await file(name)))]),
    rows(field) {
      const rows: unknown = manifest[field] ?? []
      if (!Array.isArray(rows) || !rows.every(isObject)) throw faulty(`expected a list of objects at "${field}"`)
      return rows
    },
  }
}

/** DER of a revocation list in PEM or DER. */
function derOf(bytes: Buffer): Buffer {
  const [, body] = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/.exec(bytes.toString('latin1')) ?? []
  return body === undefined ? bytes : Buffer.from(body, 'base64')
}

export const textIn = (row: Json, field: string): string => {
  const text = textOf(row[field])
  if (text === null) throw faulty(`expected text at "${field}"`)
  return text
}

const sentences = (code: string): { readonly en: string; readonly zh: string } => {
  if (Object.hasOwn(REASONS, code)) return REASONS[code as ReasonCode]
  return Object.hasOwn(ERRORS, code) ? ERRORS[code as ErrorCode] : { en: '', zh: '' }
}

/** One case: what is to come out, and what does. What cannot be read comes out as the code of that. */
export async function judged(
  id: string,
  about: { readonly zh: string; readonly en: string },
  expected: string,
  find: () => Promise<{ readonly reason: string; readonly detail?: string }>,
): Promise<AdmissionCase> {
  const found = await find().catch((error: unknown) => {
    if (!isExchangeError(error)) throw error
    return { reason: error.code, detail: error.reason }
  })
  return { id, ...about, expected, got: found.reason, detail: found.detail ?? '', ok: found.reason === expected }
}

const cell = (text: string): string => text.replace(/[|\r\n]+/g, ' ')

/** The report in Chinese and English. */
export function formatAdmission({ kind, name, region, at, passed, cases, found, draft }: AdmissionReport): string {
  const title =
    kind === 'ca'
      ? '电子认证机构入网检验报告 Admission of a certification authority'
      : '印章制作单位入网检验报告 Admission of a seal maker'
  const wrong = cases.filter(({ ok }) => !ok).length
  const rows = cases.map(one => {
    const { zh, en } = sentences(one.got)
    const why = one.ok ? '' : [zh, en, one.detail].filter(text => text !== '').join(' ')
    return `| ${one.ok ? '✔' : '✘'} | ${cell(one.id)} | ${cell(one.zh)} ${cell(one.en)} | ${one.expected} | ${one.got} | ${cell(why)} |`
  })
  return [
    `# ${title}`,
    '',
    `- 单位 name: ${name.zh}（${name.en}）`,
    `- 地区 region: ${region}`,
    `- 检验时点 judged as of: ${at}`,
    `- 结论 result: ${passed ? '通过 passed' : `未通过 not passed (${wrong}/${cases.length})`}`,
    '',
    '## 样例 Samples',
    '',
    '| | 样例 sample | 检查 check | 应 expected | 得 got | 说明 why |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    '## 特征 What the samples show',
    '',
    '```json',
    JSON.stringify(found, null, 2),
    '```',
    '',
    '## 信任列表条目 Row of the trust list',
    '',
    ...(draft === null
      ? ['未通过检验，不生成条目。None before every sample passes.']
      : ['```json', JSON.stringify(draft, null, 2), '```', '', '核对后以 `hutong trust publish` 发布。Check it, then publish it.']),
    '',
  ].join('\n')
}

/** Writes both forms, over files that are there only if told to. @throws REQUEST_INVALID */
export async function writeReport(report: AdmissionReport, folder: string, force: boolean): Promise<readonly string[]> {
  const files = [
    ['admission.json', `${JSON.stringify(report, null, 2)}\n`],
    ['admission.md', formatAdmission(report)],
  ] as const
  for (const [name, text] of files)
    await writeFile(join(folder, name), text, { flag: force ? 'w' : 'wx' }).catch((cause: unknown) => {
      throw new ExchangeError(
        'REQUEST_INVALID',
        `${join(folder, name)}: cannot be written, or is there already (--force writes over it)`,
        { cause },
      )
    })
  return files.map(([name]) => join(folder, name))
}
