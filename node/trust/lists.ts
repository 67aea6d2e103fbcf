/**
 * The trust lists that this node goes by: read from its replica of `trust`, its own among them, judged, and kept by issue. The last
 * good issue of a list stays whatever comes after it: an older one, a forged one, one that cannot be read. What stands in the tables
 * is enough to start from, with no neighbour and no hub.
 */
import { type Kysely, sql } from 'kysely'
import { type LogState, readLogs } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { keepRounds } from '../../runtime/rounds.ts'
import { DATASETS } from '../../schemas/datasets/datasets.ts'
import { digestOf } from '../../schemas/digest.ts'
import { type ErrorCode, isExchangeError } from '../../schemas/errors.ts'
import type { Membership } from '../../schemas/membership.ts'
import { parseTrustList, type TrustList } from '../../schemas/trust/trust-list.ts'
import { checkSuccession, type JudgedList, judgeTrustList, type ListCheck } from '../../schemas/trust/trust-list-checks.ts'
import {
  createTrustMaterial,
  hasAnchors,
  needsNationalList,
  type StandingList,
  type TrustMaterial,
} from '../../schemas/trust/trust-material.ts'
import type { FreshnessKeeper } from '../replica/freshness.ts'
import type { TrustTables } from './tables.ts'

const CHECK_MS = 1000
/** how often it is asked how old the lists of others may be */
const FRESHNESS_MS = 5000
const DATASET = 'trust'
const BUDGET_SECONDS = DATASETS.find(row => row.name === DATASET)?.freshness.budget_seconds ?? 0

type Tables = LedgerTables & TrustTables
type Said = {
  log_id: number
  key: string
  ver: number
  op: string
  at: Date
  epoch: number
  seq: number
  body: { readonly list?: unknown } | null
}
/** An issue that stands, and where its operator's log says it. */
export type HeldList = StandingList & {
  readonly logId: number
  readonly origin: string
  readonly epoch: number
  readonly seq: number
}
export type ListReport = {
  readonly held: HeldList
  readonly counts: boolean
  readonly why: string | null
  readonly checks: readonly ListCheck[]
}
export type RefusedIssue = {
  readonly list_id: string
  readonly origin: string
  readonly sequence: number
  readonly code: string
  readonly reason: string | null
  readonly seen_at: Date
}

export type TrustLists = AsyncDisposable & {
  material(): TrustMaterial
  held(): readonly HeldList[]
  /** reads the replica at once instead of within a second */
  refresh(): Promise<void>
  /** each list with its five checks, now */
  report(): Promise<ListReport[]>
  refused(): Promise<RefusedIssue[]>
  /** when it was last known here that its operator had said nothing newer, in ms since 1970; null for an own list */
  completeAt(list: TrustList): number | null
  /** its operator has signed two histories of the log that says it: which is true, nobody can tell */
  isDisputed(list: TrustList): boolean
  /** null while there is something to verify certificates by */
  trouble(): string | null
}

export type ListEvents = {
  listTaken(list: TrustList): void
  listRefused(origin: string, list: string, code: string, reason: string): void
  listWithdrawn(origin: string, list: string): void
}

