/**
 * The revocation lists held: the newest of each address, full or delta, parsed once and kept in the database as they came. A list is
 * taken only if a known authority signed it, so that whoever sits between cannot push a good one out, and only if it is not older than
 * the one that stands there. What its age means is decided where a certificate is judged.
 */
import type { Kysely } from 'kysely'
import { digestOf } from '../../schemas/digest.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import type { Certificate } from '../../schemas/trust/certificate.ts'
import { type Crl, parseCrl } from '../../schemas/trust/crl.ts'
import { verifySignature } from '../../schemas/trust/signature-algorithms.ts'
import { DEFAULT_PROFILE } from '../../schemas/trust/trust-list.ts'
import type { TrustMaterial } from '../../schemas/trust/trust-material.ts'
import type { TrustTables } from './tables.ts'

export type CrlState = {
  readonly triedAt: number | null
  readonly failures: number
  readonly nextUpdate: number | null
  readonly etag: string | null
  readonly lastModified: string | null
}
export type CrlReport = {
  readonly source: string
  readonly issuer: string | null
  readonly number: string | null
  readonly delta: boolean
  readonly this_update: Date | null
  readonly next_update: Date | null
  readonly fetched_at: Date | null
  readonly failures: number
  readonly problem: string | null
}
type Arrival = {
  readonly source: string
  /** fingerprint of the service that names the address */
  readonly service: string | null
  readonly bytes: Uint8Array
  readonly etag: string | null
  readonly lastModified: string | null
  readonly now: Date
}

export type Crls = {
  all(): readonly Crl[]
  /** of what is held: it changes with every list */
  version(): string
  stateOf(source: string): CrlState
  /** @throws CRL_MALFORMED, CRL_SIGNER_UNKNOWN, CRL_OLDER */
  take(arrival: Arrival): Promise<Crl>
  /** it was asked for and has not changed */
  confirm(source: string, now: Date): Promise<void>
  /** it could not be had; what is held stays */
  miss(source: string, service: string, error: unknown, now: Date): Promise<void>
  report(): Promise<CrlReport[]>
}

const NOTHING: CrlState = { triedAt: null, failures: 0, nextUpdate: null, etag: null, lastModified: null }

/** PEM as many CAs serve it, or DER. */
export function crlBytes(bytes: Uint8Array): Uint8Array {
  if (bytes[0] === 0x30) return bytes
  const [, body] =
    /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]*)-----END X509 CRL-----/.exec(Buffer.from(bytes).toString('latin1')) ?? []
  return body === undefined ? bytes : Buffer.from(body, 'base64')
}

/** The name under which a list stands that was brought in by hand: one full and one delta for each issuer and scope. */
const importedSource = (crl: Crl): string =>
  `import:${digestOf(`${crl.issuer.canonical} ${crl.baseNumber === undefined ? '' : 'delta'}`)}`

/** RFC 5280 §5.2.3: numbers only grow; without one the time decides. */
const isOlder = (next: Crl, held: Crl): boolean => {
  if (next.issuer.canonical !== held.issuer.canonical) return false
  if (next.number !== undefined && held.number !== undefined && next.number !== held.number) return next.number < held.number
  return next.thisUpdate < held.thisUpdate
}

