/**
 * Begins a log with its newest snapshot where nothing of it is held: everybody is asked, pieces are checked against the root that the
 * origin has signed and stored one by one, and the last transaction sets the log to the snapshot's position. Meanwhile entries wait.
 */
import { type KeeperAnswer, MOST_ROUNDS } from '../../schemas/bootstrap-rule.ts'
import { isExchangeError } from '../../schemas/errors.ts'
import { formatLogId, formatPosition, type LogId, type Position } from '../../schemas/log.ts'
import type { ExchangeRecord } from '../../schemas/record.ts'
import { DIGEST_BYTES, parseChunk, type SnapshotMark } from '../../schemas/snapshot.ts'
import type { Head } from '../../schemas/statements.ts'
import { type DiskLog, type Loading, logOn, type Row } from './disk.ts'
import { type Ground, type Life, transact } from './ground.ts'
import type { Ask } from './network.ts'
import { rowOf } from './replica.ts'
import { rootKey } from './roots.ts'
import { LEAST_ENTRIES } from './snapshots.ts'

const AGAIN_MS = 700

export type Loader = {
  /** whether a log is being loaded, and so must not be read from its first entry; begins if it can */
  claims(log: LogId): boolean
  /** what heads announce may be begun with */
  heard(head: Head): void
  start(): void
}

