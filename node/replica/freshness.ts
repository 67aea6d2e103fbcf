/**
 * Knows of every log of others since when this node may be missing something. The origin's newest signed head says where its log
 * stood at its time: a node that has reached that position knew everything then. Between two heads, and behind one, the last that was
 * reached counts; after a restart, at least the time of the last entry held. Silence therefore ages, whoever causes it.
 */
import type { HeadListener } from '../../runtime/ledger/heads.ts'
import type { LogState } from '../../runtime/ledger/ledger.ts'
import { keepRounds } from '../../runtime/rounds.ts'
import { DATASETS } from '../../schemas/datasets/datasets.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { type Freshness, freshnessAction, freshnessOf, ownFreshness } from '../../schemas/freshness.ts'
import { comparePositions, formatLogId, type LogId } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'

/** how often it is looked whether the newest heads are reached */
const WATCH_MS = 5000
/** a reader waits no longer than this for an origin that is asked */
const ASK_MS = 2000
/** an origin that did not help is left alone this long, so that a dead neighbour slows nobody */
const ASK_AGAIN_MS = 10_000

export type LogFreshness = { readonly state: LogState; readonly freshness: Freshness; readonly withheld: boolean }

export type FreshnessKeeper = AsyncDisposable & {
  /** The freshness of each log of a dataset, its origin asked where the contract says so. */
  judge(dataset: string, states: readonly LogState[]): Promise<Map<number, LogFreshness>>
  /** The last time at which this log is known to have been complete here. */
  completeAt(state: LogState): Date
}

export function keepFreshness(options: {
  readonly own: string
  readonly membership: () => Membership
  readonly heads: () => HeadListener
  readonly readLogs: () => Promise<LogState[]>
  /** asks an origin for its head and for what is missing here of its log */
  readonly ask: (log: LogId) => Promise<unknown>
  readonly clock: () => Date
  readonly failed: (error: unknown) => void
}): FreshnessKeeper {
  const { own, clock } = options
  const reached = new Map<string, Date>()
  const asked = new Map<string, number>()
  const stopping = new AbortController()

  /** The last time at which this log is known to have been complete here. */
  function completeAt({ log, head, issuedAt }: LogState): Date {
    const id = formatLogId(log)
    const announced = options.heads().newest(log.origin, log.audience)
    const at = announced?.logs.find(one => formatLogId(one.log) === id)?.head
    if (announced !== null && at !== undefined && head !== null && comparePositions(head, at) >= 0) {
      reached.set(id, later(reached.get(id), new Date(Math.min(announced.issuedAt.getTime(), clock().getTime()))))
    }
    return later(reached.get(id), issuedAt ?? new Date(0))
  }

  async function watch(): Promise<void> {
    for (const state of await options.readLogs()) if (state.log.origin !== own) completeAt(state)
  }

  async function askFor(logs: readonly LogId[]): Promise<void> {
    const now = performance.now()
    const due = logs.filter(log => now - (asked.get(formatLogId(log)) ?? Number.NEGATIVE_INFINITY) >= ASK_AGAIN_MS)
    if (due.length === 0) return
    for (const log of due) asked.set(formatLogId(log), now)
    const work = Promise.all(due.map(log => options.ask(log).catch(options.failed)))
    const patience = AbortSignal.any([stopping.signal, AbortSignal.timeout(ASK_MS)])
    const over = new Promise(resolve => patience.addEventListener('abort', resolve, { once: true }))
    await Promise.race([work, over])
  }

  async function judge(dataset: string, states: readonly LogState[]): Promise<Map<number, LogFreshness>> {
    const contract = DATASETS.find(row => row.name === dataset)?.freshness
    if (contract === undefined) throw new ExchangeError('DATASET_UNKNOWN', 'expected a dataset of the table')
    // A log that its origin may not write has no records, and its age says nothing.
    const { members } = options.membership()
    const writes = (origin: string): boolean => members.get(origin)?.writes.some(name => name === dataset) === true
    const ofDataset = (all: readonly LogState[]) => all.filter(({ log }) => log.dataset === dataset && writes(log.origin))
    const judged = (all: readonly LogState[]): { state: LogState; freshness: Freshness }[] =>
      all.map(state => {
        const mine = state.log.origin === own
        return { state, freshness: mine ? ownFreshness(contract, clock()) : freshnessOf(completeAt(state), contract, clock()) }
      })
    let found = judged(ofDataset(states))
    const toAsk = found.filter(({ freshness }) => freshnessAction(freshness.state, contract, false) === 'ask')
    if (toAsk.length > 0) {
      await askFor(toAsk.map(({ state }) => state.log))
      found = judged(ofDataset(await options.readLogs()))
    }
    return new Map(
      found.map(({ state, freshness }) => {
        const withheld = freshnessAction(freshness.state, contract, true) === 'refuse'
        return [state.id, { state, freshness, withheld }]
      }),
    )
  }

  const rounds = keepRounds(WATCH_MS, watch, options.failed)
  return {
    judge,
    completeAt,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await rounds[Symbol.asyncDispose]()
    },
  }
}

const later = (one: Date | undefined, other: Date): Date => (one !== undefined && one > other ? one : other)

/** Nothing of a log that is too old under its contract is shown; the answer names it, and is refused if nothing else would be left. */
export function expired(dataset: string, withheld: readonly LogFreshness[]): ExchangeError {
  const origins = [...new Set(withheld.map(({ state }) => state.log.origin))]
  const ages = withheld.map(({ freshness }) => freshness.age_seconds)
  const age = Math.min(...ages)
  const budget = withheld[0]?.freshness.budget_seconds ?? 0
  return new ExchangeError(
    'FRESHNESS_EXPIRED',
    `${dataset} of ${origins.join(', ')}: last known complete ${age} s ago, ${budget} s allowed`,
    { detail: { dataset, origin: origins, age_seconds: age, budget_seconds: budget } },
  )
}

/** RFC 9111 §5.1: whole seconds, the largest of what an answer rests on. */
export const ageHeader = (used: readonly Freshness[]): string => String(Math.max(0, ...used.map(one => one.age_seconds)))
