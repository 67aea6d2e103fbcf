/**
 * Before a node seals its first envelope in a life, it asks the hub and its neighbours where its own logs stand with them. A node
 * that was restored from an old backup knows less of its own past than they do; sealing then would sign a second history, which
 * nobody could ever take back. So it first takes its own envelopes back from them, verified like anybody's. Local writes wait.
 *
 * What others say counts only as far as this node's own key signed it. If more was signed than anybody delivers, sealing keeps waiting
 * and says so: an operator decides. Every member is asked, because any one of them may alone hold the last envelope that got out; who
 * does not answer is waited for a while and then named in the log, because an outage elsewhere never stops local work.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { askStanding, HUB } from '../../runtime/ledger/repair.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Broker } from '../../runtime/nats.ts'
import { formatLogId, formatPosition, type LogId } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { maySeal, type Witness } from '../../schemas/sync.ts'
import type { NodeEvents } from '../events.ts'

const AGAIN_MS = 500
/** how long to wait for those that have not answered, when others have, and when nobody has */
const SOME_AFTER_MS = 15_000
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
  readonly membership: () => Membership
  readonly repair: (log: LogId) => Promise<boolean>
  readonly events: NodeEvents
}): Restoration {
  const { broker, db, own, events } = options
  const stopping = new AbortController()
  const { promise: done, resolve } = Promise.withResolvers<void>()
  let trouble: string | null = 'asking others where the own logs stand'

  type Answers = { readonly silent: string[]; readonly witnesses: Map<string, { log: LogId; witnesses: Witness[] }> }

  /** Who did not answer, and for each own log what the others hold of it. */
  async function ask(): Promise<Answers> {
    const witnesses: Answers['witnesses'] = new Map()
    const silent: string[] = []
    const holders = [HUB, ...options.neighbours]
    const answers = await Promise.allSettled(holders.map(holder => askStanding(broker, holder, own, options.membership())))
    for (const [index, answer] of answers.entries()) {
      const holder = holders[index] ?? ''
      if (answer.status === 'rejected') silent.push(holder)
      else
        for (const { log, head } of answer.value) {
          const known = witnesses.get(formatLogId(log)) ?? { log, witnesses: [] }
          known.witnesses.push({ holder, head })
          witnesses.set(formatLogId(log), known)
        }
    }
    return { silent, witnesses }
  }

  /** What still keeps this node from sealing, after taking back what can be had. */
  async function takeBack({ witnesses }: Answers): Promise<string | null> {
    for (const { log, witnesses: said } of witnesses.values()) {
      const before = (await readLog(db, log))?.head ?? null
      if (maySeal(before, said).kind === 'seal') continue
      await options.repair(log)
      const verdict = maySeal((await readLog(db, log))?.head ?? null, said)
      if (verdict.kind === 'seal') events.restored(log)
      else
        return `${verdict.behind.holder} knows ${formatLogId(log)} up to ${formatPosition(verdict.behind.head)}, which cannot be taken back yet`
    }
    return null
  }

  async function round(waited: number): Promise<string | null> {
    const answers = await ask()
    const missing = await takeBack(answers)
    if (missing !== null || answers.silent.length === 0) return missing
    const alone = answers.silent.length > options.neighbours.length
    if (waited < (alone ? ALONE_AFTER_MS : SOME_AFTER_MS)) return `no answer about the own logs from ${answers.silent.join(', ')}`
    events.sealingWithout(answers.silent)
    return null
  }

  async function run(): Promise<void> {
    const start = performance.now()
    while (!stopping.signal.aborted) {
      const before = trouble
      trouble = await round(performance.now() - start).catch(error => (error instanceof Error ? error.message : String(error)))
      if (trouble === null) break
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
