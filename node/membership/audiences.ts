/**
 * Hears heads of the audiences that this member comes to belong to while the program runs. The broker reads what a connection may do
 * when it is made: a new audience is refused on a connection from before, which is then made anew. What was said meanwhile is asked for.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { MembershipSource } from '../../runtime/membership/keeper.ts'
import type { Broker } from '../../runtime/nats.ts'
import { audiencesRead } from '../../schemas/membership.ts'
import { headFilter } from '../../schemas/subjects.ts'

const CHECK_MS = 2000
/** The broker's accounts may follow the membership a moment later: a connection is not made anew more often than this. */
const RENEW_MS = 10_000

export function hearNewAudiences(options: {
  readonly broker: Broker
  readonly own: string
  readonly source: MembershipSource
  /** heard from the start */
  readonly heard: readonly string[]
  readonly take: (token: string) => Promise<void>
  /** the newest heads that others have heard */
  readonly ask: () => Promise<readonly string[]>
  readonly refused: (error: unknown) => void
}): AsyncDisposable {
  const { broker, own, source } = options
  const filters = new Map<string, Disposable>()
  const stopping = new AbortController()
  let renewed = Number.NEGATIVE_INFINITY

  const takeAll = (tokens: readonly string[]): Promise<unknown> =>
    Promise.all(tokens.map(token => options.take(token).catch(options.refused)))

  /** False if the broker refuses it on this connection. */
  async function hear(filter: string): Promise<boolean> {
    const subscription = broker.connection.subscribe(filter, {
      callback(error, message) {
        if (error !== null) filters.delete(filter)
        else void takeAll([message.string()])
      },
    })
    filters.set(filter, { [Symbol.dispose]: () => subscription.unsubscribe() })
    await broker.connection.flush()
    return filters.has(filter)
  }

  async function keep(): Promise<void> {
    const member = source.membership().members.get(own)
    const wanted = (member === undefined ? [] : audiencesRead(member)).map(headFilter)
    const missing = wanted.filter(filter => !options.heard.includes(filter) && !filters.has(filter))
    if (missing.length === 0) return
    const heard: boolean[] = []
    for (const filter of missing) heard.push(await hear(filter))
    if (heard.includes(true)) await takeAll(await options.ask())
    if (heard.every(Boolean) || performance.now() - renewed < RENEW_MS) return
    renewed = performance.now()
    await broker.connection.reconnect()
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await keep().catch(options.refused)
      await delay(CHECK_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }
  const running = run()
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await running
      for (const filter of filters.values()) filter[Symbol.dispose]()
    },
  }
}
