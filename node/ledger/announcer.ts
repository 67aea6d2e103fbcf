/** States this node's heads, signed: at once when a log moved, and every 15 s when nothing does, so that silence means something. */
import type { Kysely } from 'kysely'
import { HEAD_INTERVAL_MS } from '../../runtime/ledger/heads.ts'
import { readLogs } from '../../runtime/ledger/ledger.ts'
import { createLogTrees } from '../../runtime/ledger/log-trees.ts'
import { countErased } from '../../runtime/ledger/redactions.ts'
import { newestMarks } from '../../runtime/ledger/snapshots.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Broker } from '../../runtime/nats.ts'
import type { Membership } from '../../schemas/membership.ts'
import { type OwnLogAt, sealHead } from '../../schemas/statements.ts'
import { headSubject } from '../../schemas/subjects.ts'
import type { Signer } from '../../schemas/tokens.ts'

/** several commits close together make one head */
const SETTLE_MS = 250

export type Announcer = AsyncDisposable & { moved(): void }

export function startAnnouncer(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  readonly origin: string
  readonly signer: () => Signer
  readonly membership: () => Membership
  readonly clock: () => Date
  readonly failed: (error: unknown) => void
}): Announcer {
  const { broker, db, origin } = options
  const trees = createLogTrees(db)
  let timer: NodeJS.Timeout
  let due = 0
  let working: Promise<void> = Promise.resolve()
  let stopped = false
  let announcing = false
  /** something moved while a head was being made: it may not stand in that one */
  let again = false

  async function announce(): Promise<void> {
    const states = await readLogs(db)
    const erased = await countErased(db)
    const marks = await newestMarks(db)
    const all: OwnLogAt[] = []
    for (const { id, log, head } of states) {
      if (head === null) continue
      const tree = log.origin === origin ? await trees.root({ id, log }, head) : null
      all.push({ log, head, erased: erased.get(id) ?? 0, snapshot: marks.get(id) ?? null, tree })
    }
    const held = all.filter(({ log }) => log.origin !== origin)
    const membership = options.membership()
    const context = { fed: membership.fed, mem: membership.position, signer: options.signer(), now: options.clock() }
    const own = all.filter(({ log }) => log.origin === origin)
    for (const audience of new Set(['all', ...own.map(({ log }) => log.audience)])) {
      const witnessed = held.filter(({ log }) => log.audience === audience)
      const token = await sealHead(
        origin,
        audience,
        own.filter(({ log }) => log.audience === audience),
        witnessed,
        context,
      )
      broker.connection.publish(headSubject(origin, audience), token)
    }
  }

  function schedule(ms: number): void {
    clearTimeout(timer)
    due = Date.now() + ms
    timer = setTimeout(() => {
      announcing = true
      again = false
      working = announce()
        .catch(options.failed)
        .finally(() => {
          announcing = false
          if (!stopped) schedule(again ? SETTLE_MS : HEAD_INTERVAL_MS)
        })
    }, ms)
  }

  schedule(SETTLE_MS)
  return {
    moved() {
      again = announcing
      if (!stopped && !announcing && due - Date.now() > SETTLE_MS) schedule(SETTLE_MS)
    },
    async [Symbol.asyncDispose]() {
      stopped = true
      clearTimeout(timer)
      await working
    },
  }
}
