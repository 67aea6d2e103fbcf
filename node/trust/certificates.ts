/**
 * The verification service: is this certificate good for this purpose at this time, who is its holder, and why. Everything that it goes
 * by is held here, so that it answers without hub and neighbours. A verdict is kept until something that it rests on changes: the lists,
 * the revocation lists, the authorities brought in, or a time that one of them names.
 */
import type { Kysely } from 'kysely'
import type { MaterialBytes } from '../../runtime/trust/judgement.ts'
import { regionAt } from '../../schemas/codes/regions.ts'
import { DATASETS } from '../../schemas/datasets/datasets.ts'
import { digestOf } from '../../schemas/digest.ts'
import { chineseDay } from '../../schemas/membership/territory.ts'
import { BoundedCache } from '../../schemas/trust/bounded-cache.ts'
import { type Certificate, parseCertificate } from '../../schemas/trust/certificate.ts'
import { fingerprintOf } from '../../schemas/trust/fingerprint.ts'
import type { PseudonymKey } from '../../schemas/trust/holder.ts'
import { createProven } from '../../schemas/trust/path-validation.ts'
import { REASONS } from '../../schemas/trust/reasons.ts'
import {
  type CertificateVerdict,
  type HeldMaterial,
  keyUseOf,
  nameText,
  type PurposeName,
  subjectShown,
  verifyCertificate,
} from '../../schemas/trust/verification.ts'
import type { Crls } from './crls.ts'
import type { TrustLists } from './lists.ts'
import type { TrustTables } from './tables.ts'

/** verdicts kept in the process; one is some kilobytes */
const KEPT_VERDICTS = 20_000
/** ways of asking about one certificate that are kept: purposes, and what came along with it */
const KEPT_WAYS = 8
const BUDGET_SECONDS = DATASETS.find(row => row.name === 'trust')?.freshness.budget_seconds ?? 0

export type Asking = {
  readonly der: Uint8Array
  readonly intermediates?: readonly Uint8Array[]
  /** ms since 1970 */
  readonly at: number
  readonly purpose: PurposeName
}
export type Verified = { readonly leaf: Certificate; readonly verdict: CertificateVerdict; readonly answer: VerdictAnswer }
export type VerdictAnswer = ReturnType<typeof answerOf>

export type Certificates = {
  /** @throws CERTIFICATE_MALFORMED */
  verify(asking: Asking): Verified
  /** a certificate that was verified here lately, and what came along with it */
  recent(fingerprint: string): Pick<Asking, 'der' | 'intermediates'> | null
  /** what a verdict rests on now: it changes whenever one might */
  materialVersion(): string
  held(): HeldMaterial
  /** the same for threads */
  materialBytes(anchors: readonly Uint8Array[]): MaterialBytes
  authorities(): readonly Certificate[]
  /** reads the certificates of authorities again */
  reload(): Promise<void>
}

const iso = (ms: number): string => new Date(ms).toISOString()

/** A verdict as it is answered: JSON, without a person's name or number. */
export function answerOf(leaf: Certificate, verdict: CertificateVerdict) {
  const { result, reason, detail, at, purpose, holder, ca, path, validUntil } = verdict
  const row = REASONS[reason]
  const region = ca === null ? null : regionAt(`${ca.region.slice(0, 2)}0000`, chineseDay(new Date(at)))
  return {
    result,
    reason,
    said: { en: row.en, zh: row.zh },
    clause: row.clause,
    detail,
    at: iso(at),
    purpose,
    fingerprint: leaf.fingerprint,
    subject: subjectShown(leaf, holder),
    serial: leaf.serial,
    not_before: iso(leaf.notBefore),
    not_after: iso(leaf.notAfter),
    key_use: keyUseOf(leaf),
    holder,
    ca: ca === null ? null : { ...ca, since: ca.since === null ? null : iso(ca.since) },
    province: ca === null ? null : { code: ca.region, zh: region !== null && 'region' in region ? region.region.zh : null },
    chain: path.chain.map(({ fingerprint, subject, notAfter }, index) => ({
      fingerprint,
      subject: index === 0 ? subjectShown(leaf, holder) : nameText(subject),
      not_after: iso(notAfter),
    })),
    steps: path.steps,
    revocation: path.revocation.map(one => ({ ...one, revokedAt: one.revokedAt === undefined ? undefined : iso(one.revokedAt) })),
    policies: path.policies,
    work: path.work,
    valid_until: iso(validUntil),
  }
}

