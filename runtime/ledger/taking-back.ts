/**
 * Takes back what stands here beyond the closings that the membership log names: what a thief signed with a stolen key, and what a
 * suspended member said past its end. Such entries were good when they came; from the closing on they are nothing, at every holder,
 * whatever time they claim. They go to quarantine as evidence, their effect is undone, the log stands at its closing again and goes
 * on from there, and a freeze that rests on a statement of the thief is lifted: it was no fork of the origin.
 */
import { type Kysely, sql, type Transaction } from 'kysely'
import { formatEnvelopeFile, tokenKindOf } from '../../schemas/bundle.ts'
import { comparePositions, formatLogId, formatPosition, type LogId, type Position } from '../../schemas/log.ts'
import { affectedEntries, isTheft, type Member, type SignedEntry } from '../../schemas/membership.ts'
import { parseToken } from '../../schemas/tokens.ts'
import type { MembershipSource } from '../membership/keeper.ts'
import { readForks } from './forks.ts'
import { entriesAt, type LogState, lockLogs, readLogs } from './ledger.ts'
import { forgetLog } from './losses.ts'
import { quarantine } from './quarantine.ts'
import type { LedgerTables } from './tables.ts'

/** Undoes the effect of positions from `from` on, up to `until`; answers how many keys it touched. Null where no record is read. */
export type Withdraw = (
  trx: Transaction<LedgerTables>,
  log: Pick<LogState, 'id' | 'log' | 'base'>,
  from: Position,
  until: Position,
) => Promise<number>

const START: Position = { epoch: 0, seq: -1 }
const END: Position = { epoch: 2_147_483_647, seq: 0 }
const CHUNK = 64

export type TakenBack = { readonly log: LogId; readonly from: Position; readonly entries: number }

/** The lowest position beyond which something of a log may not count; null where nothing was closed. */
function closedAt(member: Member, log: LogId): Position | null {
  const closings = [
    ...member.keys.filter(key => key.stolen).map(key => key.closings?.get(formatLogId(log)) ?? START),
    ...(member.closings === null ? [] : [member.closings.get(formatLogId(log)) ?? START]),
  ]
  return closings.sort(comparePositions)[0] ?? null
}

const kidOf = (token: string, seq: number): string => parseToken(token, seq === 0 ? 'epoch' : 'envelope').kid

async function firstAffected(trx: Transaction<LedgerTables>, member: Member, { id, log }: LogState): Promise<Position | null> {
  for (let after = closedAt(member, log); after !== null; ) {
    const { rows } = await sql<Position & { token: string }>`
      SELECT epoch, seq, token FROM envelope WHERE log_id = ${id}::int AND (epoch, seq) > (${after.epoch}::int, ${after.seq}::bigint)
      ORDER BY epoch, seq LIMIT ${CHUNK}`.execute(trx)
    const signed = rows.map(({ epoch, seq, token }): SignedEntry => ({ log, position: { epoch, seq }, kid: kidOf(token, seq) }))
    const [first] = affectedEntries(member, signed)
    if (first !== undefined) return first.position
    after = rows.at(-1) ?? null
  }
  return null
}

/** Cuts a log in front of `from`. */
async function cut(
  trx: Transaction<LedgerTables>,
  member: Member,
  state: LogState,
  from: Position,
  withdraw: Withdraw | null,
): Promise<number> {
  const { id, log } = state
  const beyond = sql`log_id = ${id}::int AND (epoch, seq) >= (${from.epoch}::int, ${from.seq}::bigint)`
  const code = member.standing === 'admitted' ? 'KEY_OUT_OF_RANGE' : 'MEMBER_SUSPENDED'
  let entries = 0
  for (;;) {
    const { rows } = await sql<Position & { token: string; encoding: string; body: Buffer | null }>`
      DELETE FROM envelope WHERE (log_id, epoch, seq) IN (
        SELECT log_id, epoch, seq FROM envelope WHERE ${beyond} ORDER BY epoch, seq LIMIT ${CHUNK}
      ) RETURNING epoch, seq, token, encoding, body`.execute(trx)
    if (rows.length === 0) break
    entries += rows.length
    await quarantine(
      trx,
      rows.map(({ epoch, seq, token, encoding, body }) => ({
        kind: 'envelope' as const,
        ...log,
        epoch,
        seq,
        code,
        reason: `${formatLogId(log)} ${formatPosition({ epoch, seq })}: expected a position up to the closing that the membership log names`,
        encoding,
        content: formatEnvelopeFile({ token, body: body ?? Buffer.alloc(0) }),
      })),
    )
  }
  await sql`DELETE FROM redaction WHERE ${beyond}`.execute(trx)
  const keys = withdraw === null ? 0 : await withdraw(trx, state, from, END)
  if (state.base !== null && (keys > 0 || comparePositions(state.base, from) >= 0)) await forgetLog(trx, id)
  else
    await sql`
      UPDATE log SET (epoch, seq, digest, issued_at) = (
        SELECT coalesce(max(e.epoch), base_epoch), coalesce(max(e.seq), base_seq), coalesce(max(e.digest), base_digest), NULL::timestamptz FROM (
          SELECT epoch, seq, digest FROM envelope WHERE log_id = ${id}::int ORDER BY envelope.epoch DESC, envelope.seq DESC LIMIT 1
        ) e
      ) WHERE id = ${id}::int`.execute(trx)
  return entries
}

