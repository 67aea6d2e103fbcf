/** Holds sealing back for as long as a change of keys needs the logs to stand still. Who writes waits, and loses nothing. */
import { setTimeout as delay } from 'node:timers/promises'
import { ExchangeError } from '../../schemas/errors.ts'
import type { Sealer } from '../ledger/sealer.ts'

export type SealingGate = {
  /** The sealer as everybody else uses it. */
  readonly sealer: Sealer
  /** Fulfilled when nothing is being sealed any more; opens by itself when the time is over. */
  close(forMs: number): Promise<void>
  open(): void
}

const WAIT_MS = 60_000

export function createSealingGate(sealer: Sealer): SealingGate {
  let gate: PromiseWithResolvers<void> | null = null
  let timer: NodeJS.Timeout | undefined
  let running = 0
  let idle: PromiseWithResolvers<void> | null = null
  function open(): void {
    clearTimeout(timer)
    gate?.resolve()
    gate = null
  }
  return {
    sealer: {
      async submit(...args) {
        if (gate !== null) {
          const opened = gate.promise.then(() => true)
          if (!(await Promise.race([opened, delay(WAIT_MS, false, { ref: false })])))
            throw new ExchangeError('SEALING_WAITS', 'a change of keys is under way')
        }
        running += 1
        try {
          return await sealer.submit(...args)
        } finally {
          running -= 1
          if (running === 0) idle?.resolve()
        }
      },
      [Symbol.asyncDispose]: () => sealer[Symbol.asyncDispose](),
    },
    async close(forMs) {
      gate ??= Promise.withResolvers<void>()
      clearTimeout(timer)
      timer = setTimeout(open, forMs)
      timer.unref()
      if (running === 0) return
      idle ??= Promise.withResolvers<void>()
      await idle.promise
      idle = null
    },
    open,
  }
}
