/**
 * Mends gaps. A reader that meets one asks the hub for what is missing, verifies it like anything that arrives, and goes on. What a
 * signed head announces and the stream does not bring within a while counts as a gap too: a lost tail is silent otherwise.
 */
import type { Kysely } from 'kysely'
import type { LedgerEvents } from '../../runtime/ledger/events.ts'
import type { HeadListener } from '../../runtime/ledger/heads.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import type { Outcome, Receiver } from '../../runtime/ledger/receiver.ts'
import { askRange } from '../../runtime/ledger/repair.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Broker } from '../../runtime/nats.ts'
import { comparePositions, formatLogId, type LogId, type Position } from '../../schemas/log.ts'

const CHECK_MS = 2000

export type Repairer = AsyncDisposable & { repair(log: LogId): Promise<boolean> }

export function startRepairer(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  readonly origin: string
  readonly receiver: Receiver
  readonly heads: () => HeadListener
  readonly events: LedgerEvents
  readonly settled: (outcomes: readonly Outcome[]) => Promise<void>
}): Repairer {
  const { broker, db, origin, receiver, events } = options
  const running = new Map<string, Promise<boolean>>()
  const stood = new Map<string, Position>()
  let stopped = false

  const repair = (log: LogId): Promise<boolean> => {
    const id = formatLogId(log)
    const work =
      running.get(id) ??
      fill(log)
        .catch(error => {
          events.failed(log.origin, error)
          return false
        })
        .finally(() => running.delete(id))
    running.set(id, work)
    return work
  }

  async function fill(log: LogId): Promise<boolean> {
    let total = 0
    for (;;) {
      const head = (await readLog(db, log))?.head ?? null
      const same = { ...log, epoch: head?.epoch ?? 1, from: head === null ? 0 : head.seq + 1 }
      let arrivals = await askRange(broker, origin, same)
      if (arrivals.length === 0 && head !== null)
        arrivals = await askRange(broker, origin, { ...log, epoch: head.epoch + 1, from: 0 })
      if (arrivals.length === 0 || stopped) break
      const outcomes = await receiver.receive(await Promise.all(arrivals.map(receiver.open)))
      await options.settled(outcomes)
      for (const outcome of outcomes) events.arrived(log.origin, outcome)
      const added = outcomes.filter(outcome => outcome.kind === 'accepted').length
      total += added
      if (added === 0) break
    }
    events.repaired(log, total)
    return total > 0
  }

  /** A log that stood still through one whole interval behind what its origin announces is repaired. */
  async function check(): Promise<void> {
    for (const announced of options.heads().all()) {
      if (announced.origin === origin) continue
      for (const { log, head } of announced.logs) {
        const held = (await readLog(db, log))?.head ?? { epoch: 0, seq: 0 }
        const before = stood.get(formatLogId(log))
        stood.set(formatLogId(log), held)
        if (comparePositions(held, head) < 0 && before !== undefined && comparePositions(before, held) === 0) await repair(log)
      }
    }
  }

  let checking: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    checking = checking.then(check).catch(error => events.failed(origin, error))
  }, CHECK_MS)
  return {
    repair,
    async [Symbol.asyncDispose]() {
      stopped = true
      clearInterval(timer)
      await Promise.all([checking, ...running.values()])
    },
  }
}
