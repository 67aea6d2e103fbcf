/**
 * Signs where the audit chain stands: a second after something was written, or after a hundred entries, at every reading and at the stop.
 * Whoever rewrites the chain in the database cannot rewrite that; the newest head lies outside the database too (`witness.ts`), and a head
 * that was exported holds even against the program's own operator.
 */
import { type Kysely, sql } from 'kysely'
import { sealAuditHead } from '../../schemas/access/audit-chain.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { Signer } from '../../schemas/tokens.ts'
import type { AuditLog } from './log.ts'
import type { AuditTables } from './tables.ts'
import type { AuditWitness } from './witness.ts'

/** what other processes over this database wrote */
const INTERVAL_MS = 15_000
/** after the first entry that is not signed yet */
const LATEST_MS = 1000
const ENTRIES = 100
/** Heads that follow each other more closely leave the newest: it says what they said. */
const APART = '15 seconds'

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
  readonly witness: AuditWitness
  readonly clock: () => Date
  readonly failed: (error: unknown) => void
  readonly intervalMs?: number
  readonly latestMs?: number
}): HeadSigner {
  const { db, log, fed, origin, signer, witness, failed } = options
  let turn: Promise<void> = Promise.resolve()
  let trouble: string | null = null
  let unsigned = 0
  let due: NodeJS.Timeout | undefined
  let reported: string | null = null

  const report = (error: unknown): void => {
    const said = error instanceof Error ? error.message : String(error)
    // A log that is broken is broken every second.
    if (said !== reported) failed(error)
    reported = said
  }
  const stands = async ({ seq, digest }: { readonly seq: number; readonly digest: string }): Promise<boolean> =>
    (await db.selectFrom('audit').select('digest').where('seq', '=', seq).executeTakeFirst())?.digest === digest

  /** What this process remembers of its own last entry, and the head outside the database, held against what stands in it. */
  async function compare(): Promise<void> {
    const kept = await witness.newest()
    if (kept !== null && !(await stands(kept))) {
      await witness.setAside()
      report(new ExchangeError('AUDIT_BROKEN', `entry ${kept.seq} is not the one that was signed and kept outside the database`))
    }
    const own = log.written()
    trouble = own === null || (await stands(own)) ? null : `entry ${own.seq} is not the one that was written`
    if (trouble !== null) throw new ExchangeError('AUDIT_BROKEN', trouble)
  }

  async function signOnce(): Promise<void> {
    unsigned = 0
    await compare()
    const last = await log.last()
    if (last === null) return
    const signed = await db.selectFrom('audit_head').select('token').where('seq', '>=', last.seq).executeTakeFirst()
    if (signed !== undefined) return
    const token = await sealAuditHead(last, { fed, origin, signer, now: options.clock() })
    await db.transaction().execute(async trx => {
      await trx
        .insertInto('audit_head')
        .values({ seq: last.seq, token })
        .onConflict(conflict => conflict.doNothing())
        .execute()
      await sql`
        DELETE FROM audit_head h USING audit_head b
        WHERE h.seq = (SELECT max(seq) FROM audit_head WHERE seq < ${last.seq})
          AND b.seq = (SELECT max(seq) FROM audit_head WHERE seq < h.seq) AND h.signed_at < b.signed_at + ${APART}::interval`.execute(
        trx,
      )
    })
    await witness.write(token)
  }

  /** What is written while one is signed waits for the next, together. */
  let next: Promise<void> | null = null
  const sign = (): Promise<void> => {
    next ??= turn
      .catch(() => undefined)
      .then(() => {
        next = null
        turn = signOnce()
        return turn
      })
    return next
  }
  const signOrReport = (): void => void sign().catch(report)
  log.onWritten(count => {
    unsigned += count
    due ??= setTimeout(() => {
      due = undefined
      signOrReport()
    }, options.latestMs ?? LATEST_MS)
    due.unref()
    if (unsigned >= ENTRIES) signOrReport()
  })
  const timer = setInterval(signOrReport, options.intervalMs ?? INTERVAL_MS)
  // A log that was cut off while nobody watched is known at the start.
  signOrReport()
  return {
    sign,
    trouble: () => trouble,
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      clearTimeout(due)
      log.onWritten(() => {})
      await sign().catch(report)
    },
  }
}
