/** Puts the membership log onto the road: what was just entered, and after a start the last few entries again, which harms nobody. */
import { setTimeout as delay } from 'node:timers/promises'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import { publishEntry } from '../../runtime/membership/road.ts'
import type { Broker } from '../../runtime/nats.ts'

const AGAIN = 16
const RETRY_MS = 500

export function publishMembership(options: {
  readonly broker: Broker
  readonly keeper: MembershipKeeper
  readonly failed: (error: unknown) => void
}): AsyncDisposable {
  const { broker, keeper } = options
  const stopping = new AbortController()
  let published = Math.max(0, keeper.state().position - AGAIN)
  let running: Promise<void> | null = null

  async function run(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted; ) {
      const token = keeper.state().tokens[published]
      if (token === undefined) return
      try {
        await publishEntry(broker, token)
        published += 1
        failures = 0
      } catch (error) {
        failures += 1
        if (failures === 20) options.failed(error)
        await delay(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => {})
      }
    }
  }
  function wake(): void {
    running ??= run().finally(() => {
      running = null
      if (!stopping.signal.aborted && keeper.state().tokens[published] !== undefined) wake()
    })
  }
  wake()
  const listening = keeper.onChange(wake)
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      listening[Symbol.dispose]()
      await running
    },
  }
}
