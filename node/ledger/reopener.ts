/**
 * Opens a new epoch of an own log whose last entries are lost, at an operator's order. It first takes back what can be had, then shows
 * what would be declared lost, who was asked and who was silent, and refuses while something speaks against it: entries that
 * somebody who was not heard may hold, or a receipt by which the hub says that it holds them. The operator may name those and go on without.
 */
import { type Kysely, sql } from 'kysely'
import { appendEntries, lockLogs, readLog, type StoredEntry } from '../../runtime/ledger/ledger.ts'
import { readLosses } from '../../runtime/ledger/losses.ts'
import { HUB } from '../../runtime/ledger/questions.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { isRestricted } from '../../schemas/content-key.ts'
import { sealOpening } from '../../schemas/envelope.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { comparePositions, formatLogId, formatPosition, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import { planReopening, type Reopening } from '../../schemas/reopening-rule.ts'
import type { Witness } from '../../schemas/sync.ts'
import type { Signer } from '../../schemas/tokens.ts'
import type { NodeEvents } from '../events.ts'
import { REPLICAS, replicaTable } from '../replica/datasets.ts'
import type { EpochKeys } from './epoch-keys.ts'
import type { SealedMark } from './mark.ts'
import { type Asking, askOwnReceipts, askWitnesses } from './witnesses.ts'

export type ReopeningOrder = {
  readonly log: LogId
  /** false: only shows */
  readonly confirm: boolean
  /** go on without these, though they did not answer; `hub` also: though its receipt says that it holds what it does not deliver */
  readonly without: readonly string[]
}
export type ReopeningReport = {
  readonly log: LogId
  /** the last entry that this node holds */
  readonly held: Position | null
  /** from here on, up to the last position that anything speaks of, it would be or was declared lost; null: nothing is */
  readonly lost: { readonly from: Position; readonly until: Position; readonly epoch: number; readonly floor: number } | null
  readonly asked: readonly string[]
  readonly silent: readonly string[]
  /** who shows more of the log than this node holds, as this node itself signed it, and delivers it not */
  readonly known: readonly { readonly holder: string; readonly head: Position }[]
  /** up to where this node's own note says that it sealed */
  readonly noted: Position | null
  /** up to where the hub's receipt says that it holds the log, if that is behind what is held here */
  readonly receipted: Position | null
  /** what was declared lost before and stands with somebody: it can be said again */
  readonly found: readonly { readonly holder: string; readonly at: Position }[]
  readonly obstacles: readonly string[]
  readonly opened: Position | null
}

export type Reopener = {
  /** @throws REOPENING_REFUSED (confirmed, and something speaks against it) */
  reopen(order: ReopeningOrder): Promise<ReopeningReport>
}

type State = { readonly id: number; readonly log: LogId }

