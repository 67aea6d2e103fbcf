/**
 * The history behind a snapshot: where a log began here with one, what stands before it is fetched in the background, the newest first,
 * so that this holder can answer for the whole of it. Every entry is shown to be the one by what is held behind it already
 * (`schemas/backfill-rule.ts`), and has no effect: the state that was loaded has it. When the first of all is held, that state is held
 * against a replay of the log, which a newcomer could not do before, and from then on the log is like any other.
 */
import type { Kysely, Transaction } from 'kysely'
import { type Assertion, assertionsOfEntry, assertionsOfHeads, contradiction } from '../../schemas/assertions.ts'
import { askBackFrom, bodyIsNewest, joinBackward } from '../../schemas/backfill-rule.ts'
import { tokenKindOf } from '../../schemas/bundle.ts'
import { isExchangeError } from '../../schemas/errors.ts'
import { LIMITS } from '../../schemas/limits.ts'
import { comparePositions, formatLogId, formatPosition, type LogHead, type LogId } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { openToken } from '../../schemas/opening.ts'
import { judgeRoot, type RootFinding } from '../../schemas/root-rule.ts'
import { repairSources } from '../../schemas/sync.ts'
import type { Broker } from '../nats.ts'
import { keepRounds } from '../rounds.ts'
import type { Opened, OpenedEntry, Receiver } from './arrival.ts'
import type { Loader } from './bootstrap-groups.ts'
import type { LedgerEvents } from './events.ts'
import { freeze } from './forks.ts'
import { heldBehind } from './history.ts'
import { type LogState, lockLogs, readLogs, readOnward } from './ledger.ts'
import { readLedgerState } from './ledger-state.ts'
import { forgetLog } from './losses.ts'
import { quarantine } from './quarantine.ts'
import { redactionsAt } from './redactions.ts'
import { askRange } from './repair.ts'
import { computeRoot } from './root-judge.ts'
import { recordAside, setAside } from './set-aside.ts'
import type { LedgerTables } from './tables.ts'
import type { DerivedCheck } from './verification.ts'

const ROUND_MS = 1000
/** entries stored in one transaction, so that what arrives live never waits long for the log */
const MOST_ENTRIES = Math.min(64, LIMITS.rangeEnvelopes)

export type BackfillEvents = Pick<LedgerEvents, 'rootJudged' | 'forked' | 'failed'> & {
  /** a log that began with a snapshot is held from its first entry on */
  backfilled(log: LogId): void
}

type Based = LogState & { readonly base: NonNullable<LogState['base']> }
type Brought = OpenedEntry & { readonly entry: OpenedEntry['token']['entry'] }

