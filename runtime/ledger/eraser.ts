/**
 * Makes erasure certain. A redaction comes by the stream, best effort; how many keys were erased stands in the origin's signed head,
 * and a holder that has erased fewer asks the hub, then the origin, then any other holder for what it lacks. It asks once it holds the
 * log as far as that head says, because a redaction is judged by what came after its envelope.
 */
import type { Kysely } from 'kysely'
import { comparePositions, formatLogId, type LogId, type Position } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { repairSources } from '../../schemas/sync.ts'
import type { Broker } from '../nats.ts'
import { keepRounds } from '../rounds.ts'
import type { Receiver } from './arrival.ts'
import type { LedgerEvents } from './events.ts'
import type { HeadListener } from './heads.ts'
import { readLog } from './ledger.ts'
import { askRedactions } from './redaction-questions.ts'
import { countErased, lastIssued, type RedactionCursor } from './redactions.ts'
import type { LedgerTables } from './tables.ts'

const CHECK_MS = 2000
/** what nobody has is asked for ever more seldom */
const MOST_PAUSE_MS = 300_000
/** how far an origin's clock may have gone back between two redactions before everything is asked for */
const CLOCK_SLACK_S = 3600

export type Eraser = AsyncDisposable & {
  /** takes what others have erased of a log: of an own one, what was lost with an old backup */
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
      for (const holder of sourcesOf(log)) {
        if (stopped) return false
        // Whoever does not answer is passed by: the next one verifies the same.
        await takeFrom(holder, log, start).catch(error => (stopped ? undefined : events.failed(log.origin, error)))
        if ((await erasedOf(log)) >= announced) return true
      }
    }
    return false
  }

  async function check(): Promise<void> {
    const announced = options
      .heads()
      .all()
      .filter(head => head.origin !== own)
      .flatMap(head => head.logs.filter(({ erased = 0 }) => erased > 0))
    if (announced.length === 0) return
    const erased = await countErased(db)
    for (const { log, head, erased: wanted = 0 } of announced) {
      const state = await readLog(db, log)
      const id = formatLogId(log)
      const waits = due.get(id) ?? { at: 0, pause: CHECK_MS }
      if (state?.head == null || comparePositions(state.head, head) < 0 || performance.now() < waits.at) continue
      if ((erased.get(state.id) ?? 0) >= wanted) due.delete(id)
      else if (await fetchMissing(log, wanted)) due.delete(id)
      else due.set(id, { at: performance.now() + waits.pause, pause: Math.min(MOST_PAUSE_MS, waits.pause * 2) })
      if (stopped) return
    }
  }

  const rounds = keepRounds(CHECK_MS, check, error => events.failed(own, error))
  return {
    async takeBack(log) {
      const start = { issued: Math.max(0, (await lastIssued(db, log)) - CLOCK_SLACK_S), epoch: 0, seq: 0 }
      for (const holder of sourcesOf(log)) {
        const answered = await takeFrom(holder, log, start).then(
          () => true,
          () => false,
        )
        if (answered || stopped) return
      }
    },
    async [Symbol.asyncDispose]() {
      stopped = true
      await rounds[Symbol.asyncDispose]()
    },
  }
}

const isBehind = (a: RedactionCursor & Position, b: RedactionCursor & Position): boolean =>
  a.issued - b.issued < 0 || (a.issued === b.issued && comparePositions(a, b) < 0)
