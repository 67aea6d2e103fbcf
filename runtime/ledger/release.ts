/**
 * Release from quarantine. What was refused is taken up again by the same rules as when it first came, with today's membership, schemas,
 * mappings and limits. What passes takes effect; what does not stays, with the reason of today. A release never lowers the state: a
 * record or row that something newer has overtaken is noted as superseded.
 */
import type { Kysely } from 'kysely'
import { parseEnvelopeFile, tokenKindOf } from '../../schemas/bundle.ts'
import { isRestricted } from '../../schemas/content-key.ts'
import { ERRORS, ExchangeError } from '../../schemas/errors.ts'
import { formatLogId } from '../../schemas/log.ts'
import { isDataError } from '../postgres/database.ts'
import type { Arrival, Effect, Opened, OpenedEntry, Outcome, Receiver } from './arrival.ts'
import { type Bodies, bodiesForAll } from './bodies.ts'
import { entriesAt, lockLogs, readLog } from './ledger.ts'
import { quarantine } from './quarantine.ts'
import { recordAside } from './set-aside.ts'
import type { LedgerTables, QuarantineRow } from './tables.ts'

export type QuarantineItem = Omit<QuarantineRow, 'id' | 'content' | 'arrived_at'> & {
  readonly id: number
  readonly content: Buffer | null
  readonly arrived_at: Date
}

export type Release =
  | { readonly kind: 'released'; readonly outcome: string }
  | { readonly kind: 'stays'; readonly error: ExchangeError; readonly zh?: string }

/** Takes one item up again. */
export type Releaser = (item: QuarantineItem) => Promise<Release>

export const released = (outcome: string): Release => ({ kind: 'released', outcome })
export const stays = (error: ExchangeError, zh?: string): Release => ({
  kind: 'stays',
  error,
  ...(zh === undefined ? {} : { zh }),
})
export const notWhole = (expected: string): Release => stays(new ExchangeError('QUARANTINE_NOT_WHOLE', expected))

/** Notes what became of an item. Its bytes go with its release: what took effect stands in the ledger. */
export async function noteRelease(db: Kysely<LedgerTables>, id: number, release: Release, now: Date): Promise<void> {
  const change =
    release.kind === 'released'
      ? { released_at: now, outcome: release.outcome, content: null, heading: null }
      : release.error.code === 'QUARANTINE_NOT_WHOLE'
        ? null
        : {
            code: release.error.code,
            reason: release.error.reason,
            reason_zh: release.zh ?? ERRORS[release.error.code].zh,
            rule: typeof release.error.detail.rule === 'string' ? release.error.detail.rule : null,
          }
  if (change !== null) await db.updateTable('quarantine').set(change).where('id', '=', id).execute()
}

const OUTCOMES: { readonly [K in Outcome['kind']]: (outcome: Outcome & { kind: K }) => Release } = {
  accepted: ({ refusal, records }) => released(refusal === null ? `accepted, ${records} records` : `accepted, ${refusal.code}`),
  duplicate: () => released('held already'),
  erased: ({ keys }) => released(`${keys} erased`),
  gap: ({ log, missing }) =>
    stays(new ExchangeError('LOG_GAP', `${formatLogId(log)}: expected the entries from ${missing.epoch}.${missing.from} on first`)),
  forked: ({ reason }) => stays(new ExchangeError('LOG_FORK', reason)),
  wait: ({ error }) => stays(error),
  refused: ({ error }) => stays(error),
}

/** An entry: offered again like one that arrives now; where it took its position with a refusal, read again from there. */
export function envelopeReleaser(options: {
  readonly db: Kysely<LedgerTables>
  readonly receiver: Receiver
  readonly effect: Effect | null
  readonly bodies?: Bodies
  readonly settled: (outcomes: readonly Outcome[]) => Promise<void>
}): Releaser {
  const { db, receiver, effect, bodies = bodiesForAll } = options

  /** The refusal of a position is lifted and its records take effect, in one transaction. */
  async function reread(one: OpenedEntry, logId: number, careful: boolean): Promise<number> {
    const { log, entry } = one.token
    return db.transaction().execute(async trx => {
      await lockLogs(trx, [log])
      const lifted = await trx
        .updateTable('envelope')
        .set({ refusal: null })
        .where('log_id', '=', logId)
        .where('epoch', '=', entry.epoch)
        .where('seq', '=', entry.seq)
        .where('refusal', 'is not', null)
        .executeTakeFirst()
      if (lifted.numUpdatedRows === 0n || one.content === null || effect === null) return 0
      const plain = isRestricted(log.audience) ? one.plain : null
      const accepted = { logId, token: one.token, content: one.content, plain }
      const unstorable = (await effect.apply(trx, [accepted], careful)).get(accepted) ?? []
      const aside = [...one.content.refused, ...unstorable]
      await quarantine(
        trx,
        aside.map(refused => recordAside(accepted, refused, [one])),
      )
      return one.content.records.length - unstorable.length
    })
  }

  /** With what a restricted body says to this holder. */
  async function unsealed(one: OpenedEntry, logId: number): Promise<OpenedEntry> {
    const { claims, log, refusal } = one.token
    if (effect === null || claims === null || one.plain === null || refusal !== null || !isRestricted(log.audience)) return one
    return { ...one, ...(await bodies.records(db, logId, claims, one.plain, one.redaction)) }
  }

  async function offer(opened: Opened): Promise<Release> {
    const outcomes = await receiver.receive([opened])
    await options.settled(outcomes)
    const [outcome] = outcomes
    if (outcome === undefined) throw new ExchangeError('INTERNAL', 'an entry was offered and not settled')
    return (OUTCOMES[outcome.kind] as (one: Outcome) => Release)(outcome)
  }

  return async item => {
    if (item.content === null) return notWhole('the bytes of this entry were over the quota and are not here')
    const opened = await receiver.open(arrivalOf(item, item.content))
    if (opened.error !== null) return stays(opened.error)
    if (opened.token === null) return offer(opened)
    const { log, entry, refusal } = opened.token
    const state = await readLog(db, log)
    const held = state === null ? undefined : (await entriesAt(db, [{ logId: state.id, at: entry }])).values().next().value
    if (state !== null && held?.digest === entry.digest) {
      const read = await unsealed(opened, state.id)
      const today = refusal ?? read.content?.refusal ?? null
      if (today !== null) return stays(today)
      const applied = await reread(read, state.id, false).catch((error: unknown) => {
        if (!isDataError(error)) throw error
        return reread(read, state.id, true)
      })
      return released(`read again, ${applied} records`)
    }
    if (state?.frozen === true)
      return stays(new ExchangeError('LOG_FROZEN', `${formatLogId(log)}: its origin has signed two histories`))
    return offer(opened)
  }
}

/** The token alone says whose it is: under which subject it came is no matter any more. */
function arrivalOf(item: QuarantineItem, content: Buffer): Arrival {
  const { token, redaction, body } = parseEnvelopeFile(content)
  const kind = tokenKindOf(token)
  return {
    kind: kind === 'epoch' || kind === 'redaction' ? kind : 'envelope',
    token,
    ...(redaction === undefined ? {} : { redaction }),
    encoding: item.encoding ?? 'identity',
    body,
    subject: null,
  }
}
