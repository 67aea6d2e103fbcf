/**
 * `bench certificates`, the first half: how many certificates a second one core answers for. Cold: bytes never seen before, parsed,
 * a path found and validated to the root, holder and authority named, everything in it that a node does, the authorities' own certificates
 * and keys being known. Warm: the same certificates asked again. Beside both the bare signature check by the same library, in the same
 * run, taken in turns; and what `openssl speed` says of the same machine.
 */
import { spawnSync } from 'node:child_process'
import type { Kysely } from 'kysely'
import { type Asking, openCertificates } from '../../node/trust/certificates.ts'
import type { TrustTables } from '../../node/trust/tables.ts'
import { parseCertificate } from '../../schemas/trust/certificate.ts'
import { createProven, validatePath } from '../../schemas/trust/path-validation.ts'
import { parseTrustList } from '../../schemas/trust/trust-list.ts'
import { createTrustMaterial } from '../../schemas/trust/trust-material.ts'
import {
  ALGORITHMS,
  type AlgorithmName,
  AT,
  type Authority,
  bareCheck,
  makeAuthority,
  makeHolders,
  PSEUDONYM_KEY,
  sealList,
} from './certificate-ground.ts'
import { type Figure, figure } from './figures.ts'

/** Turns a second of this thread's own processor time, which other programs on the machine do not disturb. */
function rateOf(turns: number, work: (index: number) => boolean): number {
  const since = process.threadCpuUsage()
  for (let index = 0; index < turns; index += 1) if (!work(index)) throw new Error(`expected turn ${index} to be good`)
  const { user, system } = process.threadCpuUsage(since)
  return (turns / (user + system)) * 1_000_000
}

/** Verifications a second of one core by `openssl speed`, or null without the command. */
function opensslSpeed(name: string): number | null {
  const { status, stdout } = spawnSync('openssl', ['speed', '-seconds', '1', name], { encoding: 'utf8' })
  const last = status === 0 ? /([0-9.]+)\s*$/.exec(stdout.trim())?.[1] : undefined
  return last === undefined ? null : Number(last)
}

/** The node's own service over a list that names the authority. */
async function serviceOf(db: Kysely<TrustTables>, authority: Authority): Promise<(asking: Asking) => boolean> {
  const material = createTrustMaterial([{ list: parseTrustList(await sealList([authority])), withdrawnAt: null }], false)
  const certificates = await openCertificates({
    db,
    lists: { material: () => material, completeAt: () => AT },
    crls: () => ({ all: () => [], version: () => '' }),
    nationalNeeded: () => false,
    pseudonymKey: { key: PSEUDONYM_KEY },
  })
  return asking => certificates.verify(asking).verdict.result === 'good'
}

type Rates = { readonly bare: number[]; readonly path: number[]; readonly cold: number[]; readonly warm: number[] }

async function measure(
  db: Kysely<TrustTables>,
  algorithm: AlgorithmName,
  { pairs, turns, progress }: { readonly pairs: number; readonly turns: number; readonly progress: (text: string) => void },
): Promise<Rates> {
  const authority = makeAuthority(algorithm)
  const holders = [...makeHolders(algorithm, authority, turns * (pairs + 1) * 2)]
  const bare = bareCheck(algorithm, authority, holders)
  const verify = await serviceOf(db, authority)
  const proven = createProven()
  const [root, ca] = [parseCertificate(authority.root.der), parseCertificate(authority.ca.der)]
  const question = { intermediates: [ca], anchors: [root], crls: [], at: AT, revocation: 'ignored', proven } as const
  const path = (der: Buffer): boolean => validatePath({ ...question, leaf: parseCertificate(der) }).result === 'good'
  const answer = (der: Buffer): boolean => verify({ der, at: AT, purpose: 'sign' })
  progress(`${algorithm}: ${holders.length} certificates made`)
  const rates: Rates = { bare: [], path: [], cold: [], warm: [] }
  for (let pair = 0; pair <= pairs; pair += 1) {
    // A round of its own that nobody has seen; the first one warms the engine up and does not count.
    const fresh = (index: number, half: number): Buffer => holders[(pair * 2 + half) * turns + index] ?? Buffer.of()
    const measured = {
      bare: rateOf(turns, index => bare(index + pair * turns)),
      path: rateOf(turns, index => path(fresh(index, 0))),
      cold: rateOf(turns, index => answer(fresh(index, 1))),
      warm: rateOf(turns * 10, index => answer(fresh(index % turns, 1))),
    }
    if (pair === 0) continue
    for (const name of ['bare', 'path', 'cold', 'warm'] as const) rates[name].push(measured[name])
    progress(
      `${algorithm}: pair ${pair} of ${pairs}: bare ${Math.round(measured.bare)}/s, path ${Math.round(measured.path)}, cold ${Math.round(measured.cold)}, warm ${Math.round(measured.warm)}`,
    )
  }
  return rates
}

export async function benchCertificateSpeed(options: {
  readonly db: Kysely<TrustTables>
  readonly pairs: number
  readonly quick: boolean
  readonly progress: (text: string) => void
}): Promise<Figure[]> {
  const { db, pairs, quick, progress } = options
  const figures: Figure[] = []
  for (const algorithm of Object.keys(ALGORITHMS) as AlgorithmName[]) {
    const turns = quick ? 200 : algorithm === 'SM2' ? 700 : 2500
    const { bare, path, cold, warm } = await measure(db, algorithm, { pairs, turns, progress })
    const speed = opensslSpeed(ALGORITHMS[algorithm].openssl)
    const limit = { name: `bare ${algorithm} check by the same library, its key ready`, values: bare }
    const beside = [
      speed === null
        ? 'openssl is not here'
        : `openssl speed ${ALGORITHMS[algorithm].openssl}: ${Math.round(speed)} verifications/s`,
      `processor time of one thread, ${turns} certificates a pair, none seen before`,
    ]
    figures.push(
      figure(`certificates cold, ${algorithm}`, 'verifications/s', cold, limit, beside),
      figure(`certificates cold, path validation alone, ${algorithm}`, 'verifications/s', path, limit, beside),
      figure(`certificates warm, ${algorithm}`, 'verifications/s', warm, limit, beside),
    )
  }
  return figures
}
