/** Empties a node's outbox: publishes, takes receipts, asks for those that do not come. */
import { comparePositions, formatLogId, formatPosition, type LogHead } from '../../schemas/log.ts'
import type { Receipt } from '../../schemas/statements.ts'
import type { Outbox as Box } from '../../schemas/sync.ts'
import { type DiskLog, entryAt, logOn, rangeOf } from './disk.ts'
import { type Ground, type Life, transact } from './ground.ts'
import { arrivalOf, type Holder } from './holder.ts'
import { HUB } from './members.ts'
import { type Arrival, BROKER } from './network.ts'

const WINDOW = 8
const TICK_MS = 1000
const PUBLISH_TIMEOUT_MS = 5000
/** how long a redaction waits for the receipt of what allows it; later, the heads bring it everywhere all the same */
const RECEIPT_WAIT_MS = 30_000

export type Outbox = {
  wake(): void
  tick(): void
  published(ref: number): void
  takeReceipt(token: string): Promise<void>
  /** a redaction, behind the receipt of everything that stood when it was signed */
  publishErasure(on: DiskLog, arrival: Arrival, id: string): void
}

export function createOutbox(
  ground: Ground,
  life: Life,
  options: { readonly holder: Holder; readonly ownLogs: () => readonly DiskLog[]; readonly isSealing: () => boolean },
): Outbox {
  const { rules, members } = ground
  const { membership } = members
  const { code } = life
  const disk = () => ground.disk(code)
  const sent = new Map<string, { position: LogHead; at: number; askedAt: number }>()
  const flying = new Map<string, { readonly refs: Set<number>; readonly end: LogHead }>()
  let woken = false

  const now = (): number => (rules.order.outboxOnSteadyClock ? ground.now() : ground.time(code).getTime())

  async function publishFrom({ log, head, receipt }: DiskLog): Promise<void> {
    const id = formatLogId(log)
    if (flying.has(id) || head === null) return
    const at = now()
    const box: Box = { head, receipt: receipt?.head ?? null, sent: sent.get(id) ?? null }
    const action = rules.nextOutboxAction(box, at)
    if (action.kind === 'idle') return
    if (action.kind === 'ask') {
      const last = sent.get(id)
      if (last !== undefined) last.askedAt = at
      return askReceipts()
    }
    const on = logOn(disk(), log)
    const batch = rangeOf(on, action.from.epoch, action.from.seq, WINDOW)
    const end = batch.at(-1)
    if (end === undefined) return
    ground.step(life, 'publish: read')
    const flight = { refs: new Set<number>(), end: end.entry }
    flying.set(id, flight)
    for (const stored of batch) {
      const ref = ground.ref()
      flight.refs.add(ref)
      ground.watch.disclosed(log, stored.entry)
      ground.send(code, BROKER, { kind: 'publish', ref, id: stored.entry.digest, arrival: arrivalOf(log, stored) })
      ground.step(life, 'publish: sent')
    }
    ground.after(PUBLISH_TIMEOUT_MS, life, () => {
      if (flying.get(id) === flight) flying.delete(id)
    })
  }

  function askReceipts(): void {
    options.holder.ask(HUB, { what: 'receipts' }, async answer => {
      if (answer?.what === 'receipts') for (const token of answer.tokens) await takeReceipt(token)
    })
  }

  async function takeReceipt(token: string): Promise<void> {
    const receipt = await rules.openReceipt(token, membership).catch((): null => null)
    ground.step(life, 'receipt: opened')
    const log = receipt === null ? undefined : disk().logs.get(formatLogId(receipt.log))
    if (receipt === null || receipt.log.origin !== code || log === undefined) return
    const id = formatLogId(receipt.log)
    const earlier: Receipt[] = []
    for (const [key, kept] of disk().receipts) if (key.startsWith(`${id}@`)) earlier.push(await rules.openReceipt(kept, membership))
    const own = {
      head: log.head,
      noted: log.receipt?.head ?? null,
      digestAt: (at: LogHead) => entryAt(log, at)?.entry.digest ?? null,
    }
    const verdict = rules.judgeReceipt(receipt, own as Parameters<typeof rules.judgeReceipt>[1], earlier)
    if (verdict.kind !== 'old') ground.note(`${code} judges a receipt for ${id} ${formatPosition(receipt.head)}: ${verdict.kind}`)
    const writes: (() => void)[] = []
    if (verdict.kind === 'take') {
      writes.push(() => {
        log.receipt = { head: receipt.head, token }
      })
    }
    const { convicts } = verdict
    if (convicts === null) writes.push(() => void disk().receipts.set(`${id}@${formatPosition(receipt.head)}`, token))
    else {
      const whom: string = convicts.whom
      const { convictions } = disk()
      const known = convictions.some(({ statements }) => statements[0] === convicts.statements[0])
      if (whom !== 'hub') {
        writes.push(() => {
          log.fork = convicts
        })
      }
      if (whom === 'hub' && !known) writes.push(() => void convictions.push(convicts))
    }
    await transact(ground, life, 'receipt: written', 'receipt: committed', writes)
    ground.watch.receiptTaken(code, receipt.log, receipt.head, token)
    if (verdict.kind === 'take') wake()
  }

  function wake(): void {
    if (woken) return
    woken = true
    ground.after(1, life, async () => {
      woken = false
      if (options.isSealing()) for (const log of options.ownLogs()) await publishFrom(log)
    })
  }

  function tick(): void {
    wake()
    ground.after(TICK_MS, life, tick)
  }

  return {
    wake,
    tick,
    takeReceipt,
    published(ref) {
      for (const [id, flight] of flying) {
        if (!flight.refs.delete(ref) || flight.refs.size > 0) continue
        ground.step(life, 'publish: acknowledged')
        flying.delete(id)
        const { epoch, seq, digest } = flight.end
        sent.set(id, { position: { epoch, seq, digest }, at: now(), askedAt: 0 })
        const log = disk().logs.get(id)
        if (!rules.order.forgetOnReceipt && log !== undefined) log.receipt = { head: { epoch, seq, digest }, token: '' }
        ground.step(life, 'publish: noted')
        wake()
      }
    },
    publishErasure(on, arrival, id) {
      const { head } = on
      const until = ground.now() + RECEIPT_WAIT_MS
      const look = (): void => {
        if (head === null || ground.now() > until) return
        if (on.receipt === null || comparePositions(on.receipt.head, head) < 0) ground.after(TICK_MS, life, look)
        else ground.send(code, BROKER, { kind: 'publish', ref: ground.ref(), id, arrival })
      }
      ground.after(1, life, look)
    },
  }
}
