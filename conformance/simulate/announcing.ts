/** A node's signed heads: on change and every 15 s, with the newest snapshot of each own log. */
import { type LogAt, sealHead } from '../../schemas/statements.ts'
import { type DiskLog, erasedIn } from './disk.ts'
import type { Ground, Life } from './ground.ts'
import { HUB } from './members.ts'
import { markOf } from './roots.ts'
import { contextOf } from './sealer.ts'
import { makeSnapshot } from './snapshots.ts'

const SETTLE_MS = 250
const HEAD_INTERVAL_MS = 15_000

export type Announcing = { start(): void; moved(): void }

export function createAnnouncing(
  ground: Ground,
  life: Life,
  options: { readonly ownLogs: () => readonly DiskLog[]; readonly isSealing: () => boolean },
): Announcing {
  const { code } = life
  const { ownLogs } = options
  let due = 0
  let rounds = 0

  async function announce(round: number): Promise<void> {
    if (round !== rounds) return
    if (options.isSealing()) {
      const at = ({ log, head }: DiskLog): LogAt[] => (head === null ? [] : [{ log, head }])
      for (const audience of new Set(['all', ...ownLogs().map(({ log }) => log.audience)])) {
        const own = ownLogs().filter(({ log }) => log.audience === audience)
        if (ground.plan.newcomer !== null) for (const on of own) makeSnapshot(ground, on)
        const logs = own.flatMap(on =>
          at(on).map(one => ({ ...one, erased: erasedIn(on), snapshot: markOf(ground, on, one.head) })),
        )
        const held = [...ground.disk(code).logs.values()]
          .filter(({ log }) => log.origin !== code && log.audience === audience)
          .flatMap(at)
        const token = await sealHead(code, audience, logs, held, contextOf(ground, code))
        for (const one of logs) ground.watch.disclosed(one.log, one.head)
        for (const reader of [HUB, ...ground.codes])
          if (reader !== code && (reader === HUB || ground.mayRead(reader, audience)))
            ground.send(code, reader, { kind: 'head', origin: code, audience, token })
      }
    }
    schedule(HEAD_INTERVAL_MS)
  }

  function schedule(ms: number): void {
    due = ground.now() + ms
    rounds += 1
    const round = rounds
    ground.after(ms, life, () => announce(round))
  }

  return {
    start: () => schedule(SETTLE_MS),
    moved() {
      if (due - ground.now() > SETTLE_MS) schedule(SETTLE_MS)
    },
  }
}
