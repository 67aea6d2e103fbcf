/** Trust, composed: the lists that this node goes by, the list that it operates, revocation lists, and verdicts on certificates. */
import type { Kysely } from 'kysely'
import type { Pseudonyms } from '../../runtime/audit/pseudonyms.ts'
import type { HealthCheck } from '../../runtime/http/health.ts'
import { troubleCheck } from '../../runtime/http/health.ts'
import type { HeadListener } from '../../runtime/ledger/heads.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Membership } from '../../schemas/membership.ts'
import type { Signer } from '../../schemas/tokens.ts'
import { needsNationalList } from '../../schemas/trust/trust-material.ts'
import type { NodeEvents } from '../events.ts'
import type { Sealer } from '../ledger/sealer.ts'
import type { FreshnessKeeper } from '../replica/freshness.ts'
import { type Certificates, openCertificates } from './certificates.ts'
import { type CrlFetcher, startCrlFetcher } from './crl-fetcher.ts'
import { type Crls, openCrls } from './crls.ts'
import { createEvidenceMaker, type EvidenceMaker } from './evidence.ts'
import { createListOperator, type ListOperator } from './list-operator.ts'
import { openTrustLists, type TrustLists } from './lists.ts'
import type { TrustTables } from './tables.ts'

export type TrustRoom = AsyncDisposable & {
  readonly lists: TrustLists
  readonly operator: ListOperator
  readonly crls: Crls
  readonly fetcher: CrlFetcher
  readonly certificates: Certificates
  readonly evidence: EvidenceMaker
  /** whether certificates are verified here for others */
  readonly serves: boolean
  readonly checks: readonly HealthCheck[]
}

export async function openTrustRoom(options: {
  readonly db: Kysely<LedgerTables & TrustTables>
  readonly own: string
  readonly serves: boolean
  readonly crlLoopback: boolean
  readonly membership: () => Membership
  readonly membershipTokens: () => readonly string[]
  readonly heads: () => HeadListener
  readonly signer: () => Signer
  readonly sealer: Pick<Sealer, 'submit'>
  readonly freshness: Pick<FreshnessKeeper, 'completeAt'>
  readonly pseudonyms: Pseudonyms
  readonly events: NodeEvents
  readonly clock: () => Date
}): Promise<TrustRoom> {
  const { db, own, membership, signer, sealer, events, clock } = options
  await using undo = new AsyncDisposableStack()
  const failed = (error: unknown): void => events.failed(own, error)
  const lists = undo.use(await openTrustLists({ db, own, membership, freshness: options.freshness, events, clock, failed }))
  const tables = db.$pickTables<keyof TrustTables>()
  let crls: Crls | null = null
  const certificates = await openCertificates({
    db: tables,
    lists,
    crls: () => crls ?? { all: () => [], version: () => '' },
    nationalNeeded: () => needsNationalList(membership()),
    // Of the program's own secret, so that the pseudonyms of two members never meet.
    pseudonymKey: { key: Buffer.from(options.pseudonyms.key('certificate', 'holders')) },
  })
  crls = await openCrls({ db: tables, material: lists.material, authorities: certificates.authorities })
  const fetcher = undo.use(
    startCrlFetcher({
      material: lists.material,
      crls,
      loopback: options.crlLoopback,
      clock,
      fetched: events.crlFetched,
      failed: events.crlMissed,
      roundFailed: failed,
    }),
  )
  const operator = createListOperator({ own, membership, signer, sealer, lists, clock })
  const evidence = createEvidenceMaker({
    db: db.$pickTables<keyof LedgerTables>(),
    own,
    membership,
    membershipTokens: options.membershipTokens,
    signer,
    heads: options.heads,
    lists,
    crls,
    clock,
  })
  const checks = options.serves
    ? [
        troubleCheck(
          'trust',
          '有可用的信任列表',
          'publish the list of this member (hutong trust publish), or see why the lists of others do not count (hutong trust status)',
          lists.trouble,
        ),
      ]
    : []
  const held = undo.move()
  return {
    lists,
    operator,
    crls,
    fetcher,
    certificates,
    evidence,
    serves: options.serves,
    checks,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