export function createLoader(
  ground: Ground,
  life: Life,
  options: {
    readonly ask: Ask
    readonly others: (log: LogId) => readonly string[]
    readonly tail: (log: LogId, until: Position) => void
  },
): Loader {
  const { rules } = ground
  const { code } = life
  const announced = new Map<string, { readonly mark: SnapshotMark; readonly head: Head }>()
  const running = new Set<string>()
  const onDisk = (log: LogId): DiskLog => logOn(ground.disk(code), log)
  const write = (...writes: (() => void)[]): Promise<void> => transact(ground, life, 'load: written', 'load: committed', writes)

  const keep = (log: LogId, loading: Loading): Promise<void> =>
    write(() => {
      onDisk(log).loading = loading
    })

  function claims(log: LogId): boolean {
    const on = onDisk(log)
    if (log.origin === code) return false
    const known = announced.get(formatLogId(log))
    if (on.loading === null) {
      if (
        known === undefined ||
        on.roots.has(rootKey(known.mark)) ||
        !rules.mayBootstrap(log, { head: on.head, frozen: on.fork !== null }, known.mark, LEAST_ENTRIES)
      )
        return false
      on.loading = { mark: known.mark, token: known.head.token, manifest: null, groups: new Map() }
      ground.note(`${code} begins ${formatLogId(log)} with its snapshot of ${formatPosition(known.mark.at)}`)
    }
    if (!running.has(formatLogId(log))) {
      running.add(formatLogId(log))
      round(log, 0)
    }
    return true
  }

  /** Asks everybody at once, waits for all of them, and judges. */
  function round(log: LogId, rounds: number): void {
    const task = onDisk(log).loading
    if (task === null) return void running.delete(formatLogId(log))
    const holders = rules.repairSources(log, code, options.others(log))
    const answers: KeeperAnswer[] = []
    let manifest = task.manifest
    for (const holder of holders)
      options.ask(holder, { what: 'snapshot', log, mark: task.mark, group: null }, async answer => {
        const given = answer?.what === 'snapshot' ? answer : null
        const good = given?.said === 'gives' && given.piece !== null && rules.rootOf(given.piece) === task.mark.root
        if (good) manifest ??= given.piece
        answers.push({ holder, said: given === null ? 'silent' : given.said === 'gives' && !good ? 'lacks' : given.said })
        if (answers.length === holders.length) await judge(log, task, manifest, answers, rounds)
      })
  }

  async function judge(
    log: LogId,
    task: Loading,
    manifest: Buffer | null,
    answers: readonly KeeperAnswer[],
    rounds: number,
  ): Promise<void> {
    const verdict = rules.judgeKeepers(answers, rounds)
    if (verdict.kind === 'refused') return giveUp(log, task, `${verdict.by} has found another root`)
    const counted = verdict.kind === 'silence' ? rounds : rounds + 1
    if (counted >= MOST_ROUNDS) return giveUp(log, task, 'nobody gives it')
    const again = (): void => ground.after(AGAIN_MS, life, () => round(log, counted))
    if (verdict.kind !== 'load' || manifest === null) return again()
    if (task.manifest === null) await keep(log, { ...task, manifest })
    fetch(log, verdict.keepers, answers, again)
  }

  function fetch(log: LogId, keepers: readonly string[], answers: readonly KeeperAnswer[], again: () => void): void {
    const task = onDisk(log).loading
    const [keeper] = keepers
    if (task?.manifest == null || keeper === undefined) {
      again()
      return
    }
    const { manifest } = task
    const groups = manifest.length / DIGEST_BYTES
    const group = Array.from({ length: groups }, (_, number) => number).find(number => !task.groups.has(number))
    if (group === undefined) {
      ground.after(1, life, () => finish(log, task, answers))
      return
    }
    options.ask(keeper, { what: 'snapshot', log, mark: task.mark, group }, async answer => {
      const piece = answer?.what === 'snapshot' && answer.said === 'gives' ? answer.piece : null
      if (piece === null || !fits(piece, manifest, group)) return fetch(log, keepers.slice(1), answers, again)
      await keep(log, { ...task, groups: new Map([...task.groups, [group, piece]]) })
      fetch(log, keepers, answers, again)
    })
  }

  function fits(piece: Buffer, manifest: Buffer, group: number): boolean {
    try {
      rules.checkGroup(parseChunk(piece), manifest, group)
      return true
    } catch (error) {
      if (!isExchangeError(error)) throw error
      ground.note(`${code} refuses a piece of a snapshot: ${error.code}`)
      return false
    }
  }

  /** The whole of it stands: from now on the log is at the snapshot's position. */
  async function finish(log: LogId, { mark, token, groups }: Loading, answers: readonly KeeperAnswer[]): Promise<void> {
    const on = onDisk(log)
    const lines = [...groups].sort(([a], [b]) => a - b).flatMap(([, piece]) => parseChunk(piece))
    if (lines.length !== mark.records) return giveUp(log, { mark, token, groups, manifest: null }, 'another number of records')
    const rows = lines.map(({ key, ver, place, erased, record }): [string, Row] => {
      const at = formatPosition(place)
      return [key, erased ? { ver, op: 'erased', text: '', at } : rowOf(record as unknown as ExchangeRecord, at)]
    })
    await write(() => {
      on.head = mark.at
      on.base = { ...mark.at, token, root: mark.root, records: mark.records }
      on.wanted = mark.at
      for (const [key, row] of rows) {
        on.rows.set(key, row)
        on.loaded.set(key, row)
      }
      on.loading = null
    })
    running.delete(formatLogId(log))
    ground.note(`${code} has loaded ${formatLogId(log)} at ${formatPosition(mark.at)}`)
    ground.watch.snapshotLoaded(code, log, mark, answers)
    const until = announced.get(formatLogId(log))?.head.logs.find(at => formatLogId(at.log) === formatLogId(log))?.head
    if (until !== undefined) options.tail(log, until)
  }

  async function giveUp(log: LogId, { mark }: Pick<Loading, 'mark'> & Partial<Loading>, reason: string): Promise<void> {
    await write(() => {
      onDisk(log).loading = null
      onDisk(log).roots.set(rootKey(mark), 'refused')
    })
    running.delete(formatLogId(log))
    ground.note(`${code} reads ${formatLogId(log)} from its first entry: ${reason}`)
  }

  return {
    claims,
    heard(head) {
      for (const { log, snapshot } of head.logs) {
        if (snapshot == null) continue
        announced.set(formatLogId(log), { mark: snapshot, head })
        claims(log)
      }
    },
    start() {
      for (const { log, loading } of ground.disk(code).logs.values()) if (loading !== null) claims(log)
    },
  }
}