export async function openCertificates(options: {
  readonly db: Kysely<TrustTables>
  readonly lists: Pick<TrustLists, 'material' | 'completeAt'>
  /** set once it is open: it needs the authorities to know whose lists to take */
  readonly crls: () => Pick<Crls, 'all' | 'version'>
  readonly nationalNeeded: () => boolean
  readonly pseudonymKey: PseudonymKey
}): Promise<Certificates> {
  const { db, lists } = options
  let authorities: readonly Certificate[] = []
  let authoritiesVersion = ''
  /** by fingerprint: the same certificate, asked in more than one way */
  const kept = new BoundedCache<readonly Kept[]>(KEPT_VERDICTS)
  const recent = new BoundedCache<Pick<Asking, 'der' | 'intermediates'>>(KEPT_VERDICTS)
  const proven = createProven()
  let held: HeldMaterial | null = null
  let heldVersion = ''
  let generation = 0

  async function reload(): Promise<void> {
    const rows = await db.selectFrom('certificate').select('der').where('kind', '=', 'ca').execute()
    authorities = rows.map(({ der }) => parseCertificate(der))
    authoritiesVersion = digestOf(
      authorities
        .map(({ fingerprint }) => fingerprint)
        .sort()
        .join(' '),
    )
  }
  await reload()

  const version = (): string => `${lists.material().version} ${options.crls().version()} ${authoritiesVersion}`
  function material(): HeldMaterial {
    const now = version()
    if (held === null || now !== heldVersion) {
      heldVersion = now
      generation += 1
      const { pseudonymKey } = options
      held = { trust: lists.material(), crls: options.crls().all(), authorities, pseudonymKey, proven }
    }
    return held
  }

  function verify({ der, intermediates = [], at, purpose }: Asking): Verified {
    const along = intermediates.length === 0 ? '' : intermediates.map(fingerprintOf).join(' ')
    const fingerprint = fingerprintOf(der)
    const now = material()
    const before = kept.get(fingerprint)
    const known = before?.find(one => one.purpose === purpose && one.generation === generation && one.along === along)
    if (known !== undefined && known.verified.verdict.at <= at && at < known.verified.verdict.validUntil)
      return askedAt(known.verified, at)
    const leaf = before?.[0]?.verified.leaf ?? parseCertificate(der)
    const verdict = verifyCertificate({ leaf, intermediates: intermediates.map(parseCertificate), at, purpose }, now)
    const verified = new Answered(leaf, verdict)
    const others = before?.filter(one => one !== known && one.generation === generation) ?? []
    kept.set(fingerprint, [...others.slice(1 - KEPT_WAYS), { verified, purpose, along, generation }])
    recent.set(fingerprint, { der: leaf.der, intermediates })
    return verified
  }

  return {
    verify,
    recent: fingerprint => recent.get(fingerprint) ?? null,
    materialVersion: version,
    held: material,
    authorities: () => authorities,
    reload,
    materialBytes: anchors => ({
      lists: lists
        .material()
        .lists.filter(({ counts }) => counts)
        .map(({ list, withdrawnAt }) => ({ token: list.token, withdrawnAt })),
      nationalNeeded: options.nationalNeeded(),
      crls: options
        .crls()
        .all()
        .map(({ der }) => der),
      authorities: authorities.map(({ der }) => der),
      anchors,
      pseudonymKey: options.pseudonymKey.key,
    }),
  }
}

/** The answer is written out when it is read, and kept. */
class Answered implements Verified {
  readonly leaf: Certificate
  readonly verdict: CertificateVerdict
  #answer: VerdictAnswer | undefined

  constructor(leaf: Certificate, verdict: CertificateVerdict) {
    this.leaf = leaf
    this.verdict = verdict
  }

  get answer(): VerdictAnswer {
    this.#answer ??= answerOf(this.leaf, this.verdict)
    return this.#answer
  }
}

/** A verdict that is kept, and how it was asked for. */
type Kept = { readonly verified: Verified; readonly purpose: PurposeName; readonly along: string; readonly generation: number }

/** The same verdict, of another moment that it covers. */
const askedAt = (known: Verified, at: number): Verified => {
  if (known.verdict.at === at) return known
  const verdict = { ...known.verdict, at }
  return {
    leaf: known.leaf,
    verdict,
    get answer() {
      return { ...known.answer, at: iso(at) }
    },
  }
}

/** The lists that a verdict rests on: which issue, and whether it is known here to be the newest. */
export function listsBehind(
  verdict: CertificateVerdict,
  lists: Pick<TrustLists, 'material' | 'completeAt' | 'isDisputed'>,
  now: number,
) {
  return lists
    .material()
    .lists.filter(({ list }) => verdict.ca !== null && (list.id === verdict.ca.list || list.id === 'CN'))
    .map(({ list }) => {
      const at = lists.completeAt(list)
      const stale = at !== null && now - at > BUDGET_SECONDS * 1000
      return {
        id: list.id,
        operator: list.operator,
        sequence: list.sequence,
        digest: list.digest,
        next_update: iso(list.nextUpdate),
        complete_at: at === null ? null : iso(at),
        fresh: !stale,
        disputed: lists.isDisputed(list),
      }
    })
}