export function startBackfill(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  readonly own: string
  readonly membership: () => Membership
  readonly receiver: Receiver
  readonly loader: Pick<Loader, 'clear'>
  /** holds what is derived from a log against it; its first finding counts */
  readonly derived: DerivedCheck
  /** how much is fetched in a second at most; 0 leaves the history with the others */
  readonly bytesPerSecond: number
  /** reads a log anew whose snapshot was false */
  readonly tail: (log: LogId) => Promise<unknown>
  readonly events: BackfillEvents
}): AsyncDisposable {
  const { broker, db, own, receiver, events, bytesPerSecond } = options
  /** by log: whom to ask next, how many entries, and how many asked in vain since something was stored */
  const course = new Map<number, { turn: number; entries: number; vain: number; stale: boolean }>()
  let allowance = bytesPerSecond

  async function round(stopping: AbortSignal): Promise<void> {
    allowance = Math.min(bytesPerSecond, allowance + bytesPerSecond)
    for (const state of await readLogs(db)) {
      while (isBased(state) && allowance > 0 && !stopping.aborted && (await step(state))) {}
    }
  }

  /** Whether it is worth going on with this log at once. */
  async function step(state: Based): Promise<boolean> {
    const wanted = await heldBehind(db, state)
    if (wanted === null) {
      await complete(state)
      return false
    }
    const { log, id } = state
    const known = course.get(id) ?? { turn: 0, entries: MOST_ENTRIES, vain: 0, stale: false }
    course.set(id, known)
    const sources = repairSources(log, own, [...options.membership().members.keys()])
    const holder = sources[known.turn % sources.length]
    if (holder === undefined) return false
    const arrivals = await askRange(broker, holder, own, { ...log, ...askBackFrom(wanted, known.entries) }).catch(() => [])
    allowance -= arrivals.reduce((sum, { body, token }) => sum + body.length + token.length, 0)
    const joined = joinBackward(
      wanted,
      (await Promise.all(arrivals.map(receiver.open))).flatMap(one => broughtOf(one, log)),
    )
    const stored = await store(state, wanted, joined.taken, joined.wanted)
    if (joined.against !== null) await convict(state, wanted, joined.against)
    if (stored > 0) {
      course.set(id, { ...known, entries: Math.min(MOST_ENTRIES, known.entries * 2), vain: 0, stale: false })
      return true
    }
    // What fits one answer may end before the entry that is wanted: one alone always fits.
    const short = joined.taken.length === 0 && arrivals.length > 0 && known.entries > 1
    course.set(id, {
      turn: short ? known.turn : known.turn + 1,
      entries: short ? Math.max(1, known.entries >> 2) : known.entries,
      vain: short ? known.vain : known.vain + 1,
      stale: known.stale || joined.taken.length > 0,
    })
    if (known.stale && known.vain >= sources.length) await giveUpRedaction(state, wanted)
    return short
  }

  /** As far as the bodies are those of the newest redactions known here; how many. */
  async function store(state: Based, wanted: LogHead, taken: readonly Brought[], end: LogHead | null): Promise<number> {
    if (taken.length === 0) return 0
    for (const { arrival, redaction, plain } of taken) {
      if (redaction === null || plain === null) continue
      await receiver.receive([
        { arrival: { ...arrival, kind: 'redaction', token: redaction.token }, token: null, redaction, plain, error: null },
      ])
    }
    return await db.transaction().execute(async trx => {
      if (!(await stands(trx, state, wanted))) return 0
      const redactions = await redactionsAt(
        trx,
        state.id,
        taken.map(({ entry }) => entry),
      )
      const fits = ({ entry, redaction }: Brought): boolean =>
        bodyIsNewest(redactions.get(formatPosition(entry)) ?? null, redaction)
      const stop = taken.findIndex(one => !fits(one))
      const good = stop < 0 ? taken : taken.slice(0, stop)
      if (good.length === 0) return 0
      await trx
        .insertInto('envelope')
        .values(good.map(one => rowOf(state.id, one)))
        .execute()
      await quarantine(
        trx,
        good.flatMap(one => (one.redaction === null ? asideOf(one) : [])),
      )
      const next = stop < 0 ? end : (taken[stop]?.entry ?? null)
      const row = { epoch: next?.epoch ?? 0, seq: next?.seq ?? 0, digest: next?.digest ?? null }
      await trx
        .insertInto('backfill')
        .values({ log_id: state.id, ...row })
        .onConflict(conflict => conflict.column('log_id').doUpdateSet(row))
        .execute()
      return good.length
    })
  }

  /** The log is where this step believed it to be; locked. */
  async function stands(trx: Transaction<LedgerTables>, { id, log, base }: Based, wanted: LogHead | null): Promise<boolean> {
    const now = (await lockLogs(trx, [log])).get(formatLogId(log))
    if (now?.base?.token !== base.token || now.frozen) return false
    const missing = await heldBehind(trx, { id, base })
    return missing?.digest === wanted?.digest
  }

  /** The origin has signed another entry at the place that what is held names: with its successor, a proof. */
  async function convict({ id, log, base }: Based, wanted: LogHead, against: Brought): Promise<void> {
    await db.transaction().execute(async trx => {
      const held = comparePositions(wanted, base) === 0 ? null : (await readOnward(trx, id, wanted, 1))[0]
      if (held === undefined) return
      const statement =
        held === null ? { token: base.token, assertions: assertionsOfHeads([{ log, head: base }]) } : await said(held.token, log)
      const reason = contradiction(statement.assertions, assertionsOfEntry(log, against.entry))
      if (reason === null) return
      await freeze(trx, id, { statements: [statement.token, against.arrival.token], reason })
      events.forked(log, reason)
    })
  }

  async function said(token: string, log: LogId): Promise<{ readonly token: string; readonly assertions: readonly Assertion[] }> {
    const kind = tokenKindOf(token) === 'epoch' ? 'epoch' : 'envelope'
    const { entry } = await openToken(kind, token, options.membership(), log)
    return { token, assertions: assertionsOfEntry(log, entry) }
  }

  /**
   * A redaction was taken before its entry was here to compare, and nobody has the body that it names: it was none. If it is one after all,
   * the origin's head counts it, and it is asked for again.
   */
  async function giveUpRedaction(state: Based, at: LogHead): Promise<void> {
    await db
      .deleteFrom('redaction')
      .where('log_id', '=', state.id)
      .where('epoch', '=', at.epoch)
      .where('seq', '=', at.seq)
      .execute()
    course.delete(state.id)
  }

  async function complete(state: Based): Promise<void> {
    const { id, log, base } = state
    const announced = await db
      .selectFrom('state_root')
      .selectAll()
      .where('log_id', '=', id)
      .where('epoch', '=', base.epoch)
      .where('seq', '=', base.seq)
      .where('verdict', '=', 'loaded')
      .executeTakeFirst()
    const finding = announced === undefined ? null : await findingOn({ ...state, base: null }, announced, base)
    // Where the root cannot be told any more, because what stood there was erased, every record is held against the log.
    const isFalse = finding === null ? await contradictsLog(state) : finding.verdict === 'differs'
    const done = await db.transaction().execute(async trx => {
      if (!(await stands(trx, state, null))) return false
      if (isFalse) {
        await options.loader.clear(trx, { id, dataset: log.dataset })
        await forgetLog(trx, id)
      }
      const none = { base_epoch: 0, base_seq: 0, base_digest: null, base_token: null }
      await trx.updateTable('log').set(none).where('id', '=', id).execute()
      await trx.deleteFrom('backfill').where('log_id', '=', id).execute()
      if (announced !== undefined && (finding !== null || isFalse))
        await trx
          .updateTable('state_root')
          .set(finding === null ? NOT_THE_LOGS : { verdict: finding.verdict, own_root: finding.ownRoot, reason: finding.reason })
          .where('log_id', '=', id)
          .where('root', '=', announced.root)
          .where('epoch', '=', base.epoch)
          .where('seq', '=', base.seq)
          .execute()
      return true
    })
    if (!done) return
    course.delete(id)
    if (announced !== undefined && finding !== null)
      events.rootJudged(log, { at: base, root: announced.root, records: announced.records }, finding)
    if (!isFalse) events.backfilled(log)
    else void options.tail(log).catch(error => events.failed(log.origin, error))
  }

  async function contradictsLog({ id, log }: Based): Promise<boolean> {
    return await db
      .transaction()
      .setIsolationLevel('repeatable read')
      .execute(async trx => (await options.derived(trx, { id, log, base: null }).next()).done !== true)
  }

  /** What a replay gives at the base; null where it cannot be told, because what stood there was erased since. */
  async function findingOn(
    state: LogState,
    announced: { readonly root: string; readonly records: number },
    base: LogHead,
  ): Promise<RootFinding | null> {
    try {
      return judgeRoot(announced, await computeRoot(db, readLedgerState, state, base))
    } catch (error) {
      if (isExchangeError(error) && error.code === 'SNAPSHOT_UNJUDGED') return null
      throw error
    }
  }

  return keepRounds(
    ROUND_MS,
    async stopping => (bytesPerSecond > 0 ? round(stopping) : undefined),
    error => events.failed(own, error),
  )
}

