/**
 * What every holder does, hub and node alike: follows streams, settles what arrives, takes heads, mends gaps, answers for what it
 * holds. It is the product's receiver, follower, head listener and repairer with a virtual disk and road around the same rules.
 */
import { assertionsOfEntry, assertionsOfHeads } from '../../schemas/assertions.ts'
import { type ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import type { HeldHistory } from '../../schemas/head-rule.ts'
import {
  type ChainEntry,
  comparePositions,
  formatLogId,
  formatPosition,
  type LogHead,
  type LogId,
  type Position,
} from '../../schemas/log.ts'
import { isTransient, type OpenedBody, type OpenedToken } from '../../schemas/opening.ts'
import type { HeldLog, Verdict } from '../../schemas/settlement.ts'
import type { Head } from '../../schemas/statements.ts'
import { append, type DiskLog, entryAt, logOn, rangeOf, type StoredEntry, voidEntries } from './disk.ts'
import { type Ground, type Life, transact } from './ground.ts'
import { HUB } from './members.ts'
import type { Answer, Arrival, Message, Question } from './network.ts'
import { BROKER } from './network.ts'
import { judgeRoots } from './roots.ts'

const GROUP_MS = 4
const ANSWER_MS = 3000
const CHECK_MS = 2000
const RANGE_ENTRIES = 8

export type Outcome =
  | { readonly kind: 'accepted'; readonly log: LogId; readonly head: LogHead }
  | { readonly kind: 'gap'; readonly log: LogId; readonly at: Position }
  | { readonly kind: 'wait' | 'duplicate' | 'forked' | 'refused' }

type Opened =
  | { readonly arrival: Arrival; readonly token: OpenedToken; readonly content: OpenedBody | null; readonly error: null }
  | { readonly arrival: Arrival; readonly error: ExchangeError }
type Good = Opened & { readonly error: null }

export type Holder = {
  receive(arrivals: readonly Arrival[]): Promise<Outcome[]>
  deliver(from: string, message: Message): Promise<void>
  ask(to: string, question: Question, answered: (answer: Answer | null) => Promise<void> | void): void
  answer(asker: string, question: Question & { what: 'range' | 'standing' }): Answer
  /** Asks for what lies behind the own head until the position is reached or nobody knows more. */
  repair(log: LogId, until: Position): void
  isRepairing(log: LogId): boolean
  start(): void
}

export const announcedKey = (origin: string, audience: string): string => `${origin}/${audience}`

export const arrivalOf = (log: LogId, stored: StoredEntry, subject: LogId | null = log): Arrival => ({
  kind: stored.kind,
  token: stored.token,
  body: stored.body,
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
  const { rules } = ground
  const { membership } = ground.members
  const { code } = life
  const waiting: (Message & { kind: 'entry' })[] = []
  const questions = new Map<number, (answer: Answer | null) => Promise<void> | void>()
  const repairing = new Set<string>()
  const stood = new Map<string, Position>()
  const judged = new Set<string>()
  const disk = () => ground.disk(code)

  async function announcedOf(log: LogId): Promise<Head | null> {
    const token = disk().announced.get(announcedKey(log.origin, log.audience))
    return token === undefined ? null : await rules.openHead(token, membership).catch((): null => null)
  }

  async function open(arrival: Arrival): Promise<Opened> {
    try {
      const token = await rules.openToken(arrival.kind, arrival.token, membership, arrival.subject)
      if (token.claims === null) return { arrival, token, content: null, error: null }
      const plain = await rules.openBytes(token.claims, arrival.body ?? Buffer.alloc(0), 'identity')
      return { arrival, token, content: token.refusal === null ? rules.openRecords(token.claims, plain) : null, error: null }
    } catch (error) {
      if (isExchangeError(error)) return { arrival, error }
      throw error
    }
  }

  async function heldOf(good: readonly Good[]): Promise<Map<string, HeldLog>> {
    const held = new Map<string, HeldLog>()
    for (const { token } of good) {
      const log = logOn(disk(), token.log)
      const head = await announcedOf(token.log)
      const own = head?.logs.filter(at => formatLogId(at.log) === formatLogId(token.log)) ?? []
      held.set(formatLogId(token.log), {
        head: log.head,
        frozen: log.fork !== null,
        at(position) {
          const stored = entryAt(log, position)
          return stored === null ? null : { digest: stored.entry.digest, token: stored.token }
        },
        announced: head === null ? null : { token: head.token, assertions: assertionsOfHeads(own) },
      })
    }
    return held
  }

  async function receive(arrivals: readonly Arrival[]): Promise<Outcome[]> {
    ground.step(life, 'receive: arrived')
    const opened: Opened[] = []
    for (const arrival of arrivals) opened.push(await open(arrival))
    ground.step(life, 'receive: opened')
    const good = opened.filter(one => one.error === null)
    const arriving = good.map(one => ({ log: one.token.log, entry: one.token.entry, token: one.arrival.token }))
    const settlement = rules.settle(await heldOf(good), arriving)
    const verdicts = new Map<Opened, Verdict | undefined>(
      good.map((one, index) => [one, behindClosing(one, good, settlement.verdicts[index])]),
    )
    ground.step(life, 'receive: settled')
    const ledger: (() => void)[] = []
    const effects: (() => void)[] = []
    const after: (() => void)[] = []
    const outcomes = opened.map((one): Outcome => {
      if (one.error !== null) return refuse(one.arrival, one.error, ledger)
      return effectOf(one, verdicts.get(one), ledger, effects, after)
    })
    if (rules.order.cursorWithEffect)
      await transact(ground, life, 'receive: written', 'receive: committed', [...ledger, ...effects, ...after])
    else {
      await transact(ground, life, 'receive: written', 'receive: cursor moved', ledger)
      await transact(ground, life, 'receive: written', 'receive: committed', [...effects, ...after])
    }
    for (const [index, one] of opened.entries())
      if (one.error === null && outcomes[index]?.kind !== 'gap') ground.watch.settled(code, one.token)
    return outcomes
  }

  /** A repeat of nothing that is held: the opening of the next epoch, here or in the same group, may speak against it. */
  function behindClosing(one: Good, group: readonly Good[], verdict: Verdict | undefined): Verdict | undefined {
    const { log, entry } = one.token
    const on = logOn(disk(), log)
    if (verdict?.kind !== 'duplicate' || entryAt(on, entry) !== null) return verdict
    const held = entryAt(on, { epoch: entry.epoch + 1, seq: 0 })
    const fresh = group.find(
      ({ token }) => formatLogId(token.log) === formatLogId(log) && token.entry.epoch === entry.epoch + 1 && token.entry.seq === 0,
    )
    const after = held ?? (fresh === undefined ? null : { token: fresh.arrival.token, entry: fresh.token.entry })
    const before = entryAt(on, { epoch: entry.epoch, seq: entry.seq - 1 })
    const beside = [after, before].map(held =>
      held === null ? null : { token: held.token, assertions: assertionsOfEntry(log, held.entry) },
    )
    return rules.judgeBehindClosing({ log, entry, token: one.arrival.token }, beside) ?? verdict
  }

  function refuse(arrival: Arrival, error: ExchangeError, writes: (() => void)[]): Outcome {
    if (isTransient(error)) return { kind: 'wait' }
    writes.push(() => {
      const { quarantine } = disk()
      const identity = `${error.code}/${arrival.token}`
      quarantine.set(identity, (quarantine.get(identity) ?? 0) + 1)
    })
    ground.note(`${code} refuses an entry: ${error.code}`)
    return { kind: 'refused' }
  }

  function effectOf(
    one: Good,
    verdict: Verdict | undefined,
    ledger: (() => void)[],
    effects: (() => void)[],
    after: (() => void)[],
  ): Outcome {
    const { log, entry, claims } = one.token
    const id = formatLogId(log)
    ground.note(`${code} settles ${id} ${formatPosition(entry)}: ${verdict?.kind}`)
    if (verdict === undefined) throw new Error('an arrival without a verdict')
    if (verdict.kind === 'gap') return { kind: 'gap', log, at: entry }
    if (verdict.kind === 'duplicate') return { kind: 'duplicate' }
    if (verdict.kind === 'frozen') return { kind: 'refused' }
    if (verdict.kind === 'fork') {
      ledger.push(() => freeze(log, verdict))
      return { kind: 'forked' }
    }
    const refusal = one.token.refusal ?? one.content?.refusal ?? null
    const records = one.content?.records ?? []
    const stored: StoredEntry = {
      kind: one.arrival.kind,
      entry,
      token: one.arrival.token,
      body: one.arrival.body,
      dig: claims?.dig ?? null,
      refusal: refusal?.code ?? null,
      records,
    }
    ledger.push(() => append(logOn(disk(), log), stored))
    if (entry.kind === 'opening' && entry.lost != null) after.push(() => withdraw(log, entry))
    if (options.effect && claims !== null && refusal === null)
      effects.push(() => applyRecords(ground, logOn(disk(), log), entry, records))
    return { kind: 'accepted', log, head: entry }
  }

  /** What is held of a lost range stays as evidence and counts no more: the state is what the rest of the ledger says. */
  function withdraw(log: LogId, { epoch, lost }: ChainEntry & { kind: 'opening' }): void {
    const on = logOn(disk(), log)
    if (lost == null || !voidEntries(on, lost, { epoch, seq: 0 })) return
    ground.note(`${code} keeps entries of ${formatLogId(log)} that were declared lost from ${formatPosition(lost)} on`)
    if (!options.effect || !rules.order.withdrawLost) return
    on.rows.clear()
    on.applied.length = 0
    for (const stored of on.entries)
      if (stored.kind === 'envelope' && stored.refusal === null) applyRecords(ground, on, stored.entry, stored.records)
  }

  function freeze(log: LogId, fork: { readonly statements: readonly [string, string]; readonly reason: string }): void {
    const on = logOn(disk(), log)
    on.fork ??= { statements: fork.statements, reason: fork.reason }
    ground.note(`${code} freezes ${formatLogId(log)}: ${fork.reason}`)
  }

  async function settleGroup(): Promise<void> {
    const group = waiting.splice(0)
    if (group.length === 0) return
    const acknowledge = (outcomes: readonly Outcome[]): void => {
      for (const [index, { origin, seq, arrival }] of group.entries()) {
        const kind = outcomes[index]?.kind
        const settled = kind !== 'gap' && kind !== 'wait'
        ground.send(code, BROKER, { kind: settled ? 'ack' : 'nak', origin, seq })
        if (settled) ground.watch.acknowledged(code, arrival.token)
      }
    }
    if (!rules.order.acknowledgeAfterCommit) acknowledge(group.map(() => ({ kind: 'duplicate' })))
    const outcomes = await receive(group.map(message => message.arrival))
    await options.settled(outcomes)
    if (rules.order.acknowledgeAfterCommit) acknowledge(outcomes)
    ground.step(life, 'receive: acknowledged')
    for (const outcome of outcomes) if (outcome.kind === 'gap') repair(outcome.log, outcome.at)
  }

  function historyOf(log: LogId): HeldHistory | null {
    const on = disk().logs.get(formatLogId(log))
    if (on === undefined) return null
    return {
      head: on.head,
      frozen: on.fork !== null,
      at(position) {
        const stored = entryAt(on, position)
        return stored === null ? null : { token: stored.token, assertions: assertionsOfEntry(log, stored.entry) }
      },
    }
  }

  async function takeHead(message: Message & { kind: 'head' }): Promise<void> {
    const head = await rules.openHead(message.token, membership)
    ground.step(life, 'head: opened')
    if (head.origin !== message.origin || head.audience !== message.audience || head.origin === code) return
    const key = announcedKey(head.origin, head.audience)
    const known = disk().announced.get(key)
    const before = known === undefined ? null : await rules.openHead(known, membership)
    const store = rules.isNewerHead(before, head) ? [() => void disk().announced.set(key, head.token)] : []
    const forks = rules.judgeHead(head, before, historyOf)
    const freezes = forks.map(fork => () => freeze(fork.log, fork))
    if (rules.order.headWithVerdict) await transact(ground, life, 'head: written', 'head: committed', [...store, ...freezes])
    else {
      await transact(ground, life, 'head: written', 'head: stored', store)
      await transact(ground, life, 'head: written', 'head: committed', freezes)
    }
    ground.watch.headTaken(code, head, before)
    judgeRoots(ground, code, head, judged)
  }

  function ask(to: string, question: Question, answered: (answer: Answer | null) => Promise<void> | void): void {
    const ref = ground.ref()
    questions.set(ref, answered)
    ground.send(code, to, { kind: 'question', ref, question })
    ground.after(ANSWER_MS, life, async () => {
      if (questions.delete(ref)) await answered(null)
    })
  }

  function answer(asker: string, question: Question & { what: 'range' | 'standing' }): Answer {
    if (question.what === 'range') {
      const log = disk().logs.get(formatLogId(question.log))
      const may = asker === HUB || asker === question.log.origin || ground.mayRead(asker, question.log.audience)
      const entries = log === undefined || !may ? [] : rangeOf(log, question.epoch, question.from, RANGE_ENTRIES)
      if (question.log.origin === code) for (const { entry } of entries) ground.watch.disclosed(question.log, entry)
      return { what: 'range', arrivals: entries.map(stored => arrivalOf(question.log, stored, null)) }
    }
    const own = [...disk().logs.values()].filter(({ log }) => log.origin === asker)
    const entries = own.flatMap(({ log, entries }) => entries.slice(-1).map(stored => arrivalOf(log, stored, null)))
    const heads = [...disk().announced].flatMap(([key, token]) => (key.startsWith(`${asker}/`) ? [token] : []))
    return { what: 'standing', standing: { entries, heads } }
  }

  function repair(log: LogId, until: Position): void {
    const id = formatLogId(log)
    if (repairing.has(id)) return
    repairing.add(id)
    askNext(log, until, rules.repairSources(log, code, options.others(log)), false)
  }

  function askNext(log: LogId, until: Position, sources: readonly string[], nextEpoch: boolean): void {
    const [source] = sources
    const on: DiskLog = logOn(disk(), log)
    const head = on.head
    if (source === undefined || on.fork !== null || (head !== null && comparePositions(head, until) >= 0)) {
      repairing.delete(formatLogId(log))
      return
    }
    const from =
      head === null
        ? { epoch: 1, from: 0 }
        : nextEpoch
          ? { epoch: head.epoch + 1, from: 0 }
          : { epoch: head.epoch, from: head.seq + 1 }
    ask(source, { what: 'range', log, ...from }, async answered => {
      ground.step(life, 'repair: answered')
      const arrivals = answered?.what === 'range' ? answered.arrivals : []
      if (arrivals.length === 0 && answered !== null && !nextEpoch && head !== null) return askNext(log, until, sources, true)
      const outcomes = arrivals.length === 0 ? [] : await receive(arrivals)
      await options.settled(outcomes)
      const added = outcomes.some(outcome => outcome.kind === 'accepted' && formatLogId(outcome.log) === formatLogId(log))
      askNext(log, until, added ? sources : sources.slice(1), false)
    })
    ground.step(life, 'repair: asked')
  }

  /** What a head announces and the stream does not bring within a while is a gap too: a lost tail is silent otherwise. */
  async function check(): Promise<void> {
    for (const token of [...disk().announced.values()]) {
      const head = await rules.openHead(token, membership)
      if (head.origin !== code) judgeRoots(ground, code, head, judged)
      for (const { log, until } of rules.missingBehind(head, historyOf)) {
        const held = disk().logs.get(formatLogId(log))?.head ?? { epoch: 0, seq: 0 }
        const before = stood.get(formatLogId(log))
        stood.set(formatLogId(log), { epoch: held.epoch, seq: held.seq })
        if (before !== undefined && comparePositions(before, held) === 0) repair(log, until)
      }
    }
    ground.after(CHECK_MS, life, check)
  }

  return {
    receive,
    ask,
    answer,
    repair,
    isRepairing: log => repairing.has(formatLogId(log)),
    async deliver(_from, message) {
      if (message.kind === 'entry') {
        waiting.push(message)
        if (waiting.length === 1) ground.after(GROUP_MS, life, settleGroup)
      } else if (message.kind === 'head') {
        await takeHead(message).catch(error => {
          if (!isExchangeError(error)) throw error
          ground.note(`${code} refuses a head: ${error.code}`)
        })
      } else if (message.kind === 'answer') {
        const answered = questions.get(message.ref)
        questions.delete(message.ref)
        await answered?.(message.answer)
      }
    },
    start() {
      ground.after(CHECK_MS, life, check)
    },
  }
}

/** The replica, by the same rules as PostgreSQL's statement in the product. */
export function applyRecords({ rules }: Ground, log: DiskLog, at: Position, records: StoredEntry['records']): void {
  for (const record of rules.highestOfEachKey(records)) {
    if (!rules.takesEffect(log.rows.get(record.key)?.ver ?? null, record.ver)) continue
    log.rows.set(record.key, {
      ver: record.ver,
      op: record.op,
      text: record.op === 'put' ? JSON.stringify(record.body) : record.why,
    })
  }
  log.applied.push(formatPosition(at))
}
