/**
 * Where a province's facts become its log. Candidates wait in one queue for each log; whoever is waiting when the one before has
 * committed is sealed together, so that an idle node answers at once and a loaded one seals full batches. Deciding what changed,
 * sealing, appending to ledger and log, and applying to the own replica is one transaction: no byte leaves before it committed,
 * and nothing is sealed twice for one position. What stands in the ledger after the last receipt is the outbox.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Kysely, Transaction } from 'kysely'
import { appendEntries, lockLogs, type NewEntry, type StoredEntry } from '../../runtime/ledger/ledger.ts'
import { readLosses } from '../../runtime/ledger/losses.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { isDataError, translateDatabaseError } from '../../runtime/postgres/database.ts'
import { type Tail, transact, wireOf } from '../../runtime/postgres/pipeline.ts'
import { isRestricted } from '../../schemas/content-key.ts'
import type { OpenDatasetName } from '../../schemas/datasets/datasets.ts'
import { encodeBody } from '../../schemas/encoding.ts'
import { cutBatch, recordsWithin, type SealContext, type SealedEntry, sealEnvelope, sealOpening } from '../../schemas/envelope.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { formatLogId, type LogHead, type LogId } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import type { ExchangeRecord } from '../../schemas/record.ts'
import type { Signer } from '../../schemas/tokens.ts'
import type { IntakeTables } from '../intake/tables.ts'
import { applyRecords } from '../replica/replicator.ts'
import { anyoneParked, type Decision, decide, type Item, releaseChildren } from './decision.ts'
import type { EpochKeys } from './epoch-keys.ts'
import type { SealedMark } from './mark.ts'

export type Sealed = { readonly epoch: number; readonly seq: number }
export type ItemResult =
  | { readonly kind: 'sealed'; readonly ver: number; readonly at: Sealed }
  | { readonly kind: 'unchanged'; readonly ver: number }
  | { readonly kind: 'superseded'; readonly ver: number }
  | { readonly kind: 'parked'; readonly parent: string }
  | { readonly kind: 'refused'; readonly error: ExchangeError }

export type Sealer = AsyncDisposable & {
  /** Resolves after the commit. At most 512 items: cut longer input. */
  submit(dataset: OpenDatasetName, audience: string, items: readonly Item[]): Promise<ItemResult[]>
}

type Tables = LedgerTables & IntakeTables
type Job = {
  readonly items: readonly Item[]
  readonly resolve: (results: ItemResult[]) => void
  readonly reject: (error: unknown) => void
}

/** how long a write waits for sealing to begin before it is told to come again */
const WAIT_MS = 20_000
/** candidates decided in one transaction */
const GROUP_ITEMS = 1024