/** It is not loaded again. */
const NOT_THE_LOGS = { verdict: 'refused', own_root: null, reason: 'what was loaded does not follow from the log' } as const

const isBased = (state: LogState): state is Based => state.base !== null && !state.frozen && !state.loading

const broughtOf = (one: Opened, log: LogId): Brought[] =>
  one.error !== null || one.token === null || formatLogId(one.token.log) !== formatLogId(log)
    ? []
    : [{ ...one, entry: one.token.entry }]

const rowOf = (logId: number, { arrival, token, content, entry }: Brought) => ({
  log_id: logId,
  epoch: entry.epoch,
  seq: entry.seq,
  digest: entry.digest,
  token: arrival.token,
  encoding: arrival.encoding,
  body: token.claims === null ? null : arrival.body,
  records: token.claims?.n ?? 0,
  refusal: (token.refusal ?? content?.refusal ?? null)?.code ?? null,
})

/** What its origin said and nobody applies stands in quarantine here as it does elsewhere. */
function asideOf(one: Brought) {
  const refusal = one.token.refusal ?? one.content?.refusal ?? null
  if (refusal !== null) return [setAside(one, refusal)]
  if (one.content === null) return []
  const accepted = { logId: 0, token: one.token, content: one.content }
  return one.content.refused.map(refused => recordAside(accepted, refused, [one]))
}
