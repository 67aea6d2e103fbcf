/**
 * Makes erasure certain. A redaction comes by the stream, best effort; how many keys were erased stands in the origin's signed head,
 * and a holder that has erased fewer asks the hub, then the origin, then any other holder for what it lacks. It asks once it holds the
 * log as far as that head says, because a redaction is judged by what came after its envelope.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { comparePositions, formatLogId, type LogId, type Position } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { missingErasures } from '../../schemas/redaction.ts'
import { passedOver, repairSources } from '../../schemas/sync.ts'
import type { Broker } from '../nats.ts'
import { keepRounds } from '../rounds.ts'
import type { Receiver } from './arrival.ts'
import type { LedgerEvents } from './events.ts'
import type { HeadListener } from './heads.ts'
import { readLog, readLogs } from './ledger.ts'
import { HUB } from './questions.ts'
import { askRedactions } from './redaction-questions.ts'
import { countErased, lastIssued, type RedactionCursor } from './redactions.ts'
import type { LedgerTables } from './tables.ts'

const CHECK_MS = 2000
/** what nobody has is asked for ever more seldom */
const MOST_PAUSE_MS = 300_000
/** how far an origin's clock may have gone back between two redactions before everything is asked for */
const CLOCK_SLACK_S = 3600

/** how long an own log is waited for; who has not answered by then is asked in the background */
const TAKE_BACK_MS = 3000

export type Eraser = AsyncDisposable & {
  /** takes what all others have erased of an own log: what was lost with an old backup */
  takeBack(log: LogId): Promise<void>
}

export function startEraser(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  /** this program's code, or `hub` */
  readonly own: string
  readonly membership: () => Membership
  readonly receiver: Receiver
  readonly heads: () => HeadListener
  readonly events: LedgerEvents
}): Eraser {
  const { broker, db, own, receiver, events } = options
  const due = new Map<string, { at: number; pause: number }>()
  /** who has not been heard yet on what it has erased of an own log */
  const owed = new Map<string, { readonly log: LogId; readonly holders: Set<string> }>()
  let owedAt = { at: 0, pause: TAKE_BACK_MS }
  let stopped = false

  const sourcesOf = (log: LogId): string[] => repairSources(log, own, [...options.membership().members.keys()])
  const erasedOf = async (log: LogId): Promise<number> => {
    const state = await readLog(db, log)
    return state === null ? 0 : ((await countErased(db)).get(state.id) ?? 0)
  }

  /** Everything that one holder has behind a cursor. */
  async function takeFrom(holder: string, log: LogId, start: RedactionCursor): Promise<void> {
    for (let cursor = start; !stopped; ) {
      const opened = await Promise.all((await askRedactions(broker, holder, own, { ...log, ...cursor })).map(receiver.open))
      for (const outcome of await receiver.receive(opened)) events.arrived(log.origin, outcome)
      const last = opened.findLast(one => one.error === null && one.token === null)
      if (last === undefined || last.error !== null || last.redaction === null) return
      const { issuedAt, position } = last.redaction
      const next = { issued: Math.floor(issuedAt.getTime() / 1000), ...position }
      if (!isBehind(cursor, next)) return
      cursor = next
    }
  }

  async function fetchMissing(log: LogId, announced: number): Promise<boolean> {
    const recent = { issued: Math.max(0, (await lastIssued(db, log)) - CLOCK_SLACK_S), epoch: 0, seq: 0 }
    for (const start of recent.issued === 0 ? [recent] : [recent, { issued: 0, epoch: 0, seq: 0 }]) {
      const asked: { holder: string; added: number }[] = []
      for (const holder of sourcesOf(log)) {
        if (stopped) return false
        const before = await erasedOf(log)
        // Whoever does not answer is passed by: the next one verifies the same.
        const answered = await takeFrom(holder, log, start).then(
          () => true,
          error => (stopped ? undefined : events.failed(log.origin, error)),
        )
        const after = await erasedOf(log)
        if (answered === true) asked.push({ holder, added: after - before })
        if (after < announced) continue
        for (const silent of passedOver(asked)) events.answeredFalsely(silent, log, 'empty')
        return true
      }
    }
    return false
  }

  /** Nobody says how much of an own log was erased but who has erased it: what one keeps back, or has lost, another may have. */
  async function takeOwed(log: LogId, holders: Set<string>, holder: string): Promise<void> {
    try {
      await takeFrom(holder, log, { issued: 0, epoch: 0, seq: 0 })
      holders.delete(holder)
    } catch {
      // It does not answer, and is asked again.
    }
  }

  async function askOwed(): Promise<void> {
    if (owed.size === 0 || performance.now() < owedAt.at) return
    owedAt = { at: performance.now() + owedAt.pause, pause: Math.min(MOST_PAUSE_MS, owedAt.pause * 2) }
    const admitted = options.membership().members
    for (const [id, { log, holders }] of owed) {
      for (const holder of [...holders]) {
        if (stopped) return
        if (holder === HUB || admitted.has(holder)) await takeOwed(log, holders, holder)
        else holders.delete(holder)
      }
      if (holders.size === 0) owed.delete(id)
    }
  }

  async function check(): Promise<void> {
    await askOwed()
    const announced = options
      .heads()
      .all()
      .filter(head => head.origin !== own && head.logs.some(({ erased = 0 }) => erased > 0))
    if (announced.length === 0) return
    const [erased, states] = [await countErased(db), await readLogs(db)]
    const held = new Map(states.map(({ id, log, head }) => [formatLogId(log), { head, erased: erased.get(id) ?? 0 }]))
    const missing = announced.flatMap(head => missingErasures(head, log => held.get(formatLogId(log)) ?? null))
    for (const id of [...due.keys()]) if (!missing.some(({ log }) => formatLogId(log) === id)) due.delete(id)
    for (const { log, erased: wanted } of missing) {
      const id = formatLogId(log)
      const waits = due.get(id) ?? { at: 0, pause: CHECK_MS }
      if (performance.now() < waits.at) continue
      if (await fetchMissing(log, wanted)) due.delete(id)
      else due.set(id, { at: performance.now() + waits.pause, pause: Math.min(MOST_PAUSE_MS, waits.pause * 2) })
      if (stopped) return
    }
  }

  const rounds = keepRounds(CHECK_MS, check, error => events.failed(own, error))
  return {
    async takeBack(log) {
      const holders = new Set(sourcesOf(log))
      owed.set(formatLogId(log), { log, holders })
      const patience = delay(TAKE_BACK_MS, undefined, { ref: false })
      await Promise.race([Promise.all([...holders].map(holder => takeOwed(log, holders, holder))), patience])
    },
    async [Symbol.asyncDispose]() {
      stopped = true
      await rounds[Symbol.asyncDispose]()
    },
  }
}

const isBehind = (a: RedactionCursor & Position, b: RedactionCursor & Position): boolean =>
  a.issued - b.issued < 0 || (a.issued === b.issued && comparePositions(a, b) < 0)
