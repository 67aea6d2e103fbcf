/**
 * What happens to an entry that arrives, however it came: stream, repair or file. `open` judges what can be judged without the
 * database and may run for many at once; `receive` judges the chain, writes ledger, effect and head in one transaction, and says
 * what became of each. An entry is acknowledged only after that transaction, so a crash at any instant loses and doubles nothing.
 */
import type { Kysely, Transaction } from 'kysely'
import { isRestricted, sealedFault } from '../../schemas/content-key.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { LIMITS } from '../../schemas/limits.ts'
import { comparePositions, formatLogId, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { isTransient, type OpenedToken, openBytes, openRecords, openToken, type RefusedRecord } from '../../schemas/opening.ts'
import { checkAddressed, checkRedaction, openRedaction, type Redaction } from '../../schemas/redaction.ts'
import { settle } from '../../schemas/settlement.ts'
import type { Head } from '../../schemas/statements.ts'
import { parseLogSubject } from '../../schemas/subjects.ts'
import { isDataError, isOutdated } from '../postgres/database.ts'
import { type Tail, transact } from '../postgres/pipeline.ts'
import type {
  Accepted,
  Arrival,
  Effect,
  Opened,
  OpenedEntry,
  OpenedFault,
  OpenedRedaction,
  Outcome,
  Receiver,
  Withdraw,
} from './arrival.ts'
import { type Bodies, bodiesForAll, type Opening } from './bodies.ts'
import { erase, erasedPlaces } from './erasure.ts'
import { freeze } from './forks.ts'
import { behindClosing, readHeld } from './held-logs.ts'
import { appendEntries, expectLogs, type LogState, lockLogs, type NewEntry } from './ledger.ts'
import { forgetLog, lossOf, voidEntries } from './losses.ts'
import { type Quarantined, quarantine } from './quarantine.ts'
import { noteRedaction } from './redactions.ts'
import { recordAside, redactionAside, setAside } from './set-aside.ts'
import type { LedgerTables } from './tables.ts'
import { isOfThief } from './taking-back.ts'
import { readEarlier, unseal } from './unsealing.ts'

export function createReceiver(options: {
  readonly db: Kysely<LedgerTables>
  readonly membership: () => Membership
  /** null for a holder that keeps envelopes and reads no record: the hub */
  readonly effect: Effect | null
  /** what it can read of restricted audiences; nothing without it */
  readonly bodies?: Bodies
  /** the newest head that a log's origin has signed */
  readonly announced: (log: LogId) => Head | null
  /** needed where there is an effect */
  readonly withdraw?: Withdraw
  /** entries held here were declared lost by their origin: they stay, and what they did was taken back */
  readonly withdrawn?: (log: LogId, from: Position, count: { readonly entries: number; readonly keys: number }) => void
}): Receiver {
  const { db, membership, effect, bodies = bodiesForAll } = options
  /** Where logs stood after the last commit here. It is only believed: a transaction that rests on it has the database compare. */
  const believed = new Map<string, LogState>()

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
      const { claims } = token
      token = { ...token, refusal: token.refusal ?? sealedFault(claims) }
      const redaction = arrival.redaction === undefined ? null : await openRedaction(arrival.redaction, membership(), subject)
      if (redaction !== null) checkAddressed(redaction, claims)
      const plain = await openBytes(claims, arrival.body, arrival.encoding, redaction)
      // What a restricted body says is judged when the opening of its epoch is at hand, by whoever can read it.
      const restricted = isRestricted(claims.aud)
      if (redaction !== null && !restricted) checkRedaction(null, plain, redaction)
      const unread = effect === null || token.refusal !== null || restricted
      const content = unread ? null : openRecords(claims, plain, redaction?.keys)
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
    for (let careful = false; ; ) {
      try {
        const { outcomes, moved } = await transact(db, (trx, tail) => settleAll(trx, opened, careful, tail))
        for (const [id, state] of moved) believed.set(id, state)
        return outcomes
      } catch (error) {
        believed.clear()
        if (isOutdated(error)) continue
        if (careful || !isDataError(error)) throw error
        careful = true
      }
    }
  }

  /** The logs of these entries, locked: as they are believed to stand where that is known of all, otherwise as they are read. */
  async function lock(trx: Transaction<LedgerTables>, good: readonly OpenedEntry[], tail: Tail): Promise<Map<string, LogState>> {
    const logs = new Map(good.map(one => [formatLogId(one.token.log), one.token.log]))
    const known = [...logs.keys()].flatMap(id => believed.get(id) ?? [])
    if (known.length < logs.size) return lockLogs(trx, [...logs.values()])
    await expectLogs(trx, known, tail)
    return new Map(known.map(state => [formatLogId(state.log), state]))
  }

  async function receiveRedaction({ arrival, redaction, plain }: OpenedEntry | OpenedRedaction): Promise<Outcome> {
    if (redaction === null || plain === null) throw new ExchangeError('INTERNAL', 'expected a redaction')
    const { log, position } = redaction
    const ahead = options.announced(log)?.logs.find(at => formatLogId(at.log) === formatLogId(log))?.head ?? null
    const behind = (head: LogHead | null): boolean => ahead !== null && (head === null || comparePositions(head, ahead) < 0)
    try {
      const verdict = await db
        .transaction()
        .execute(trx =>
          erase(trx, { redaction, plain, encoding: arrival.encoding, body: arrival.body }, { effect, bodies, behind }),
        )
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
    tail: Tail,
  ): Promise<{ outcomes: Outcome[]; moved: ReadonlyMap<string, LogState> }> {
    const good = opened.filter(one => one.error === null)
    const states = good.length === 0 ? new Map<string, LogState>() : await lock(trx, good, tail)
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
    const losses: Declared[] = []
    const openings: (Opening & { readonly log: LogId })[] = []
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
      else if (
        verdict.kind === 'fork' &&
        (await isOfThief(trx, state.id, membership().members.get(log.origin), { log, position: entry, kid: one.token.kid }))
      )
        refuse(
          one,
          new ExchangeError('KEY_OUT_OF_RANGE', `${formatLogId(log)}: its key was stolen, and its origin stands by another entry`),
        )
      else if (verdict.kind === 'fork') {
        await freeze(trx, state.id, verdict)
        outcomes.push({ kind: 'forked', log, reason: verdict.reason })
        aside.push(setAside(one, new ExchangeError('LOG_FORK', verdict.reason)))
      } else {
        if (one.token.claims === null) openings.push({ logId: state.id, log, epoch: entry.epoch, token: one.arrival.token })
        const sealed = effect === null ? null : await unseal(trx, bodies, state.id, one, openings)
        const content = sealed?.content ?? one.content
        const refusal = one.token.refusal ?? content?.refusal ?? null
        entries.push(newEntry(one, state.id, refusal))
        if (one.redaction !== null) redacted.push({ logId: state.id, redaction: one.redaction })
        const lost = lossOf(entry)
        if (lost !== null) losses.push({ state, token: one.token, lost })
        if (refusal !== null) aside.push(setAside(one, refusal))
        else if (content !== null && effect !== null)
          accepted.push({ logId: state.id, token: one.token, content, plain: sealed?.plain ?? null })
        outcomes.push({
          kind: 'accepted',
          log,
          head: entry,
          records: content?.records.length ?? 0,
          refused: content?.refused.length ?? 0,
          refusal,
        })
      }
    }
    await appendEntries(trx, entries, tail)
    for (const { logId, redaction } of redacted) await noteRedaction(trx, logId, redaction)
    const unstorable =
      effect === null || accepted.length === 0
        ? new Map<Accepted, RefusedRecord[]>()
        : await effect.apply(trx, accepted, careful, tail)
    for (const one of accepted) {
      for (const refused of [...one.content.refused, ...(unstorable.get(one) ?? [])]) aside.push(recordAside(one, refused, opened))
    }
    if (effect !== null) for (const one of openings) aside.push(...(await readEarlier(trx, bodies, effect, one, careful)))
    await quarantine(trx, await withhold(trx, aside))
    for (const one of losses) await withdraw(trx, one)
    return { outcomes, moved: movedTo(states, entries, losses) }
  }

  /** After everything else of the group: what is left of the log decides, whatever order it came in. */
  async function withdraw(trx: Transaction<LedgerTables>, { state, token, lost }: Declared): Promise<void> {
    const opening = { epoch: token.entry.epoch, seq: 0 }
    const entries = await voidEntries(trx, { logId: state.id, lost, opening })
    const loaded = state.base !== null && comparePositions(state.base, lost) >= 0
    if (entries === 0 && !loaded) return
    const keys = options.withdraw === undefined ? 0 : await options.withdraw(trx, state, lost, opening)
    if (loaded || (state.base !== null && keys > 0)) await forgetLog(trx, state.id)
    options.withdrawn?.(token.log, lost, { entries, keys })
  }

  return { open, receive }
}

