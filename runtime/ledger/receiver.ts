/**
 * What happens to an entry that arrives, however it came: stream, repair or file. `open` judges what can be judged without the
 * database and may run for many at once; `receive` judges the chain, writes ledger, effect and head in one transaction, and says
 * what became of each. An entry is acknowledged only after that transaction, so a crash at any instant loses and doubles nothing.
 */
import type { Kysely, Transaction } from 'kysely'
import { assertionsOfEntry, assertionsOfHeads } from '../../schemas/assertions.ts'
import { formatEnvelopeFile } from '../../schemas/bundle.ts'
import { judgeBehindClosing } from '../../schemas/closing-rule.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { LIMITS } from '../../schemas/limits.ts'
import { comparePositions, formatLogId, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import {
  isTransient,
  type OpenedBody,
  type OpenedToken,
  openBytes,
  openRecords,
  openToken,
  type RefusedRecord,
} from '../../schemas/opening.ts'
import { checkAddressed, checkRedaction, openRedaction, type Redaction } from '../../schemas/redaction.ts'
import { type Arriving, type HeldLog, settle, type Verdict } from '../../schemas/settlement.ts'
import type { Head } from '../../schemas/statements.ts'
import { parseLogSubject } from '../../schemas/subjects.ts'
import { isDataError } from '../postgres/database.ts'
import { type ErasureEffect, erase, erasedPlaces } from './erasure.ts'
import { freeze } from './forks.ts'
import { appendEntries, entriesAt, type LogState, lockLogs, type NewEntry } from './ledger.ts'
import { type Quarantined, quarantine } from './quarantine.ts'
import { noteRedaction } from './redactions.ts'
import type { LedgerTables } from './tables.ts'

export type Arrival = {
  /** `redaction`: one by itself, with the body that it names */
  readonly kind: 'envelope' | 'epoch' | 'redaction'
  readonly token: string
  /** of an envelope whose body is the redacted one: the redaction that names it */
  readonly redaction?: string
  readonly encoding: string
  readonly body: Uint8Array
  /** NATS subject that it came under; null for a file or a repair */
  readonly subject: string | null
}

export type OpenedEntry = {
  readonly arrival: Arrival
  readonly token: OpenedToken
  /** the redaction that came beside it, if its body is the redacted one */
  readonly redaction: Redaction | null
  readonly plain: Uint8Array | null
  readonly content: OpenedBody | null
  readonly error: null
}
export type OpenedRedaction = {
  readonly arrival: Arrival
  readonly token: null
  readonly redaction: Redaction
  readonly plain: Uint8Array
  readonly error: null
}
export type OpenedFault = { readonly arrival: Arrival; readonly token: OpenedToken | null; readonly error: ExchangeError }
export type Opened = OpenedEntry | OpenedRedaction | OpenedFault

/** An entry whose place in the log is settled and whose records are to take effect. */
export type Accepted = { readonly logId: number; readonly token: OpenedToken; readonly content: OpenedBody }

export type Outcome =
  | {
      readonly kind: 'accepted'
      readonly log: LogId
      readonly head: LogHead
      readonly records: number
      readonly refused: number
      readonly refusal: ExchangeError | null
    }
  | { readonly kind: 'duplicate'; readonly log: LogId }
  /** a redaction took effect: `keys` were erased at this position */
  | { readonly kind: 'erased'; readonly log: LogId; readonly at: Position; readonly keys: number }
  | { readonly kind: 'gap'; readonly log: LogId; readonly missing: { readonly epoch: number; readonly from: number } }
  | { readonly kind: 'forked'; readonly log: LogId; readonly reason: string }
  | { readonly kind: 'wait'; readonly error: ExchangeError }
  | { readonly kind: 'refused'; readonly error: ExchangeError }

export interface Effect extends ErasureEffect {
  /**
   * Applies the records of accepted entries inside the transaction. `careful` says that PostgreSQL has refused one of them: then
   * each record is tried by itself and those that cannot be stored are returned.
   */
  apply(trx: Transaction<LedgerTables>, accepted: readonly Accepted[], careful: boolean): Promise<Map<Accepted, RefusedRecord[]>>
}

export type Receiver = {
  open(arrival: Arrival): Promise<Opened>
  receive(opened: readonly Opened[]): Promise<Outcome[]>
}

export function createReceiver(options: {
  readonly db: Kysely<LedgerTables>
  readonly membership: () => Membership
  /** null for a holder that keeps envelopes and reads no record: the hub */
  readonly effect: Effect | null
  /** the newest head that a log's origin has signed */
  readonly announced: (log: LogId) => Head | null
}): Receiver {
  const { db, membership, effect } = options

  async function open(arrival: Arrival): Promise<Opened> {
    let token: OpenedToken | null = null
    try {
      const subject = arrival.subject === null ? null : parseLogSubject(arrival.subject)
      if (arrival.kind === 'redaction') {
        const redaction = await openRedaction(arrival.token, membership(), subject)
        const plain = await openBytes({ dig: redaction.new }, arrival.body, arrival.encoding)
        return { arrival, token: null, redaction, plain, error: null }
      }
      token = await openToken(arrival.kind, arrival.token, membership(), subject)
      if (token.claims === null) return { arrival, token, redaction: null, plain: null, content: null, error: null }
      const redaction = arrival.redaction === undefined ? null : await openRedaction(arrival.redaction, membership(), subject)
      if (redaction !== null) checkAddressed(redaction, token.claims)
      const plain = await openBytes(token.claims, arrival.body, arrival.encoding, redaction)
      if (redaction !== null) checkRedaction(null, plain, redaction)
      const content = effect === null || token.refusal !== null ? null : openRecords(token.claims, plain, redaction?.keys)
      return { arrival, token, redaction, plain, content, error: null }
    } catch (error) {
      if (isExchangeError(error)) return { arrival, token, error }
      throw error
    }
  }

  /** Entries first: a redaction that comes with the entry that allows it is judged after that one. */
  async function receive(opened: readonly Opened[]): Promise<Outcome[]> {
    const entries = opened.filter(one => !isRedaction(one))
    const settled = entries.length === 0 ? [] : await receiveEntries(entries)
    const outcomes = new Map<Opened, Outcome | undefined>(entries.map((one, index) => [one, settled[index]]))
    const all: Outcome[] = []
    for (const one of opened) {
      const outcome = outcomes.get(one)
      // An entry that is held already may bring what erases in it: the only road of a redaction across an air gap.
      if (outcome === undefined || (outcome.kind === 'duplicate' && 'redaction' in one && one.redaction !== null))
        all.push(await receiveRedaction(one as OpenedEntry | OpenedRedaction))
      else all.push(outcome)
    }
    return all
  }

  async function receiveEntries(opened: readonly (OpenedEntry | OpenedFault)[]): Promise<Outcome[]> {
    try {
      return await db.transaction().execute(trx => settleAll(trx, opened, false))
    } catch (error) {
      if (!isDataError(error)) throw error
      return await db.transaction().execute(trx => settleAll(trx, opened, true))
    }
  }

  async function receiveRedaction({ arrival, redaction, plain }: OpenedEntry | OpenedRedaction): Promise<Outcome> {
    if (redaction === null || plain === null) throw new ExchangeError('INTERNAL', 'expected a redaction')
    const { log, position } = redaction
    const ahead = options.announced(log)?.logs.find(at => formatLogId(at.log) === formatLogId(log))?.head ?? null
    const behind = (head: LogHead | null): boolean => ahead !== null && (head === null || comparePositions(head, ahead) < 0)
    try {
      const verdict = await db
        .transaction()
        .execute(trx => erase(trx, { redaction, plain, encoding: arrival.encoding, body: arrival.body }, { effect, behind }))
      if (verdict.kind === 'wait') return verdict
      return verdict.kind === 'known' ? { kind: 'duplicate', log } : { kind: 'erased', log, at: position, keys: verdict.keys }
    } catch (error) {
      if (!isExchangeError(error)) throw error
      await quarantine(db, await withhold(db, [redactionAside(arrival, redaction, error)]))
      return { kind: 'refused', error }
    }
  }

  async function settleAll(
    trx: Transaction<LedgerTables>,
    opened: readonly (OpenedEntry | OpenedFault)[],
    careful: boolean,
  ): Promise<Outcome[]> {
    const good = opened.filter(one => one.error === null)
    const states =
      good.length === 0
        ? new Map<string, LogState>()
        : await lockLogs(
            trx,
            good.map(one => one.token.log),
          )
    const held = await readHeld(trx, states, good, options.announced)
    const arriving = good.map(one => ({ log: one.token.log, entry: one.token.entry, token: one.arrival.token }))
    const settled = settle(held, arriving)
    const behind = await Promise.all(
      settled.verdicts.map((verdict, index) => behindClosing(trx, verdict, arriving[index], states, held, membership())),
    )
    const verdicts = new Map(settled.verdicts.map((verdict, index) => [good[index], behind[index] ?? verdict]))
    const outcomes: Outcome[] = []
    const entries: NewEntry[] = []
    const redacted: { readonly logId: number; readonly redaction: Redaction }[] = []
    const accepted: Accepted[] = []
    const aside: Quarantined[] = []
    const refuse = (one: OpenedEntry | OpenedFault, error: ExchangeError): void => {
      outcomes.push({ kind: 'refused', error })
      aside.push(setAside(one, error))
    }
    for (const one of opened) {
      if (one.error !== null) {
        if (isTransient(one.error)) outcomes.push({ kind: 'wait', error: one.error })
        else refuse(one, one.error)
        continue
      }
      const { entry, log } = one.token
      const state = states.get(formatLogId(log))
      const verdict = verdicts.get(one)
      if (state === undefined || verdict === undefined)
        throw new ExchangeError('INTERNAL', `${formatLogId(log)}: the log was not locked`)
      if (verdict.kind === 'duplicate') outcomes.push({ kind: 'duplicate', log })
      else if (verdict.kind === 'gap') outcomes.push({ kind: 'gap', log, missing: verdict.missing })
      else if (verdict.kind === 'frozen')
        refuse(one, new ExchangeError('LOG_FROZEN', `${formatLogId(log)}: its origin has signed two histories`))
      else if (verdict.kind === 'fork') {
        await freeze(trx, state.id, verdict)
        outcomes.push({ kind: 'forked', log, reason: verdict.reason })
        aside.push(setAside(one, new ExchangeError('LOG_FORK', verdict.reason)))
      } else {
        const refusal = one.token.refusal ?? one.content?.refusal ?? null
        entries.push(newEntry(one, state.id, refusal))
        if (one.redaction !== null) redacted.push({ logId: state.id, redaction: one.redaction })
        if (refusal !== null) aside.push(setAside(one, refusal))
        else if (one.content !== null && effect !== null) accepted.push({ logId: state.id, token: one.token, content: one.content })
        outcomes.push({
          kind: 'accepted',
          log,
          head: entry,
          records: one.content?.records.length ?? 0,
          refused: one.content?.refused.length ?? 0,
          refusal,
        })
      }
    }
    await appendEntries(trx, entries)
    for (const { logId, redaction } of redacted) await noteRedaction(trx, logId, redaction)
    const unstorable =
      effect === null || accepted.length === 0 ? new Map<Accepted, RefusedRecord[]>() : await effect.apply(trx, accepted, careful)
    for (const one of accepted) {
      for (const refused of [...one.content.refused, ...(unstorable.get(one) ?? [])]) aside.push(recordAside(one, refused, opened))
    }
    await quarantine(trx, await withhold(trx, aside))
    return outcomes
  }

  return { open, receive }
}

const isRedaction = (one: Opened): one is OpenedRedaction => one.token === null && one.error === null

/** What was erased here does not come back through quarantine: of what belongs to such a position, digest and count are kept. */
async function withhold(db: Kysely<LedgerTables>, aside: readonly Quarantined[]): Promise<readonly Quarantined[]> {
  const tokenIn = ({ kind, content }: Quarantined): string =>
    kind === 'envelope' ? (/^[^ \n]*/.exec(Buffer.from(content.subarray(0, LIMITS.tokenBytes)).toString('latin1'))?.[0] ?? '') : ''
  const erased = await erasedPlaces(db, aside.map(tokenIn).filter(Boolean))
  return erased.size === 0 ? aside : aside.map(one => (erased.has(tokenIn(one)) ? { ...one, withheld: true } : one))
}

/**
 * What the rules need to know of each log: the entry at every position that is offered again, and the last entry where what is
 * offered does not follow it, because then the two together are a proof.
 */
async function readHeld(
  trx: Transaction<LedgerTables>,
  states: ReadonlyMap<string, LogState>,
  good: readonly OpenedEntry[],
  announced: (log: LogId) => Head | null,
): Promise<Map<string, HeldLog>> {
  const wanted = good.flatMap(({ token: { log, entry } }) => {
    const state = states.get(formatLogId(log))
    if (state?.head == null) return []
    const past = comparePositions(entry, state.head) <= 0
    const follows = entry.kind === 'envelope' && (entry.previous === state.head.digest || entry.seq > state.head.seq + 1)
    return past ? [{ logId: state.id, at: entry }] : follows ? [] : [{ logId: state.id, at: state.head }]
  })
  const entries = await entriesAt(trx, wanted)
  return new Map(
    [...states].map(([id, state]) => {
      const head = announced(state.log)
      const own = head?.logs.filter(({ log }) => formatLogId(log) === id) ?? []
      return [
        id,
        {
          head: state.head,
          frozen: state.frozen,
          at: ({ epoch, seq }) => entries.get(`${state.id}@${epoch}.${seq}`) ?? null,
          announced: head === null ? null : { token: head.token, assertions: assertionsOfHeads(own) },
        },
      ]
    }),
  )
}

/** A repeat of what is not held here, in an epoch that has ended: the opening of the next one may show it to be a second history. */
async function behindClosing(
  trx: Transaction<LedgerTables>,
  verdict: Verdict,
  one: Arriving | undefined,
  states: ReadonlyMap<string, LogState>,
  held: ReadonlyMap<string, HeldLog>,
  membership: Membership,
): Promise<Verdict | null> {
  const id = one === undefined ? '' : formatLogId(one.log)
  const state = states.get(id)
  if (verdict.kind !== 'duplicate' || one === undefined || state?.head == null || one.entry.epoch >= state.head.epoch) return null
  if (held.get(id)?.at(one.entry) !== null) return null
  const [after] = (await entriesAt(trx, [{ logId: state.id, at: { epoch: one.entry.epoch + 1, seq: 0 } }])).values()
  if (after === undefined) return null
  const { log, entry } = await openToken('epoch', after.token, membership, null)
  return judgeBehindClosing(one, { token: after.token, assertions: assertionsOfEntry(log, entry) })
}

const newEntry = (one: OpenedEntry, logId: number, refusal: ExchangeError | null): NewEntry => ({
  logId,
  position: { epoch: one.token.entry.epoch, seq: one.token.entry.seq },
  digest: one.token.entry.digest,
  token: one.arrival.token,
  encoding: one.arrival.encoding,
  body: one.token.claims === null ? null : one.arrival.body,
  records: one.token.claims?.n ?? 0,
  issuedAt: one.token.issuedAt,
  refusal: refusal?.code ?? null,
})

/** A whole entry: its token and body as they came. What was not shown to be its origin's is nobody's. */
function setAside(one: OpenedEntry | OpenedFault, error: ExchangeError): Quarantined {
  return {
    kind: 'envelope',
    origin: one.token?.log.origin ?? null,
    dataset: one.token?.log.dataset ?? null,
    audience: one.token?.log.audience ?? null,
    epoch: one.token?.entry.epoch ?? null,
    seq: one.token?.entry.seq ?? null,
    place: one.arrival.subject,
    rule: typeof error.detail.rule === 'string' ? error.detail.rule : null,
    code: error.code,
    reason: error.reason,
    encoding: one.arrival.encoding,
    content: formatEnvelopeFile(one.arrival),
  }
}

/** A redaction by itself, with the body that came with it. */
const redactionAside = (arrival: Arrival, { log, position }: Redaction, error: ExchangeError): Quarantined => ({
  kind: 'envelope',
  ...log,
  ...position,
  place: arrival.subject,
  code: error.code,
  reason: error.reason,
  encoding: arrival.encoding,
  content: formatEnvelopeFile(arrival),
})

/** One record: its own text, cut out of the body that it came in. */
export function recordAside(one: Accepted, refused: RefusedRecord, opened: readonly Opened[]): Quarantined {
  const source = opened.find(other => other.token === one.token)
  const plain =
    source !== undefined && source.error === null && source.plain !== null ? Buffer.from(source.plain).toString('utf8') : '{}'
  const value = (JSON.parse(plain) as { records?: unknown[] }).records?.[refused.index] ?? null
  return {
    kind: 'record',
    origin: one.token.log.origin,
    dataset: one.token.log.dataset,
    audience: one.token.log.audience,
    epoch: one.token.entry.epoch,
    seq: one.token.entry.seq,
    item: refused.index,
    key: refused.key,
    rule: typeof refused.error.detail.rule === 'string' ? refused.error.detail.rule : null,
    code: refused.error.code,
    reason: refused.error.reason,
    content: Buffer.from(JSON.stringify(value)),
  }
}
