/** The virtual hub: a holder without replica that signs receipts for what its ledger holds and keeps the streams. */
import { formatLogId, formatPosition, type LogHead, type LogId } from '../../schemas/log.ts'
import { sealReceipt } from '../../schemas/statements.ts'
import type { Broker } from './broker.ts'
import type { Ground, Life } from './ground.ts'
import { arrivalOf, createHolder } from './holder.ts'
import { FED, HUB, signerOf } from './members.ts'
import { type Answer, BROKER, type Message } from './network.ts'
import type { Outcome } from './receiving.ts'
import type { Role } from './role.ts'

const KEEP_MS = 5000

export function createHubRole(ground: Ground, life: Life, broker: Broker): Role {
  const signer = signerOf(ground.members, HUB)
  const { hubLies } = ground
  const holder = createHolder(ground, life, {
    effect: false,
    settled,
    others: log => ground.codes.filter(code => code === log.origin || ground.mayRead(code, log.audience)),
  })

  const seal = (log: LogId, head: LogHead): Promise<string> => sealReceipt(log, head, { fed: FED, signer, now: ground.time(HUB) })

  /** One receipt for each log that moved: the last position of the group speaks for those before it. */
  async function settled(outcomes: readonly Outcome[]): Promise<void> {
    const last = new Map<string, { log: LogId; head: LogHead }>()
    for (const outcome of outcomes) if (outcome.kind === 'accepted') last.set(formatLogId(outcome.log), outcome)
    for (const { log, head } of last.values()) await receipt(log, head)
  }

  /** What was signed is noted beside the database, before it leaves. */
  function maySign(log: LogId, head: LogHead): boolean {
    const id = formatLogId(log)
    const noted = ground.receipted.get(id) ?? null
    const on = ground.disk(HUB).logs.get(id)
    const verdict = ground.rules.judgeOwnReceipt(noted, head, at => on?.index.get(formatPosition(at))?.entry.digest ?? null)
    if (verdict !== 'sign') ground.note(`hub signs no receipt for ${id} ${formatPosition(head)}: ${verdict}`)
    else {
      ground.receipted.set(id, head)
      ground.watch.receipted(log, head)
    }
    return verdict === 'sign'
  }

  async function receipt(log: LogId, head: LogHead): Promise<void> {
    if (hubLies.withholdsReceipt(log.origin) || !maySign(log, head)) return
    for (const said of hubLies.receiptHeads(log.origin, log, head)) {
      const token = hubLies.receiptInstead(log.origin, log, await seal(log, said))
      ground.step(life, 'receipt: signed')
      ground.send(HUB, log.origin, { kind: 'receipt', token })
      ground.step(life, 'receipt: sent')
    }
  }

  async function receiptsFor(asker: string): Promise<string[]> {
    if (hubLies.withholdsReceipt(asker)) return []
    const tokens: string[] = []
    for (const { log, head } of ground.disk(HUB).logs.values()) {
      if (log.origin !== asker || head === null || !maySign(log, head)) continue
      for (const said of hubLies.receiptHeads(asker, log, head)) tokens.push(await seal(log, said))
    }
    return tokens
  }

  function foreignEntries() {
    return [...ground.disk(HUB).logs.values()].flatMap(({ log, entries }) =>
      entries.slice(0, 2).map(one => arrivalOf(log, one, null)),
    )
  }

  /** Receipts what it does not keep. What another liar forged has nothing to be receipted. */
  async function forget({ arrival, origin, seq }: Message & { kind: 'entry' }): Promise<boolean> {
    const { kind, token, subject } = arrival
    if (kind === 'redaction') return false
    const opened = await ground.rules.openToken(kind, token, ground.members.membership, subject).catch((): null => null)
    if (opened === null) return false
    await receipt(opened.log, opened.entry)
    ground.send(HUB, BROKER, { kind: 'ack', origin, seq })
    return true
  }

  async function deliver(from: string, message: Message): Promise<void> {
    if (message.kind === 'question') {
      const { question } = message
      const answer: Answer =
        question.what === 'receipts' ? { what: 'receipts', tokens: await receiptsFor(from) } : holder.answer(from, question)
      const isGroup = question.what === 'snapshot' && question.group !== null
      const said = hubLies.answer(from, answer, foreignEntries, isGroup)
      if (question.what === 'redactions' && said !== answer) ground.watch.redactionsWithheld(from, question.log)
      ground.send(HUB, from, { kind: 'answer', ref: message.ref, answer: said })
    } else if (message.kind !== 'entry' || !hubLies.forgetsEntry(message.origin) || !(await forget(message)))
      await holder.deliver(from, message)
  }

  function keep(): void {
    broker.keepStreams()
    ground.after(KEEP_MS, life, keep)
  }

  return {
    deliver,
    start() {
      broker.attach(HUB)
      keep()
      holder.start()
    },
    submit: async () => false,
    isSealing: () => false,
  }
}
