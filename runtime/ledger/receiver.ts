/**
 * What happens to an entry that arrives, however it came: stream, repair or file. `open` judges what can be judged without the
 * database and may run for many at once; `receive` judges the chain, writes ledger, effect and head in one transaction, and says
 * what became of each. An entry is acknowledged only after that transaction, so a crash at any instant loses and doubles nothing.
 */
import type { Kysely, Transaction } from 'kysely'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import {
  type ChainVerdict,
  comparePositions,
  formatLogId,
  judgeChain,
  type LogHead,
  type LogId,
  missingBefore,
} from '../../schemas/log.ts'
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
import { parseLogSubject } from '../../schemas/subjects.ts'
import { isDataError } from '../postgres/database.ts'
import { appendEntries, digestAt, type LogState, lockLogs, type NewEntry } from './ledger.ts'
import { type Quarantined, quarantine } from './quarantine.ts'
import type { LedgerTables } from './tables.ts'

export type Arrival = {
  readonly kind: 'envelope' | 'epoch'
  readonly token: string
  readonly encoding: string
  readonly body: Uint8Array
  /** NATS subject that it came under; null for a file or a repair */
  readonly subject: string | null
}

export type Opened =
  | {
      readonly arrival: Arrival
      readonly token: OpenedToken
      readonly plain: Uint8Array | null
      readonly content: OpenedBody | null
      readonly error: null
    }
  | { readonly arrival: Arrival; readonly token: OpenedToken | null; readonly error: ExchangeError }

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
  | { readonly kind: 'gap'; readonly log: LogId; readonly missing: { readonly epoch: number; readonly from: number } }
  | { readonly kind: 'wait'; readonly error: ExchangeError }
  | { readonly kind: 'refused'; readonly error: ExchangeError }

export interface Effect {
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

const CHAIN_ERRORS: { readonly [verdict in Exclude<ChainVerdict, 'next' | 'duplicate' | 'gap'>]: () => ExchangeError } = {
  fork: () =>
    new ExchangeError(
      'LOG_FORK',
      'expected the entry that is already held at this position, got another one signed by the same origin',
    ),
  broken: () => new ExchangeError('LOG_CHAIN_BROKEN', 'expected prv to be the digest of the entry before, which is held here'),
}

export function createReceiver(options: {
  readonly db: Kysely<LedgerTables>
  readonly membership: () => Membership
  /** null for a holder that keeps envelopes and reads no record: the hub */
  readonly effect: Effect | null
}): Receiver {
  const { db, membership, effect } = options

  async function open(arrival: Arrival): Promise<Opened> {
    let token: OpenedToken | null = null
    try {
      token = await openToken(
        arrival.kind,
        arrival.token,
        membership(),
        arrival.subject === null ? null : parseLogSubject(arrival.subject),
      )
      if (token.claims === null) return { arrival, token, plain: null, content: null, error: null }
      const plain = await openBytes(token.claims, arrival.body, arrival.encoding)
      const content = effect === null || token.refusal !== null ? null : openRecords(token.claims, plain)
      return { arrival, token, plain, content, error: null }
    } catch (error) {
      if (isExchangeError(error)) return { arrival, token, error }
      throw error
    }
  }

  async function receive(opened: readonly Opened[]): Promise<Outcome[]> {
    try {
      return await db.transaction().execute(trx => settle(trx, opened, false))
    } catch (error) {
      if (!isDataError(error)) throw error
      return await db.transaction().execute(trx => settle(trx, opened, true))
    }
  }

  async function settle(trx: Transaction<LedgerTables>, opened: readonly Opened[], careful: boolean): Promise<Outcome[]> {
    const good = opened.filter(one => one.error === null)
    const states =
      good.length === 0
        ? new Map<string, LogState>()
        : await lockLogs(
            trx,
            good.map(one => one.token.log),
          )
    const heads = new Map([...states].map(([id, state]) => [id, state.head]))
    const outcomes: Outcome[] = []
    const entries: NewEntry[] = []
    const accepted: Accepted[] = []
    const aside: Quarantined[] = []
    for (const one of opened) {
      if (one.error !== null) {
        outcomes.push(isTransient(one.error) ? { kind: 'wait', error: one.error } : { kind: 'refused', error: one.error })
        if (!isTransient(one.error)) aside.push(setAside(one, one.error))
        continue
      }
      const { entry, log } = one.token
      const id = formatLogId(log)
      const state = states.get(id)
      const head = heads.get(id) ?? null
      if (state === undefined) throw new ExchangeError('INTERNAL', `${id}: the log was not locked`)
      const known = entries.find(other => other.logId === state.id && comparePositions(other.position, entry) === 0)
      const held =
        head !== null && comparePositions(entry, head) <= 0 ? (known?.digest ?? (await digestAt(trx, state.id, entry))) : null
      const verdict = judgeChain(head, entry, held)
      if (verdict === 'duplicate') outcomes.push({ kind: 'duplicate', log })
      else if (verdict === 'gap') outcomes.push({ kind: 'gap', log, missing: missingBefore(head, entry) })
      else if (verdict !== 'next') {
        const error = CHAIN_ERRORS[verdict]()
        outcomes.push({ kind: 'refused', error })
        aside.push(setAside(one, error))
      } else {
        const refusal = one.token.refusal ?? one.content?.refusal ?? null
        heads.set(id, { epoch: entry.epoch, seq: entry.seq, digest: entry.digest })
        entries.push(newEntry(one, state.id, refusal))
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
    const unstorable =
      effect === null || accepted.length === 0 ? new Map<Accepted, RefusedRecord[]>() : await effect.apply(trx, accepted, careful)
    for (const one of accepted) {
      for (const refused of [...one.content.refused, ...(unstorable.get(one) ?? [])]) aside.push(recordAside(one, refused, opened))
    }
    await quarantine(trx, aside)
    return outcomes
  }

  return { open, receive }
}

const newEntry = (one: Opened & { error: null }, logId: number, refusal: ExchangeError | null): NewEntry => ({
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
function setAside(one: Opened, error: ExchangeError): Quarantined {
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
    content: Buffer.concat([Buffer.from(`${one.arrival.token}\n`), one.arrival.body]),
  }
}

/** One record: its own text, cut out of the body that it came in. */
function recordAside(one: Accepted, refused: RefusedRecord, opened: readonly Opened[]): Quarantined {
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
