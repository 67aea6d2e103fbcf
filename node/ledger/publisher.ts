/**
 * Empties the outbox: every entry of an own log behind the last receipt is published, in order, as the bytes that were committed.
 * JetStream's acknowledgement only says that the next may go; the hub's receipt is what lets the outbox forget. Without a receipt
 * for a while the node asks for one, and then sends again from the last receipt on: the message id makes a repeat harmless.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { convict } from '../../runtime/ledger/forks.ts'
import {
  entriesAt,
  type LogState,
  newLog,
  noteReceipt,
  readLog,
  readLogs,
  readOnward,
  type StoredEntry,
} from '../../runtime/ledger/ledger.ts'
import { entryHeaders } from '../../runtime/ledger/message.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Broker } from '../../runtime/nats.ts'
import { isExchangeError } from '../../schemas/errors.ts'
import { comparePositions, formatLogId, formatPosition, type LogId, type Position } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { judgeReceipt } from '../../schemas/receipt-rule.ts'
import { openReceipt, type Receipt } from '../../schemas/statements.ts'
import { logSubject, questionSubject, receiptSubject, streamName } from '../../schemas/subjects.ts'
import { nextOutboxAction } from '../../schemas/sync.ts'
import type { NodeEvents } from '../events.ts'

/** entries on their way at once, and read from the ledger at once */
const WINDOW = 16

/** receipts kept of each log that speak of nothing this node sealed */
const DOUBTFUL_RECEIPTS = 16
/** how long receipts are gathered before they are noted together */
const GATHER_MS = 250
/** bytes of just sealed entries kept at hand, so that an idle outbox need not read back what was committed a moment ago */
const FRESH_BYTES = 8 * 1024 * 1024

export type Publisher = AsyncDisposable & {
  /** entries that have just been committed behind the log's head, in order */
  offer(state: { readonly id: number; readonly log: LogId }, entries: readonly StoredEntry[]): void
  trouble(): string | null
}

type Sent = { position: Position; at: number; askedAt: number }

