/** What the rules of settlement need to know of the logs that entries arrive for, read from the ledger. */
import type { Transaction } from 'kysely'
import { assertionsOfEntry, assertionsOfHeads } from '../../schemas/assertions.ts'
import { judgeBehindClosing } from '../../schemas/closing-rule.ts'
import { comparePositions, formatLogId, formatPosition, type LogId, namedByLoss, type Position } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { openToken } from '../../schemas/opening.ts'
import type { Arriving, HeldLog, Verdict } from '../../schemas/settlement.ts'
import type { Head } from '../../schemas/statements.ts'
import type { OpenedEntry } from './arrival.ts'
import { entriesAt, type LogState } from './ledger.ts'
import type { LedgerTables } from './tables.ts'
/**
 * What the rules need to know of each log: the entry at every position that is offered again, and the last entry where what is
 * offered does not follow it, because then the two together are a proof.
 */
export async function readHeld(
  trx: Transaction<LedgerTables>,
  states: ReadonlyMap<string, LogState>,
  good: readonly OpenedEntry[],
  announced: (log: LogId) => Head | null,
): Promise<Map<string, HeldLog>> {
  const wanted = good.flatMap(({ token: { log, entry } }) => {
    const state = states.get(formatLogId(log))
    if (state?.head == null) return []
    const past = comparePositions(entry, state.head) <= 0
    const named = namedByLoss(entry)
    if (named.length > 0 && !past) return [...named, state.head].map(at => ({ logId: state.id, at }))
    const follows = entry.kind === 'envelope' && (entry.previous === state.head.digest || entry.seq > state.head.seq + 1)
    return past ? [{ logId: state.id, at: entry }] : follows ? [] : [{ logId: state.id, at: state.head }]
  })
  const entries = await entriesAt(trx, wanted)
  return new Map(
    [...states].map(([id, state]) => {
      const head = announced(state.log)
      const own = head?.logs.filter(({ log }) => formatLogId(log) === id) ?? []
      return [
        id,
        {
          head: state.head,
          frozen: state.frozen,
          loading: state.loading,
          at: at => entries.get(`${state.id}@${formatPosition(at)}`) ?? baseAt(state, at),
          announced: head === null ? null : { token: head.token, assertions: assertionsOfHeads(own) },
        },
      ]
    }),
  )
}

/** A log that was loaded from a snapshot holds no entry where it begins; the head that announced the snapshot says what stands there. */
const baseAt = ({ base }: LogState, at: Position): { digest: string; token: string } | null =>
  base !== null && comparePositions(base, at) === 0 ? { digest: base.digest, token: base.token } : null

/** A repeat of what is not held here, in an epoch that has ended: the opening of the next one may show it to be a second history. */
export async function behindClosing(
  trx: Transaction<LedgerTables>,
  verdict: Verdict,
  one: Arriving | undefined,
  states: ReadonlyMap<string, LogState>,
  held: ReadonlyMap<string, HeldLog>,
  membership: Membership,
): Promise<Verdict | null> {
  const id = one === undefined ? '' : formatLogId(one.log)
  const state = states.get(id)
  // The log may have gone on within the group: where it stood before says nothing of whether this position is passed.
  if (verdict.kind !== 'duplicate' || one === undefined || state?.head == null) return null
  if (held.get(id)?.at(one.entry) !== null) return null
  const { epoch, seq } = one.entry
  const [next, previous] = [
    { epoch: epoch + 1, seq: 0 },
    { epoch, seq: seq - 1 },
  ]
  const entries = await entriesAt(
    trx,
    [next, previous].map(at => ({ logId: state.id, at })),
  )
  const after = entries.get(`${state.id}@${formatPosition(next)}`)
  const before = entries.get(`${state.id}@${formatPosition(previous)}`)
  const opened = after === undefined ? null : await openToken('epoch', after.token, membership, null)
  return judgeBehindClosing(one, [
    after === undefined || opened === null ? null : { token: after.token, assertions: assertionsOfEntry(opened.log, opened.entry) },
    before === undefined
      ? null
      : { token: before.token, assertions: assertionsOfHeads([{ log: one.log, head: { ...previous, digest: before.digest } }]) },
  ])
}