type Declared = { readonly state: LogState; readonly token: OpenedToken; readonly lost: Position }

/** Where logs stand that were plainly continued; of any other, the next transaction reads. */
function movedTo(
  states: ReadonlyMap<string, LogState>,
  entries: readonly NewEntry[],
  losses: readonly Declared[],
): Map<string, LogState> {
  const last = new Map(entries.map(({ logId, position, digest }) => [logId, { ...position, digest }]))
  for (const { state } of losses) last.delete(state.id)
  return new Map(
    [...states].flatMap(([id, state]) => {
      const head = last.get(state.id)
      return head === undefined ? [] : [[id, { ...state, head }]]
    }),
  )
}

const isRedaction = (one: Opened): one is OpenedRedaction => one.token === null && one.error === null

/** What was erased here does not come back through quarantine: of what belongs to such a position, digest and count are kept. */
async function withhold(db: Kysely<LedgerTables>, aside: readonly Quarantined[]): Promise<readonly Quarantined[]> {
  const tokenIn = ({ kind, content }: Quarantined): string =>
    kind === 'envelope' ? (/^[^ \n]*/.exec(Buffer.from(content.subarray(0, LIMITS.tokenBytes)).toString('latin1'))?.[0] ?? '') : ''
  const erased = await erasedPlaces(db, aside.map(tokenIn).filter(Boolean))
  return erased.size === 0 ? aside : aside.map(one => (erased.has(tokenIn(one)) ? { ...one, withheld: true } : one))
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