export function createReopener(
  options: Asking & {
    readonly db: Kysely<LedgerTables>
    readonly signer: () => Signer
    readonly clock: () => Date
    readonly epochKeys: EpochKeys
    readonly mark: SealedMark
    readonly repair: (log: LogId) => Promise<boolean>
    readonly events: NodeEvents
    /** after the commit */
    readonly sealed: (state: State, entries: readonly StoredEntry[]) => void
  },
): Reopener {
  const { db, mark, events } = options

  async function reopen({ log, confirm, without }: ReopeningOrder): Promise<ReopeningReport> {
    const { asked, silent, witnesses } = await askWitnesses(options)
    const shown = witnesses.get(formatLogId(log))?.witnesses ?? []
    const headNow = async (): Promise<LogHead | null> => (await readLog(db, log))?.head ?? null
    const ahead = (at: Position, head: LogHead | null): boolean => head === null || comparePositions(at, head) > 0
    const before = await headNow()
    if (shown.some(({ head }) => ahead(head, before))) await options.repair(log)
    const held = await headNow()
    const noted = mark.at(log)
    const plan = planReopening(held, shown, noted, await highestVersion(log))
    const receipts = (await askOwnReceipts(options, log)).filter(({ head }) => ahead(head, held))
    const [receipt] = receipts.sort((a, b) => comparePositions(b.head, a.head))
    const obstacles = [
      ...(plan === null ? ['nothing is known to be lost 并无已知遗失'] : []),
      ...silent.filter(code => !without.includes(code)).map(code => `${code} did not answer 未应答`),
      ...(receipt !== undefined && !without.includes(HUB)
        ? [`the hub's receipt says that it holds up to ${formatPosition(receipt.head)} 枢纽回执称其持有至此`]
        : []),
    ]
    const report = {
      log,
      held: place(held),
      lost: plan === null ? null : { from: position(plan.lost), until: plan.until, epoch: plan.epoch, floor: plan.lost.floor },
      asked,
      silent,
      known: shown.filter(({ head }) => ahead(head, held)).map(({ holder, head }) => ({ holder, head: position(head) })),
      noted,
      receipted: place(receipt?.head ?? null),
      found: await foundOf(log, shown),
      obstacles,
    }
    if (!confirm) return { ...report, opened: null }
    if (plan === null || obstacles.length > 0)
      throw new ExchangeError('REOPENING_REFUSED', `${formatLogId(log)}: ${obstacles.join('; ')}`, { detail: { obstacles } })
    return { ...report, opened: await open(log, held, plan) }
  }

  async function open(log: LogId, held: LogHead | null, { epoch, closing, lost }: Reopening): Promise<Position> {
    const membership = options.membership()
    const { fed, position: mem } = membership
    const now = options.clock()
    const { id, entry } = await db.transaction().execute(async trx => {
      const state = (await lockLogs(trx, [log])).get(formatLogId(log))
      if (state === undefined || state.head?.digest !== held?.digest)
        throw new ExchangeError('REOPENING_REFUSED', `${formatLogId(log)}: it moved meanwhile; look again`)
      if (state.frozen) throw new ExchangeError('LOG_FROZEN', `${formatLogId(log)}: it is frozen by a fork`)
      const keys = isRestricted(log.audience)
        ? (await options.epochKeys.fresh(trx, { id: state.id, log }, membership)).opening
        : null
      const sealed = await sealOpening(log, epoch, closing, { fed, mem, signer: options.signer(), now }, lost, keys)
      const stored = {
        position: { epoch, seq: 0 },
        digest: sealed.digest,
        token: sealed.token,
        encoding: 'identity',
        body: null,
        records: 0,
      }
      await appendEntries(trx, [{ ...stored, logId: state.id, issuedAt: now, refusal: null }])
      return { id: state.id, entry: stored }
    })
    mark.note(log, entry.position)
    events.reopened(log, lost, entry.position)
    options.sealed({ id, log }, [entry])
    return entry.position
  }

  async function foundOf(log: LogId, shown: readonly Witness[]): Promise<ReopeningReport['found']> {
    const state = await readLog(db, log)
    const losses = state === null ? [] : await readLosses(db, state.id, options.membership())
    return shown
      .filter(({ head }) =>
        losses.some(({ lost, opening }) => comparePositions(head, lost) >= 0 && comparePositions(head, opening) < 0),
      )
      .map(({ holder, head }) => ({ holder, at: position(head) }))
  }

  /** No version of a lost record is above what stands here and what its envelopes can have added. */
  async function highestVersion(log: LogId): Promise<number> {
    const replica = REPLICAS.find(one => one.dataset === log.dataset)
    const state = await readLog(db, log)
    if (replica === undefined || state === null) return 0
    const { rows } = await sql<{ ver: number | null }>`
      SELECT max(ver) AS ver FROM ${sql.table(replicaTable(replica.dataset))} WHERE log_id = ${state.id}::int`.execute(db)
    const losses = await readLosses(db, state.id, options.membership())
    return Math.max(rows[0]?.ver ?? 0, ...losses.map(({ lost }) => lost.floor))
  }

  return { reopen }
}

const position = ({ epoch, seq }: Position): Position => ({ epoch, seq })
const place = (at: Position | null): Position | null => (at === null ? null : position(at))