export async function openTrustLists(options: {
  readonly db: Kysely<Tables>
  readonly own: string
  readonly membership: () => Membership
  readonly freshness: Pick<FreshnessKeeper, 'completeAt'>
  readonly events: ListEvents
  readonly clock: () => Date
  readonly failed: (error: unknown) => void
}): Promise<TrustLists> {
  const { db, own, membership, clock, events } = options
  let held: HeldList[] = []
  let material: TrustMaterial = createTrustMaterial([], false)
  let seen = ''
  let complete: ReadonlyMap<string, number> = new Map()
  let disputed: ReadonlySet<string> = new Set()
  let completeRead = Number.NEGATIVE_INFINITY
  let working: Promise<void> | null = null

  async function load(): Promise<void> {
    const rows = await db
      .selectFrom('trust_list')
      .select(['token', 'withdrawn_at', 'log_id', 'origin', 'epoch', 'seq'])
      .distinctOn(['origin', 'list_id'])
      .where('refusal', 'is', null)
      .orderBy('origin')
      .orderBy('list_id')
      .orderBy('sequence', 'desc')
      .execute()
    held = rows.map(({ token, withdrawn_at, log_id: logId, origin, epoch, seq }) => ({
      list: parseTrustList(token),
      withdrawnAt: withdrawn_at?.getTime() ?? null,
      logId,
      origin,
      epoch,
      seq: Number(seq),
    }))
    remake()
  }

  function remake(): void {
    const { members } = membership()
    const gone = new Set(held.map(({ list }) => list.operator).filter(code => (members.get(code)?.standing ?? 'left') === 'left'))
    const next = createTrustMaterial(held, needsNationalList(membership()), gone)
    if (next.version !== material.version) material = next
  }

  /** What the replica says that was not judged yet. */
  async function news(): Promise<Said[]> {
    const { rows } = await sql<Said>`
      SELECT r.log_id, r.key, r.ver, r.op, r.at, r.epoch, r.seq, r.body FROM replica_trust r
      WHERE r.op IN ('put', 'retract') AND NOT EXISTS (
        SELECT FROM trust_list t WHERE t.log_id = r.log_id AND t.list_id = r.key AND t.ver = r.ver AND (r.op = 'put' OR t.withdrawn_at IS NOT NULL)
      ) ORDER BY r.log_id, r.key`.execute(db)
    return rows
  }

  async function judge(said: Said, states: readonly LogState[], now: number): Promise<void> {
    const state = states.find(({ id }) => id === said.log_id)
    if (state === undefined) return
    const { origin } = state.log
    if (said.op !== 'put') return takeBack(said, origin)
    const token = typeof said.body?.list === 'string' ? said.body.list : ''
    const at = { log: state.log, position: { epoch: said.epoch, seq: Number(said.seq) } }
    const judged = await judgeTrustList(token, {
      membership: membership(),
      at,
      now,
      completeAt: null,
      budgetSeconds: BUDGET_SECONDS,
    })
    const standing = held.find(one => one.origin === origin && one.list.id === said.key) ?? null
    const refusal = refusalOf(judged, said.key, standing?.list ?? null)
    await keep(said, origin, token, judged.list, refusal, standing)
  }

  async function keep(
    said: Said,
    origin: string,
    token: string,
    list: TrustList | null,
    refusal: { readonly code: ErrorCode; readonly reason: string } | null,
    standing: HeldList | null,
  ): Promise<void> {
    await db.transaction().execute(async trx => {
      // Said again, word for word, in a later record: the same issue at another place.
      const again = refusal === null && standing !== null && standing.list.digest === list?.digest
      if (again)
        await trx
          .deleteFrom('trust_list')
          .where('origin', '=', origin)
          .where('list_id', '=', said.key)
          .where('digest', '=', standing.list.digest)
          .execute()
      await trx
        .insertInto('trust_list')
        .values({
          list_id: said.key,
          origin,
          sequence: list?.sequence ?? 0,
          digest: digestOf(token),
          log_id: said.log_id,
          epoch: said.epoch,
          seq: said.seq,
          ver: said.ver,
          token,
          issued_at: list === null ? null : new Date(list.issuedAt),
          next_update: list === null ? null : new Date(list.nextUpdate),
          refusal: refusal?.code ?? null,
          reason: refusal?.reason ?? null,
          withdrawn_at: null,
        })
        .onConflict(conflict => conflict.columns(['log_id', 'list_id', 'ver']).doNothing())
        .execute()
      if (refusal === null && list !== null) await writeServices(trx, list)
    })
    if (refusal !== null) events.listRefused(origin, said.key, refusal.code, refusal.reason)
    else if (list !== null) events.listTaken(list)
  }

  async function takeBack(said: Said, origin: string): Promise<void> {
    const standing = held.find(one => one.origin === origin && one.list.id === said.key)
    // Never before the issue that it takes back: what was recognised then stays so.
    const at = new Date(Math.max(said.at.getTime(), standing?.list.issuedAt ?? 0))
    await db.transaction().execute(async trx => {
      await trx
        .updateTable('trust_list')
        .set({ withdrawn_at: at })
        .where('origin', '=', origin)
        .where('list_id', '=', said.key)
        .where('withdrawn_at', 'is', null)
        .execute()
      await trx
        .insertInto('trust_list')
        .values({
          list_id: said.key,
          origin,
          sequence: 0,
          digest: '',
          log_id: said.log_id,
          epoch: said.epoch,
          seq: said.seq,
          ver: said.ver,
          token: '',
          refusal: 'TRUST_LIST_UNKNOWN',
          reason: 'taken back',
          issued_at: null,
          next_update: null,
          withdrawn_at: at,
        })
        .onConflict(conflict => conflict.columns(['log_id', 'list_id', 'ver']).doUpdateSet({ withdrawn_at: at }))
        .execute()
    })
    events.listWithdrawn(origin, said.key)
  }

  async function round(): Promise<void> {
    const fresh = await news()
    if (fresh.length > 0) {
      const states = await readLogs(db.$pickTables<keyof LedgerTables>())
      for (const said of fresh) {
        await judge(said, states, clock().getTime())
        await load()
      }
    }
    // Another process over this database may have judged what this one has not loaded.
    const { rows } = await sql<{ mark: string }>`
      SELECT count(*) || ' ' || coalesce(max(id), 0) || ' ' || count(withdrawn_at) AS mark FROM trust_list`.execute(db)
    const mark = rows[0]?.mark ?? ''
    if (mark !== seen) await load()
    seen = mark
    remake()
    if (performance.now() - completeRead >= FRESHNESS_MS) await readFreshness()
  }

  async function readFreshness(): Promise<void> {
    const states = await readLogs(db.$pickTables<keyof LedgerTables>())
    completeRead = performance.now()
    const frozen = new Set(states.filter(state => state.frozen).map(({ id }) => id))
    disputed = new Set(held.filter(({ logId }) => frozen.has(logId)).map(({ list }) => list.digest))
    complete = new Map(
      held.flatMap(({ logId, origin, list }) => {
        const state = states.find(({ id }) => id === logId)
        return state === undefined || origin === own ? [] : [[list.digest, options.freshness.completeAt(state).getTime()] as const]
      }),
    )
  }

  /** One round at a time: who asks while one runs waits for it, and then has one of his own. */
  async function refresh(): Promise<void> {
    while (working !== null) await working
    working = round().finally(() => {
      working = null
    })
    await working
  }

  await load()
  const rounds = keepRounds(CHECK_MS, () => (working === null ? refresh() : Promise.resolve()), options.failed)
  return {
    material: () => material,
    held: () => held,
    refresh,
    async report() {
      const states = await readLogs(db.$pickTables<keyof LedgerTables>())
      const now = clock().getTime()
      const reports: ListReport[] = []
      for (const one of held) {
        const state = states.find(({ id }) => id === one.logId)
        const counted = material.lists.find(({ list }) => list.digest === one.list.digest)
        const { checks } = await judgeTrustList(one.list.token, {
          membership: membership(),
          at: state === undefined ? null : { log: state.log, position: { epoch: one.epoch, seq: one.seq } },
          now,
          completeAt: one.origin === own || state === undefined ? null : options.freshness.completeAt(state).getTime(),
          budgetSeconds: BUDGET_SECONDS,
        })
        reports.push({ held: one, counts: counted?.counts ?? false, why: counted?.why ?? null, checks })
      }
      return reports
    },
    async refused() {
      const rows = await db
        .selectFrom('trust_list')
        .select(['list_id', 'origin', 'sequence', 'refusal', 'reason', 'seen_at'])
        .where('refusal', 'is not', null)
        .where('token', '<>', '')
        .orderBy('seen_at', 'desc')
        .limit(100)
        .execute()
      return rows.map(({ refusal, ...row }) => ({ ...row, code: refusal ?? '' }))
    },
    isDisputed: ({ digest }) => disputed.has(digest),
    completeAt: list => complete.get(list.digest) ?? null,
    trouble() {
      if (hasAnchors(material, clock().getTime())) return null
      if (held.length === 0) return 'no trust list is held here'
      const reasons = material.lists.filter(({ counts }) => !counts).map(({ list, why }) => `${list.operator}/${list.id}: ${why}`)
      return reasons.length > 0
        ? `no list counts: ${reasons.join(', ')}`
        : 'no list names an authority that is granted and not expired'
    },
    [Symbol.asyncDispose]: () => rounds[Symbol.asyncDispose](),
  }
}

