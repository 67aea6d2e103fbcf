/**
 * Keeps a program's copy of the membership log, and the value that every check reads. Entries are judged by the rules of
 * `schemas/membership/`, in the order of their positions, however and from whomever they came; each is on disk before it counts.
 * What convicts the hub is kept with the entry, in the same transaction. Nothing here needs the hub to be there.
 */
import { readFile } from 'node:fs/promises'
import type { Kysely } from 'kysely'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { applyEntry, takeEntries } from '../../schemas/membership/application.ts'
import { openEntry } from '../../schemas/membership/entries.ts'
import { commonEntries } from '../../schemas/membership/replacement.ts'
import { type Conviction, emptyState, type MembershipState, membershipOf, type Outcome } from '../../schemas/membership/state.ts'
import { type Membership, parseMembership } from '../../schemas/membership.ts'
import { openReceipt, type Receipt } from '../../schemas/statements.ts'
import { convict, readConvictions } from '../ledger/forks.ts'
import { readLogs } from '../ledger/ledger.ts'
import type { LedgerTables } from '../ledger/tables.ts'
import type { MembershipTables } from './tables.ts'

export type MembershipChange = {
  readonly before: MembershipState
  readonly after: MembershipState
  readonly outcomes: readonly Outcome[]
}

/** What every check reads, and how to hear that it changed. */
export type MembershipSource = {
  membership(): Membership
  onChange(heard: (change: MembershipChange) => void): Disposable
}

export type MembershipKeeper = MembershipSource & {
  state(): MembershipState
  /**
   * Takes entries in whatever order they came. Answers those that wait behind a gap, and those that had their turn.
   * What is not the hub's is told to `events` and dropped.
   */
  take(tokens: readonly string[]): Promise<{ readonly outcomes: readonly Outcome[]; readonly waiting: readonly string[] }>
  /** What another process of this program has entered into the same database is known when it answers. */
  refresh(): Promise<void>
}

export type MembershipEvents = {
  membershipMoved(position: number, outcomes: readonly Outcome[]): void
  membershipRefused(error: unknown): void
  hubConvicted(reason: string): void
}

type Tables = LedgerTables & MembershipTables

/** @throws MEMBERSHIP_FILE_INVALID */
export async function readMembershipFile(path: string): Promise<Membership> {
  const text = await readFile(path, 'utf8').catch(cause => {
    throw new ExchangeError('MEMBERSHIP_FILE_INVALID', `${path}: expected a readable file`, { cause })
  })
  return parseMembership(text)
}

/** A membership that never changes: from a configured file. */
export const fixedMembership = (membership: Membership): MembershipSource => ({
  membership: () => membership,
  onChange: () => ({ [Symbol.dispose]() {} }),
})

