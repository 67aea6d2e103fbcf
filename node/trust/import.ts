/**
 * Brings in certificates that exist: the authorities of a folder, the sixty to a hundred and thirty thousand holders of a province. Rows
 * are read one by one, judged in threads, and written in batches, each a transaction; every row gets a verdict of its own, and one that
 * cannot be read goes into quarantine while the rest goes on. A row that stands already, judged by the same lists, is `unchanged`: who
 * was broken off begins again from the front, and nothing is doubled.
 */
import { type Kysely, sql } from 'kysely'
import { type Quarantined, quarantine } from '../../runtime/ledger/quarantine.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { JudgedCertificate, Judgement } from '../../runtime/trust/judgement.ts'
import type { VerificationPool } from '../../runtime/trust/pool.ts'
import { ERRORS, type ErrorCode, ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { certificatesOf, isCrlFile } from '../../schemas/trust/certificate-files.ts'
import { fingerprintOf } from '../../schemas/trust/fingerprint.ts'
import type { Crls } from './crls.ts'
import type { CertificateRow, TrustTables } from './tables.ts'

export const IMPORT_LIMITS = { batch: 256, rowBytes: 4 * 1024 * 1024, anchors: 16 } as const

export type ImportRow = {
  /** where it came from, for people: a file name */
  readonly place: string
  readonly line: number
  readonly bytes: Uint8Array
}
export type RowVerdict = {
  readonly place: string
  readonly line: number
  /** `imported`, `unchanged`, `repeated` in the same work, `crl`, or `quarantined` */
  readonly outcome: 'imported' | 'unchanged' | 'repeated' | 'crl' | 'quarantined'
  readonly fingerprint: string | null
  readonly kind: 'ca' | 'end' | null
  readonly subject: string | null
  readonly result: 'good' | 'bad' | 'unchecked' | null
  readonly reason: string
  readonly said: { readonly en: string; readonly zh: string } | null
}
export type ImportSum = {
  rows: number
  certificates: number
  imported: number
  unchanged: number
  repeated: number
  crls: number
  quarantined: number
  good: number
  bad: number
  unchecked: number
}

type Tables = LedgerTables & TrustTables
type One = { readonly row: ImportRow; readonly der: Uint8Array; readonly fingerprint: string }

export async function* importCertificates(
  rows: AsyncIterable<ImportRow>,
  options: {
    readonly db: Kysely<Tables>
    readonly own: string
    readonly pool: Pick<VerificationPool, 'judge' | 'threads'>
    readonly crls: Pick<Crls, 'take'>
    /** what verdicts rest on; those of another one are made again */
    readonly material: string
    readonly saidOf: (reason: string) => { readonly en: string; readonly zh: string } | null
    readonly now: Date
    readonly signal: AbortSignal
  },
): AsyncGenerator<RowVerdict, ImportSum, undefined> {
  const sum: ImportSum = {
    rows: 0,
    certificates: 0,
    imported: 0,
    unchanged: 0,
    repeated: 0,
    crls: 0,
    quarantined: 0,
    good: 0,
    bad: 0,
    unchecked: 0,
  }
  const seen = new Set<string>()
  const running: Promise<RowVerdict[]>[] = []
  let batch: One[] = []

  async function aside(row: ImportRow, error: ExchangeError): Promise<RowVerdict> {
    sum.quarantined += 1
    await quarantine(options.db.$pickTables<keyof LedgerTables>(), [quarantinedRow(options.own, row, error)])
    return verdictOf(row, 'quarantined', null, error.code, options.saidOf)
  }

  async function judge(work: readonly One[]): Promise<RowVerdict[]> {
    const standing = await readStanding(options.db, work)
    const fresh = work.filter(({ fingerprint }) => standing.get(fingerprint)?.material !== options.material)
    const judged = new Map<string, Judgement>()
    if (fresh.length > 0) {
      const answers = await options.pool.judge(
        fresh.map(({ der }) => der),
        options.now.getTime(),
      )
      for (const [index, answer] of answers.entries()) judged.set(fresh[index]?.fingerprint ?? '', answer)
    }
    const good = fresh.flatMap(one => {
      const answer = judged.get(one.fingerprint)
      return answer?.ok === true ? [{ one, certificate: answer.certificate }] : []
    })
    await write(options.db, good, options.material, options.now)
    const verdicts: RowVerdict[] = []
    for (const { row, fingerprint } of work) {
      const answer = judged.get(fingerprint)
      if (answer?.ok === false) verdicts.push(await aside(row, new ExchangeError('CERTIFICATE_MALFORMED', answer.reason)))
      else {
        const before = standing.get(fingerprint)
        const certificate = answer?.certificate ?? before
        if (certificate === undefined) throw new ExchangeError('INTERNAL', 'a certificate was judged and has no verdict')
        const outcome = before === undefined ? 'imported' : 'unchanged'
        sum[outcome] += 1
        sum.certificates += 1
        sum[certificate.result as 'good' | 'bad' | 'unchecked'] += 1
        verdicts.push(verdictOf(row, outcome, { fingerprint, ...certificate }, certificate.reason, options.saidOf))
      }
    }
    return verdicts
  }

  async function* settled(most: number): AsyncGenerator<RowVerdict> {
    while (running.length > most) yield* (await running.shift()) ?? []
  }
  const start = (): void => {
    const work = judge(batch)
    // Its failure is met where it is waited for, behind those that began before it.
    work.catch(() => {})
    running.push(work)
    batch = []
  }

  for await (const row of rows) {
    options.signal.throwIfAborted()
    sum.rows += 1
    try {
      if (isCrlFile(row.bytes)) {
        await options.crls.take({ source: '', service: null, bytes: row.bytes, etag: null, lastModified: null, now: options.now })
        sum.crls += 1
        yield verdictOf(row, 'crl', null, 'GOOD', () => null)
        continue
      }
      for (const der of certificatesOf(row.bytes)) {
        const fingerprint = fingerprintOf(der)
        if (seen.has(fingerprint)) {
          sum.repeated += 1
          yield verdictOf(row, 'repeated', null, 'GOOD', () => null, fingerprint)
        } else {
          seen.add(fingerprint)
          batch.push({ row, der, fingerprint })
        }
      }
    } catch (error) {
      if (!isExchangeError(error)) throw error
      yield await aside(row, error)
    }
    if (batch.length >= IMPORT_LIMITS.batch) {
      start()
      yield* settled(options.pool.threads)
    }
  }
  if (batch.length > 0) start()
  yield* settled(0)
  return sum
}

const quarantinedRow = (own: string, row: ImportRow, error: ExchangeError): Quarantined => ({
  kind: 'row',
  origin: own,
  dataset: null,
  key: null,
  place: row.place.slice(0, 255),
  line: row.line,
  rule: 'certificate',
  code: error.code,
  reason: error.reason,
  reasonZh: ERRORS[error.code as ErrorCode].zh,
  content: row.bytes,
})

function verdictOf(
  row: ImportRow,
  outcome: RowVerdict['outcome'],
  certificate: Pick<JudgedCertificate, 'fingerprint' | 'kind' | 'subject' | 'result'> | null,
  reason: string,
  saidOf: (reason: string) => { readonly en: string; readonly zh: string } | null,
  fingerprint: string | null = null,
): RowVerdict {
  return {
    place: row.place,
    line: row.line,
    outcome,
    fingerprint: certificate?.fingerprint ?? fingerprint,
    kind: certificate?.kind ?? null,
    subject: certificate?.subject ?? null,
    result: certificate?.result ?? null,
    reason,
    said: saidOf(reason),
  }
}

type Standing = {
  readonly kind: 'ca' | 'end'
  readonly subject: string | null
  readonly result: 'good' | 'bad' | 'unchecked'
  readonly reason: string
  readonly material: string
}

async function readStanding(db: Kysely<Tables>, work: readonly One[]): Promise<Map<string, Standing>> {
  const rows = await db
    .selectFrom('certificate')
    .select(['fingerprint', 'kind', 'subject', 'result', 'reason', 'material'])
    .where('fingerprint', '=', sql<string>`ANY(${work.map(({ fingerprint }) => fingerprint)}::text[])`)
    .execute()
  return new Map(rows.map(({ fingerprint, result, ...row }) => [fingerprint, { ...row, result: result as Standing['result'] }]))
}

/** One statement for the batch: a row that stands gets its new verdict and keeps when it came. */
async function write(
  db: Kysely<Tables>,
  judged: readonly { readonly one: One; readonly certificate: JudgedCertificate }[],
  material: string,
  now: Date,
): Promise<void> {
  if (judged.length === 0) return
  const rows = judged.map(({ one, certificate }) => ({
    fingerprint: certificate.fingerprint,
    der: Buffer.from(one.der),
    kind: certificate.kind,
    subject: certificate.subject,
    issuer: certificate.issuer,
    serial: certificate.serial,
    not_before: new Date(certificate.notBefore),
    not_after: new Date(certificate.notAfter),
    key_use: certificate.keyUse,
    holder_kind: certificate.holderKind,
    holder: certificate.holder,
    ca: certificate.ca,
    region: certificate.region,
    result: certificate.result,
    reason: certificate.reason,
    material,
    verified_at: now,
    place: one.row.place.slice(0, 255),
  }))
  const again = [
    'result',
    'reason',
    'material',
    'verified_at',
    'ca',
    'region',
    'holder',
    'holder_kind',
  ] as const satisfies readonly (keyof CertificateRow)[]
  await db
    .insertInto('certificate')
    .values(rows)
    .onConflict(conflict =>
      conflict
        .column('fingerprint')
        .doUpdateSet(({ ref }) => Object.fromEntries(again.map(name => [name, ref(`excluded.${name}`)]))),
    )
    .execute()
}
