/**
 * Makes erasure certain: a holder that has erased less of a log than its origin's head counts asks one holder after another, and doubts
 * whoever gave nothing of what another then gave.
 */
import { formatLogId, type LogId } from '../../schemas/log.ts'
import type { Head } from '../../schemas/statements.ts'
import { erasedIn, logOn } from './disk.ts'
import type { Asked, Ground, Life } from './ground.ts'
import type { Answer, Arrival, Ask } from './network.ts'
import type { Receiving } from './receiving.ts'

const ASK_AGAIN_MS = 5000

/** who has not been heard yet on what it has erased of an own log */
type Owed = { readonly log: LogId; readonly holders: Set<string>; asked: boolean }

export type Eraser = {
  check(heads: readonly Head[]): void
  /** takes what all others have erased of an own log; whether everybody was asked once */
  takeBack(log: LogId): boolean
}

export function createEraser(
  ground: Ground,
  life: Life,
  options: { readonly ask: Ask; readonly receiving: Receiving; readonly others: (log: LogId) => readonly string[] },
): Eraser {
  const { rules } = ground
  const { code } = life
  const asking = new Set<string>()
  const owed = new Map<string, Owed>()
  const erasedOf = (log: LogId): number => erasedIn(logOn(ground.disk(code), log))

  /** Asks one after another until as much is erased as is wanted. */
  function askNext(log: LogId, wanted: number, sources: readonly string[], asked: readonly Asked[]): void {
    const [source] = sources
    if (source === undefined || erasedOf(log) >= wanted) {
      const doubted = rules.passedOver(asked)
      if (doubted.length > 0) ground.note(`${code} doubts ${doubted.join(', ')}: kept back what was erased in ${formatLogId(log)}`)
      ground.watch.erasuresAsked(code, log, asked, doubted)
      asking.delete(formatLogId(log))
      return
    }
    options.ask(source, { what: 'redactions', log }, async answered => {
      const before = erasedOf(log)
      if (answered?.what === 'redactions' && answered.arrivals.length > 0) await options.receiving.receive(answered.arrivals)
      const one = answered === null ? [] : [{ holder: source, added: erasedOf(log) - before }]
      askNext(log, wanted, sources.slice(1), [...asked, ...one])
    })
  }

  function begin(log: LogId, wanted: number): void {
    const id = formatLogId(log)
    if (asking.has(id)) return
    asking.add(id)
    askNext(log, wanted, rules.repairSources(log, code, options.others(log)), [])
  }

  function askOwed(one: Owed): void {
    const left = [...one.holders]
    let waiting = left.length
    for (const holder of left)
      options.ask(holder, { what: 'redactions', log: one.log }, async answered => {
        waiting -= 1
        if (waiting === 0) one.asked = true
        if (answered?.what !== 'redactions' || !one.holders.has(holder)) return
        if (rules.order.takeBackFromAll) one.holders.delete(holder)
        else one.holders.clear()
        await options.receiving.receive(answered.arrivals)
      })
    if (left.length > 0) ground.after(ASK_AGAIN_MS, life, () => askOwed(one))
  }

  return {
    check(heads) {
      const heldOf = (log: LogId) => {
        const on = ground.disk(code).logs.get(formatLogId(log))
        return on === undefined ? null : { head: on.head, erased: erasedIn(on) }
      }
      for (const head of heads)
        if (head.origin !== code) for (const { log, erased } of rules.missingErasures(head, heldOf)) begin(log, erased)
    },
    takeBack(log) {
      const id = formatLogId(log)
      const known = owed.get(id)
      if (known !== undefined) return known.asked
      const one = { log, holders: new Set(rules.repairSources(log, code, options.others(log))), asked: false }
      owed.set(id, one)
      askOwed(one)
      return false
    },
  }
}

/** What a holder answers: the newest redaction of each position where something was erased, with the body that it names. */
export function answerErased(ground: Ground, code: string, log: LogId): Answer {
  const on = ground.disk(code).logs.get(formatLogId(log))
  const arrivals = [...(on?.redactions ?? [])].flatMap(([at, { token }]): Arrival[] => {
    const body = on?.index.get(at)?.body ?? null
    return body === null ? [] : [{ kind: 'redaction', token, body, subject: null }]
  })
  return { what: 'redactions', arrivals }
}