export async function openCrls(options: {
  readonly db: Kysely<TrustTables>
  readonly material: () => TrustMaterial
  /** certificates of authorities that are held besides those of the lists */
  readonly authorities: () => readonly Certificate[]
}): Promise<Crls> {
  const { db } = options
  const held = new Map<string, Crl>()
  const states = new Map<string, CrlState>()
  let all: readonly Crl[] = []
  let version = ''
  for (const row of await db.selectFrom('crl').selectAll().execute()) {
    const { source, der } = row
    if (der !== null) held.set(source, parseCrl(der))
    states.set(source, {
      triedAt: row.tried_at?.getTime() ?? null,
      failures: row.failures,
      nextUpdate: row.next_update?.getTime() ?? null,
      etag: row.etag,
      lastModified: row.last_modified,
    })
  }
  remake()

  function remake(): void {
    all = [...held.values()]
    version = digestOf(
      all
        .map(({ fingerprint }) => fingerprint)
        .sort()
        .join('\n'),
    )
  }

  /** Of the listed service that names the address, else of anybody known by that name. @throws CRL_SIGNER_UNKNOWN */
  function checkSigner(crl: Crl): void {
    const services = options.material().bySubject.get(crl.issuer.canonical) ?? []
    const known = options.authorities().filter(({ subject }) => subject.canonical === crl.issuer.canonical)
    const signers = [
      ...services.map(({ certificate, service }) => ({ certificate, sm2Id: service.profile.signerId })),
      ...known.map(certificate => ({ certificate, sm2Id: DEFAULT_PROFILE.signerId })),
    ]
    const good = signers.some(
      ({ certificate, sm2Id }) =>
        verifySignature({
          algorithm: crl.signature.algorithm,
          key: certificate.key,
          message: crl.tbs,
          signature: crl.signature.bytes,
          sm2Id,
        }) === 'good',
    )
    if (!good)
      throw new ExchangeError(
        'CRL_SIGNER_UNKNOWN',
        `expected the signature of an authority that is known here, of ${signers.length} of that name`,
      )
  }

  async function write(
    source: string,
    state: CrlState,
    crl: Crl | null,
    arrival: Partial<Arrival>,
    problem: string | null,
  ): Promise<void> {
    const tried = state.triedAt === null ? null : new Date(state.triedAt)
    const common = { tried_at: tried, failures: state.failures, problem, etag: state.etag, last_modified: state.lastModified }
    const content =
      crl === null
        ? {}
        : {
            der: Buffer.from(crl.der),
            number: crl.number?.toString() ?? null,
            delta: crl.baseNumber !== undefined,
            this_update: new Date(crl.thisUpdate),
            next_update: crl.nextUpdate === undefined ? null : new Date(crl.nextUpdate),
            fetched_at: arrival.now ?? tried,
          }
    const service = arrival.service ?? null
    await db
      .insertInto('crl')
      .values({
        source,
        service,
        der: null,
        number: null,
        this_update: null,
        next_update: null,
        fetched_at: null,
        ...common,
        ...content,
      })
      .onConflict(conflict => conflict.column('source').doUpdateSet({ ...common, ...content }))
      .execute()
    states.set(source, state)
  }

  return {
    all: () => all,
    version: () => version,
    stateOf: source => states.get(source) ?? NOTHING,
    async take(arrival) {
      const crl = parseCrl(crlBytes(arrival.bytes))
      const source = arrival.source === '' ? importedSource(crl) : arrival.source
      const before = held.get(source)
      if (before !== undefined && isOlder(crl, before))
        throw new ExchangeError('CRL_OLDER', 'expected a revocation list that is not older than the one held from there')
      checkSigner(crl)
      const state: CrlState = {
        triedAt: arrival.now.getTime(),
        failures: 0,
        nextUpdate: crl.nextUpdate ?? null,
        etag: arrival.etag,
        lastModified: arrival.lastModified,
      }
      await write(source, state, crl, arrival, null)
      held.set(source, crl)
      remake()
      return crl
    },
    async confirm(source, now) {
      const before = states.get(source) ?? NOTHING
      await write(source, { ...before, triedAt: now.getTime(), failures: 0 }, null, {}, null)
    },
    async miss(source, service, error, now) {
      const before = states.get(source) ?? NOTHING
      const problem = isExchangeError(error) ? `${error.code}: ${error.reason}` : 'INTERNAL'
      await write(source, { ...before, triedAt: now.getTime(), failures: before.failures + 1 }, null, { service }, problem)
    },
    async report() {
      const rows = await db
        .selectFrom('crl')
        .select(['source', 'number', 'delta', 'this_update', 'next_update', 'fetched_at', 'failures', 'problem'])
        .orderBy('source')
        .execute()
      return rows.map(row => ({ ...row, issuer: held.get(row.source)?.issuer.canonical ?? null }))
    },
  }
}
