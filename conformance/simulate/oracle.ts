/**
 * The invariants. They are checked after every event at whoever acted, against what the origins really committed, by means that share
 * nothing with the programs but the parsers and `contradiction`: a mutant of a rule never judges itself.
 */
import { assertionsOfEntry, assertionsOfHeads, contradiction } from '../../schemas/assertions.ts'
import { tokenKindOf } from '../../schemas/bundle.ts'
import { digestOf } from '../../schemas/digest.ts'
import { comparePositions, formatLogId, formatPosition, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import type { OpenedToken } from '../../schemas/opening.ts'
import type { openHead, openReceipt, Receipt } from '../../schemas/statements.ts'
import { type Disk, type DiskLog, type Fork, LOST, type Row, type StoredEntry } from './disk.ts'
import type { Watch } from './ground.ts'
import { HUB, type Members } from './members.ts'
import { codesOf, type Plan } from './plan.ts'
import { rootId } from './roots.ts'

export const INVARIANTS = {
  sealedTwice: 'nothing is sealed twice for one position',
  lost: 'no accepted envelope is lost',
  once: 'every entry is applied exactly once and in order',
  replay: "every holder's state equals a replay of its ledger",
  bytes: 'the bytes that are held are those that their origin signed',
  forgotten: 'the road is told to forget only what was committed or set aside',
  outbox: 'the outbox forgets on a receipt that speaks of the own envelope, and on nothing else',
  honest: 'an honest log is never frozen, and nothing stands in it that its origin did not commit',
  detected: 'two statements of one origin that cannot both be true are detected by whoever got both',
  proof: 'a proof convinces whoever has the membership and nothing else',
  convicted: 'two receipts that cannot both be true convict the hub alone',
  outranked: 'what an origin says after a loss outranks what it has declared lost',
  roots: 'a state root that follows from its log is never judged false, and one that does not never true',
  healed: 'when the faults are over, every honest log reaches every holder and every outbox empties',
} as const
export type Invariant = keyof typeof INVARIANTS

export class Violation extends Error {
  readonly invariant: Invariant
  constructor(invariant: Invariant, detail: string) {
    super(detail)
    this.invariant = invariant
  }
}

/** Lies that leave the liar's own log in one history. */
const HARMLESS = new Set(['version counted back', 'head of another', 'entry of another', 'false state root'])

type Versions = readonly { readonly key: string; readonly ver: number }[]
type History = {
  readonly log: LogId
  readonly digests: Map<string, string>
  readonly versions: Map<string, Versions>
  /** declared lost: whoever holds it may keep it, nobody need */
  readonly lost: Map<string, string>
  readonly lostVersions: Map<string, number>
  head: LogHead
}

export type Oracle = Watch & {
  /** What nobody but the origin ever saw is gone with its disk; the rest must come back. */
  restored(code: string): void
  /** Whether everything that left this origin stands with somebody who will honestly show it, so that a restore can be mended. */
  mayRestore(code: string): boolean
  /** Whether another that was set back still needs what is held here. */
  isAsked(code: string): boolean
  /** null when everything has arrived, or what is still missing */
  unhealed(): string | null
}

export function createOracle(options: {
  readonly plan: Plan
  readonly members: Members
  readonly disk: (code: string) => Disk
  readonly mayRead: (code: string, audience: string) => boolean
  /** opens an entry's token by the product's own rule */
  readonly open: (kind: 'envelope' | 'epoch', token: string) => Promise<OpenedToken>
  readonly openHead: typeof openHead
  readonly openReceipt: typeof openReceipt
}): Oracle {
  const { plan, disk, openHead, openReceipt } = options
  const { membership } = options.members
  const codes = codesOf(plan)
  const histories = new Map<string, History>()
  const disclosed = new Map<string, Position>()
  const incomplete = new Set<string>()
  const receipts = new Map<string, Receipt[]>()
  const marks = new Map<string, string>()
  const done = new Set<number>()
  const roots = new Map<string, boolean>()
  const liars = new Set(plan.faults.flatMap(fault => (fault.kind === 'node lies' && !HARMLESS.has(fault.how) ? [fault.who] : [])))
  const hubLies = plan.faults.some(fault => fault.kind === 'hub lies')
  const isHonest = (log: LogId): boolean => !liars.has(log.origin)

  const fail = (invariant: Invariant, detail: string): never => {
    throw new Violation(invariant, detail)
  }

  async function check(code: string): Promise<void> {
    const own = disk(code)
    for (const [id, log] of own.logs) {
      const mark = `${log.entries.length}/${log.applied.length}/${log.fork === null}/${log.receipt?.token}/${own.announced.get(`${log.log.origin}/${log.log.audience}`)}`
      if (marks.get(`${code} ${id}`) === mark) continue
      marks.set(`${code} ${id}`, mark)
      checkLedger(code, id, log)
      if (code !== HUB) checkState(code, id, log)
      if (log.fork !== null) await checkFork(code, log, log.fork)
      else await checkAnnounced(code, own, log)
      if (log.receipt !== null) await checkReceipt(code, id, log.receipt)
    }
    checkKept(code, own)
    const convictions = `${own.convictions.length}`
    if (own.convictions.length > 0 && marks.get(`${code} hub`) !== convictions) await checkConvictions(code, own.convictions)
    marks.set(`${code} hub`, convictions)
  }

  function checkLedger(code: string, id: string, log: DiskLog): void {
    let before: StoredEntry | null = null
    const history = histories.get(id)
    for (const stored of log.entries) {
      const place = `${code} holds ${id} ${formatPosition(stored.entry)}`
      if (!follows(before, stored)) fail('once', `${place} behind ${before === null ? 'nothing' : formatPosition(before.entry)}`)
      if (stored.body !== null && digestOf(stored.body) !== stored.dig)
        fail('bytes', `${place} with other bytes than its envelope fixes`)
      const at = formatPosition(stored.entry)
      const known = history?.digests.get(at) ?? history?.lost.get(at)
      if (isHonest(log.log) && known !== stored.entry.digest) fail('honest', `${place}, which its origin did not commit`)
      before = stored
    }
    if ((log.head?.digest ?? null) !== (before?.entry.digest ?? null))
      fail('once', `${code}: the head of ${id} is not its last entry`)
  }

  function checkState(code: string, id: string, log: DiskLog): void {
    const losses = log.entries.flatMap(({ entry }) =>
      entry.kind === 'opening' && entry.lost != null ? [{ from: entry.lost, to: entry }] : [],
    )
    const isLost = (at: Position): boolean =>
      losses.some(({ from, to }) => comparePositions(at, from) >= 0 && comparePositions(at, to) < 0)
    const effective = log.entries.filter(
      ({ kind, refusal, entry }) => kind === 'envelope' && (refusal === null || refusal === LOST) && !isLost(entry),
    )
    const expected = effective.map(({ entry }) => formatPosition(entry)).join(' ')
    if (log.applied.join(' ') !== expected)
      fail('once', `${code} applied ${id} as ${log.applied.join(' ')}, its ledger says ${expected}`)
    const rows = replay(effective)
    if (!sameRows(rows, log.rows)) fail('replay', `${code}: the state of ${id} is not that of its ledger`)
  }

  async function checkFork(code: string, { log }: DiskLog, fork: Fork): Promise<void> {
    if (isHonest(log)) fail('honest', `${code} froze ${formatLogId(log)}: ${fork.reason}`)
    const [a, b] = await Promise.all(fork.statements.map(token => assertionsOf(token, log.origin)))
    if (a === undefined || b === undefined || contradiction(a, b) === null)
      fail('proof', `${code}: the proof against ${formatLogId(log)} proves nothing: ${fork.reason}`)
  }

  async function assertionsOf(token: string, origin: string) {
    const kind = tokenKindOf(token)
    if (kind === 'head') {
      const head = await openHead(token, membership).catch((): null => null)
      return head?.origin === origin ? assertionsOfHeads(head.logs) : []
    }
    if (kind !== 'envelope' && kind !== 'epoch') return []
    const opened = await options.open(kind, token).catch((): null => null)
    return opened?.log.origin === origin ? assertionsOfEntry(opened.log, opened.entry) : []
  }

  async function checkAnnounced(code: string, own: Disk, log: DiskLog): Promise<void> {
    const token = own.announced.get(`${log.log.origin}/${log.log.audience}`)
    if (token === undefined) return
    const head = await openHead(token, membership).catch((): null => null)
    if (head === null) return fail('bytes', `${code} keeps a head that ${log.log.origin} did not sign`)
    const reason = againstLedger(log, assertionsOfHeads(head.logs))
    if (reason !== null) fail('detected', `${code} holds a head and entries that cannot both be true: ${reason}`)
  }

  const againstLedger = (log: DiskLog, assertions: ReturnType<typeof assertionsOfHeads>): string | null => {
    for (const { entry } of log.entries) {
      const reason = contradiction(assertionsOfEntry(log.log, entry), assertions)
      if (reason !== null) return reason
    }
    return null
  }

  async function checkReceipt(code: string, id: string, { head, token }: { head: LogHead; token: string }): Promise<void> {
    const receipt = await openReceipt(token, membership).catch((): null => null)
    const place = `${code} forgot ${id} up to ${formatPosition(head)}`
    if (receipt === null || formatLogId(receipt.log) !== id || comparePositions(receipt.head, head) !== 0)
      fail('outbox', `${place} without a receipt`)
    const entry = disk(code).logs.get(id)?.index.get(formatPosition(head))
    if (entry?.entry.digest !== receipt?.head.digest) fail('outbox', `${place} for a receipt that names another digest`)
    if (!hubLies && disk(HUB).logs.get(id)?.index.get(formatPosition(head))?.entry.digest !== head.digest)
      fail('outbox', `${place}, and the hub does not hold it`)
  }

  /** What an origin committed stays committed, but for a restored disk that is still being filled again. */
  function checkKept(code: string, own: Disk): void {
    let missing = 0
    for (const [id, { log, digests }] of histories) {
      if (log.origin !== code) continue
      missing += digests.size - (own.logs.get(id)?.index.size ?? 0)
    }
    if (missing <= 0) incomplete.delete(code)
    else if (!incomplete.has(code)) fail('lost', `${code} has lost ${missing} entries of its own logs`)
  }

  async function checkConvictions(code: string, convictions: readonly Fork[]): Promise<void> {
    for (const { statements, reason } of convictions) {
      const opened = await Promise.all(statements.map(token => openReceipt(token, membership).catch((): null => null)))
      const [a, b] = opened.map(receipt => (receipt === null ? [] : assertionsOfHeads([receipt])))
      if (!hubLies) fail('convicted', `${code} convicts an honest hub: ${reason}`)
      if (a === undefined || b === undefined || contradiction(a, b) === null)
        fail('proof', `${code}: a proof against the hub proves nothing`)
    }
  }

  return {
    check,
    sealed(code, stored, log) {
      const id = formatLogId(log)
      const history = histories.get(id) ?? newHistory(log, stored.entry)
      histories.set(id, history)
      const place = formatPosition(stored.entry)
      if (isHonest(log) && history.digests.has(place)) fail('sealedTwice', `${code} seals ${id} ${place} again`)
      history.digests.set(place, stored.entry.digest)
      history.versions.set(place, stored.records)
      for (const { key, ver } of isHonest(log) ? stored.records : [])
        if (ver <= (history.lostVersions.get(key) ?? 0))
          fail('outranked', `${code} seals ${id} ${place}: version ${ver} of ${key}, and one as high was lost`)
      history.head = stored.entry
    },
    reopened(log, lost, opening) {
      const history = histories.get(formatLogId(log))
      if (history === undefined) return
      for (const [place, digest] of [...history.digests]) {
        const [epoch = 0, seq = 0] = place.split('.').map(Number)
        if (comparePositions({ epoch, seq }, lost) < 0 || comparePositions({ epoch, seq }, opening) >= 0) continue
        history.digests.delete(place)
        history.lost.set(place, digest)
        for (const { key, ver } of history.versions.get(place) ?? [])
          history.lostVersions.set(key, Math.max(ver, history.lostVersions.get(key) ?? 0))
      }
    },
    disclosed(log, at) {
      const id = formatLogId(log)
      const known = disclosed.get(id)
      if (known === undefined || comparePositions(known, at) < 0) disclosed.set(id, { epoch: at.epoch, seq: at.seq })
      const history = histories.get(id)
      if (isHonest(log) && history?.digests.has(formatPosition(at)) !== true && history?.lost.has(formatPosition(at)) !== true)
        fail('sealedTwice', `${id} ${formatPosition(at)} left before its commit`)
    },
    settled(code, token) {
      const log = disk(code).logs.get(formatLogId(token.log))
      if (log === undefined || log.fork !== null) return
      const reason = againstLedger(log, assertionsOfEntry(token.log, token.entry))
      if (reason !== null) fail('detected', `${code} took ${formatPosition(token.entry)} and did not see a fork: ${reason}`)
    },
    headTaken(code, head, before) {
      for (const at of head.logs) {
        const log = disk(code).logs.get(formatLogId(at.log))
        if (log?.fork != null) continue
        const own = assertionsOfHeads([at])
        const reason =
          (before === null ? null : contradiction(assertionsOfHeads(before.logs), own)) ??
          (log === undefined ? null : againstLedger(log, own))
        if (reason !== null) fail('detected', `${code} took a head and did not see a fork: ${reason}`)
      }
    },
    receiptTaken(code, log, head, token) {
      const key = `${code} ${formatLogId(log)}`
      const taken = receipts.get(key) ?? []
      const one: Receipt = { log, head, token, issuedAt: new Date(0) }
      const reason = taken
        .map(other => contradiction(assertionsOfHeads([other]), assertionsOfHeads([one])))
        .find(found => found !== null)
      if (reason != null && disk(code).convictions.length === 0)
        fail('convicted', `${code} got two receipts and did not see it: ${reason}`)
      receipts.set(key, [...taken, one])
    },
    acknowledged(code, token) {
      const { logs, quarantine } = disk(code)
      const { iss, ds, aud, ep, seq = 0 } = claimsOf(token)
      const log = logs.get(`${iss}/${ds}/${aud}`)
      const past = log?.head != null && comparePositions({ epoch: ep, seq }, log.head) <= 0
      if (past || log?.fork != null || [...quarantine.keys()].some(identity => identity.endsWith(token))) return
      fail('forgotten', `${code} acknowledges ${iss}/${ds}/${aud} ${ep}.${seq} and holds nothing of it`)
    },
    rootTold(log, mark, honest) {
      const id = rootId(log, mark)
      roots.set(id, honest || roots.get(id) === true)
    },
    rootJudged(code, log, mark, verdict) {
      const honest = roots.get(rootId(log, mark))
      if (honest === (verdict === 'same')) return
      fail(
        'roots',
        `${code} judges a ${honest === true ? 'true' : 'false'} root of ${formatLogId(log)} at ${formatPosition(mark.at)}: ${verdict}`,
      )
    },
    done: operation => void done.add(operation),
    restored(code) {
      for (const [id, history] of histories) {
        if (history.log.origin !== code) continue
        const seen = disclosed.get(id)
        const log = disk(code).logs.get(id)
        for (const place of [...history.digests.keys()]) {
          const [epoch = 0, seq = 0] = place.split('.').map(Number)
          const kept = log?.index.has(place) === true
          if (!kept && (seen === undefined || comparePositions({ epoch, seq }, seen) > 0)) history.digests.delete(place)
        }
      }
      incomplete.add(code)
      for (const key of [...receipts.keys()]) if (key.startsWith(`${code} `)) receipts.delete(key)
      for (const key of [...marks.keys()]) if (key.startsWith(`${code} `)) marks.delete(key)
    },
    isAsked: code => [...incomplete].some(other => other !== code),
    mayRestore(code) {
      if (incomplete.size > 0) return false
      const witnesses = [...(hubLies ? [] : [HUB]), ...codes.filter(other => other !== code && !liars.has(other))]
      for (const [id, { log }] of histories) {
        const seen = disclosed.get(id)
        if (log.origin !== code || seen === undefined) continue
        const held = witnesses.some(other => {
          const head = disk(other).logs.get(id)?.head ?? null
          return head !== null && comparePositions(head, seen) >= 0
        })
        if (!held) return false
      }
      return true
    },
    unhealed() {
      const open = plan.operations.findIndex(({ origin }, index) => !done.has(index) && !liars.has(origin))
      if (open >= 0) return `operation ${open} was never accepted`
      for (const [id, { log, digests }] of histories) {
        if (!isHonest(log)) continue
        const origin = disk(log.origin).logs.get(id)
        for (const code of [HUB, ...codes.filter(one => options.mayRead(one, log.audience) || one === log.origin)]) {
          const held = disk(code).logs.get(id)
          const count = held?.entries.filter(({ entry }) => digests.has(formatPosition(entry))).length ?? 0
          if (held === undefined || count !== digests.size) return `${code} holds ${count} of ${digests.size} entries of ${id}`
          if (code !== HUB && (origin === undefined || !sameRows(held.rows, origin.rows)))
            return `${code} has another state of ${id}`
        }
        if (origin?.receipt == null || origin.head === null || comparePositions(origin.receipt.head, origin.head) < 0)
          return `${log.origin} has no receipt for ${id} up to its head`
      }
      return null
    },
  }
}

/** What a token says of its place, whoever signed it. A token that nobody can read has no place and is set aside. */
function claimsOf(token: string): { iss: string; ds: string; aud: string; ep: number; seq?: number } {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as ReturnType<typeof claimsOf>
}

/** Whether an entry may stand behind another: written again, so that the product's own judge is not asked about itself. */
function follows(before: StoredEntry | null, { entry }: StoredEntry): boolean {
  if (entry.kind === 'opening' && entry.lost != null) {
    const { epoch, seq, previous } = entry.lost
    if (before === null) return epoch === 1 && seq === 0
    const at = before.entry
    if (at.epoch >= entry.epoch || comparePositions({ epoch: at.epoch, seq: at.seq + 1 }, { epoch, seq }) < 0) return false
    return at.epoch !== epoch || at.seq !== seq - 1 || at.digest === previous
  }
  if (before === null) return entry.kind === 'opening' && entry.epoch === 1
  if (entry.kind === 'envelope')
    return entry.epoch === before.entry.epoch && entry.seq === before.entry.seq + 1 && entry.previous === before.entry.digest
  const { closing } = entry
  return entry.epoch === before.entry.epoch + 1 && closing?.seq === before.entry.seq && closing.digest === before.entry.digest
}

const newHistory = (log: LogId, head: LogHead): History => ({
  log,
  digests: new Map(),
  versions: new Map(),
  lost: new Map(),
  lostVersions: new Map(),
  head,
})

/** The highest version of each key; among equals the first, since a repeat changes nothing. */
function replay(entries: readonly StoredEntry[]): Map<string, Row> {
  const rows = new Map<string, Row>()
  for (const record of entries.flatMap(({ records }) => records)) {
    const standing = rows.get(record.key)
    if (standing !== undefined && standing.ver >= record.ver) continue
    rows.set(record.key, { ver: record.ver, op: record.op, text: record.op === 'put' ? JSON.stringify(record.body) : record.why })
  }
  return rows
}

const sameRows = (a: ReadonlyMap<string, Row>, b: ReadonlyMap<string, Row>): boolean =>
  a.size === b.size && [...a].every(([key, row]) => b.get(key)?.ver === row.ver && b.get(key)?.text === row.text)
