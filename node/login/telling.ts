/**
 * Tells each home node of the uses of its holders' certificates: one record each, in this member's `supervision` log for that member
 * alone, which is encrypted to it. What cannot be said yet (the home has no key, this member may not write the dataset) waits.
 */
import type { Kysely } from 'kysely'
import type { OpenDatasetName } from '../../schemas/datasets/datasets.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import type { Membership } from '../../schemas/membership.ts'
import type { Item } from '../ledger/decision.ts'
import type { Sealer } from '../ledger/sealer.ts'
import type { LoginTables } from './tables.ts'
import { purgeUses } from './uses.ts'

const DATASET: OpenDatasetName = 'supervision'
/** Events that come together are told together; a holder waits for none of it. */
const GATHER_MS = 1000
const AGAIN_MS = 30_000
const BATCH = 256

export type Telling = AsyncDisposable & {
  /** soon */
  wake(): void
}

export function startTelling(options: {
  readonly db: Kysely<LoginTables>
  readonly own: string
  readonly sealer: Pick<Sealer, 'submit'>
  readonly membership: () => Membership
  readonly clock: () => Date
  readonly told: (home: string, count: number) => void
  /** once for each change of the reason */
  readonly waiting: (home: string, code: string) => void
  readonly failed: (error: unknown) => void
}): Telling {
  const { db, own, sealer } = options
  let timer: NodeJS.Timeout | null = null
  let running: Promise<void> = Promise.resolve()
  let stopped = false
  const reasons = new Map<string, string>()

  type Due = Awaited<ReturnType<typeof readDue>>[number]
  const readDue = (home: string) =>
    db
      .selectFrom('certificate_use')
      .selectAll()
      .where('due', '=', true)
      .where('home', '=', home)
      .orderBy('used_at')
      .limit(BATCH)
      .execute()

  const itemOf = (row: Due): Item => ({
    candidate: {
      key: row.id,
      op: 'put',
      at: row.used_at.toISOString(),
      platform: own,
      body: {
        kind: 'certificate-use',
        region: row.region ?? own,
        use: row.use,
        venue: own,
        system: row.system,
        ...(row.uscc === null ? {} : { uscc: row.uscc }),
        certificate: row.certificate_digest,
        ca_name: row.ca_name,
      },
    },
    parent: null,
    place: 'certificate use',
    line: null,
  })

  async function tell(home: string): Promise<void> {
    for (let due = await readDue(home); due.length > 0 && !stopped; due = await readDue(home)) {
      if (options.membership().members.get(own)?.writes.includes(DATASET) !== true)
        throw new ExchangeError('DATASET_NOT_ALLOWED', `expected ${own} to be let write ${DATASET}`)
      const results = await sealer.submit(DATASET, `node-${home}`, due.map(itemOf))
      // What no holder would take is said to whoever runs this, and holds up nothing behind it.
      for (const result of results) if (result.kind === 'refused') options.failed(result.error)
      const ids = due.map(({ id }) => id)
      await db.transaction().execute(async trx => {
        await trx.deleteFrom('certificate_use').where('id', 'in', ids).where('kept', '=', false).execute()
        await trx.updateTable('certificate_use').set({ due: false }).where('id', 'in', ids).execute()
      })
      options.told(home, ids.length)
      reasons.delete(home)
    }
  }

  async function round(): Promise<void> {
    await purgeUses(db, options.clock())
    const homes = await db.selectFrom('certificate_use').select('home').distinct().where('due', '=', true).execute()
    let left = false
    for (const { home } of homes) {
      if (home === null || stopped) continue
      await tell(home).catch((error: unknown) => {
        if (!isExchangeError(error)) throw error
        left = true
        if (reasons.get(home) !== error.code) options.waiting(home, error.code)
        reasons.set(home, error.code)
      })
    }
    if (left) schedule(AGAIN_MS)
  }

  function schedule(ms: number): void {
    if (stopped || timer !== null) return
    timer = setTimeout(() => {
      timer = null
      running = running.then(round).catch(options.failed)
    }, ms)
    timer.unref()
  }

  schedule(GATHER_MS)
  return {
    wake: () => schedule(GATHER_MS),
    async [Symbol.asyncDispose]() {
      stopped = true
      if (timer !== null) clearTimeout(timer)
      await running
    },
  }
}
