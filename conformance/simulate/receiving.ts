/**
 * What becomes of entries and redactions that arrive at a holder, however they came: the product's receiver with a virtual disk around
 * the same rules. Entries of a group are settled in one transaction, each redaction in one of its own behind them.
 */
import { assertionsOfEntry, assertionsOfHeads } from '../../schemas/assertions.ts'
import { type ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import {
  type ChainEntry,
  comparePositions,
  formatLogId,
  formatPosition,
  type LogHead,
  type LogId,
  lostBy,
  type Position,
} from '../../schemas/log.ts'
import { isTransient, type OpenedBody, type OpenedToken } from '../../schemas/opening.ts'
import type { Redaction } from '../../schemas/redaction.ts'
import type { HeldLog, Verdict } from '../../schemas/settlement.ts'
import type { Head } from '../../schemas/statements.ts'
import { append, entryAt, forgetLog, logOn, type StoredEntry, voidEntries } from './disk.ts'
import { eraseHere } from './erasing.ts'
import { type Ground, type Life, transact } from './ground.ts'
import { positionOf } from './histories.ts'
import type { Arrival } from './network.ts'
import { applyRecords } from './replica.ts'
import { unverifiedEntry } from './unverified.ts'

export type Outcome =
  | { readonly kind: 'accepted'; readonly log: LogId; readonly head: LogHead }
  | { readonly kind: 'gap'; readonly log: LogId; readonly at: Position }
  | { readonly kind: 'erased'; readonly log: LogId; readonly keys: number }
  | { readonly kind: 'wait' | 'duplicate' | 'forked' | 'refused' }

export type OpenedEntry = {
  readonly arrival: Arrival
  readonly token: OpenedToken
  readonly redaction: Redaction | null
  readonly plain: Uint8Array | null
  readonly content: OpenedBody | null
  readonly error: null
}
type OpenedRedaction = {
  readonly arrival: Arrival
  readonly token: null
  readonly redaction: Redaction
  readonly plain: Uint8Array
  readonly error: null
}
type Opened = OpenedEntry | OpenedRedaction | { readonly arrival: Arrival; readonly token: null; readonly error: ExchangeError }

export type Receiving = {
  open(arrival: Arrival): Promise<Opened>
  receive(arrivals: readonly Arrival[]): Promise<Outcome[]>
}

export function createReceiving(
  ground: Ground,
  life: Life,
  options: {
    readonly effect: boolean
    readonly announcedOf: (log: LogId) => Promise<Head | null>
    /** where a receipt would leave before its transaction */
    readonly early: (outcomes: readonly Outcome[]) => Promise<void>
  },
): Receiving {
  const { rules } = ground
  const { membership } = ground.members
  const { code } = life
  const disk = () => ground.disk(code)

  async function open(arrival: Arrival): Promise<Opened> {
    const body = arrival.body ?? Buffer.alloc(0)
    try {
      if (arrival.kind === 'redaction') {
        const redaction = await rules.openRedaction(arrival.token, membership, arrival.subject)
        const plain = await rules.openBytes({ dig: redaction.new }, body, 'identity')
        return { arrival, token: null, redaction, plain, error: null }
      }
      const token =
        rules.order.verifyFiles || arrival.file !== true
          ? await rules.openToken(arrival.kind, arrival.token, membership, arrival.subject)
          : unverifiedEntry(arrival.kind, arrival.token)
      if (token.claims === null) return { arrival, token, redaction: null, plain: null, content: null, error: null }
      const redaction =
        arrival.redaction === undefined ? null : await rules.openRedaction(arrival.redaction, membership, arrival.subject)
      if (redaction !== null) rules.checkAddressed(redaction, token.claims)
      const plain = await rules.openBytes(token.claims, body, 'identity', redaction)
      if (redaction !== null) rules.checkRedaction(null, plain, redaction)
      const content = token.refusal === null ? rules.openRecords(token.claims, plain, redaction?.keys) : null
      return { arrival, token, redaction, plain, content, error: null }
    } catch (error) {
      if (isExchangeError(error)) return { arrival, token: null, error }
      throw error
    }
  }

  async function heldOf(good: readonly OpenedEntry[]): Promise<Map<string, HeldLog>> {
    const held = new Map<string, HeldLog>()
    for (const { token } of good) {
      const log = logOn(disk(), token.log)
      const head = await options.announcedOf(token.log)
      const own = head?.logs.filter(at => formatLogId(at.log) === formatLogId(token.log)) ?? []
      held.set(formatLogId(token.log), {
        head: log.head,
        frozen: log.fork !== null,
        loading: rules.order.waitWhileLoading && log.loading !== null,
        at(position) {
          const stored = entryAt(log, position)
          if (stored !== null) return { digest: stored.entry.digest, token: stored.token }
          return log.base !== null && formatPosition(log.base) === formatPosition(position) ? log.base : null
        },
        announced: head === null ? null : { token: head.token, assertions: assertionsOfHeads(own) },
      })
    }
    return held
  }

  /** Entries first: a redaction that comes with the entry that allows it is judged after that one. */
  async function receive(arrivals: readonly Arrival[]): Promise<Outcome[]> {
    ground.step(life, 'receive: arrived')
    const opened: Opened[] = []
    for (const arrival of arrivals) opened.push(await open(arrival))
    ground.step(life, 'receive: opened')
    const entries = opened.filter(one => !isRedaction(one))
    const settled = entries.length === 0 ? [] : await receiveEntries(entries)
    const outcomes: Outcome[] = []
    for (const one of opened) {
      const outcome = isRedaction(one) ? undefined : settled[entries.indexOf(one)]
      const repeats = rules.order.eraseWithRepeat && outcome?.kind === 'duplicate' && one.error === null && one.redaction !== null
      outcomes.push(outcome === undefined || repeats ? await receiveRedaction(one) : outcome)
    }
    return outcomes
  }

  async function receiveRedaction(one: Opened): Promise<Outcome> {
    if (one.error !== null || one.redaction === null || one.plain === null) throw new Error('expected a redaction')
    const { log, keys } = one.redaction
    try {
      const verdict = await eraseHere(ground, life, one.redaction, one.plain, options)
      if (verdict !== 'known') ground.note(`${code} ${verdict} ${formatLogId(log)} ${formatPosition(one.redaction.position)}`)
      return verdict === 'erased' ? { kind: 'erased', log, keys: keys.size } : { kind: verdict === 'wait' ? 'wait' : 'duplicate' }
    } catch (error) {
      if (!isExchangeError(error)) throw error
      return refuse(one.arrival, error, null)
    }
  }

  async function receiveEntries(opened: readonly Opened[]): Promise<Outcome[]> {
    const good = opened.filter(isEntry)
    const arriving = good.map(one => ({ log: one.token.log, entry: one.token.entry, token: one.arrival.token }))
    const settlement = rules.settle(await heldOf(good), arriving)
    const verdicts = new Map<Opened, Verdict | undefined>(
      good.map((one, index) => [one, behindClosing(one, settlement.verdicts[index])]),
    )
    ground.step(life, 'receive: settled')
    const ledger: (() => void)[] = []
    const effects: (() => void)[] = []
    const after: (() => void)[] = []
    const outcomes = opened.map((one): Outcome => {
      if (!isEntry(one)) return one.error === null ? { kind: 'refused' } : refuse(one.arrival, one.error, ledger)
      return effectOf(one, verdicts.get(one), ledger, effects, after)
    })
    if (!rules.order.receiptAfterCommit) await options.early(outcomes)
    if (rules.order.cursorWithEffect)
      await transact(ground, life, 'receive: written', 'receive: committed', [...ledger, ...effects, ...after])
    else {
      await transact(ground, life, 'receive: written', 'receive: cursor moved', ledger)
      await transact(ground, life, 'receive: written', 'receive: committed', [...effects, ...after])
    }
    for (const [index, one] of opened.entries())
      if (isEntry(one) && outcomes[index]?.kind !== 'gap') ground.watch.settled(code, one.token)
    return outcomes
  }

  /** A repeat of nothing that is held: the opening of the next epoch, or the entry before, may speak against it. */
  function behindClosing(one: OpenedEntry, verdict: Verdict | undefined): Verdict | undefined {
    const { log, entry } = one.token
    const on = logOn(disk(), log)
    if (verdict?.kind !== 'duplicate' || entryAt(on, entry) !== null) return verdict
    const after = entryAt(on, { epoch: entry.epoch + 1, seq: 0 })
    const before = entryAt(on, { epoch: entry.epoch, seq: entry.seq - 1 })
    const beside = [after, before].map(held =>
      held === null ? null : { token: held.token, assertions: assertionsOfEntry(log, held.entry) },
    )
    return rules.judgeBehindClosing({ log, entry, token: one.arrival.token }, beside) ?? verdict
  }

  function refuse(arrival: Arrival, error: ExchangeError, writes: (() => void)[] | null): Outcome {
    if (isTransient(error)) return { kind: 'wait' }
    const set = (): void => {
      const { quarantine } = disk()
      const identity = `${error.code}/${arrival.token}`
      quarantine.set(identity, (quarantine.get(identity) ?? 0) + 1)
    }
    if (writes === null) set()
    else writes.push(set)
    ground.note(`${code} refuses ${arrival.kind === 'redaction' ? 'a redaction' : 'an entry'}: ${error.code}`)
    return { kind: 'refused' }
  }

  function effectOf(
    one: OpenedEntry,
    verdict: Verdict | undefined,
    ledger: (() => void)[],
    effects: (() => void)[],
    after: (() => void)[],
  ): Outcome {
    const { log, entry, claims } = one.token
    const id = formatLogId(log)
    ground.note(`${code} settles ${id} ${formatPosition(entry)}: ${verdict?.kind}`)
    if (verdict === undefined) throw new Error('an arrival without a verdict')
    if (verdict.kind === 'gap') return { kind: 'gap', log, at: entry }
    if (verdict.kind === 'duplicate') return { kind: 'duplicate' }
    if (verdict.kind === 'frozen') return { kind: 'refused' }
    if (verdict.kind === 'fork') {
      ledger.push(() => freeze(ground, code, log, verdict))
      return { kind: 'forked' }
    }
    const stored = storedFrom(one)
    ledger.push(() => {
      append(logOn(disk(), log), stored)
      if (one.redaction !== null) logOn(disk(), log).redactions.set(formatPosition(entry), one.redaction)
    })
    if (entry.kind === 'opening' && entry.lost != null) after.push(() => withdraw(log, entry))
    if (options.effect && claims !== null && stored.refusal === null)
      effects.push(() => applyRecords(ground, logOn(disk(), log), stored))
    return { kind: 'accepted', log, head: entry }
  }

  /** What is held of a lost range stays as evidence and counts no more: the state is what the rest of the ledger says. */
  function withdraw(log: LogId, opening: ChainEntry & { kind: 'opening' }): void {
    const on = logOn(disk(), log)
    const { lost } = opening
    if (lost == null) return
    const loaded = on.base !== null && comparePositions(on.base, lost) >= 0
    if (!voidEntries(on, lost, opening) && !loaded) return
    ground.note(`${code} keeps entries of ${formatLogId(log)} that were declared lost from ${formatPosition(lost)} on`)
    // What they replaced is not in this ledger: the log is read anew.
    if (loaded || (on.base !== null && [...on.rows.values()].some(({ at }) => lostBy(opening, positionOf(at))))) {
      forgetLog(on)
      ground.watch.emptied(code, log)
      return
    }
    if (!options.effect || !rules.order.withdrawLost) return
    on.rows.clear()
    on.applied.length = 0
    for (const stored of on.entries) if (stored.kind === 'envelope' && stored.refusal === null) applyRecords(ground, on, stored)
  }

  return { open, receive }
}

const isRedaction = (one: Opened): one is OpenedRedaction => one.error === null && one.token === null
const isEntry = (one: Opened): one is OpenedEntry => one.token !== null

/** What is stored of an entry that was opened. */
export function storedFrom({ arrival, token, redaction, content }: OpenedEntry): StoredEntry {
  return {
    kind: token.claims === null ? 'epoch' : 'envelope',
    entry: token.entry,
    token: arrival.token,
    body: arrival.body,
    dig: token.claims?.dig ?? null,
    redaction: redaction?.token ?? null,
    refusal: (token.refusal ?? content?.refusal ?? null)?.code ?? null,
    records: content?.records ?? [],
    erased: content?.erased ?? [],
  }
}

export function freeze(
  ground: Ground,
  code: string,
  log: LogId,
  fork: { readonly statements: readonly [string, string]; readonly reason: string },
): void {
  const on = logOn(ground.disk(code), log)
  on.fork ??= { statements: fork.statements, reason: fork.reason }
  ground.note(`${code} freezes ${formatLogId(log)}: ${fork.reason}`)
}
