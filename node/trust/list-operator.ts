/**
 * This member as the operator of a list: what an officer writes of the authorities becomes the next issue, signed by the member's key
 * and sealed as a record of `trust`. The issue keeps what the last one said, and nothing is sealed that another holder would refuse.
 */

import { ExchangeError } from '../../schemas/errors.ts'
import type { TrustListClaims } from '../../schemas/generated/trust-list.ts'
import { type Membership, memberOf } from '../../schemas/membership.ts'
import type { Candidate } from '../../schemas/record.ts'
import { parseToken, type Signer } from '../../schemas/tokens.ts'
import type { WireEntity, WirePointer } from '../../schemas/trust/trust-list.ts'
import {
  carryHistory,
  LIST_TYPES,
  LOTE_VERSION,
  NATIONAL_LIST,
  parseTrustList,
  sealTrustList,
  wireText,
} from '../../schemas/trust/trust-list.ts'
import { judgeTrustList } from '../../schemas/trust/trust-list-checks.ts'
import type { Sealer } from '../ledger/sealer.ts'
import type { TrustLists } from './lists.ts'

const DAY_MS = 86_400_000
export const ISSUE_DAYS = { default: 30, most: 366 } as const

/** What an officer gives: the authorities, or for the national list the lists that it names. */
export type ListContent = {
  readonly TrustedEntitiesList: readonly WireEntity[]
  readonly PointersToOtherLoTE?: readonly WirePointer[]
  readonly days?: number
}
export type PublishedIssue = {
  readonly id: string
  readonly sequence: number
  readonly digest: string
  readonly ver: number
  readonly token: string
}

export type ListOperator = {
  /**
   * The next issue of this member's list.
   * @throws TRUST_LIST_STRUCTURE_INVALID, TRUST_LIST_HISTORY_LOST, TRUST_LIST_OPERATOR_FOREIGN, TERRITORY_FOREIGN, DATASET_NOT_ALLOWED
   */
  publish(content: ListContent): Promise<PublishedIssue>
}

export function createListOperator(options: {
  readonly own: string
  readonly membership: () => Membership
  readonly signer: () => Signer
  readonly sealer: Pick<Sealer, 'submit'>
  readonly lists: Pick<TrustLists, 'held' | 'refresh'>
  readonly clock: () => Date
}): ListOperator {
  const { own, membership, lists } = options
  let before: Promise<unknown> = Promise.resolve()

  async function publish({
    TrustedEntitiesList,
    PointersToOtherLoTE,
    days = ISSUE_DAYS.default,
  }: ListContent): Promise<PublishedIssue> {
    const { fed, position } = membership()
    const member = memberOf(membership(), own)
    if (!member.writes.includes('trust'))
      throw new ExchangeError('DATASET_NOT_ALLOWED', `expected a member that the membership log lets write trust, ${own} may not`)
    await lists.refresh()
    const id = member.kind === 'national' ? NATIONAL_LIST : own
    const last = lists.held().find(one => one.origin === own && one.list.id === id) ?? null
    const lastEntities =
      last === null ? [] : (parseToken(last.list.token, 'trust-list').claims as TrustListClaims).LoTE.TrustedEntitiesList
    const now = options.clock()
    const claims: TrustListClaims = {
      fed,
      iss: own,
      lst: id,
      mem: position,
      iat: Math.floor(now.getTime() / 1000),
      LoTE: {
        ListAndSchemeInformation: {
          LoTEVersionIdentifier: LOTE_VERSION,
          LoTESequenceNumber: (last?.list.sequence ?? 0) + 1,
          LoTEType: member.kind === 'national' ? LIST_TYPES['list-of-lists'] : LIST_TYPES.list,
          SchemeOperatorName: wireText(member),
          SchemeTerritory: id === NATIONAL_LIST ? NATIONAL_LIST : own,
          HistoricalInformationPeriod: 65_535,
          ListIssueDateTime: now.toISOString(),
          NextUpdate: new Date(now.getTime() + days * DAY_MS).toISOString(),
          ...(PointersToOtherLoTE === undefined ? {} : { PointersToOtherLoTE: [...PointersToOtherLoTE] }),
        },
        TrustedEntitiesList: carryHistory(lastEntities, TrustedEntitiesList),
      },
    }
    const token = await sealTrustList(claims, options.signer())
    const judged = await judgeTrustList(token, {
      membership: membership(),
      at: null,
      now: now.getTime(),
      completeAt: null,
      budgetSeconds: 0,
    })
    if (judged.refusal !== null || judged.list === null)
      throw new ExchangeError(judged.refusal?.code ?? 'TRUST_LIST_STRUCTURE_INVALID', judged.refusal?.reason ?? 'expected a list')
    const { list } = judged
    const body = {
      list_id: id,
      territory: list.territory,
      sequence: list.sequence,
      issued_at: claims.LoTE.ListAndSchemeInformation.ListIssueDateTime,
      next_update: claims.LoTE.ListAndSchemeInformation.NextUpdate,
      list: token,
    }
    const candidate: Candidate = { key: id, op: 'put', at: now.toISOString(), platform: own, body }
    const [result] = await options.sealer.submit('trust', 'all', [{ candidate, parent: null, place: 'trust list', line: null }])
    if (result?.kind === 'refused') throw result.error
    await lists.refresh()
    const ver = result?.kind === 'sealed' || result?.kind === 'unchanged' ? result.ver : 0
    return { id, sequence: list.sequence, digest: list.digest, ver, token }
  }

  return {
    // One issue at a time: each follows the one before.
    publish(content) {
      const next = before.then(() => publish(content))
      before = next.catch(() => {})
      return next
    },
  }
}

/** A list as people read and change it: what its operator publishes again. @throws TRUST_LIST_* */
export const contentOf = (token: string): TrustListClaims['LoTE'] => {
  parseTrustList(token)
  return (parseToken(token, 'trust-list').claims as TrustListClaims).LoTE
}
