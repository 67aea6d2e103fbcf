/**
 * A hub that lies, with the hub's own key, credentials and broker. It takes every entry from its origin in the stream's place and
 * acknowledges it, puts into the stream what it likes, signs what receipts it likes, and answers questions as it likes. What it has not
 * is anybody else's key. It is honest in whatever it was not told to lie about.
 */
import { AckPolicy, DeliverPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream'
import { headers, type Msg, type MsgHdrs } from '@nats-io/transport-node'
import { arrivalOf } from '../../runtime/ledger/message.ts'
import { digestOf } from '../../schemas/digest.ts'
import { tokenDigest } from '../../schemas/envelope.ts'
import { formatLogId, type LogHead, type LogId } from '../../schemas/log.ts'
import { sealReceipt } from '../../schemas/statements.ts'
import {
  askerOf,
  audienceFilter,
  consumerName,
  HEADERS,
  originSubjects,
  parseLogSubject,
  questionFilter,
  receiptSubject,
  streamName,
} from '../../schemas/subjects.ts'
import { parseToken } from '../../schemas/tokens.ts'
import type { Testbed } from './testbed.ts'

export type Entry = {
  readonly log: LogId
  readonly head: LogHead
  readonly token: string
  readonly headers: MsgHdrs
  readonly data: Uint8Array
}
export type Lies = {
  /** what goes into the stream where an entry came */
  readonly road: (entry: Entry) => readonly Entry[]
  /** the positions that receipts are signed for where an entry is the newest */
  readonly receipts: (head: LogHead) => readonly LogHead[]
  /** what a question for a range is answered with */
  readonly range: (entries: readonly Entry[]) => readonly Entry[]
  /** what an origin is told of its own logs */
  readonly standing: (tokens: readonly string[]) => readonly string[]
}
export const HONEST: Lies = {
  road: entry => [entry],
  receipts: head => [head],
  range: entries => entries,
  standing: tokens => tokens,
}

/** What lies are made of: an entry with another body, a token that claims to stand further on, a position with another digest. */
export const alteredBody = (entry: Entry): Entry => {
  const data = Buffer.from(entry.data)
  data[data.length >> 1] = (data[data.length >> 1] ?? 0) ^ 1
  return { ...entry, data }
}
export const raised = (token: string): string => {
  const [head = '', claims = '', signature = ''] = token.split('.')
  const value = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as { seq: number }
  return `${head}.${Buffer.from(JSON.stringify({ ...value, seq: value.seq + 7 })).toString('base64url')}.${signature}`
}
export const falsely = (head: LogHead): LogHead => ({ ...head, digest: digestOf(`not ${head.digest}`) })
export function underToken(token: string): Pick<Entry, 'token' | 'headers'> {
  const set = headers()
  set.set(HEADERS.envelope, token)
  return { token, headers: set }
}

export type LyingHub = AsyncDisposable & {
  /** tells these lies and no others from now on */
  tell(lies: Partial<Lies>): void
  /** puts an entry into its origin's stream by itself */
  deliver(entry: Entry): void
  /** every entry that was ever brought to it */
  readonly entries: readonly Entry[]
  /** what a reader's consumer begins with: everything, or only what is yet to come */
  consumer(origin: string, reader: string, from: 'all' | 'new' | 'none'): Promise<void>
}

/** What the road puts into headers by itself is not carried on: a repeat would be taken for one. */
function ownHeaders(message: Msg): MsgHdrs {
  const set = headers()
  for (const name of [HEADERS.envelope, HEADERS.epoch, HEADERS.redaction, HEADERS.encoding]) {
    const value = message.headers?.get(name) ?? ''
    if (value !== '') set.set(name, value)
  }
  return set
}

function entryOf(message: Msg): Entry {
  const { kind, token } = arrivalOf(message, null)
  if (kind === 'redaction') throw new Error('the lying hub is told of no redactions')
  const { ep, seq = 0 } = parseToken(token, kind).claims as { readonly ep: number; readonly seq?: number }
  return {
    log: parseLogSubject(message.subject),
    head: { epoch: ep, seq, digest: tokenDigest(token) },
    token,
    headers: ownHeaders(message),
    data: message.data,
  }
}

/** Takes the place of the hub that the testbed has stopped, for one origin's stream and the readers of it. */
export async function startLyingHub(bed: Testbed, origin: string, readers: readonly string[]): Promise<LyingHub> {
  const broker = await bed.connectAs('hub')
  const { connection } = broker
  const signer = await bed.signer('hub')
  const manager = await broker.manager()
  const entries: Entry[] = []
  let lies: Lies = HONEST
  let acknowledged = 0

  const newest = (of: string): Entry[] => [
    ...new Map(entries.filter(({ log }) => log.origin === of).map(entry => [formatLogId(entry.log), entry])).values(),
  ]
  const receiptsOf = ({ log, head }: Entry): Promise<string[]> =>
    Promise.all(lies.receipts(head).map(one => sealReceipt(log, one, { fed: bed.membership.fed, signer, now: new Date() })))
  const deliver = ({ log, headers: set, data }: Entry): void =>
    connection.publish(`lies.${log.origin}.${log.dataset}.${log.audience}`, data, { headers: set })

  async function consumer(of: string, reader: string, from: 'all' | 'new' | 'none'): Promise<void> {
    await manager.consumers.delete(streamName(of), consumerName(reader)).catch(() => false)
    if (from === 'none') return
    await manager.consumers.add(streamName(of), {
      durable_name: consumerName(reader),
      ack_policy: AckPolicy.Explicit,
      deliver_policy: from === 'all' ? DeliverPolicy.All : DeliverPolicy.New,
      filter_subjects: [audienceFilter(of, 'all')],
    })
  }

  async function take(message: Msg): Promise<void> {
    const entry = entryOf(message)
    acknowledged += 1
    message.respond(JSON.stringify({ stream: streamName(origin), seq: acknowledged }))
    if (entries.some(({ head }) => head.digest === entry.head.digest)) return
    entries.push(entry)
    for (const one of lies.road(entry)) deliver(one)
    for (const token of await receiptsOf(entry)) connection.publish(receiptSubject(origin), token)
  }

  const answers: { readonly [kind: string]: (message: Msg, asker: string) => Promise<void> } = {
    async range(message) {
      const { epoch, from, ...log } = message.json<LogId & { epoch: number; from: number }>()
      const asked = entries.filter(
        one => formatLogId(one.log) === formatLogId(log) && one.head.epoch === epoch && one.head.seq >= from,
      )
      for (const one of lies.range(asked)) message.respond(one.data, { headers: one.headers })
      const end = headers()
      end.set(HEADERS.end, 'true')
      message.respond(undefined, { headers: end })
    },
    async redactions(message) {
      const end = headers()
      end.set(HEADERS.end, 'true')
      message.respond(undefined, { headers: end })
    },
    async receipts(message, asker) {
      message.respond(JSON.stringify((await Promise.all(newest(asker).map(receiptsOf))).flat()))
    },
    async standing(message, asker) {
      message.respond(JSON.stringify(lies.standing(newest(asker).map(({ token }) => token))))
    },
    async heads(message) {
      message.respond('[]')
    },
    async forks(message) {
      message.respond('[]')
    },
  }

  await manager.streams.delete(streamName(origin))
  await manager.streams.add({
    name: streamName(origin),
    subjects: [`lies.${origin}.>`],
    subject_transform: { src: `lies.${origin}.>`, dest: originSubjects(origin) },
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    duplicate_window: 0,
  })
  for (const reader of readers) await consumer(origin, reader, 'all')
  const failures: unknown[] = []
  const listen = (subject: string, act: (message: Msg) => Promise<void>) =>
    connection.subscribe(subject, {
      callback: (_, message) => void act(message).catch(error => failures.push(error)),
    })
  const subscriptions = [
    listen(originSubjects(origin), take),
    ...Object.entries(answers).map(([kind, answer]) =>
      listen(questionFilter('hub', kind as 'range'), message => answer(message, askerOf(message.subject))),
    ),
  ]
  return {
    entries,
    deliver,
    consumer,
    tell(told) {
      lies = { ...HONEST, ...told }
    },
    async [Symbol.asyncDispose]() {
      for (const subscription of subscriptions) subscription.unsubscribe()
      if (failures.length > 0) throw new AggregateError(failures, 'the lying hub failed')
    },
  }
}
