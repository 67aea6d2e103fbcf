/**
 * Signs where the audit chain stands, every so often and at the stop. Whoever rewrites the chain in the database cannot rewrite that;
 * a head that was exported holds even against the program's own operator.
 */
import type { Kysely } from 'kysely'
import { sealAuditHead } from '../../schemas/access/audit-chain.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { Signer } from '../../schemas/tokens.ts'
import type { AuditLog } from './log.ts'
import type { AuditTables } from './tables.ts'

const INTERVAL_MS = 15_000

export type HeadSigner = AsyncDisposable & {
  /** Signs now if the chain has grown since the last head. @throws AUDIT_BROKEN and signs nothing if it is not what this process wrote */
  sign(): Promise<void>
  trouble(): string | null
}

export function startHeadSigner(options: {
  readonly db: Kysely<AuditTables>
  readonly log: AuditLog
  readonly fed: string
  readonly origin: string
  readonly signer: Signer
  readonly clock: () => Date
  readonly failed: (error: unknown) => void
  readonly intervalMs?: number
}): HeadSigner {
  const { db, log, fed, origin, signer, failed } = options
  let turn: Promise<void> = Promise.resolve()
  let trouble: string | null = null

  /** What this process remembers of its own last entry, held against what stands in the database. */
  async function compare(): Promise<void> {
    const own = log.written()
    if (own === null) return
    const row = await db.selectFrom('audit').select('digest').where('seq', '=', own.seq).executeTakeFirst()
    trouble = row?.digest === own.digest ? null : `entry ${own.seq} is not the one that was written`
    if (trouble !== null) throw new ExchangeError('AUDIT_BROKEN', trouble)
  }

  async function signOnce(): Promise<void> {
    await compare()
    const last = await log.last()
    if (last === null) return
    const signed = await db.selectFrom('audit_head').select('seq').where('seq', '>=', last.seq).executeTakeFirst()
    if (signed !== undefined) return
    const token = await sealAuditHead(last, { fed, origin, signer, now: options.clock() })
    await db
      .insertInto('audit_head')
      .values({ seq: last.seq, token })
      .onConflict(conflict => conflict.doNothing())
      .execute()
  }

  const sign = (): Promise<void> => {
    turn = turn.catch(() => undefined).then(signOnce)
    return turn
  }
  const timer = setInterval(() => void sign().catch(failed), options.intervalMs ?? INTERVAL_MS)
  return {
    sign,
    trouble: () => trouble,
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await sign().catch(failed)
    },
  }
}
