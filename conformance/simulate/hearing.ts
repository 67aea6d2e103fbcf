/** Heads that a holder hears: what they prove, what they show to be missing, and the roots that they announce. */
import { assertionsOfEntry } from '../../schemas/assertions.ts'
import type { HeldHistory } from '../../schemas/head-rule.ts'
import { comparePositions, formatLogId, type LogId, type Position } from '../../schemas/log.ts'
import type { Head } from '../../schemas/statements.ts'
import { entryAt } from './disk.ts'
import { type Ground, type Life, transact } from './ground.ts'
import type { Message } from './network.ts'
import { freeze } from './receiving.ts'
import { judgeRoots } from './roots.ts'

const CHECK_MS = 2000

export const announcedKey = (origin: string, audience: string): string => `${origin}/${audience}`

export type Hearing = {
  announcedOf(log: LogId): Promise<Head | null>
  /** every head that is kept */
  heads(): Promise<Head[]>
  take(message: Message & { kind: 'head' }): Promise<void>
  start(): void
}

export function createHearing(
  ground: Ground,
  life: Life,
  options: {
    readonly repair: (log: LogId, until: Position) => void
    /** after each round of looking at what is announced */
    readonly checked: (heads: readonly Head[]) => Promise<void>
  },
): Hearing {
  const { rules } = ground
  const { membership } = ground.members
  const { code } = life
  const stood = new Map<string, Position>()
  const judged = new Set<string>()
  const disk = () => ground.disk(code)

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

  /** What a head announces and the stream does not bring within a while is a gap too: a lost tail is silent otherwise. */
  async function check(): Promise<void> {
    const heads: Head[] = []
    for (const token of [...disk().announced.values()]) {
      const head = await rules.openHead(token, membership)
      heads.push(head)
      if (head.origin !== code) judgeRoots(ground, code, head, judged)
      for (const { log, until } of rules.missingBehind(head, historyOf)) {
        const held = disk().logs.get(formatLogId(log))?.head ?? { epoch: 0, seq: 0 }
        const before = stood.get(formatLogId(log))
        stood.set(formatLogId(log), { epoch: held.epoch, seq: held.seq })
        if (before !== undefined && comparePositions(before, held) === 0) options.repair(log, until)
      }
    }
    await options.checked(heads)
    ground.after(CHECK_MS, life, check)
  }

  return {
    async announcedOf(log) {
      const token = disk().announced.get(announcedKey(log.origin, log.audience))
      return token === undefined ? null : await rules.openHead(token, membership).catch((): null => null)
    },
    heads: () => Promise.all([...disk().announced.values()].map(token => rules.openHead(token, membership))),
    async take(message) {
      const head = await rules.openHead(message.token, membership)
      ground.step(life, 'head: opened')
      if (head.origin !== message.origin || head.audience !== message.audience || head.origin === code) return
      const key = announcedKey(head.origin, head.audience)
      const known = disk().announced.get(key)
      const before = known === undefined ? null : await rules.openHead(known, membership)
      const store = rules.isNewerHead(before, head) ? [() => void disk().announced.set(key, head.token)] : []
      const forks = rules.judgeHead(head, before, historyOf)
      const freezes = forks.map(fork => () => freeze(ground, code, fork.log, fork))
      if (rules.order.headWithVerdict) await transact(ground, life, 'head: written', 'head: committed', [...store, ...freezes])
      else {
        await transact(ground, life, 'head: written', 'head: stored', store)
        await transact(ground, life, 'head: written', 'head: committed', freezes)
      }
      ground.watch.headTaken(code, head, before)
      judgeRoots(ground, code, head, judged)
    },
    start: () => ground.after(CHECK_MS, life, check),
  }
}
