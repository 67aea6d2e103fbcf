/**
 * Who reads a restricted audience, so whom its content keys are wrapped for, and when a new one is due. The hub is never among them.
 * Positions of the membership log decide, so that whoever asks later gets the same answer.
 */
import { audiencesRead, type Member, type Membership, type Seat } from '../membership.ts'
import type { KeyJwk } from './keys.ts'

const seatsOf = (membership: Membership, audience: string): readonly Seat[] =>
  audience.startsWith('alliance-') ? (membership.alliances.get(audience.slice('alliance-'.length)) ?? []) : []

/** The admitted members that may hold what an origin says to an audience from now on, the origin among them. */
export const readersOf = (membership: Membership, origin: string, audience: string): Member[] =>
  [...membership.members.values()].filter(
    member => member.standing === 'admitted' && (member.code === origin || audiencesRead(member).includes(audience)),
  )

/** The key that content keys are wrapped for, of each reader that has one. */
export const wrappingKeys = (membership: Membership, origin: string, audience: string): { code: string; jwk: KeyJwk }[] =>
  readersOf(membership, origin, audience).flatMap(({ code, enc }) => {
    const newest = enc.at(-1)
    return newest === undefined ? [] : [{ code, jwk: newest.jwk }]
  })

/**
 * The membership position of the last change of an audience's readers or of their wrapping keys. A log whose epoch was opened at a
 * `mem` below it needs a new epoch, with a new content key.
 */
export function readersChangedAt(membership: Membership, origin: string, audience: string): number {
  const seats = seatsOf(membership, audience)
  const concerned = new Set([...seats.map(seat => seat.code), ...readersOf(membership, origin, audience).map(({ code }) => code)])
  const restricted = audience.startsWith('node-') ? audience.slice('node-'.length) : null
  if (restricted !== null) concerned.add(restricted)
  if (audience === 'national')
    for (const { code, kind } of membership.members.values()) if (kind === 'national') concerned.add(code)
  const members = [...membership.members.values()].filter(({ code }) => concerned.has(code))
  return Math.max(
    0,
    ...seats.flatMap(({ from, until }) => [from, until ?? 0]),
    ...members.flatMap(({ standingSince, enc }) => [standingSince, enc.at(-1)?.since ?? 0]),
  )
}

/**
 * Whether a member may be given the content key of an epoch that was opened at a membership position: its seat's `reads` says from
 * where on, which is its arrival, or the founding of the alliance where the members consented to the past.
 */
export function mayHoldContentKey(membership: Membership, code: string, audience: string, openedAt: number): boolean {
  const member = membership.members.get(code)
  if (member?.standing !== 'admitted') return false
  if (audience.startsWith('alliance-'))
    return seatsOf(membership, audience).some(seat => seat.code === code && seat.until === null && seat.reads <= openedAt)
  return audiencesRead(member).includes(audience)
}
