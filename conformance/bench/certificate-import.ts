/**
 * `bench certificates`, the second half: bringing in the certificates of a province, and where the time goes. Each part is run by itself
 * over the same files: reading them, parsing, judging in threads, writing the rows with their verdicts known; then all of it together as
 * the importer does it, and once more, as after a break. The limit is the bare signature check on as many threads.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import { type ImportRow, type ImportSum, importCertificates } from '../../node/trust/import.ts'
import type { TrustTables } from '../../node/trust/tables.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Judgement } from '../../runtime/trust/judgement.ts'
import { POOL_THREADS, startPool, type VerificationPool } from '../../runtime/trust/pool.ts'
import { parseCertificate } from '../../schemas/trust/certificate.ts'
import { type AlgorithmName, AT, bareCheck, makeAuthority, makeHolders, PSEUDONYM_KEY, sealList } from './certificate-ground.ts'
import { type Figure, figure } from './figures.ts'

/** The old certificates that Guizhou's authentication service took over. */
export const IMPORTED = 61_218
const MIX: readonly AlgorithmName[] = ['SM2', 'ECDSA P-256']
const BATCH = 256
const FILES_IN_A_FOLDER = 1000

type Tables = LedgerTables & TrustTables

async function* rowsOf(paths: readonly string[]): AsyncGenerator<ImportRow> {
  for (const path of paths) yield { place: path, line: 1, bytes: await readFile(path) }
}

/** Seconds that it took. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const since = performance.now()
  await work()
  return (performance.now() - since) / 1000
}

async function judgeAll(pool: VerificationPool, ders: readonly Buffer[]): Promise<Judgement[]> {
  const batches: Promise<readonly Judgement[]>[] = []
  for (let at = 0; at < ders.length; at += BATCH) batches.push(pool.judge(ders.slice(at, at + BATCH), AT))
  return (await Promise.all(batches)).flat()
}

export async function benchCertificateImport(options: {
  readonly db: Kysely<Tables>
  readonly count: number
  readonly progress: (text: string) => void
  readonly signal: AbortSignal
}): Promise<Figure[]> {
  const { db, count, progress, signal } = options
  await using undo = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'hutong-bench-certificates-'))
  undo.defer(() => rm(folder, { recursive: true }))
  const authorities = MIX.map(makeAuthority)
  const rates: number[] = []
  const paths: string[] = []
  for (const [index, algorithm] of MIX.entries()) {
    const authority = authorities[index] ?? makeAuthority(algorithm)
    const share = Math.ceil((count - index) / MIX.length)
    const made = [...makeHolders(algorithm, authority, share, index * count)]
    for (const [number, der] of made.entries()) {
      const place = join(folder, `${index}-${Math.floor(number / FILES_IN_A_FOLDER)}`)
      if (number % FILES_IN_A_FOLDER === 0) await mkdir(place)
      paths.push(join(place, `${number}.cer`))
      await writeFile(paths.at(-1) ?? '', der)
    }
    const check = bareCheck(algorithm, authority, made.slice(0, 500))
    const since = performance.now()
    for (let turn = 0; turn < 500; turn += 1) check(turn)
    rates.push((500 / (performance.now() - since)) * 1000)
    progress(`${made.length} certificates of ${algorithm} lie in files`)
  }
  const token = await sealList(authorities)
  const material = {
    lists: [{ token, withdrawnAt: null }],
    nationalNeeded: false,
    crls: [],
    authorities: [],
    anchors: [],
    pseudonymKey: PSEUDONYM_KEY,
  }
  /** Threads that have seen nothing yet: what they know of signatures may not help the next part. */
  const withPool = async <T>(work: (pool: VerificationPool) => Promise<T>): Promise<T> => {
    await using pool = startPool(material)
    await pool.judge([], AT)
    return await work(pool)
  }

  let ders: Buffer[] = []
  const reading = await timed(async () => {
    ders = await Array.fromAsync(rowsOf(paths), ({ bytes }) => Buffer.from(bytes))
  })
  const parsing = await timed(async () => {
    for (const der of ders) parseCertificate(der)
  })
  let judged: Judgement[] = []
  const judging = await withPool(pool =>
    timed(async () => {
      judged = await judgeAll(pool, ders)
    }),
  )
  progress(
    `reading ${reading.toFixed(1)} s, parsing ${parsing.toFixed(1)} s, judging ${judging.toFixed(1)} s in ${POOL_THREADS} threads`,
  )

  const run = async (judge: VerificationPool['judge'], version: string): Promise<ImportSum> => {
    const importing = importCertificates(rowsOf(paths), {
      db,
      own: '530000',
      pool: { threads: POOL_THREADS, judge },
      crls: { take: () => Promise.reject(new Error('expected no revocation list')) },
      material: version,
      saidOf: () => null,
      now: new Date(AT),
      signal,
    })
    for (;;) {
      const next = await importing.next()
      if (next.done === true) return next.value
    }
  }
  const empty = (): Promise<unknown> => sql`TRUNCATE certificate`.execute(db)
  const known = new Map(ders.map((der, index) => [der.toString('latin1'), judged[index]]))
  const storing = await timed(() =>
    run(async batch => batch.flatMap(der => known.get(Buffer.from(der).toString('latin1')) ?? []), 'stored'),
  )
  progress(`storing, with reading, ${storing.toFixed(1)} s`)
  await empty()
  let sum: ImportSum | null = null
  const whole = await withPool(pool =>
    timed(async () => {
      sum = await run(pool.judge, 'whole')
    }),
  )
  const { imported, good } = (sum ?? {}) as Partial<ImportSum>
  if (imported !== count || good !== count) throw new Error(`expected ${count} good certificates, got ${good} of ${imported}`)
  const again = await timed(() => run(() => Promise.reject(new Error('expected nothing to judge again')), 'whole'))
  await empty()
  progress(`together ${whole.toFixed(1)} s, once more ${again.toFixed(1)} s`)
  const bare = rates.reduce((seconds, rate) => seconds + count / MIX.length / rate, 0) / POOL_THREADS
  const seconds = (value: number): string => `${value.toFixed(2)} s`
  return [
    figure(
      'certificates import',
      'certificates/s',
      [count / whole],
      { name: `bare signature checks on ${POOL_THREADS} threads`, values: [count / bare] },
      [
        `${count} certificates, ${MIX.join(' and ')} by halves, a file each`,
        `reading ${seconds(reading)}`,
        `parsing, one thread ${seconds(parsing)}`,
        `judging, ${POOL_THREADS} threads ${seconds(judging)}`,
        `storing, reading included ${seconds(storing)}`,
        `together ${seconds(whole)}`,
        `once more, nothing new ${seconds(again)}`,
      ],
    ),
  ]
}
