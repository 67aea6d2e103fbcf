/**
 * The invariants, checked after every event at whoever acted, against what the origins really committed, by means that share nothing
 * with the programs but the parsers and `contradiction`: a mutant of a rule never judges itself.
 */
import { assertionsOfEntry, assertionsOfHeads, contradiction } from '../../schemas/assertions.ts'
import { tokenKindOf } from '../../schemas/bundle.ts'
import { comparePositions, formatLogId, formatPosition, type LogHead, type LogId } from '../../schemas/log.ts'
import type { OpenedToken } from '../../schemas/opening.ts'
import type { openHead, openReceipt, Receipt } from '../../schemas/statements.ts'
import type { Disk, DiskLog, Fork } from './disk.ts'
import { erasedIn } from './disk.ts'
import type { Watch } from './ground.ts'
import { createHistories } from './histories.ts'
import { fail } from './invariants.ts'
import { type Checked, checkErasures, checkLedger, checkState, sameRows, stateOfHistory } from './ledger-check.ts'
import { HUB, type Members } from './members.ts'
import { codesOf, type Plan } from './plan.ts'
import { rootId } from './roots.ts'

/** Lies that leave the liar's own log in one history. */
const HARMLESS = new Set([
  'version counted back',
  'head of another',
  'entry of another',
  'false state root',
  'false snapshot',
  'erasure of what stands',
  'erasure beyond its keys',
])

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
  const incomplete = new Set<string>()
  const receipts = new Map<string, Receipt[]>()
  const marks = new Map<string, string>()
  const done = new Set<number>()
  const roots = new Map<string, boolean>()
  const liars = new Set(plan.faults.flatMap(fault => (fault.kind === 'node lies' && !HARMLESS.has(fault.how) ? [fault.who] : [])))
  const hubLies = plan.faults.some(fault => fault.kind === 'hub lies')
  const isHonest = (log: LogId): boolean => !liars.has(log.origin)

  const told = createHistories(isHonest)
  const histories = told.all
  /** what the hub has signed, by log and position */
  const signed = new Map<string, string>()
  const withheld = new Set<string>()
  const emptied = new Set<string>()
  /** who takes part by the end */
  const everyone = [
    ...codes,
    ...(plan.newcomer === null ? [] : [plan.newcomer.code]),
    ...(plan.gapped === null ? [] : [plan.gapped.code]),
  ]

  async function check(code: string): Promise<void> {
    const own = disk(code)
    for (const [id, log] of own.logs) {
      const announced = own.announced.get(`${log.log.origin}/${log.log.audience}`)
      const here = `${log.entries.length}/${log.applied.length}/${log.fork === null}/${log.receipt?.token}`
      const mark = `${here}/${announced}/${erasedIn(log)}/${log.base?.digest}/${log.loading?.groups.size}/${log.kept[0]?.mark.root}`
      if (marks.get(`${code} ${id}`) === mark) continue
      marks.set(`${code} ${id}`, mark)
      const checked: Checked = { code, id, log, honest: isHonest(log.log), history: histories.get(id) }
      checkLedger(checked)
      if (code !== HUB) checkState(checked)
      if (log.redactions.size > 0) checkErasures(checked)
      if (log.fork !== null) await checkFork(code, log, log.fork)
      else await checkAnnounced(code, own, log)
      if (log.receipt !== null) await checkReceipt(code, id, log.receipt)
    }
    checkKept(code, own)
    const convictions = `${own.convictions.length}`
    if (own.convictions.length > 0 && marks.get(`${code} hub`) !== convictions) await checkConvictions(code, own.convictions)
    marks.set(`${code} hub`, convictions)
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
    if (!hubLies && signed.get(`${id} ${formatPosition(head)}`) !== head.digest)
      fail('outbox', `${place}, and the hub never held it`)
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
    sealed: told.sealed,
    reopened: told.reopened,
    disclosed: told.disclosed,
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
      if (emptied.has(`${code} ${iss}/${ds}/${aud}`)) return
      if (past || log?.fork != null || [...quarantine.keys()].some(identity => identity.endsWith(token))) return
      fail('forgotten', `${code} acknowledges ${iss}/${ds}/${aud} ${ep}.${seq} and holds nothing of it`)
    },
    rootTold(log, mark, honest) {
      const id = rootId(log, mark)
      roots.set(id, roots.get(id) ?? honest)
    },
    rootJudged(code, log, mark, verdict) {
      const honest = roots.get(rootId(log, mark))
      if (honest === (verdict === 'same')) return
      fail(
        'roots',
        `${code} judges a ${honest === true ? 'true' : 'false'} root of ${formatLogId(log)} at ${formatPosition(mark.at)}: ${verdict}`,
      )
    },
    redacted(redaction, honest) {
      histories.get(formatLogId(redaction.log))?.redactions.set(redaction.token, honest)
    },
    erasureOrdered({ log, position }, verdict) {
      if (verdict !== 'erased')
        fail('erased', `${log.origin} has an order to erase in ${formatLogId(log)} ${formatPosition(position)}: ${verdict}`)
    },
    redactionsWithheld: (code, log) => void withheld.add(`${code} ${formatLogId(log)}`),
    erasuresAsked(code, log, asked, doubted) {
      const id = `${code} ${formatLogId(log)}`
      const empty = asked.findIndex(({ holder, added }) => holder === HUB && added === 0)
      const later = empty >= 0 && asked.slice(empty + 1).some(({ added }) => added > 0)
      if (withheld.has(id) && later && !doubted.includes(HUB))
        fail('named', `${code} does not doubt the hub, which kept erasures back`)
      withheld.delete(id)
    },
    snapshotLoaded(code, log, mark, answers) {
      const on = disk(code).logs.get(formatLogId(log))
      const history = histories.get(formatLogId(log))
      if (on === undefined || history === undefined || !isHonest(log)) return
      if (sameRows(stateOfHistory(history, mark.at), on.loaded)) return
      const heard = answers.filter(({ said }) => said === 'refuses').map(({ holder }) => holder)
      if (roots.get(rootId(log, mark)) !== false || heard.length > 0)
        fail(
          'loaded',
          `${code} has loaded a false state of ${formatLogId(log)}${heard.length > 0 ? `, though ${heard.join()} refused it` : ''}`,
        )
    },
    emptied: (code, log) => void emptied.add(`${code} ${formatLogId(log)}`),
    receipted(log, head) {
      const at = `${formatLogId(log)} ${formatPosition(head)}`
      const held = disk(HUB).logs.get(formatLogId(log))?.index.get(formatPosition(head))?.entry.digest
      if (!hubLies && held !== head.digest) fail('receipted', `the hub signs for ${at}, which it does not hold`)
      if (!hubLies && (signed.get(at) ?? head.digest) !== head.digest) fail('receipted', `the hub signs for two entries at ${at}`)
      signed.set(at, head.digest)
    },
    done: operation => void done.add(operation),
    restored(code) {
      told.restored(code, (id, place) => disk(code).logs.get(id)?.index.has(place) === true)
      incomplete.add(code)
      for (const key of [...receipts.keys()]) if (key.startsWith(`${code} `)) receipts.delete(key)
      for (const key of [...marks.keys()]) if (key.startsWith(`${code} `)) marks.delete(key)
    },
    isAsked: code => [...incomplete].some(other => other !== code),
    mayRestore(code) {
      if (incomplete.size > 0) return false
      const witnesses = [...(hubLies ? [] : [HUB]), ...codes.filter(other => other !== code && !liars.has(other))]
      for (const [id, { log }] of histories) {
        const seen = told.seen(id)
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
      for (const [id, { log, digests, redactions }] of histories) {
        if (!isHonest(log)) continue
        const origin = disk(log.origin).logs.get(id)
        // An origin that signs what it does not keep itself has nobody with it.
        const erasesFalsely = [...redactions.values()].includes(false)
        for (const code of [HUB, ...everyone.filter(one => options.mayRead(one, log.audience) || one === log.origin)]) {
          const held = disk(code).logs.get(id)
          const count = held?.entries.filter(({ entry }) => digests.has(formatPosition(entry))).length ?? 0
          if (held === undefined || count !== digests.size) return `${code} holds ${count} of ${digests.size} entries of ${id}`
          if (code !== HUB && (origin === undefined || !sameRows(held.rows, origin.rows)))
            return `${code} has another state of ${id}`
          if (held.base !== null) return `${code} has not held the snapshot of ${id} against its log`
          const missing = erasesFalsely ? null : (erasedOnly(origin, held) ?? erasedOnly(held, origin))
          if (missing !== null) return `${code} and ${log.origin} have not both erased ${missing} of ${id}`
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

/** Something that is erased in one and not in the other. */
function erasedOnly(one: DiskLog | undefined, other: DiskLog | undefined): string | null {
  for (const [at, { keys }] of one?.redactions ?? [])
    for (const key of keys) if (other?.redactions.get(at)?.keys.has(key) !== true) return `${key} at ${at}`
  return null
}
