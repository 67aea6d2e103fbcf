/**
 * What every holder does, hub and node alike: follows streams, settles what arrives, takes heads, mends gaps, erases, answers for what
 * it holds; and a newcomer begins with snapshots. Composed of the parts that the product has too.
 */
import { holdsFrom } from '../../schemas/backfill-rule.ts'
import { isExchangeError } from '../../schemas/errors.ts'
import { formatLogId, formatPosition, type LogId } from '../../schemas/log.ts'
import { createBackfill } from './backfilling.ts'
import { rangeOf, type StoredEntry } from './disk.ts'
import { answerErased, createEraser, type Eraser } from './eraser.ts'
import type { Ground, Life } from './ground.ts'
import { createHearing, type Hearing } from './hearing.ts'
import { createLoader } from './loading.ts'
import { HUB } from './members.ts'
import { type Answer, type Arrival, type Ask, BROKER, type Message, type Question } from './network.ts'
import { createReceiving, type Outcome, type Receiving } from './receiving.ts'
import { createRepairing, type Repairing } from './repairing.ts'
import { answerSnapshot, createKeeper } from './snapshots.ts'

const GROUP_MS = 4
const ANSWER_MS = 3000
const RANGE_ENTRIES = 8

export type Holder = Pick<Receiving, 'receive'> &
  Repairing &
  Pick<Eraser, 'takeBack'> & {
    deliver(from: string, message: Message): Promise<void>
    readonly ask: Ask
    answer(asker: string, question: Exclude<Question, { what: 'receipts' }>): Answer
    start(): void
    /** What has a snapshot begins with it, before a stream brings the first of its entries. */
    beforeStreams(then: () => void): void
  }

export const arrivalOf = (log: LogId, stored: StoredEntry, subject: LogId | null = log): Arrival => ({
  kind: stored.kind,
  token: stored.token,
  body: stored.body,
  ...(stored.redaction == null ? {} : { redaction: stored.redaction }),
  subject,
})

