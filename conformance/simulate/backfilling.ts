/**
 * Fetches the history before the snapshot that a log began with, the newest first, a few entries at a time. When the first of all is
 * held, the state that was loaded is held against its replay: the newcomer can tell by now.
 */
import { assertionsOfEntry, assertionsOfHeads, contradiction } from '../../schemas/assertions.ts'
import { askBackFrom, bodyIsNewest } from '../../schemas/backfill-rule.ts'
import { isExchangeError } from '../../schemas/errors.ts'
import { formatLogId, formatPosition, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import { type DiskLog, entryAt, forgetLog, prepend } from './disk.ts'
import { eraseHere } from './erasing.ts'
import { type Ground, type Life, transact } from './ground.ts'
import type { Hearing } from './hearing.ts'
import type { Ask } from './network.ts'
import { freeze, type OpenedEntry, type Receiving, storedFrom } from './receiving.ts'
import { applyRecords } from './replica.ts'
import { rootKey, rootOfState, stateIn } from './roots.ts'

const ROUND_MS = 1500
const ENTRIES = 4

export function createBackfill(
  ground: Ground,
  life: Life,
  options: {
    readonly ask: Ask
    readonly receiving: Receiving
    readonly announcedOf: Hearing['announcedOf']
    readonly others: (log: LogId) => readonly string[]
    readonly tail: (log: LogId, until: Position) => void
  },
): { start(): void } {
  const { rules } = ground
  const { code } = life
  /** who gave an older body than the redaction known here names */
  const inVain = new Map<string, Set<string>>()
  let turn = 0

  function round(): void {
    for (const on of ground.disk(code).logs.values()) if (on.base !== null && on.fork === null) back(on, on.base)
    ground.after(ROUND_MS, life, round)
  }

  function back(on: DiskLog, base: NonNullable<DiskLog['base']>): void {
    const { wanted, log } = on
    if (wanted === null) {
      ground.after(1, life, () => complete(on, base))
      return
    }
    const sources = rules.repairSources(log, code, options.others(log))
    const source = sources[turn % sources.length]
    turn += 1
    if (source === undefined) return
    options.ask(source, { what: 'range', log, ...askBackFrom(wanted, ENTRIES) }, async answer => {
      if (answer?.what !== 'range' || on.base?.token !== base.token || on.wanted?.digest !== wanted.digest) return
      const opened = (await Promise.all(answer.arrivals.map(options.receiving.open))).flatMap(one =>
        one.token !== null && formatLogId(one.token.log) === formatLogId(log) ? [{ ...one, entry: one.token.entry }] : [],
      )
      const joined = rules.joinBackward(wanted, opened)
      await take(on, joined, wanted, { source, sources })
      if (joined.against !== null) convict(on, base, joined.against)
    })
  }

  /** As far as the bodies are those of the newest redactions that are known here. */
  async function take(
    on: DiskLog,
    { taken, wanted: end }: { readonly taken: readonly OpenedEntry[]; readonly wanted: LogHead | null },
    from: LogHead,
    asked: { readonly source: string; readonly sources: readonly string[] },
  ): Promise<void> {
    const good: OpenedEntry[] = []
    for (const one of taken) {
      if (!(await erasesAlike(on, one))) break
      good.push(one)
    }
    const stopped = taken[good.length]
    const wanted = stopped === undefined ? end : stopped.token.entry
    if (good.length === 0 && stopped !== undefined) await doubt(on, stopped.token.entry, asked)
    if (good.length === 0) return
    await transact(ground, life, 'backfill: written', 'backfill: committed', [
      () => {
        for (const one of good) {
          const stored = storedFrom(one)
          prepend(on, stored)
          if (stored.kind === 'envelope' && stored.refusal === null) on.applied.unshift(formatPosition(stored.entry))
        }
        on.wanted = wanted === null ? null : { epoch: wanted.epoch, seq: wanted.seq, digest: wanted.digest }
      },
    ])
    ground.note(`${code} holds ${formatLogId(on.log)} from ${formatPosition(on.entries[0]?.entry ?? from)} on`)
  }

  /**
   * Nobody has the body that a redaction names: it was taken before its entry was here to be compared, and is none. If it is one after
   * all, the eraser brings it again.
   */
  async function doubt(
    on: DiskLog,
    at: LogHead,
    { source, sources }: { readonly source: string; readonly sources: readonly string[] },
  ): Promise<void> {
    const key = `${formatLogId(on.log)} ${formatPosition(at)}`
    const vain = inVain.get(key) ?? new Set()
    inVain.set(key, vain.add(source))
    if (!sources.every(one => vain.has(one))) return
    inVain.delete(key)
    ground.note(`${code} gives up a redaction of ${key}`)
    await transact(ground, life, 'backfill: written', 'backfill: committed', [() => void on.redactions.delete(formatPosition(at))])
  }

  /** What was erased in an entry is erased first; an older body waits for a holder that has the newer. */
  async function erasesAlike(on: DiskLog, { token, redaction, plain }: OpenedEntry): Promise<boolean> {
    try {
      if (redaction !== null && plain !== null) await eraseHere(ground, life, redaction, plain, { effect: true, ...options })
    } catch (error) {
      if (!isExchangeError(error)) throw error
      return false
    }
    const known = on.redactions.get(formatPosition(token.entry)) ?? null
    return !rules.order.knowErased || bodyIsNewest(known, redaction)
  }

  /** The origin has signed another entry at the place that what is held names. */
  function convict(on: DiskLog, base: NonNullable<DiskLog['base']>, against: OpenedEntry): void {
    const next = on.entries[0]
    const held =
      next === undefined || entryAt(on, base) === null
        ? { token: base.token, assertions: assertionsOfHeads([{ log: on.log, head: base }]) }
        : { token: next.token, assertions: assertionsOfEntry(on.log, next.entry) }
    const reason = contradiction(held.assertions, assertionsOfEntry(on.log, against.token.entry))
    if (reason !== null) freeze(ground, code, on.log, { statements: [held.token, against.arrival.token], reason })
  }

  /** From here on the log is one that was read from its first entry, or it is read so now. */
  async function complete(on: DiskLog, base: NonNullable<DiskLog['base']>): Promise<void> {
    if (on.base !== base || on.wanted !== null) return
    const announced = (await options.announcedOf(on.log))?.logs.find(at => formatLogId(at.log) === formatLogId(on.log))
    const own = rules.order.replayHistory ? rootOfState(stateIn(ground, on, base)) : null
    const mark = { at: { epoch: base.epoch, seq: base.seq, digest: base.digest }, root: base.root, records: base.records }
    const verdict = own === null ? null : rules.judgeRoot(mark, own).verdict
    // Where the root cannot be told any more, what was loaded is held against the log record by record.
    const isFalse = verdict === 'differs' || (verdict === null && rules.order.replayHistory && !isReplayed(on))
    await transact(ground, life, 'backfill: written', 'backfill: committed', [
      () => {
        if (verdict !== null || isFalse) on.roots.set(rootKey(mark), verdict ?? 'refused')
        if (isFalse) {
          forgetLog(on)
          ground.watch.emptied(code, on.log)
        }
        on.base = null
        on.loaded.clear()
      },
    ])
    if (verdict !== null) ground.watch.rootJudged(code, on.log, mark, verdict)
    ground.note(`${code} holds ${formatLogId(on.log)} whole: ${verdict ?? (isFalse ? 'false' : 'cannot be told')}`)
    if (isFalse && announced !== undefined) options.tail(on.log, announced.head)
  }

  /** What was erased says nothing, here or there. */
  function isReplayed(on: DiskLog): boolean {
    const replayed: DiskLog = { ...on, rows: new Map(), applied: [] }
    for (const stored of on.entries)
      if (stored.kind === 'envelope' && stored.refusal === null) applyRecords(ground, replayed, stored)
    return (
      replayed.rows.size === on.rows.size &&
      [...replayed.rows].every(([key, { ver, op, text }]) => {
        const row = on.rows.get(key)
        return row?.ver === ver && (row.text === text || row.op === 'erased' || op === 'erased')
      })
    )
  }

  return { start: () => ground.after(ROUND_MS, life, round) }
}
