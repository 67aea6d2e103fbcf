/**
 * Begins a log with its newest snapshot instead of its first entry, where nothing of it is held yet: the hub is asked, then the origin,
 * then any other holder. Groups are checked against the signed root and stored several at once, each in one transaction with a note
 * that it stands, so that a crash at any instant costs one group. The last transaction counts them, checks their order and sets the log
 * to the snapshot's position; from there the tail comes as always. Meanwhile entries of that log count as early and are offered again.
 *
 * A newcomer cannot compute the root. So every other holder is asked first, and one that has found another root keeps it from loading:
 * the log is then read from its first entry, which needs nobody's word. A false alarm costs time and nothing else.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { judgeKeepers, type KeeperAnswer, MOST_ROUNDS, mayBootstrap } from '../../schemas/bootstrap-rule.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { formatLogId, type LogId } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import type { SnapshotMark } from '../../schemas/snapshot.ts'
import { repairSources } from '../../schemas/sync.ts'
import type { Broker } from '../nats.ts'
import { type BootstrapTask, type Loader, loadGroups, missingGroups } from './bootstrap-groups.ts'
import type { HeadListener } from './heads.ts'
import { lockLogs, readLog } from './ledger.ts'
import { noteRoot } from './root-judge.ts'
import { fetchManifest } from './snapshot-keeper.ts'
import { groupsOf } from './snapshots.ts'
import type { LedgerTables } from './tables.ts'

const AGAIN_MS = 1000

export type BootstrapEvents = {
  bootstrapBegan(log: LogId, mark: SnapshotMark): void
  bootstrapped(log: LogId, mark: SnapshotMark): void
  /** the log is read from its first entry instead */
  bootstrapGivenUp(log: LogId, reason: string): void
  failed(origin: string, error: unknown): void
}

export type Bootstrap = AsyncDisposable & {
  /** whether a log is being loaded from a snapshot, and so must not be read from its first entry; begins if it can */
  claims(log: LogId): Promise<boolean>
  isLoading(log: LogId): boolean
}

function saidBy(error: unknown): KeeperAnswer['said'] {
  if (!isExchangeError(error) || error.code === 'PROGRAM_UNREACHABLE') return 'silent'
  return error.code === 'SNAPSHOT_REFUSED' ? 'refuses' : 'lacks'
}

/** The snapshot is not to be used at all: another holder or the snapshot itself says so. */
const refused = (reason: string): ExchangeError => new ExchangeError('SNAPSHOT_REFUSED', reason)