export function createHolder(
  ground: Ground,
  life: Life,
  options: {
    readonly effect: boolean
    /** after each settled group */
    readonly settled: (outcomes: readonly Outcome[]) => Promise<void>
    readonly others: (log: LogId) => readonly string[]
  },
): Holder {
  const { rules, plan } = ground
  const { code } = life
  const { others } = options
  const settled = rules.order.receiptAfterCommit ? options.settled : async (): Promise<void> => {}
  const waiting: (Message & { kind: 'entry' })[] = []
  const questions = new Map<number, (answer: Answer | null) => Promise<void> | void>()
  const disk = () => ground.disk(code)
  const erases = plan.operations.some(({ what }) => what === 'erase') || plan.faults.some(isOfErasure)

  const ask: Ask = (to, question, answered) => {
    const ref = ground.ref()
    questions.set(ref, answered)
    ground.send(code, to, { kind: 'question', ref, question })
    ground.after(ANSWER_MS, life, async () => {
      if (questions.delete(ref)) await answered(null)
    })
  }

  const announcedOf: Hearing['announcedOf'] = log => hearing.announcedOf(log)
  const receiving = createReceiving(ground, life, { effect: options.effect, announcedOf, early: options.settled })
  const repairing = createRepairing(ground, life, {
    ask,
    receiving,
    settled,
    others,
    claimed: log => joins && loader.claims(log),
  })
  const { repair } = repairing
  const eraser = createEraser(ground, life, { ask, receiving, others })
  const keeper = createKeeper(ground, life, ask)
  const joins = code === plan.newcomer?.code
  const loader = createLoader(ground, life, { ask, others, tail: repair })
  const backfill = createBackfill(ground, life, { ask, receiving, announcedOf, others, tail: repair })
  const hearing = createHearing(ground, life, {
    repair,
    async checked(heads) {
      if (erases) eraser.check(heads)
      if (plan.newcomer !== null && code === HUB) keeper.check(heads)
    },
  })

  async function settleGroup(): Promise<void> {
    const group = waiting.splice(0)
    if (group.length === 0) return
    const acknowledge = (outcomes: readonly Outcome[]): void => {
      for (const [index, { origin, seq, arrival }] of group.entries()) {
        const kind = outcomes[index]?.kind
        const done = kind !== 'gap' && kind !== 'wait'
        ground.send(code, BROKER, { kind: done ? 'ack' : 'nak', origin, seq })
        if (done && arrival.kind !== 'redaction') ground.watch.acknowledged(code, arrival.token)
      }
    }
    if (!rules.order.acknowledgeAfterCommit) acknowledge(group.map(() => ({ kind: 'duplicate' })))
    const outcomes = await receiving.receive(group.map(message => message.arrival))
    await settled(outcomes)
    if (rules.order.acknowledgeAfterCommit) acknowledge(outcomes)
    ground.step(life, 'receive: acknowledged')
    for (const outcome of outcomes) if (outcome.kind === 'gap') repair(outcome.log, outcome.at)
  }

  function range({ log, epoch, from }: Question & { what: 'range' }): Answer {
    const on = disk().logs.get(formatLogId(log))
    if (on === undefined || !holdsFrom(on.wanted, { epoch, seq: from })) return { what: 'range', arrivals: [] }
    const entries = rangeOf(on, epoch, from, RANGE_ENTRIES)
    if (log.origin === code) for (const { entry } of entries) ground.watch.disclosed(log, entry)
    const shown = (stored: StoredEntry): Arrival | undefined =>
      log.origin === code ? ground.falseHistory.get(`${formatLogId(log)} ${formatPosition(stored.entry)}`) : undefined
    return { what: 'range', arrivals: entries.map(stored => shown(stored) ?? arrivalOf(log, stored, null)) }
  }

  function answer(asker: string, question: Exclude<Question, { what: 'receipts' }>): Answer {
    if (question.what === 'standing') {
      const own = [...disk().logs.values()].filter(({ log }) => log.origin === asker)
      const entries = own.flatMap(({ log, entries }) => entries.slice(-1).map(stored => arrivalOf(log, stored, null)))
      const heads = [...disk().announced].flatMap(([key, token]) => (key.startsWith(`${asker}/`) ? [token] : []))
      return { what: 'standing', standing: { entries, heads } }
    }
    if (question.what === 'heads') {
      const heads = [...disk().announced].map(([key, token]) => {
        const [origin = '', audience = ''] = key.split('/')
        return { origin, audience, token }
      })
      return { what: 'heads', heads: heads.filter(({ audience }) => ground.mayRead(asker, audience)) }
    }
    const { log } = question
    const may = asker === HUB || asker === log.origin || ground.mayRead(asker, log.audience)
    if (question.what === 'range') return may ? range(question) : { what: 'range', arrivals: [] }
    if (question.what === 'redactions') return may ? answerErased(ground, code, log) : { what: 'redactions', arrivals: [] }
    return answerSnapshot(may ? disk().logs.get(formatLogId(log)) : undefined, question)
  }

  async function takeHead(message: Message & { kind: 'head' }): Promise<void> {
    try {
      await hearing.take(message)
      if (joins) loader.heard(await rules.openHead(message.token, ground.members.membership))
    } catch (error) {
      if (!isExchangeError(error)) throw error
      ground.note(`${code} refuses a head: ${error.code}`)
    }
  }

  return {
    receive: receiving.receive,
    ...repairing,
    takeBack: eraser.takeBack,
    ask,
    answer,
    async deliver(_from, message) {
      if (message.kind === 'entry') {
        waiting.push(message)
        if (waiting.length === 1) ground.after(GROUP_MS, life, settleGroup)
      } else if (message.kind === 'head') await takeHead(message)
      else if (message.kind === 'answer') {
        const answered = questions.get(message.ref)
        questions.delete(message.ref)
        await answered?.(message.answer)
      }
    },
    start() {
      hearing.start()
      if (joins) backfill.start()
    },
    beforeStreams(then) {
      if (!joins) return then()
      loader.start()
      ask(HUB, { what: 'heads' }, async answer => {
        for (const head of answer?.what === 'heads' ? answer.heads : []) await takeHead({ kind: 'head', ...head })
        then()
      })
    },
  }
}

const ERASURES: ReadonlySet<string> = new Set(['erasure of what stands', 'erasure beyond its keys'])
const isOfErasure = (fault: Ground['plan']['faults'][number]): boolean => fault.kind === 'node lies' && ERASURES.has(fault.how)