function refusalOf(
  judged: JudgedList,
  key: string,
  standing: TrustList | null,
): { readonly code: ErrorCode; readonly reason: string } | null {
  const { refusal, list } = judged
  if (refusal !== null) return { code: refusal.code ?? 'TRUST_LIST_STRUCTURE_INVALID', reason: refusal.reason ?? '' }
  if (list === null) return { code: 'TRUST_LIST_STRUCTURE_INVALID', reason: 'expected a list' }
  if (list.id !== key)
    return { code: 'TRUST_LIST_STRUCTURE_INVALID', reason: `expected the list ${key} under its own key, got ${list.id}` }
  try {
    checkSuccession(standing, list)
    return null
  } catch (error) {
    if (!isExchangeError(error)) throw error
    return { code: error.code, reason: error.reason }
  }
}

/** The services of the issue that stands now, a row for each status: for questions and for people, never for a verdict. */
async function writeServices(db: Kysely<Tables>, list: TrustList): Promise<void> {
  await db.deleteFrom('ca_service').where('list_id', '=', list.id).execute()
  const rows = list.entities.flatMap(entity =>
    entity.services.flatMap(service =>
      service.certificates.flatMap(({ fingerprint }) =>
        service.statuses.map(({ status, from, why }, index) => ({
          list_id: list.id,
          fingerprint,
          type: service.type,
          entity: entity.name.zh,
          region: entity.region,
          name: service.name.zh,
          status,
          since: new Date(from),
          until: index === 0 ? null : new Date(service.statuses[index - 1]?.from ?? from),
          why: why?.zh ?? null,
        })),
      ),
    ),
  )
  if (rows.length > 0) await db.insertInto('ca_service').values(rows).execute()
}
