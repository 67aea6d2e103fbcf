/**
 * Suspension, its end, leaving, and trust marks. A suspension names the closing position of each log: what stands up to there stays,
 * everything past it is refused, whatever time it claims. A closing below a receipt of the hub cannot be: both are the hub's word. It
 * is lifted to the receipt, and the two together convict the hub.
 */
import { ExchangeError } from '../errors.ts'
import { comparePositions, formatLogId, formatPosition, type LogHead } from '../log.ts'
import type { Standing } from '../membership.ts'
import type { Receipt } from '../statements.ts'
import { changeOf, ringAfter } from './admission.ts'
import type { ActOf, MembershipEntry } from './entries.ts'
import { type Closings, closingsOf } from './keys.ts'
import { memberIn, withMember } from './registrations.ts'
import type { Conviction, MemberState, MembershipState, Rules } from './state.ts'

/** @throws MEMBER_STATE_INVALID */
function expectStanding(member: MemberState, standings: readonly Standing[]): void {
  if (!standings.includes(member.standing))
    throw new ExchangeError('MEMBER_STATE_INVALID', `${member.code}: expected ${standings.join(' or ')}, it is ${member.standing}`)
}

export const STANDING_RULES = {
  async suspend(state, act, { entry, seq, receipts }) {
    const member = memberIn(state, act.code)
    expectStanding(member, ['admitted'])
    const closings = liftClosings(act.code, closingsOf(act.code, act.closings), receipts)
    const suspended: MemberState = { ...member, standing: 'suspended', standingAt: seq, closings, why: act.why }
    return { state: withMember(state, suspended), convictions: judgeSuspension(entry, receipts) }
  },
  async resume(state, { code }, { seq }) {
    const member = memberIn(state, code)
    expectStanding(member, ['suspended'])
    return { state: withMember(state, { ...member, standing: 'admitted', standingAt: seq, closings: null, why: null }) }
  },
  /**
   * Its keys end where its logs end, and its seats in alliances with them. Who leaves while suspended moves no closing, not even by
   * coming back: its keys are good up to the suspension's closings and no further.
   */
  async leave(state, act, context) {
    const { member, consent } = await changeOf(state, act)
    const { leave } = consent.claims
    if (leave === undefined)
      throw new ExchangeError('MEMBERSHIP_FORGED', `${act.code}: expected a change in which the member leaves`)
    const { seq } = context
    const closings = member.closings ?? closingsOf(act.code, leave)
    const ring = await ringAfter(state, member, consent, context)
    const keys = ring.keys.map(key => ({
      ...key,
      retiredAt: key.retiredAt ?? seq,
      closings: key.closings === null ? closings : lowerClosings(key.closings, closings),
    }))
    const gone: MemberState = { ...member, standing: 'left', standingAt: seq, closings, why: null, ring: { ...ring, keys } }
    const alliances = new Map(
      [...state.alliances].map(([id, alliance]) => [
        id,
        {
          ...alliance,
          seats: alliance.seats.map(seat => (seat.code === act.code && seat.until === null ? { ...seat, until: seq } : seat)),
        },
      ]),
    )
    return { state: { ...withMember(state, gone), alliances } }
  },
  async mark(state, { code, mark, until, dig }, { seq }) {
    const member = memberIn(state, code)
    expectStanding(member, ['admitted', 'suspended'])
    const marks = [...member.marks.filter(one => one.mark !== mark), { mark, until: new Date(until * 1000), digest: dig, at: seq }]
    return { state: withMember(state, { ...member, marks }) }
  },
} satisfies Pick<Rules, 'suspend' | 'resume' | 'leave' | 'mark'>

const receiptsOf = (code: string, receipts: readonly Receipt[]): Receipt[] => receipts.filter(({ log }) => log.origin === code)

/** Each closing, or the furthest receipt of its log where that is further. */
export function liftClosings(code: string, closings: Closings, receipts: readonly Receipt[]): Closings {
  const lifted = new Map<string, LogHead>(closings)
  for (const { log, head } of receiptsOf(code, receipts)) {
    const closing = lifted.get(formatLogId(log))
    if (closing === undefined || comparePositions(head, closing) > 0) lifted.set(formatLogId(log), head)
  }
  return lifted
}

/** Of logs that both name, the earlier end. */
const lowerClosings = (a: Closings, b: Closings): Closings =>
  new Map(
    [...a].flatMap(([log, end]) => {
      const other = b.get(log)
      return other === undefined ? [] : [[log, comparePositions(end, other) <= 0 ? end : other] as const]
    }),
  )

/**
 * The state after receipts became known that a suspension contradicts: with a conviction from elsewhere a holder comes to the same
 * closings as one that had the receipt when the suspension came.
 */
export function liftSuspension(state: MembershipState, code: string, receipts: readonly Receipt[]): MembershipState {
  const member = memberIn(state, code)
  if (member.standing !== 'suspended' || member.closings === null) return state
  return withMember(state, { ...member, closings: liftClosings(code, member.closings, receipts) })
}

/** The receipts that a suspension contradicts: past its closing, or another digest at it. */
export function judgeSuspension({ token, claims }: MembershipEntry, receipts: readonly Receipt[]): Conviction[] {
  if (claims.act !== 'suspend') return []
  const closings = closingsOf(claims.code, claims.closings)
  return receiptsOf(claims.code, receipts).flatMap((receipt): Conviction[] => {
    const reason = belowReceipt(closings.get(formatLogId(receipt.log)) ?? null, receipt)
    return reason === null ? [] : [{ whom: 'hub', statements: [receipt.token, token], reason }]
  })
}

function belowReceipt(closing: LogHead | null, { log, head }: Pick<Receipt, 'log' | 'head'>): string | null {
  const name = formatLogId(log)
  if (closing === null) return `${name}: no closing, and a receipt up to ${formatPosition(head)}`
  const order = comparePositions(closing, head)
  if (order < 0) return `${name}: closing at ${formatPosition(closing)}, and a receipt up to ${formatPosition(head)}`
  return order === 0 && closing.digest !== head.digest ? `${name}: two digests at ${formatPosition(head)}` : null
}

/**
 * What the hub asks of closings before it enters them, in a suspension or under a member's own signature. `receipted` are the
 * furthest receipted positions of the logs that the closings are to end: of a key, those that it signed.
 * @throws CLOSING_BELOW_RECEIPT
 */
export function checkClosings(
  code: string,
  closings: ActOf<'suspend'>['closings'],
  receipted: readonly Pick<Receipt, 'log' | 'head'>[],
): void {
  const ends = closingsOf(code, closings)
  for (const at of receipted) {
    if (at.log.origin !== code) continue
    const reason = belowReceipt(ends.get(formatLogId(at.log)) ?? null, at)
    if (reason !== null) throw new ExchangeError('CLOSING_BELOW_RECEIPT', reason)
  }
}