export function createSealer(options: {
  readonly db: Kysely<Tables>
  readonly origin: string
  /** asked together with the membership position that an envelope names */
  readonly signer: () => Signer
  readonly membership: () => Membership
  readonly epochKeys: EpochKeys
  readonly clock: () => Date
  /** what must be settled before the first envelope of this life */
  readonly restoration: { readonly done: Promise<void>; trouble(): string | null }
  /** how far each log was sealed, noted outside the database */
  readonly mark: Pick<SealedMark, 'note' | 'demand'>
  /** after each commit that moved a log */
  readonly sealed: (state: { readonly id: number; readonly log: LogId }, records: number, entries: readonly StoredEntry[]) => void
}): Sealer {
  const { db, origin } = options
  const queues = new Map<string, { readonly log: LogId; readonly jobs: Job[]; running: Promise<void> | null }>()
  /** numbers of the own logs: what is asked of one can go out with the question for its lock */
  const ids = new Map<string, number>()
  const floors = new Map<number, { readonly epoch: number; readonly floor: number }>()
  let stopping = false
  let begun = false
  void options.restoration.done.then(() => {
    begun = true
  })

  async function submit(dataset: OpenDatasetName, audience: string, items: readonly Item[]): Promise<ItemResult[]> {
    if (!begun) await Promise.race([options.restoration.done, delay(WAIT_MS, undefined, { ref: false })])
    const trouble = options.restoration.trouble()
    if (trouble !== null) throw new ExchangeError('SEALING_WAITS', trouble)
    if (stopping) throw new ExchangeError('PROGRAM_UNREACHABLE', 'the node is stopping')
    const log = { origin, dataset, audience }
    const queue = queues.get(formatLogId(log)) ?? { log, jobs: [], running: null }
    queues.set(formatLogId(log), queue)
    return new Promise((resolve, reject) => {
      queue.jobs.push({ items, resolve, reject })
      queue.running ??= work(queue.log, queue.jobs).finally(() => {
        queue.running = null
      })
    })
  }

  async function work(log: LogId, jobs: Job[]): Promise<void> {
    for (let head = jobs[0]; head !== undefined; head = jobs[0]) {
      let count = 0
      let size = 0
      while (count < jobs.length && (count === 0 || size + (jobs[count]?.items.length ?? 0) <= GROUP_ITEMS))
        size += jobs[count++]?.items.length ?? 0
      const group = jobs.splice(0, count)
      try {
        const results = await sealGroup(
          log,
          group.flatMap(job => job.items),
        )
        let at = 0
        for (const job of group) {
          job.resolve(results.slice(at, at + job.items.length))
          at += job.items.length
        }
      } catch (error) {
        for (const job of group) job.reject(error)
      }
    }
  }

  async function sealGroup(log: LogId, items: readonly Item[]): Promise<ItemResult[]> {
    try {
      const { id, results, records, entries } = await transact(db, (trx, tail) => sealInside(trx, tail, log, items))
      const last = entries.at(-1)
      if (last !== undefined) options.mark.note(log, last.position)
      if (records > 0) options.sealed({ id, log }, records, entries)
      return results
    } catch (error) {
      if (!isDataError(error)) throw error
      if (items.length > 1) {
        const results: ItemResult[] = []
        for (const item of items) results.push(...(await sealGroup(log, [item])))
        return results
      }
      return [{ kind: 'refused', error: translateDatabaseError(error) }]
    }
  }

  /** What an own log has declared lost, its versions stay above. In the first epoch nothing was. */
  async function floorOf(trx: Transaction<LedgerTables>, id: number, head: LogHead | null): Promise<number> {
    if (head === null || head.epoch === 1) return 0
    const known = floors.get(id)
    if (known?.epoch === head.epoch) return known.floor
    const losses = await readLosses(trx, id, options.membership())
    const floor = Math.max(0, ...losses.map(({ lost }) => lost.floor))
    floors.set(id, { epoch: head.epoch, floor })
    return floor
  }

  async function sealInside(
    trx: Transaction<Tables>,
    tail: Tail,
    log: LogId,
    items: readonly Item[],
  ): Promise<{ id: number; results: ItemResult[]; records: number; entries: readonly StoredEntry[] }> {
    const ledger = trx.$pickTables<keyof LedgerTables>()
    const door = trx.$pickTables<keyof IntakeTables>()
    const name = formatLogId(log)
    const locking = lockLogs(ledger, [log], await wireOf(trx))
    const floor = locking.then(states => floorOf(ledger, states.get(name)?.id ?? 0, states.get(name)?.head ?? null))
    const waiting = anyoneParked(door, log)
    const id = ids.get(name) ?? (await locking).get(name)?.id ?? 0
    const deciding = decide(door, id, log, items, [], floor)
    for (const under of [floor, waiting, deciding]) under.catch(() => {})
    const state = (await locking).get(name)
    if (state === undefined) throw new ExchangeError('INTERNAL', `${formatLogId(log)}: the log was not locked`)
    // Everyone has frozen it: what is sealed into it now, nobody takes.
    if (state.frozen) throw new ExchangeError('LOG_FROZEN', `${formatLogId(log)}: see the proof at /v1/forks`)
    options.mark.demand(log, state.head)
    ids.set(name, state.id)
    const decisions = state.id === id ? await deciding : await decide(door, state.id, log, items, [], floor)
    const records: ExchangeRecord[] = []
    const take = (made: readonly Decision[]): void => {
      for (const decision of made) if (decision.kind === 'record') records.push(decision.record)
    }
    take(decisions)
    const parked = (await waiting) || decisions.some(decision => decision.kind === 'parked')
    for (let fresh = decisions; fresh.length > 0; ) {
      const children = parked ? await releaseChildren(door, log, fresh) : []
      fresh = children.length === 0 ? [] : await decide(door, state.id, log, children, records, floor)
      take(fresh)
    }
    if (records.length === 0)
      return { id: state.id, results: decisions.map(decision => resultOf(decision, new Map())), records: 0, entries: [] }
    const membership = options.membership()
    const context: SealContext = { fed: membership.fed, mem: membership.position, signer: options.signer(), now: options.clock() }
    const restricted = isRestricted(log.audience)
    const key = restricted ? await options.epochKeys.current(ledger, { id: state.id, log }, state.head, membership) : null
    const entries: SealedEntry[] = []
    const places = new Map<ExchangeRecord, Sealed>()
    let head: LogHead | null = state.head
    if (head === null || key?.opening != null)
      head = push(entries, await sealOpening(log, (head?.epoch ?? 0) + 1, head, context, null, key?.opening ?? null))
    for (const batch of cutBatch(records)) {
      const salt = randomBytes(16).toString('base64url')
      const entry = await sealEnvelope(log, head, batch, { ...context, salt, contentKey: key?.contentKey ?? null })
      head = push(entries, entry)
      for (const record of batch) places.set(record, { epoch: entry.epoch, seq: entry.seq })
      await applyRecords(
        ledger,
        log.dataset as OpenDatasetName,
        { logId: state.id, epoch: entry.epoch, seq: entry.seq },
        batch,
        entry.body === null || restricted ? null : recordsWithin(entry.body, salt),
        tail,
      )
    }
    const committed = await Promise.all(entries.map(entry => newEntry(state.id, entry, context.now)))
    await appendEntries(ledger, committed, tail)
    return {
      id: state.id,
      results: decisions.map(decision => resultOf(decision, places)),
      records: records.length,
      entries: committed,
    }
  }

  return {
    submit,
    async [Symbol.asyncDispose]() {
      stopping = true
      await Promise.all([...queues.values()].map(queue => queue.running))
    },
  }
}

const push = (entries: SealedEntry[], entry: SealedEntry): LogHead => {
  entries.push(entry)
  return entry
}

async function newEntry(logId: number, entry: SealedEntry, now: Date): Promise<NewEntry> {
  const { body } = entry
  // Ciphertext does not grow smaller.
  const plainly = body === null || isRestricted(entry.log.audience)
  const sent = plainly ? (body === null ? null : { encoding: 'identity', bytes: body }) : await encodeBody(body)
  return {
    logId,
    position: { epoch: entry.epoch, seq: entry.seq },
    digest: entry.digest,
    token: entry.token,
    encoding: sent?.encoding ?? 'identity',
    body: sent?.bytes ?? null,
    records: entry.records,
    issuedAt: now,
    refusal: null,
  }
}

function resultOf(decision: Decision, places: ReadonlyMap<ExchangeRecord, Sealed>): ItemResult {
  if (decision.kind !== 'record') return decision
  const at = places.get(decision.record)
  if (at === undefined) throw new ExchangeError('INTERNAL', 'a record was decided but not sealed')
  return { kind: 'sealed', ver: decision.record.ver, at }
}
