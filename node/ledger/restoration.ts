/**
 * Before a node seals its first envelope in a life, it makes sure that its database is not older than what it has signed. Its own note
 * beside the database (`mark.ts`) settles that at once after an ordinary restart, whoever else is dead. Where the note says that the
 * database was set back, or cannot tell, hub and neighbours are asked where the own logs stand with them: sealing behind an old head
 * would sign a second history, which nobody could ever take back. So the node first takes its own envelopes back from them, verified
 * like anybody's. Local writes wait.
 *
 * What others say counts only as far as this node's own key signed it. If more was signed than anybody delivers, sealing keeps waiting
 * and says so: an operator decides (`reopener.ts`). Every member is asked, because any one of them may alone hold the last envelope that
 * got out; who does not answer is waited for a while and then named in the log, because an outage elsewhere never stops local work.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { type LogState, readLog, readLogs } from '../../runtime/ledger/ledger.ts'
import { readLosses } from '../../runtime/ledger/losses.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { comparePositions, formatLogId, formatPosition, type LogId } from '../../schemas/log.ts'
import { judgeStart, maySeal, PATIENCE_MS, type Witness } from '../../schemas/sync.ts'
import type { NodeEvents } from '../events.ts'
import type { SealedMark } from './mark.ts'
import { type Answers, type Asking, askWitnesses } from './witnesses.ts'

const AGAIN_MS = 500
/** how often others are asked whether what was declared lost has turned up with them */
const FOUND_MS = 60_000

export type Restoration = AsyncDisposable & {
  /** fulfilled when sealing may begin */
  readonly done: Promise<void>
  trouble(): string | null
}

type Said = { readonly log: LogId; readonly witnesses: readonly Witness[] }

export function startRestoration(
  options: Asking & {
    readonly db: Kysely<LedgerTables>
    readonly mark: SealedMark
    readonly repair: (log: LogId) => Promise<boolean>
    readonly events: NodeEvents
  },
): Restoration {
  const { db, own, mark, events } = options
  const stopping = new AbortController()
  const { promise: done, resolve } = Promise.withResolvers<void>()
  let trouble: string | null = 'asking others where the own logs stand'

  const ownLogs = async (): Promise<LogState[]> => (await readLogs(db)).filter(({ log }) => log.origin === own)

  /** What still keeps this node from sealing, after taking back what can be had. */
  async function takeBack({ witnesses }: Answers): Promise<string | null> {
    const said = new Map<string, Said>(witnesses)
    for (const id of mark.found?.positions.keys() ?? []) {
      const [origin = '', dataset = '', audience = ''] = id.split('/')
      if (!said.has(id) && origin === own) said.set(id, { log: { origin, dataset, audience }, witnesses: [] })
    }
    for (const { log, witnesses: shown } of said.values()) {
      const judge = async () => maySeal((await readLog(db, log))?.head ?? null, shown, mark.at(log))
      if ((await judge()).kind === 'seal') continue
      await options.repair(log)
      const verdict = await judge()
      if (verdict.kind === 'seal') events.restored(log)
      else
        return (
          `${verdict.behind.holder} knows ${formatLogId(log)} up to ${formatPosition(verdict.behind.head)}, which cannot be taken back yet; ` +
          `hutong ledger reopen ${log.dataset} --at ${own} --audience ${log.audience} shows what can be done`
        )
    }
    return null
  }

  async function round(waited: number, patience: { readonly some: number; readonly alone: number }): Promise<string | null> {
    const answers = await askWitnesses(options)
    const missing = await takeBack(answers)
    if (missing !== null || answers.silent.length === 0) return missing
    const alone = answers.silent.length === answers.asked.length
    if (waited < (alone ? patience.alone : patience.some)) return `no answer about the own logs from ${answers.silent.join(', ')}`
    events.sealingWithout(answers.silent)
    return null
  }

  async function startOf(): Promise<keyof typeof PATIENCE_MS> {
    const heads = new Map((await ownLogs()).map(({ log, head }) => [formatLogId(log), head]))
    const start = judgeStart(mark.found, log => heads.get(log) ?? null)
    // A note that may have come out of a backup itself says what is missing, but not that nothing else is.
    return start === 'restored' && mark.found?.trusted !== true ? 'unknown' : start
  }

  async function run(): Promise<void> {
    const start = performance.now()
    for (let known: keyof typeof PATIENCE_MS | null = null; !stopping.signal.aborted; ) {
      const before = trouble
      try {
        known ??= await startOf()
        trouble = known === 'continued' ? null : await round(performance.now() - start, PATIENCE_MS[known])
        if (trouble === null) mark.begin(await ownLogs())
      } catch (error) {
        trouble = error instanceof Error ? error.message : String(error)
      }
      if (trouble === null) break
      if (trouble !== before) events.sealingWaits(trouble)
      await delay(AGAIN_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
    resolve()
  }

  /** What was declared lost and turns up with somebody is named, so that an operator can have it said again. */
  async function lookForLost(): Promise<void> {
    const named = new Set<string>()
    while (!stopping.signal.aborted) {
      const losses = await lossesOf(await ownLogs())
      if (losses.length > 0) {
        const { witnesses } = await askWitnesses(options)
        for (const { log, lost, opening } of losses)
          for (const { holder, head } of witnesses.get(formatLogId(log))?.witnesses ?? []) {
            const name = `${holder} ${formatLogId(log)} ${formatPosition(head)}`
            if (comparePositions(head, lost) < 0 || comparePositions(head, opening) >= 0 || named.has(name)) continue
            named.add(name)
            events.lostFound(log, holder, head)
          }
      }
      await delay(FOUND_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  const lossesOf = async (logs: readonly LogState[]) =>
    (
      await Promise.all(
        logs
          .filter(({ head }) => (head?.epoch ?? 0) > 1)
          .map(async ({ id, log }) => (await readLosses(db, id, options.membership())).map(loss => ({ ...loss, log }))),
      )
    ).flat()

  const running = run()
  const looking = done.then(lookForLost).catch(error => events.failed(own, error))
  return {
    done,
    trouble: () => trouble,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await running
      await looking
    },
  }
}