/** Takes back what of one member does not count any more. Safe to repeat. */
export async function takeBack(db: Kysely<LedgerTables>, member: Member, withdraw: Withdraw | null): Promise<TakenBack[]> {
  const closed = (await readLogs(db)).filter(({ log }) => log.origin === member.code && closedAt(member, log) !== null)
  const taken: TakenBack[] = []
  for (const { log } of closed) {
    const done = await db.transaction().execute(async trx => {
      const state = (await lockLogs(trx, [log])).get(formatLogId(log))
      const from = state === undefined ? null : await firstAffected(trx, member, state)
      return state === undefined || from === null ? null : { log, from, entries: await cut(trx, member, state, from, withdraw) }
    })
    if (done !== null) taken.push(done)
  }
  return taken
}

/** Where a statement stands in a log: its own position, or the one that a head names. Signatures are not this function's matter. */
function positionIn(token: string, log: LogId): { readonly kid: string; readonly at: Position | null } {
  const kind = tokenKindOf(token)
  if (kind !== 'envelope' && kind !== 'epoch' && kind !== 'head') return { kid: '', at: null }
  const { kid, claims } = parseToken(token, kind)
  const { ep, seq = 0, logs = [] } = claims as { ep?: number; seq?: number; logs?: { ds: string; ep: number; seq: number }[] }
  const named = kind === 'head' ? logs.find(one => one.ds === log.dataset) : ep === undefined ? undefined : { ep, seq }
  return { kid, at: named === undefined ? null : { epoch: named.ep, seq: named.seq } }
}

/**
 * Lifts the freeze of logs whose proof rests on a stolen key. Where the closing is held, the chain here is the owner's. Where it is
 * not reached yet, nobody can tell from here which of the two histories leads to it: the log goes back to before they part, and what
 * the origin, the hub and the others hold is asked for again.
 */
async function thaw(db: Kysely<LedgerTables>, source: MembershipSource, withdraw: Withdraw | null): Promise<LogId[]> {
  const { members } = source.membership()
  const thawed: LogId[] = []
  for (const { log, statements } of await readForks(db)) {
    const member = members.get(log.origin)
    const said = statements.map(token => positionIn(token, log))
    const key = member?.keys.find(one => one.stolen && said.some(({ kid }) => kid === one.kid))
    const closing = key?.closings?.get(formatLogId(log))
    if (member === undefined || key === undefined || closing === undefined) continue
    const done = await db.transaction().execute(async trx => {
      const state = (await lockLogs(trx, [log])).get(formatLogId(log))
      if (state?.head == null) return false
      const held = (await entriesAt(trx, [{ logId: state.id, at: closing }])).get(`${state.id}@${formatPosition(closing)}`)
      if (held === undefined ? comparePositions(state.head, closing) >= 0 : held.digest !== closing.digest) return false
      const [parting] = said.flatMap(({ at }) => at ?? []).sort(comparePositions)
      if (held === undefined && parting !== undefined) await cut(trx, member, state, parting, withdraw)
      await trx.deleteFrom('fork').where('log_id', '=', state.id).execute()
      return true
    })
    if (done) thawed.push(log)
  }
  return thawed
}

/** Whether what contradicts the chain held here is a thief's: then it is refused, and the log goes on. */
export async function isOfThief(
  trx: Transaction<LedgerTables>,
  logId: number,
  member: Member | undefined,
  entry: SignedEntry,
): Promise<boolean> {
  const closing = member?.keys.find(key => key.kid === entry.kid && key.stolen)?.closings?.get(formatLogId(entry.log))
  if (member === undefined || closing === undefined) return false
  const held = await entriesAt(trx, [{ logId, at: closing }])
  return isTheft(member, entry, at => held.get(`${logId}@${formatPosition(at)}`)?.digest ?? null)
}

export type TakingBackEvents = {
  /** entries beyond a closing were set aside */
  takenBack(taken: TakenBack): void
  /** the log was frozen over what a thief had signed, and goes on */
  thawed(log: LogId): void
  failed(origin: string, error: unknown): void
}

/** Does it at once, and whenever the membership changes. */
export function startTakingBack(options: {
  readonly db: Kysely<LedgerTables>
  readonly source: MembershipSource
  /** a node's code: its own logs are its own word, and stay as it sealed them until it may speak again; null at the hub */
  readonly own: string | null
  readonly withdraw: Withdraw | null
  readonly events: TakingBackEvents
}): AsyncDisposable {
  const { db, source, events } = options
  async function work(): Promise<void> {
    for (const member of source.membership().members.values())
      if (member.code !== options.own) for (const taken of await takeBack(db, member, options.withdraw)) events.takenBack(taken)
    for (const log of await thaw(db, source, options.withdraw)) events.thawed(log)
  }
  let working: Promise<void> = Promise.resolve()
  const again = (): void => {
    working = working.then(work).catch(error => events.failed('membership', error))
  }
  again()
  const listening = source.onChange(again)
  return {
    async [Symbol.asyncDispose]() {
      listening[Symbol.dispose]()
      await working
    },
  }
}
