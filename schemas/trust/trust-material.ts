/**
 * What certificates are judged by: the lists that stand, turned into one index of listed services. A value; whoever holds the same
 * lists makes the same one. Which lists count follows from the membership log alone: where it has a national member that writes
 * `trust`, a list counts once the national list names it, and nothing counts while that list is missing; where it has none, each
 * member's own list counts for its territory.
 */
import { digestOf } from '../digest.ts'
import type { Membership } from '../membership.ts'
import type { Certificate } from './certificate.ts'
import { keyDigest } from './public-keys.ts'
import {
  NATIONAL_LIST,
  type Recognition,
  recognisedUntil,
  recognitionAt,
  type TrustEntity,
  type TrustList,
  type TrustService,
} from './trust-list.ts'

/** `withdrawnAt`: its operator took the list back then, in ms since 1970. */
export type StandingList = { readonly list: TrustList; readonly withdrawnAt: number | null }
export type CountedList = StandingList & {
  readonly counts: boolean
  /** why it does not count */
  readonly why: 'list-of-lists-missing' | 'not-named' | 'operator-left' | null
}
export type ListedService = {
  readonly list: StandingList
  readonly entity: TrustEntity
  readonly service: TrustService
  readonly certificate: Certificate
}
export type TrustMaterial = {
  /** digest over the lists, and whether each counts */
  readonly version: string
  readonly lists: readonly CountedList[]
  readonly services: readonly ListedService[]
  /** listed services by the fingerprint of a certificate, and by the digest of its key */
  readonly byFingerprint: ReadonlyMap<string, readonly ListedService[]>
  readonly byKey: ReadonlyMap<string, readonly ListedService[]>
  /** by the name that a certificate under it has as its issuer */
  readonly bySubject: ReadonlyMap<string, readonly ListedService[]>
}

/** Whether the membership log has somebody to operate the list of lists. */
export const needsNationalList = (membership: Membership): boolean =>
  [...membership.members.values()].some(
    ({ kind, writes, standing }) => kind === 'national' && standing === 'admitted' && writes.includes('trust'),
  )

/** `gone`: operators that have left the federation, and vouch for nothing any more. */
export function countLists(
  lists: readonly StandingList[],
  nationalNeeded: boolean,
  gone: ReadonlySet<string> = NOBODY,
): CountedList[] {
  const national = lists.find(({ list, withdrawnAt }) => list.id === NATIONAL_LIST && withdrawnAt === null)
  return lists.map(standing => {
    const { id, operator } = standing.list
    if (gone.has(operator)) return { ...standing, counts: false, why: 'operator-left' }
    if (id === NATIONAL_LIST || (national === undefined && !nationalNeeded)) return { ...standing, counts: true, why: null }
    if (national === undefined) return { ...standing, counts: false, why: 'list-of-lists-missing' }
    const named = national.list.pointers.some(pointer => pointer.operator === operator && pointer.list === id)
    return named ? { ...standing, counts: true, why: null } : { ...standing, counts: false, why: 'not-named' }
  })
}

const NOBODY: ReadonlySet<string> = new Set()

export function createTrustMaterial(lists: readonly StandingList[], nationalNeeded: boolean, gone = NOBODY): TrustMaterial {
  const counted = countLists(lists, nationalNeeded, gone)
  const services = counted
    .filter(({ counts }) => counts)
    .flatMap(standing =>
      standing.list.entities.flatMap(entity =>
        entity.services.flatMap(service =>
          service.certificates.map(certificate => ({ list: standing, entity, service, certificate })),
        ),
      ),
    )
  const said = counted.map(({ list, withdrawnAt, counts }) => `${list.digest} ${withdrawnAt ?? ''} ${counts}`).sort()
  return {
    version: digestOf(said.join('\n')),
    lists: counted,
    services,
    byFingerprint: grouped(services, ({ certificate }) => certificate.fingerprint),
    byKey: grouped(services, ({ certificate }) => keyDigest(certificate.key)),
    bySubject: grouped(services, ({ certificate }) => certificate.subject.canonical),
  }
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

/** How a listed service stood at a time: its status, unless its list was taken back before. */
export function standingOf({ list, service }: ListedService, at: number): Recognition {
  if (list.withdrawnAt !== null && list.withdrawnAt <= at) return { status: 'withdrawn', since: list.withdrawnAt, why: null }
  return recognitionAt(service, at)
}

/** The first time behind `at` at which what the lists say of a service may change; null if nothing is foreseen. */
export function standsUntil({ list, service }: ListedService, at: number): number {
  const ends = [recognisedUntil(service, at), list.withdrawnAt, list.list.nextUpdate].filter(
    (end): end is number => end !== null && end > at,
  )
  return Math.min(Number.MAX_SAFE_INTEGER, ...ends)
}

/**
 * Whether the list may be used for a time: one that has expired says nothing of what came after. What it said of the time before
 * stays true, since a later issue carries the history on.
 */
export const isCoveredAt = ({ list }: Pick<ListedService, 'list'>, at: number): boolean => at < list.list.nextUpdate

/** Lists by which nothing at all could be judged now: none, or none that counts. */
export const hasAnchors = ({ services }: TrustMaterial, now: number): boolean =>
  services.some(
    one =>
      (one.service.type === 'ca' || one.service.type === 'root') &&
      isCoveredAt(one, now) &&
      standingOf(one, now).status === 'granted',
  )
