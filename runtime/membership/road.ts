/**
 * The way of the membership log to its holders: the hub's stream for what is new, and questions for what is missing, first to the hub,
 * then to anybody. Whoever answers, the entries verify the same, so it works with the hub gone.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream'
import { headers, type Msg } from '@nats-io/transport-node'
import { tokenDigest } from '../../schemas/envelope.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { parseIJson } from '../../schemas/i-json.ts'
import { consumerName, HEADERS, MEMBERSHIP_SUBJECT, questionSubject, streamName } from '../../schemas/subjects.ts'
import type { Outcome } from '../ledger/arrival.ts'
import type { LedgerEvents } from '../ledger/events.ts'
import { HUB, hearQuestions } from '../ledger/questions.ts'
import { type Broker, withTrace } from '../nats.ts'
import type { MembershipKeeper } from './keeper.ts'

export type MembershipRoad = AsyncDisposable & {
  /** Somebody knows more than this program: asks, at once and then ever more seldom. */
  behind(): void
  /** Asks until the position is reached, or nobody knows more. */
  catchUp(position?: number): Promise<void>
  trouble(): string | null
}

const ANSWER_TIMEOUT_MS = 3000
const AGAIN_MS = 2000
/** without any sign of being behind */
const ASK_EVERY_MS = 30_000
const PAUSE_MS = 250
/** what one answer holds: below the broker's limit on a message */
const ANSWER_BYTES = 640 * 1024
/** what fits into JetStream's headers; a larger entry goes as the data */
const HEADER_BYTES = 48 * 1024

export function startMembershipRoad(options: {
  readonly broker: Broker
  /** this program's code, or `hub` */
  readonly own: string
  readonly keeper: MembershipKeeper
  readonly failed: (error: unknown) => void
}): MembershipRoad {
  const { broker, own, keeper, failed } = options
  const stopping = new AbortController()
  let messages: ConsumerMessages | null = null
  let detached: string | null = own === HUB ? null : 'not connected to the membership log yet'

  const others = (): string[] => {
    const members = [...keeper.state().members.values()].filter(({ standing }) => standing === 'admitted').map(({ code }) => code)
    return members.filter(code => code !== own)
  }

  /** Everything that one holder has behind what is held here. */
  async function askFrom(holder: string): Promise<void> {
    for (let from = keeper.state().position + 1; !stopping.signal.aborted; from = keeper.state().position + 1) {
      const answer = await broker.connection.request(questionSubject(holder, 'membership', own), JSON.stringify({ from }), {
        timeout: ANSWER_TIMEOUT_MS,
      })
      const tokens = parseIJson(answer.data, 2, 'REQUEST_INVALID')
      if (!Array.isArray(tokens)) throw new ExchangeError('REQUEST_INVALID', `${holder}: expected a list of entries`)
      if (tokens.length === 0) return
      await keeper.take(tokens.filter((token): token is string => typeof token === 'string'))
      if (keeper.state().position < from) return
    }
  }

  const answers = (holder: string): Promise<boolean> =>
    askFrom(holder).then(
      () => true,
      () => false,
    )

  /** The hub first; without it, or where it knows no more, everybody at once: one who is away costs no more than one time limit. */
  async function catchUpNow(position: number | null): Promise<void> {
    const reached = (): boolean => position === null || keeper.state().position >= position
    if (own !== HUB && (await answers(HUB)) && reached()) return
    await Promise.all(others().map(answers))
  }

  let asking: Promise<void> = Promise.resolve()
  let due = false
  const catchUp = (position: number | null = null): Promise<void> => {
    asking = asking.then(() => catchUpNow(position)).catch(failed)
    return asking
  }

  /** One at a time; who says so twice is answered once. */
  function behind(): void {
    if (due || stopping.signal.aborted) return
    due = true
    void delay(PAUSE_MS, undefined, { signal: stopping.signal })
      .then(() => catchUp(keeper.state().position + 1))
      .catch(() => {})
      .finally(() => {
        due = false
      })
  }

  async function take(message: JsMsg): Promise<void> {
    try {
      const token = message.headers?.get(HEADERS.membership) || message.string()
      const { waiting } = await keeper.take([token])
      message.ack()
      if (waiting.length > 0) behind()
    } catch (error) {
      failed(error)
      message.nak(AGAIN_MS)
    }
  }

  async function follow(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        const consumer = await broker.stream.consumers.get(streamName(HUB), consumerName(own))
        let settling: Promise<void> = Promise.resolve()
        messages = await consumer.consume({
          max_messages: 64,
          // A request is lost when the accounts change, which is just when there is something to hear: it is soon made again.
          expires: 2000,
          callback: message => {
            settling = settling.then(() => take(message))
          },
        })
        detached = null
        const closed = await messages.closed()
        await settling
        if (!stopping.signal.aborted) detached = closed instanceof Error ? closed.message : 'the stream was closed'
      } catch (error) {
        detached = error instanceof Error ? error.message : String(error)
      }
      await delay(500 + Math.random() * 500, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  async function answer(message: Msg, asker: string): Promise<void> {
    const { tokens, members } = keeper.state()
    if (asker !== HUB && !members.has(asker)) return
    let from: unknown = null
    try {
      from = (parseIJson(message.data, 2, 'REQUEST_INVALID') as { readonly from?: unknown } | null)?.from
    } catch (error) {
      if (!isExchangeError(error)) throw error
    }
    if (typeof from !== 'number' || !Number.isSafeInteger(from) || from < 1) return
    const answered: string[] = []
    let bytes = 2
    for (const token of tokens.slice(from - 1)) {
      bytes += token.length + 3
      if (bytes > ANSWER_BYTES && answered.length > 0) break
      answered.push(token)
    }
    message.respond(JSON.stringify(answered))
  }

  const questions = hearQuestions(options, { membership: answer })
  const timer = setInterval(() => void catchUp(), ASK_EVERY_MS)
  const following = own === HUB ? Promise.resolve() : follow()
  void catchUp()
  return {
    behind,
    catchUp: (position = keeper.state().position + 1) => catchUp(position),
    trouble: () => detached,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      clearInterval(timer)
      questions[Symbol.dispose]()
      messages?.stop()
      await Promise.all([following, asking])
    },
  }
}