/** @throws MEMBERSHIP_UNTRUSTED while no entry is signed with the anchor key that is trusted here */
export async function openMembershipKeeper(options: {
  readonly db: Kysely<Tables>
  readonly fed: string
  /** thumbprint of the anchor key, from the founding or from the invitation */
  readonly anchor: string
  /** entries that come with the program's own files: they count as if they had arrived */
  readonly first: readonly string[]
  readonly events: MembershipEvents
}): Promise<MembershipKeeper> {
  const { db, fed, anchor, events } = options
  const ledger = db.$pickTables<keyof LedgerTables>()
  const listeners = new Set<(change: MembershipChange) => void>()
  let state = await replay()
  let membership: Membership | null = state.anchored ? await membershipOf(state) : null

  /** Entries again as they were judged when they first came: with the receipts of the convictions that they led to. */
  async function replay(): Promise<MembershipState> {
    const convictions = await readConvictions(ledger)
    let at = emptyState({ fed, anchor })
    const rows = await db.selectFrom('membership_entry').select('token').orderBy('seq').execute()
    for (const { token } of rows) {
      const against = convictions.filter(({ statements }) => statements.includes(token)).flatMap(({ statements }) => statements)
      const receipts = against.length === 0 ? [] : await openReceipts(against, await membershipOf(at))
      at = (await applyEntry(at, token, receipts)).state
    }
    return at
  }

  /** The hub's receipts that this program has: of its own logs. */
  async function ownReceipts(): Promise<Receipt[]> {
    const tokens = (await readLogs(ledger)).flatMap(({ receiptToken }) => receiptToken ?? [])
    return membership === null ? [] : openReceipts(tokens, membership)
  }

  async function keep(before: MembershipState, after: MembershipState, outcomes: readonly Outcome[]): Promise<void> {
    const refusals = new Map(
      outcomes.flatMap(outcome => (outcome.kind === 'refused' ? [[outcome.entry.claims.seq, outcome.error.code] as const] : [])),
    )
    const common = commonEntries(before, after)
    const dropped = before.tokens.slice(common)
    const rows = after.tokens.slice(common).map((token, index) => {
      const seq = common + 1 + index
      return { seq, digest: openEntry(token, fed).digest, token, refusal: refusals.get(seq) ?? null }
    })
    const voided = outcomes.flatMap(outcome => (outcome.kind === 'applied' ? (outcome.voided ?? []) : []))
    const convictions = outcomes.flatMap((outcome): readonly Conviction[] =>
      outcome.kind === 'applied' ? outcome.convictions : outcome.kind === 'contradiction' ? [outcome.conviction] : [],
    )
    if (rows.length === 0 && convictions.length === 0 && dropped.length === 0) return
    await db.transaction().execute(async trx => {
      if (dropped.length > 0) {
        const aside = dropped.map((token, index) => ({ seq: common + 1 + index, digest: openEntry(token, fed).digest, token }))
        await trx.deleteFrom('membership_entry').where('seq', '>', common).execute()
        await trx
          .insertInto('membership_dropped')
          .values(aside)
          .onConflict(conflict => conflict.doNothing())
          .execute()
      }
      if (rows.length > 0) await trx.insertInto('membership_entry').values(rows).execute()
      if (voided.length > 0)
        await trx.updateTable('membership_entry').set({ refusal: 'KEY_OUT_OF_RANGE' }).where('seq', 'in', voided).execute()
      for (const conviction of convictions)
        if (await convict(trx.$pickTables<keyof LedgerTables>(), conviction)) events.hubConvicted(conviction.reason)
    })
  }

  function moved(before: MembershipState, outcomes: readonly Outcome[]): void {
    if (state.tokens === before.tokens) return
    events.membershipMoved(state.position, outcomes)
    for (const heard of listeners) heard({ before, after: state, outcomes })
  }

  async function takeNow(tokens: readonly string[]): Promise<{ outcomes: readonly Outcome[]; waiting: readonly string[] }> {
    const before = state
    const receipts = await ownReceipts()
    const taken = await takeEntries(before, tokens, { receipts, onRefused: (_token, error) => events.membershipRefused(error) })
    const next = taken.state.anchored ? await membershipOf(taken.state) : null
    await keep(before, taken.state, taken.outcomes)
    state = taken.state
    membership = next
    moved(before, taken.outcomes)
    return { outcomes: taken.outcomes, waiting: taken.waiting }
  }

  let working: Promise<unknown> = Promise.resolve()
  function take(tokens: readonly string[]): Promise<{ outcomes: readonly Outcome[]; waiting: readonly string[] }> {
    const done = working.then(async () => {
      try {
        return await takeNow(tokens)
      } catch (error) {
        if ((error as { code?: unknown }).code !== UNIQUE_VIOLATION) throw error
        // Another process of this program has taken them: go on from where it stands.
        state = await replay()
        membership = state.anchored ? await membershipOf(state) : null
        return takeNow(tokens)
      }
    })
    working = done.catch(() => {})
    return done
  }

  async function refresh(): Promise<void> {
    const done = working.then(async () => {
      const { last } = await db
        .selectFrom('membership_entry')
        .select(({ fn }) => fn.max<number | null>('seq').as('last'))
        .executeTakeFirstOrThrow()
      if ((last ?? 0) <= state.position) return
      const rows = await db
        .selectFrom('membership_entry')
        .select('token')
        .where('seq', '>', state.position)
        .orderBy('seq')
        .execute()
      const before = state
      const { state: after, outcomes } = await takeEntries(
        before,
        rows.map(({ token }) => token),
        { receipts: await ownReceipts() },
      )
      state = after
      membership = after.anchored ? await membershipOf(after) : null
      moved(before, outcomes)
    })
    working = done.catch(() => {})
    await done
  }

  if (state.position < options.first.length) await take(options.first)
  return {
    state: () => state,
    membership() {
      if (membership !== null) return membership
      throw new ExchangeError('MEMBERSHIP_UNTRUSTED', `${fed}: expected an entry signed with the trusted anchor key`)
    },
    take,
    refresh,
    onChange(heard) {
      listeners.add(heard)
      return { [Symbol.dispose]: () => void listeners.delete(heard) }
    },
  }
}

const UNIQUE_VIOLATION = '23505'

async function openReceipts(tokens: readonly string[], membership: Membership): Promise<Receipt[]> {
  const opened = await Promise.all(
    tokens.map(token =>
      openReceipt(token, membership).catch((error: unknown) => {
        if (!isExchangeError(error)) throw error
        return null
      }),
    ),
  )
  return opened.filter(receipt => receipt !== null)
}
