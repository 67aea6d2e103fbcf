/**
 * How an origin's log gets across and comes back, decided without touching anything: what the outbox does next, whom a reader asks
 * for what it lacks, and whether an origin may seal at all after a start. Time is an argument.
 */
import { comparePositions, type LogHead, type LogId, type Position } from './log.ts'

export const ASK_RECEIPT_AFTER_MS = 3000
export const RESEND_AFTER_MS = 10_000

/** Of one own log: where it stands, what the hub has a receipt for, and what was sent in this life of the program. */
export type Outbox = {
  readonly head: LogHead | null
  readonly receipt: LogHead | null
  readonly sent: { readonly position: Position; readonly at: number; readonly askedAt: number } | null
}

export type OutboxAction =
  | { readonly kind: 'idle' }
  /** publish the entries from this position on */
  | { readonly kind: 'send'; readonly from: Position }
  /** everything is sent and no receipt came: ask the hub for it */
  | { readonly kind: 'ask' }
  /** still none: send again from the receipt on; the message id makes a repeat harmless */
  | { readonly kind: 'resend'; readonly from: Position }

const after = (position: Position | null): Position =>
  position === null ? { epoch: 1, seq: 0 } : { epoch: position.epoch, seq: position.seq + 1 }

/** JetStream's acknowledgement only lets the next entry go; the outbox forgets on the receipt alone. */
export function nextOutboxAction({ head, receipt, sent }: Outbox, now: number): OutboxAction {
  if (head === null || (receipt !== null && comparePositions(receipt, head) >= 0)) return { kind: 'idle' }
  const done = sent !== null && (receipt === null || comparePositions(sent.position, receipt) > 0) ? sent.position : receipt
  if (done === null || comparePositions(done, head) < 0) return { kind: 'send', from: after(done) }
  if (sent === null) return { kind: 'resend', from: after(receipt) }
  if (now - sent.at > RESEND_AFTER_MS) return { kind: 'resend', from: after(receipt) }
  return now - Math.max(sent.at, sent.askedAt) > ASK_RECEIPT_AFTER_MS ? { kind: 'ask' } : { kind: 'idle' }
}

/** Whom to ask for missing entries, in order: the hub, the origin, then every other holder. Whoever answers is checked the same. */
export const repairSources = (log: LogId, own: string, holders: readonly string[]): string[] =>
  ['hub', log.origin, ...holders.filter(code => code !== log.origin)].filter(code => code !== own)

/**
 * Whom an answer shows to have kept something back: who was asked before and gave nothing of what another then gave. A slow holder looks
 * the same, so it is a doubt and no proof.
 */
export const passedOver = (asked: readonly { readonly holder: string; readonly added: number }[]): string[] => {
  const last = asked.findLastIndex(({ added }) => added > 0)
  return asked.flatMap(({ holder, added }, index) => (added === 0 && index < last ? [holder] : []))
}

/** What another holder says of one of this origin's logs. */
export type Witness = { readonly holder: string; readonly head: LogHead }

/** who speaks where the origin's own note of what it sealed is the witness */
export const OWN_MARK = 'the own mark'

/**
 * Whether an origin may seal behind its own head. Restored from an old backup it knows less of its log than others do, or than its own
 * note beside the database says (`mark`); sealing then would sign a second history. It first takes back what others hold.
 */
export function maySeal(
  own: LogHead | null,
  witnesses: readonly Witness[],
  mark: Position | null = null,
): { readonly kind: 'seal' } | { readonly kind: 'repair'; readonly behind: { readonly holder: string; readonly head: Position } } {
  const noted = mark === null ? [] : [{ holder: OWN_MARK, head: mark }]
  const ahead = [...witnesses, ...noted]
    .filter(({ head }) => own === null || comparePositions(head, own) > 0)
    .sort((a, b) => comparePositions(b.head, a.head))
  const [behind] = ahead
  return behind === undefined ? { kind: 'seal' } : { kind: 'repair', behind }
}

/** What an origin noted beside its database of how far each own log was sealed. */
export type Mark = {
  readonly positions: ReadonlyMap<string, Position>
  /** it was written by this installation since the machine started, so that no backup can have brought it */
  readonly trusted: boolean
}

/**
 * What an origin knows of its database at a start, before it has asked anybody. `continued`: nothing was set back, it may seal at once.
 * `restored`: the database stands before the note; what is between is taken back, or an operator declares it lost. `moved`: the two
 * agree, but both may have come from one backup. `unknown`: there is no note. In the last two only witnesses can tell.
 */
export function judgeStart(
  mark: Mark | null,
  headOf: (log: string) => LogHead | null,
): 'continued' | 'restored' | 'moved' | 'unknown' {
  if (mark === null) return 'unknown'
  for (const [log, noted] of mark.positions) {
    const head = headOf(log)
    if (head === null || comparePositions(noted, head) > 0) return 'restored'
  }
  return mark.trusted ? 'continued' : 'moved'
}

/** How long to wait for witnesses that do not answer: when some have answered, and when nobody has. */
export const PATIENCE_MS = {
  continued: { some: 0, alone: 0 },
  restored: { some: 0, alone: 0 },
  moved: { some: 15_000, alone: 30_000 },
  unknown: { some: 30_000, alone: 60_000 },
} as const