export function startBootstrap(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  readonly own: string
  readonly membership: () => Membership
  readonly heads: () => HeadListener
  readonly loader: Loader
  /** a log with fewer entries than this is read from its first one */
  readonly leastEntries: number
  /** fetches what follows on the snapshot */
  readonly tail: (log: LogId) => Promise<unknown>
  readonly events: BootstrapEvents
}): Bootstrap {
  const { broker, db, own, loader, events } = options
  const stopping = new AbortController()
  const running = new Map<string, { readonly log: LogId; readonly work: Promise<void> }>()
  const loading = { broker, db, own, loader, stopping: stopping.signal }
  const stopped = (): boolean => stopping.signal.aborted

  const announcedOf = (log: LogId): { readonly mark: SnapshotMark; readonly token: string } | null => {
    const head = options.heads().newest(log.origin, log.audience)
    const mark = head?.logs.find(one => formatLogId(one.log) === formatLogId(log))?.snapshot ?? null
    return head === null || mark === null ? null : { mark, token: head.token }
  }

  async function claims(log: LogId): Promise<boolean> {
    const id = formatLogId(log)
    if (running.has(id)) return true
    if (log.origin === own || stopped()) return false
    const state = await readLog(db, log)
    if (state?.loading !== true && !(await begin(log))) return false
    if (!running.has(id)) running.set(id, { log, work: run(log).finally(() => running.delete(id)) })
    return true
  }

  /** Marks the log as loading, if it is empty and a snapshot worth it is announced that was not given up before. */
  async function begin(log: LogId): Promise<boolean> {
    const known = await readLog(db, log)
    const announced = announcedOf(log)
    if (announced === null || !mayBootstrap(log, known, announced.mark, options.leastEntries)) return false
    const { mark, token } = announced
    return db.transaction().execute(async trx => {
      const state = (await lockLogs(trx, [log])).get(formatLogId(log))
      if (state === undefined || state.head !== null || state.frozen) return false
      const given = await trx
        .selectFrom('state_root')
        .select('verdict')
        .where('log_id', '=', state.id)
        .where('root', '=', mark.root)
        .where('verdict', 'in', ['differs', 'refused'])
        .executeTakeFirst()
      if (given !== undefined) return false
      await trx
        .insertInto('bootstrap')
        .values({ log_id: state.id, ...mark.at, root: mark.root, records: mark.records, token, manifest: null })
        .onConflict(conflict => conflict.column('log_id').doNothing())
        .execute()
      return true
    })
  }

  async function run(log: LogId): Promise<void> {
    let rounds = 0
    for (let begun = false; !stopped(); begun = true) {
      try {
        const task = await readTask(log)
        if (task === null) return
        if (!begun) events.bootstrapBegan(log, task)
        const outcome = await load(task, rounds)
        if (outcome !== 'silence') rounds += 1
        if (outcome === 'whole') {
          await finish(task)
          events.bootstrapped(log, task)
          void options.tail(log).catch(error => events.failed(log.origin, error))
          return
        }
        if (rounds >= MOST_ROUNDS) throw refused('nobody gives the snapshot that was announced')
      } catch (error) {
        if (isExchangeError(error) && error.code === 'SNAPSHOT_REFUSED') {
          await giveUp(log, error.reason)
          return
        }
        if (!stopped()) events.failed(log.origin, error)
      }
      await delay(AGAIN_MS * (0.5 + Math.random()), undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  async function readTask(log: LogId): Promise<BootstrapTask | null> {
    const state = await readLog(db, log)
    const row =
      state === null ? undefined : await db.selectFrom('bootstrap').selectAll().where('log_id', '=', state.id).executeTakeFirst()
    if (row === undefined) return null
    const { epoch, seq, digest, root, records, token, manifest } = row
    return { logId: row.log_id, log, at: { epoch, seq, digest }, root, records, token, manifest }
  }

  /** What each holder says to the snapshot, in the order in which they are asked, and its manifest if anybody gives it. */
  async function ask(task: BootstrapTask): Promise<{ readonly answers: KeeperAnswer[]; readonly manifest: Buffer | null }> {
    const holders = repairSources(task.log, own, [...options.membership().members.keys()])
    const given = await Promise.allSettled(holders.map(holder => fetchManifest(broker, { holder, asker: own }, task.log, task)))
    const answers = given.map((one, index): KeeperAnswer => {
      const holder = holders[index] ?? ''
      return { holder, said: one.status === 'fulfilled' ? 'gives' : saidBy(one.reason) }
    })
    return { answers, manifest: given.find(one => one.status === 'fulfilled')?.value ?? null }
  }

  async function load(task: BootstrapTask, round: number): Promise<'whole' | 'parts' | 'silence'> {
    const { answers, manifest } = await ask(task)
    const verdict = judgeKeepers(answers, round)
    if (verdict.kind === 'refused') throw refused(`${verdict.by} has found another root than its origin has signed`)
    if (verdict.kind !== 'load') return verdict.kind === 'silence' ? 'silence' : 'parts'
    const { keepers } = verdict
    if (task.manifest === null && manifest !== null) {
      await db.updateTable('bootstrap').set({ manifest }).where('log_id', '=', task.logId).execute()
      task.manifest = manifest
    }
    if (task.manifest === null) return 'parts'
    for (const holder of keepers) {
      if (stopped()) return 'parts'
      const missing = await missingGroups(db, task.logId, groupsOf(task.manifest))
      if (missing.length === 0) return 'whole'
      await loadGroups(loading, holder, task, task.manifest, missing).catch(error => {
        if (!stopped()) events.failed(task.log.origin, error)
      })
    }
    return (await missingGroups(db, task.logId, groupsOf(task.manifest))).length === 0 ? 'whole' : 'parts'
  }

  /** The whole of it stands: from now on the log is at the snapshot's position. */
  async function finish(task: BootstrapTask): Promise<void> {
    const { logId, log, at, token, records } = task
    await db.transaction().execute(async trx => {
      await lockLogs(trx, [log])
      const { rows } = await sql<{ records: number; misplaced: number }>`
        SELECT coalesce(sum(records), 0)::bigint AS records, (count(*) FILTER (WHERE misplaced))::int AS misplaced
        FROM (SELECT records, first_key <= lag(last_key) OVER (ORDER BY number) AS misplaced FROM bootstrap_group WHERE log_id = ${logId}::int) g`.execute(
        trx,
      )
      if (rows[0]?.records !== records || rows[0].misplaced > 0)
        throw refused(`expected ${records} records with keys in order, each once`)
      await trx
        .updateTable('log')
        .set({ ...at, base_epoch: at.epoch, base_seq: at.seq, base_digest: at.digest, base_token: token })
        .where('id', '=', logId)
        .execute()
      await noteRoot(trx, logId, task, token, { verdict: 'loaded', ownRoot: null, reason: null })
      await trx.deleteFrom('bootstrap').where('log_id', '=', logId).execute()
    })
  }

  async function giveUp(log: LogId, reason: string): Promise<void> {
    const task = await readTask(log)
    if (task === null) return
    await db.transaction().execute(async trx => {
      await lockLogs(trx, [log])
      await loader.clear(trx, { id: task.logId, dataset: log.dataset })
      await trx.deleteFrom('bootstrap').where('log_id', '=', task.logId).execute()
      await noteRoot(trx, task.logId, task, task.token, { verdict: 'refused', ownRoot: null, reason })
    })
    events.bootstrapGivenUp(log, reason)
    void options.tail(log).catch(error => events.failed(log.origin, error))
  }

  return {
    claims,
    isLoading: log => running.has(formatLogId(log)),
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await Promise.allSettled([...running.values()].map(({ work }) => work))
    },
  }
}
