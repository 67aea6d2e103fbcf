/** The virtual node: a holder with a replica, that starts carefully, seals what its operations say, and announces its logs. */
import { tokenDigest } from '../../schemas/envelope.ts'
import { createAnnouncing } from './announcing.ts'
import type { Broker } from './broker.ts'
import type { DiskLog } from './disk.ts'
import type { Operation } from './faults.ts'
import type { Ground, Life } from './ground.ts'
import { createHolder } from './holder.ts'
import type { Message } from './network.ts'
import { createOutbox } from './outbox.ts'
import type { Role } from './role.ts'
import { logOf, sealErasures, sealOperation } from './sealer.ts'
import { createStart } from './start.ts'

export function createNodeRole(ground: Ground, life: Life, broker: Broker): Role {
  const { code } = life
  const holder = createHolder(ground, life, {
    effect: true,
    settled: async () => {},
    others: log => ground.codes.filter(other => other !== code && (other === log.origin || ground.mayRead(other, log.audience))),
  })
  const ownLogs = (): DiskLog[] => [...ground.disk(code).logs.values()].filter(({ log }) => log.origin === code)
  const isSealing = (): boolean => start.isSealing()
  const outbox = createOutbox(ground, life, { holder, ownLogs, isSealing })
  const announcing = createAnnouncing(ground, life, { ownLogs, isSealing })
  const start = createStart(ground, life, {
    holder,
    ownLogs,
    sealing() {
      outbox.wake()
      announcing.moved()
      if (ground.plan.operations.some(({ what }) => what === 'erase')) for (const { log } of ownLogs()) holder.takeBack(log)
    },
  })
  /** What others have erased of an own log comes first: a restored origin has forgotten it. */
  async function erase(operation: Operation): Promise<boolean> {
    const log = logOf(code, operation)
    if (!holder.takeBack(log)) return false
    const erased = await sealErasures(ground, life, operation)
    for (const { on, arrival } of erased) outbox.publishErasure(on, arrival, tokenDigest(arrival.token))
    if (erased.length > 0) announcing.moved()
    return true
  }

  return {
    async deliver(from, message: Message) {
      if (message.kind === 'published') outbox.published(message.ref)
      else if (message.kind === 'receipt') await outbox.takeReceipt(message.token)
      else if (message.kind === 'question') {
        if (message.question.what === 'receipts') return
        ground.send(code, from, { kind: 'answer', ref: message.ref, answer: holder.answer(from, message.question) })
      } else await holder.deliver(from, message)
    },
    start() {
      holder.beforeStreams(() => broker.attach(code))
      holder.start()
      announcing.start()
      outbox.tick()
      start.begin()
    },
    isSealing,
    async submit(operation) {
      if (!isSealing()) return false
      if (operation.what === 'erase') return erase(operation)
      const log = await sealOperation(ground, life, operation)
      if (log !== null) {
        outbox.wake()
        announcing.moved()
      }
      return true
    },
  }
}
