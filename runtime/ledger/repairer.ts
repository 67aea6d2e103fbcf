/**
 * Mends gaps. A holder that meets one asks the hub, then the origin, then any other holder for what is missing, verifies it like
 * anything that arrives, and goes on. What a signed head announces and the stream does not bring within a while counts as a gap
 * too: a lost tail is silent otherwise.
 */
import type { Kysely } from 'kysely'
import { comparePositions, formatLogId, type LogId, type Position } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { passedOver, repairSources } from '../../schemas/sync.ts'
import type { Broker } from '../nats.ts'
import { keepRounds } from '../rounds.ts'
import type { Outcome, Receiver } from './arrival.ts'
import type { LedgerEvents } from './events.ts'
import type { HeadListener } from './heads.ts'
import { readLog } from './ledger.ts'
import { askRange } from './repair.ts'
import type { LedgerTables } from './tables.ts'

const CHECK_MS = 2000

export type Repairer = AsyncDisposable & { repair(log: LogId): Promise<boolean> }

export function startRepairer(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  /** this program's code, or `hub` */
  readonly own: string
  readonly membership: () => Membership
  readonly receiver: Receiver
  readonly heads: () => HeadListener
  readonly events: LedgerEvents
  readonly settled: (outcomes: readonly Outcome[]) => Promise<void>
  /** whether a log is being loaded from a snapshot, and so not from its first entry */
  readonly claimed?: (log: LogId) => Promise<boolean>
}): Repairer {
  const { broker, db, own, receiver, events } = options
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
    if ((await options.claimed?.(log)) === true) return false
    const sources = repairSources(log, own, [...options.membership().members.keys()])
    let total = 0
    let lastError: unknown = null
    const asked: { holder: string; added: number }[] = []
    for (const holder of sources) {
      if (stopped) break
      try {
        const added = await fillFrom(holder, log)
        asked.push({ holder, added })
        total += added
      } catch (error) {
        lastError = error
      }
      // Whoever answered has given what it has; the next is asked only while the log still lies behind what is known of it.
      if (total > 0 && !(await isBehind(log))) break
    }
    for (const holder of passedOver(asked)) events.answeredFalsely(holder, log, 'empty')
    if (total === 0 && lastError !== null) events.failed(log.origin, lastError)
    if (total > 0) events.repaired(log, total)
    return total > 0
  }

  async function fillFrom(holder: string, log: LogId): Promise<number> {
    let total = 0
    while (!stopped) {
      const head = (await readLog(db, log))?.head ?? null
      const behind = { ...log, epoch: head?.epoch ?? 1, from: head === null ? 0 : head.seq + 1 }
      let arrivals = await askRange(broker, holder, own, behind)
      if (arrivals.length === 0 && head !== null)
        arrivals = await askRange(broker, holder, own, { ...log, epoch: head.epoch + 1, from: 0 })
      const outcomes = await receiver.receive(await Promise.all(arrivals.map(receiver.open)))
      await options.settled(outcomes)
      for (const outcome of outcomes) events.arrived(log.origin, outcome)
      if (outcomes.some(outcome => outcome.kind === 'refused')) events.answeredFalsely(holder, log, 'refused')
      const added = outcomes.filter(outcome => outcome.kind === 'accepted').length
      total += added
      if (added === 0) break
    }
    return total
  }

  async function isBehind(log: LogId): Promise<boolean> {
    const announced = options
      .heads()
      .newest(log.origin, log.audience)
      ?.logs.find(at => formatLogId(at.log) === formatLogId(log))?.head
    const held = (await readLog(db, log))?.head ?? null
    return announced !== undefined && (held === null || comparePositions(held, announced) < 0)
  }

  /** A log that stood still through one whole interval behind what its origin announces is repaired. */
  async function check(): Promise<void> {
    for (const announced of options.heads().all()) {
      if (announced.origin === own) continue
      for (const { log, head } of announced.logs) {
        const held = (await readLog(db, log))?.head ?? { epoch: 0, seq: 0 }
        const before = stood.get(formatLogId(log))
        stood.set(formatLogId(log), held)
        if (comparePositions(held, head) < 0 && before !== undefined && comparePositions(before, held) === 0) {
          events.tailMissing(log)
          await repair(log)
        }
      }
    }
  }

  const rounds = keepRounds(CHECK_MS, check, error => events.failed(own, error))
  return {
    repair,
    async [Symbol.asyncDispose]() {
      stopped = true
      await Promise.all([rounds[Symbol.asyncDispose](), ...running.values()])
    },
  }
}
