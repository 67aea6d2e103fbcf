/**
 * Empties the outbox: every entry of an own log behind the last receipt is published, in order, as the bytes that were committed.
 * JetStream's acknowledgement only says that the next may go; the hub's receipt is what lets the outbox forget. Without a receipt
 * for a while the node asks for one, and then sends again from the last receipt on: the message id makes a repeat harmless.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { convict } from '../../runtime/ledger/forks.ts'
import { entriesAt, type LogState, noteReceipt, readLog, readLogs, readRange } from '../../runtime/ledger/ledger.ts'
import { entryHeaders } from '../../runtime/ledger/message.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Broker } from '../../runtime/nats.ts'
import { isExchangeError } from '../../schemas/errors.ts'
import { formatLogId, type Position } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { judgeReceipt } from '../../schemas/receipt-rule.ts'
import { openReceipt } from '../../schemas/statements.ts'
import { logSubject, questionSubject, receiptSubject, streamName } from '../../schemas/subjects.ts'
import { nextOutboxAction } from '../../schemas/sync.ts'
import type { NodeEvents } from '../events.ts'

/** entries on their way at once, and read from the ledger at once */
const WINDOW = 16

export type Publisher = AsyncDisposable & { wake(): void; trouble(): string | null }

type Sent = { position: Position; at: number; askedAt: number }

export function startPublisher(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  readonly origin: string
  readonly membership: () => Membership
  readonly events: NodeEvents
  readonly clock: () => Date
}): Publisher {
  const { broker, db, origin, events } = options
  const stopping = new AbortController()
  const sent = new Map<string, Sent>()
  let waker = new AbortController()
  let trouble: string | null = null

  const receipts = broker.connection.subscribe(receiptSubject(origin), {
    callback: (error, message) => {
      if (error === null) void take(message.string()).catch(failure => events.failed(origin, failure))
    },
  })

  async function take(token: string): Promise<void> {
    const membership = options.membership()
    const receipt = await openReceipt(token, membership)
    const state = await readLog(db, receipt.log)
    if (receipt.log.origin !== origin || state === null) return events.receiptRefused('not one of the own logs')
    const sealed = (await entriesAt(db, [{ logId: state.id, at: receipt.head }])).values().next().value ?? null
    const earlier = state.receiptToken === null ? [] : [await openReceipt(state.receiptToken, membership)]
    const own = { head: state.head, noted: state.receipt, digestAt: () => sealed?.digest ?? null }
    const verdict = judgeReceipt(receipt, own, earlier)
    if (verdict.kind === 'take' && (await noteReceipt(db, receipt.log, receipt.head, token)))
      events.receipted(receipt.log, receipt.head)
    else if (verdict.kind === 'ahead') events.receiptRefused('it names more than this node holds of its own log')
    else if (verdict.kind === 'foreign' || verdict.kind === 'convicts') {
      const statements = verdict.kind === 'convicts' ? verdict.statements : ([token, sealed?.token ?? ''] as const)
      if (await convict(db, { statements, reason: verdict.reason })) events.hubConvicted(verdict.reason)
    }
  }

  async function publishFrom(state: LogState): Promise<boolean> {
    const { log, head, receipt } = state
    const id = formatLogId(log)
    const now = options.clock().getTime()
    const last = sent.get(id) ?? null
    const action = nextOutboxAction({ head, receipt, sent: last }, now)
    if (head === null || action.kind === 'idle') return false
    if (action.kind === 'ask') {
      if (last !== null) last.askedAt = now
      await askReceipts()
      return false
    }
    if (action.kind === 'resend') events.resent(log)
    let batch = await readRange(db, state.id, action.from.epoch, action.from.seq, WINDOW)
    if (batch.length === 0 && action.from.epoch < head.epoch)
      batch = await readRange(db, state.id, action.from.epoch + 1, 0, WINDOW)
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
    sent.set(id, { position: end.position, at: options.clock().getTime(), askedAt: 0 })
    events.published(log, batch.length)
    return true
  }

  async function askReceipts(): Promise<void> {
    const answer = await broker.connection.request(questionSubject('hub', 'receipts', origin), undefined, { timeout: 2000 })
    for (const token of answer.json<string[]>()) await take(token)
  }

  async function run(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted; ) {
      waker = new AbortController()
      try {
        const states = (await readLogs(db)).filter(state => state.log.origin === origin)
        const moved = await Promise.all(states.map(publishFrom))
        failures = 0
        trouble = null
        if (moved.some(Boolean)) continue
      } catch (error) {
        failures += 1
        trouble = error instanceof Error ? error.message : String(error)
        if (failures === 1 || isExchangeError(error)) events.failed(origin, error)
      }
      const pause = failures === 0 ? 1000 : Math.min(5000, 200 * 2 ** failures) * (0.5 + Math.random() / 2)
      const signals = failures === 0 ? [stopping.signal, waker.signal] : [stopping.signal]
      await delay(pause, undefined, { signal: AbortSignal.any(signals) }).catch(() => {})
    }
  }

  const running = run()
  return {
    wake: () => waker.abort(),
    trouble: () => trouble,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      receipts.unsubscribe()
      await running
    },
  }
}
