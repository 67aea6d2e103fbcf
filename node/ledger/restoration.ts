/**
 * Before a node seals its first envelope in a life, it asks the hub and its neighbours where its own logs stand with them. A node
 * that was restored from an old backup knows less of its own past than they do; sealing then would sign a second history, which
 * nobody could ever take back. So it first takes its own envelopes back from them, verified like anybody's. Local writes wait.
 *
 * What others say is a hint, believed as far as the envelopes then come, because only this node's own key can have signed them. If
 * somebody claims more than anybody delivers, sealing keeps waiting and says so: an operator decides. If nobody can be reached at
 * all, sealing begins after a while, because an outage elsewhere never stops local work.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { askStanding, HUB } from '../../runtime/ledger/repair.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Broker } from '../../runtime/nats.ts'
import { formatLogId, type LogId } from '../../schemas/log.ts'
import { maySeal, type Witness } from '../../schemas/sync.ts'
import type { NodeEvents } from '../events.ts'

const AGAIN_MS = 500
/** how long to go on asking when nobody answers */
const ALONE_AFTER_MS = 30_000

export type Restoration = AsyncDisposable & {
  /** fulfilled when sealing may begin */
  readonly done: Promise<void>
  trouble(): string | null
}

export function startRestoration(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  readonly own: string
  readonly neighbours: readonly string[]
  readonly repair: (log: LogId) => Promise<boolean>
  readonly events: NodeEvents
}): Restoration {
  const { broker, db, own, events } = options
  const stopping = new AbortController()
  const { promise: done, resolve } = Promise.withResolvers<void>()
  let trouble: string | null = 'asking others where the own logs stand'

  /** Who answered, and for each own log what they hold of it. */
  async function ask(): Promise<{
    readonly answered: number
    readonly witnesses: Map<string, { log: LogId; witnesses: Witness[] }>
  }> {
    const witnesses = new Map<string, { log: LogId; witnesses: Witness[] }>()
    const answers = await Promise.allSettled(
      [HUB, ...options.neighbours].map(async holder => ({ holder, standing: await askStanding(broker, holder, own) })),
    )
    let answered = 0
    for (const answer of answers) {
      if (answer.status === 'rejected') continue
      answered += 1
      for (const { log, head } of answer.value.standing) {
        const known = witnesses.get(formatLogId(log)) ?? { log, witnesses: [] }
        known.witnesses.push({ holder: answer.value.holder, head })
        witnesses.set(formatLogId(log), known)
      }
    }
    return { answered, witnesses }
  }

  /** What still keeps this node from sealing, after taking back what can be had. */
  async function takeBack(): Promise<string | null> {
    const { answered, witnesses } = await ask()
    if (answered === 0) return 'neither the hub nor any neighbour answers'
    for (const { log, witnesses: said } of witnesses.values()) {
      const before = (await readLog(db, log))?.head ?? null
      if (maySeal(before, said).kind === 'seal') continue
      await options.repair(log)
      const verdict = maySeal((await readLog(db, log))?.head ?? null, said)
      if (verdict.kind === 'seal') events.restored(log)
      else
        return `${verdict.behind.holder} holds ${formatLogId(log)} up to ${verdict.behind.head.epoch}.${verdict.behind.head.seq}, which cannot be taken back yet`
    }
    return null
  }

  async function run(): Promise<void> {
    const start = performance.now()
    while (!stopping.signal.aborted) {
      const before = trouble
      trouble = await takeBack().catch(error => (error instanceof Error ? error.message : String(error)))
      if (trouble === null) break
      if (trouble.startsWith('neither') && performance.now() - start > ALONE_AFTER_MS) {
        events.sealingAlone()
        trouble = null
        break
      }
      if (trouble !== before) events.sealingWaits(trouble)
      await delay(AGAIN_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
    resolve()
  }

  const running = run()
  return {
    done,
    trouble: () => trouble,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await running
    },
  }
}