export function startPublisher(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  readonly origin: string
  readonly membership: () => Membership
  readonly events: NodeEvents
}): Publisher {
  const { broker, db, origin, events } = options
  const stopping = new AbortController()
  const sent = new Map<string, Sent>()
  const doubtful = new Map<string, Receipt[]>()
  /** the last one noted of each log, opened */
  const noted = new Map<string, Receipt>()
  /** the own logs as last read or moved; read again now and then, and after every failure */
  const known = new Map<string, LogState>()
  const fresh = new Map<string, { entries: StoredEntry[]; bytes: number }>()
  let waker = new AbortController()
  let trouble: string | null = null

  const receipts = broker.connection.subscribe(receiptSubject(origin), {
    callback: (error, message) => {
      if (error === null) void take(message.string()).catch(failure => events.failed(origin, failure))
    },
  })

  const arrived: Receipt[] = []
  let noting: Promise<void> | null = null
  let hurry: () => void = () => {}
  /**
   * Noted together with those that come within a moment: each would wait for the log's lock while entries are being sealed. The one that
   * empties the outbox is not kept waiting.
   */
  async function take(token: string): Promise<void> {
    const receipt = await openReceipt(token, options.membership())
    arrived.push(receipt)
    const head = known.get(formatLogId(receipt.log))?.head ?? null
    if (head === null || comparePositions(receipt.head, head) >= 0) hurry()
    noting ??= noteArrived().finally(() => {
      noting = null
    })
    await noting
  }

  async function noteArrived(): Promise<void> {
    while (arrived.length > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      hurry = resolve
      for (const group of Map.groupBy(arrived.splice(0), ({ log }) => formatLogId(log)).values()) await note(group)
      if (!stopping.signal.aborted) await Promise.race([promise, delay(GATHER_MS, undefined, { ref: false })])
    }
  }

  /** In the order in which they came: two that cannot both be true are held against each other. */
  async function note(group: readonly Receipt[]): Promise<void> {
    const [first] = group
    const state = first === undefined ? null : await readLog(db, first.log)
    if (state === null || state.log.origin !== origin) return events.receiptRefused('not one of the own logs')
    const id = formatLogId(state.log)
    const sealed = await entriesAt(
      db,
      group.map(({ head }) => ({ logId: state.id, at: head })),
    )
    const digestAt = (at: Position) => sealed.get(`${state.id}@${formatPosition(at)}`)?.digest ?? null
    let newest = await notedReceipt(id, state.receiptToken)
    for (const receipt of group) {
      const own = { head: state.head, noted: newest?.head ?? null, digestAt }
      const { kind, convicts } = judgeReceipt(receipt, own, [...(newest === null ? [] : [newest]), ...(doubtful.get(id) ?? [])])
      if (convicts !== null && (await convict(db, convicts))) events.hubConvicted(convicts.reason)
      if (kind === 'take') newest = receipt
      else if (kind === 'ahead' || kind === 'foreign') {
        // No proof by itself: the other side of it would be this node's word. Beside a later receipt it may be one.
        doubtful.set(id, [...(doubtful.get(id) ?? []), receipt].slice(-DOUBTFUL_RECEIPTS))
        events.receiptRefused(
          `it names ${formatPosition(receipt.head)} ${kind === 'ahead' ? 'beyond the own log' : 'with another digest'}`,
        )
      }
    }
    if (newest === null || newest.token === state.receiptToken) return
    if (!(await noteReceipt(db, state.log, newest.head, newest.token))) return
    noted.set(id, newest)
    const now = known.get(id)
    if (now !== undefined) known.set(id, { ...now, receipt: newest.head })
    events.receipted(state.log, newest.head)
  }

  async function notedReceipt(id: string, token: string | null): Promise<Receipt | null> {
    if (token === null) return null
    const last = noted.get(id)
    return last?.token === token ? last : await openReceipt(token, options.membership())
  }

  async function publishFrom(state: LogState): Promise<boolean> {
    const { log, head, receipt } = state
    const id = formatLogId(log)
    // Waiting is measured by a clock that nobody sets: a wall clock put back would keep an outbox silent.
    const now = performance.now()
    const last = sent.get(id) ?? null
    const action = nextOutboxAction({ head, receipt, sent: last }, now)
    if (head === null || action.kind === 'idle') return false
    if (action.kind === 'ask') {
      if (last !== null) last.askedAt = now
      await askReceipts()
      return false
    }
    if (action.kind === 'resend') events.resent(log)
    const batch = await nextEntries(state, action.from)
    const end = batch.at(-1)
    if (end === undefined) return false
    await Promise.all(
      batch.map(entry =>
        broker.stream.publish(logSubject(log), entry.body ?? undefined, {
          msgID: entry.digest,
          headers: entryHeaders(entry),
          expect: { streamName: streamName(origin) },
          timeout: 5000,
        }),
      ),
    )
    forgetFresh(id, end.position)
    sent.set(id, { position: end.position, at: performance.now(), askedAt: 0 })
    events.published(log, batch.length)
    return true
  }

  async function nextEntries(state: LogState, from: Position): Promise<StoredEntry[]> {
    const entries = fresh.get(formatLogId(state.log))?.entries ?? []
    const at = entries.findIndex(entry => comparePositions(entry.position, from) === 0)
    if (at >= 0) return entries.slice(at, at + WINDOW)
    return await readOnward(db, state.id, from, WINDOW)
  }

  function forgetFresh(id: string, until: Position): void {
    const rest = fresh.get(id)?.entries.filter(entry => comparePositions(entry.position, until) > 0) ?? []
    if (rest.length === 0) fresh.delete(id)
    else fresh.set(id, { entries: rest, bytes: rest.reduce((sum, entry) => sum + (entry.body?.length ?? 0), 0) })
  }

  function offer({ id: logId, log }: { readonly id: number; readonly log: LogId }, entries: readonly StoredEntry[]): void {
    const id = formatLogId(log)
    const last = entries.at(-1)
    if (last === undefined) return
    const before = known.get(id) ?? newLog(logId, log)
    known.set(id, { ...before, head: { ...last.position, digest: last.digest } })
    const kept = fresh.get(id) ?? { entries: [], bytes: 0 }
    const bytes = entries.reduce((sum, entry) => sum + (entry.body?.length ?? 0), kept.bytes)
    // A loaded outbox reads from the ledger, in order; what is kept at hand must have no hole in front of it.
    if (bytes <= FRESH_BYTES) fresh.set(id, { entries: [...kept.entries, ...entries], bytes })
    else fresh.delete(id)
    waker.abort()
  }

  async function refresh(): Promise<void> {
    for (const state of await readLogs(db)) {
      if (state.log.origin !== origin) continue
      // What was offered while this was read is newer than what was read.
      const head = known.get(formatLogId(state.log))?.head ?? null
      const ahead = head !== null && (state.head === null || comparePositions(head, state.head) > 0)
      known.set(formatLogId(state.log), ahead ? { ...state, head } : state)
    }
  }

  async function askReceipts(): Promise<void> {
    const answer = await broker.connection.request(questionSubject('hub', 'receipts', origin), undefined, { timeout: 2000 })
    await Promise.all(answer.json<string[]>().map(take))
  }

  async function run(): Promise<void> {
    let stale = true
    for (let failures = 0; !stopping.signal.aborted; ) {
      waker = new AbortController()
      try {
        if (stale) await refresh()
        const moved = await Promise.all([...known.values()].map(publishFrom))
        stale = false
        failures = 0
        trouble = null
        if (moved.some(Boolean)) continue
      } catch (error) {
        failures += 1
        stale = true
        trouble = error instanceof Error ? error.message : String(error)
        if (failures === 1 || isExchangeError(error)) events.failed(origin, error)
      }
      const pause = failures === 0 ? 1000 : Math.min(5000, 200 * 2 ** failures) * (0.5 + Math.random() / 2)
      const signals = failures === 0 ? [stopping.signal, waker.signal] : [stopping.signal]
      await delay(pause, undefined, { signal: AbortSignal.any(signals) }).catch(() => {})
      if (!waker.signal.aborted) stale = true
    }
  }

  const running = run()
  return {
    offer,
    trouble: () => trouble,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      receipts.unsubscribe()
      hurry()
      await Promise.allSettled([running, noting])
    },
  }
}