/** Calls for entries where an envelope names a later position, or keys and members that are not known here yet. */
const isBehindOutcome = (outcome: Outcome): boolean =>
  (outcome.kind === 'wait' || outcome.kind === 'refused') && isExchangeError(outcome.error) && isBehindError(outcome.error)

const BEHIND = new Set(['MEMBERSHIP_BEHIND', 'MEMBER_UNKNOWN', 'KEY_UNKNOWN', 'KEY_NOT_ACTIVE'])
const isBehindError = (error: unknown): boolean => isExchangeError(error) && BEHIND.has(error.code)

/** Publishes what the hub enters. A repeat is harmless: readers know what they hold. */
export async function publishEntry(broker: Broker, token: string): Promise<void> {
  const small = token.length <= HEADER_BYTES
  const set = withTrace(headers())
  if (small) set.set(HEADERS.membership, token)
  await broker.stream.publish(MEMBERSHIP_SUBJECT, small ? undefined : token, {
    msgID: tokenDigest(token),
    headers: set,
    expect: { streamName: streamName(HUB) },
    timeout: 5000,
  })
}

/** The same events, and whatever shows that somebody knows a later membership is heard. */
export function hearingOfLaterMembership<Events extends LedgerEvents>(events: Events, behind: () => void): Events {
  return {
    ...events,
    arrived(origin, outcome) {
      events.arrived(origin, outcome)
      if (isBehindOutcome(outcome)) behind()
    },
    headRefused(error, origin) {
      events.headRefused(error, origin)
      if (isBehindError(error)) behind()
    },
  }
}
