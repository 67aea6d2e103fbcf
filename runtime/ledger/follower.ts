/**
 * Follows one origin's stream through this reader's durable consumer. While one group of messages is written to the database, the
 * next is opened (signatures, digests, schemas), so that neither waits for the other; a message is acknowledged after the
 * transaction that settled it. The consumer's limit of unacknowledged messages bounds what is held in memory.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream'
import type { MsgHdrs } from '@nats-io/transport-node'
import { formatLogId, type LogId } from '../../schemas/log.ts'
import { consumerName, streamName } from '../../schemas/subjects.ts'
import type { Broker } from '../nats.ts'
import { withExtractedTrace } from '../telemetry.ts'
import type { Opened, Outcome, Receiver } from './arrival.ts'
import type { LedgerEvents } from './events.ts'
import { arrivalOf } from './message.ts'

/** messages and bytes settled in one transaction */
const GROUP_MESSAGES = 32
/** as sent; what is larger costs memory and more collecting of it than it saves in commits */
const GROUP_BYTES = 160 * 1024
/** how long the broker waits before it offers a message again that could not be settled */
const AGAIN_MS = 2000

/** Headers are parsed when they are read: some that cannot be are no headers, so that the message is refused and the log goes on. */
function headersOf(message: JsMsg): MsgHdrs | undefined {
  try {
    return message.headers
  } catch {
    return undefined
  }
}

/** Whose message it claims to be by its subject; the receiver judges it. */
function logOf(subject: string): LogId {
  const [, origin = '', dataset = '', audience = ''] = subject.split('.')
  return { origin, dataset, audience }
}

export type Follower = AsyncDisposable & { trouble(): string | null }

export function followOrigin(options: {
  readonly broker: Broker
  readonly origin: string
  readonly reader: string
  readonly receiver: Receiver
  readonly events: LedgerEvents
  /** after each settled group */
  readonly settled: (outcomes: readonly Outcome[]) => Promise<void>
  /** mends a gap; true when entries were added */
  readonly repair: (log: LogId) => Promise<boolean>
  /** a log that is being loaded from a snapshot: its messages are early, and not even opened */
  readonly isLoading?: (log: LogId) => boolean
}): Follower {
  const { broker, origin, receiver, events } = options
  const stopping = new AbortController()
  const waiting: JsMsg[] = []
  /** positions in the stream of what was delivered and is not settled */
  const inHand = new Set<number>()
  let wake: () => void = () => {}
  let messages: ConsumerMessages | null = null
  let detached: string | null = 'not connected to the stream yet'
  let unsettled: string | null = null

  async function attach(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        const consumer = await broker.stream.consumers.get(streamName(origin), consumerName(options.reader))
        messages = await consumer.consume({
          max_messages: 64,
          // After a broker's failure the pull is renewed within two missed heartbeats, which come at half of this.
          expires: 10_000,
          // A consumer that is gone is a trouble to be seen, not something to wait for in silence.
          abort_on_missing_resource: true,
          callback: message => {
            // While the database is away the broker offers again what is in hand already; kept twice, it would fill the memory.
            if (inHand.has(message.seq)) return
            inHand.add(message.seq)
            waiting.push(message)
            wake()
          },
        })
        detached = null
        const closed = await messages.closed()
        if (!stopping.signal.aborted) detached = closed instanceof Error ? closed.message : 'the stream was closed'
      } catch (error) {
        detached = error instanceof Error ? error.message : String(error)
      }
      await delay(500 + Math.random() * 500, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  const nextGroup = async (): Promise<JsMsg[]> => {
    while (waiting.length === 0 && !stopping.signal.aborted) {
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
    let bytes = 0
    let count = 0
    while (count < waiting.length && count < GROUP_MESSAGES && bytes < GROUP_BYTES) bytes += waiting[count++]?.data.length ?? 0
    return waiting.splice(0, count)
  }

  async function settle(group: readonly JsMsg[], opened: readonly Opened[]): Promise<void> {
    const outcomes = await persistently(() => receiver.receive(opened))
    if (outcomes === null) return
    await options.settled(outcomes)
    const gaps = new Map<string, LogId>()
    for (const [index, outcome] of outcomes.entries()) {
      const message = group[index]
      // One gap makes every message behind it early; it is reported once.
      const gap = outcome.kind === 'gap' ? formatLogId(outcome.log) : null
      if (gap === null || !gaps.has(gap)) events.arrived(origin, outcome)
      if (outcome.kind === 'gap') gaps.set(formatLogId(outcome.log), outcome.log)
      if (outcome.kind === 'gap' || outcome.kind === 'wait') message?.nak(AGAIN_MS)
      else message?.ack()
    }
    for (const log of gaps.values()) await options.repair(log)
  }

  /** A database that is away is waited for, with what was opened in hand; only stopping ends it. */
  async function persistently<T>(act: () => Promise<T>): Promise<T | null> {
    for (let attempt = 0; !stopping.signal.aborted; attempt += 1) {
      try {
        const result = await act()
        unsettled = null
        return result
      } catch (error) {
        unsettled = error instanceof Error ? error.message : String(error)
        events.failed(origin, error)
        await delay(Math.min(5000, 100 * 2 ** attempt) * (0.5 + Math.random() / 2), undefined, { signal: stopping.signal }).catch(
          () => {},
        )
      }
    }
    return null
  }

  const open = (message: JsMsg): Promise<Opened> =>
    withExtractedTrace(
      name => headersOf(message)?.get(name) || undefined,
      () => receiver.open(arrivalOf({ headers: headersOf(message), data: message.data }, message.subject)),
    )

  function isEarly(message: JsMsg): boolean {
    if (options.isLoading?.(logOf(message.subject)) !== true) return false
    message.nak(AGAIN_MS)
    return true
  }

  const release = (messages: readonly JsMsg[]): void => {
    for (const { seq } of messages) inHand.delete(seq)
  }

  async function run(): Promise<void> {
    let settling: Promise<void> = Promise.resolve()
    while (!stopping.signal.aborted) {
      const delivered = await nextGroup()
      const group = delivered.filter(message => !isEarly(message))
      release(delivered.filter(message => !group.includes(message)))
      if (group.length === 0) continue
      // Opening may ask the database what was erased, so it too waits for one that is away.
      const opened = (await persistently(() => Promise.all(group.map(open)))) ?? []
      await settling
      // What fails after the commit (a receipt, an acknowledgement) is offered again by the broker; nobody awaits it before the next group.
      if (opened.length > 0)
        settling = settle(group, opened)
          .catch(error => {
            unsettled = error instanceof Error ? error.message : String(error)
            events.failed(origin, error)
          })
          .finally(() => release(group))
    }
    await settling
  }

  const attaching = attach()
  const running = run().catch(error => {
    detached = error instanceof Error ? error.message : String(error)
    events.failed(origin, error)
  })
  return {
    trouble: () => detached ?? unsettled,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      messages?.stop()
      wake()
      await Promise.all([attaching, running])
    },
  }
}
