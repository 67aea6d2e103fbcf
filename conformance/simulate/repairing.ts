/** Mends gaps: asks one holder after another for what lies behind the own head. */
import { comparePositions, formatLogId, type LogId, type Position } from '../../schemas/log.ts'
import { logOn } from './disk.ts'
import type { Ground, Life } from './ground.ts'
import type { Ask, Question } from './network.ts'
import type { Outcome, Receiving } from './receiving.ts'

export type Repairing = {
  /** Asks for what lies behind the own head until the position is reached or nobody knows more. */
  repair(log: LogId, until: Position): void
  isRepairing(log: LogId): boolean
}

export function createRepairing(
  ground: Ground,
  life: Life,
  options: {
    readonly ask: Ask
    readonly receiving: Receiving
    readonly settled: (outcomes: readonly Outcome[]) => Promise<void>
    readonly others: (log: LogId) => readonly string[]
    /** whether a log is being loaded from a snapshot, and so not from its first entry */
    readonly claimed: (log: LogId) => boolean
  },
): Repairing {
  const { rules } = ground
  const repairing = new Set<string>()

  function askNext(log: LogId, until: Position, sources: readonly string[], nextEpoch: boolean): void {
    const [source] = sources
    const on = logOn(ground.disk(life.code), log)
    const head = on.head
    if (source === undefined || on.fork !== null || (head !== null && comparePositions(head, until) >= 0)) {
      repairing.delete(formatLogId(log))
      return
    }
    const behind =
      nextEpoch || head === null ? { epoch: (head?.epoch ?? 0) + 1, from: 0 } : { epoch: head.epoch, from: head.seq + 1 }
    const question: Question = { what: 'range', log, ...behind }
    options.ask(source, question, async answered => {
      ground.step(life, 'repair: answered')
      const arrivals = answered?.what === 'range' ? answered.arrivals : []
      if (arrivals.length === 0 && answered !== null && !nextEpoch && head !== null) return askNext(log, until, sources, true)
      const outcomes = arrivals.length === 0 ? [] : await options.receiving.receive(arrivals)
      await options.settled(outcomes)
      const added = outcomes.some(outcome => outcome.kind === 'accepted' && formatLogId(outcome.log) === formatLogId(log))
      askNext(log, until, added ? sources : sources.slice(1), false)
    })
    ground.step(life, 'repair: asked')
  }

  return {
    repair(log, until) {
      const id = formatLogId(log)
      if (repairing.has(id) || options.claimed(log)) return
      repairing.add(id)
      askNext(log, until, rules.repairSources(log, life.code, options.others(log)), false)
    },
    isRepairing: log => repairing.has(formatLogId(log)),
  }
}
