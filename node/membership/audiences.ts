/** Hears heads of the audiences that this member comes to belong to while the program runs. */

import type { MembershipSource } from '../../runtime/membership/keeper.ts'
import type { Broker } from '../../runtime/nats.ts'
import { audiencesRead } from '../../schemas/membership.ts'
import { headFilter } from '../../schemas/subjects.ts'

export function hearNewAudiences(options: {
  readonly broker: Broker
  readonly own: string
  readonly source: MembershipSource
  /** heard from the start */
  readonly heard: readonly string[]
  readonly take: (token: string) => Promise<void>
  readonly refused: (error: unknown) => void
}): Disposable {
  const { broker, own, source } = options
  const filters = new Map<string, Disposable>()
  function keep(): void {
    const member = source.membership().members.get(own)
    for (const filter of (member === undefined ? [] : audiencesRead(member)).map(headFilter)) {
      if (options.heard.includes(filter) || filters.has(filter)) continue
      const subscription = broker.connection.subscribe(filter, {
        callback(error, message) {
          // The broker may learn of the new audience a moment later than this program: it is asked again with the next change.
          if (error !== null) filters.delete(filter)
          else void options.take(message.string()).catch(options.refused)
        },
      })
      filters.set(filter, { [Symbol.dispose]: () => subscription.unsubscribe() })
    }
  }
  const listening = source.onChange(keep)
  const timer = setInterval(keep, 5000)
  return {
    [Symbol.dispose]() {
      listening[Symbol.dispose]()
      clearInterval(timer)
      for (const filter of filters.values()) filter[Symbol.dispose]()
    },
  }
}
