/**
 * The virtual road: a durable stream for each origin and a durable consumer for each reader of it, with acknowledgements,
 * redelivery and a duplicate window by message id, as JetStream gives them. It may go away, and it may lose its disk; then the hub
 * makes streams and consumers anew and they are empty. The hub runs it, so a lying hub lies here too.
 */
import type { HubLies } from './hub-lies.ts'
import { type Arrival, BROKER, type Message } from './network.ts'

const DUPLICATE_WINDOW_MS = 120_000
const ACK_WAIT_MS = 20_000
const NAK_MS = 2000
const PUMP_MS = 1000

type Stored = { readonly seq: number; readonly arrival: Arrival }
type Consumer = { next: number; readonly due: Map<number, number> }
type Stream = { readonly messages: Stored[]; readonly ids: Map<string, number>; readonly consumers: Map<string, Consumer> }

export type Broker = {
  up(): boolean
  take(from: string, message: Message): void
  /** What the hub does every five seconds: makes what is missing. */
  keepStreams(): void
  /** A reader that connects anew is offered again what it has not acknowledged; a new one everything that is still there. */
  attach(reader: string): void
  goAway(ms: number, wiped: boolean): void
}

export function createBroker(options: {
  readonly origins: readonly string[]
  /** who reads an origin's stream, and whether that reader may hold an audience */
  readonly readers: (origin: string) => readonly string[]
  readonly mayRead: (reader: string, audience: string) => boolean
  readonly isUp: (reader: string) => boolean
  readonly lies: HubLies
  readonly now: () => number
  readonly at: (time: number, act: () => void) => void
  readonly send: (from: string, to: string, message: Message) => void
  readonly note: (line: string) => void
}): Broker {
  const { lies, now, send, note } = options
  const streams = new Map<string, Stream>()
  const attached = new Set<string>()
  let away = 0

  function keepStreams(): void {
    if (away > 0) return
    for (const origin of options.origins) {
      if (streams.has(origin)) continue
      const consumers = new Map(options.readers(origin).map(reader => [reader, { next: 0, due: new Map<number, number>() }]))
      streams.set(origin, { messages: [], ids: new Map(), consumers })
    }
  }

  function publish(from: string, message: Message & { kind: 'publish' }): void {
    const stream = streams.get(from)
    if (stream === undefined) return
    const seen = stream.ids.get(message.id)
    if (!lies.swallows(from) && (seen === undefined || now() - seen > DUPLICATE_WINDOW_MS)) {
      stream.ids.set(message.id, now())
      stream.messages.push({ seq: stream.messages.length, arrival: message.arrival })
    }
    send(BROKER, from, { kind: 'published', ref: message.ref })
    pumpStream(from, stream)
  }

  function offer(origin: string, reader: string, consumer: Consumer, { seq, arrival }: Stored): void {
    const audience = arrival.subject?.audience ?? 'all'
    if (reader !== 'hub' && !options.mayRead(reader, audience)) return
    consumer.due.set(seq, now() + ACK_WAIT_MS)
    for (const said of lies.deliveries(reader, origin, arrival)) send(BROKER, reader, { kind: 'entry', origin, seq, arrival: said })
  }

  function pumpStream(origin: string, stream: Stream): void {
    for (const [reader, consumer] of stream.consumers) {
      if (!options.isUp(reader) || !attached.has(reader)) continue
      for (const [seq, due] of [...consumer.due]) {
        const stored = stream.messages[seq]
        if (due <= now() && stored !== undefined) offer(origin, reader, consumer, stored)
      }
      while (consumer.next < stream.messages.length) {
        const stored = stream.messages[consumer.next]
        consumer.next += 1
        if (stored !== undefined) offer(origin, reader, consumer, stored)
      }
    }
  }

  function pump(): void {
    if (away === 0) for (const [origin, stream] of streams) pumpStream(origin, stream)
    options.at(now() + PUMP_MS, pump)
  }

  options.at(PUMP_MS, pump)
  return {
    up: () => away === 0,
    keepStreams,
    take(from, message) {
      if (message.kind === 'publish') return publish(from, message)
      if (message.kind !== 'ack' && message.kind !== 'nak') return
      const consumer = streams.get(message.origin)?.consumers.get(from)
      if (message.kind === 'ack') consumer?.due.delete(message.seq)
      else if (consumer?.due.has(message.seq) === true) consumer.due.set(message.seq, now() + NAK_MS)
    },
    attach(reader) {
      attached.add(reader)
      for (const [origin, { consumers }] of streams) {
        if (!consumers.has(reader) && reader !== origin) consumers.set(reader, { next: 0, due: new Map() })
        const due = consumers.get(reader)?.due
        if (due !== undefined) for (const seq of due.keys()) due.set(seq, now())
      }
    },
    goAway(ms, wiped) {
      away += 1
      if (wiped) streams.clear()
      note(`broker goes away${wiped ? ' and loses its disk' : ''}`)
      options.at(now() + ms, () => {
        away -= 1
        note('broker is back')
      })
    },
  }
}
