import { comparePositions, formatLogId, formatPosition, type LogHead, type LogId } from '../../schemas/log.ts'
import { type LogAt, type Receipt, sealHead } from '../../schemas/statements.ts'
import type { Outbox, Witness } from '../../schemas/sync.ts'
import type { Broker } from './broker.ts'
import { type DiskLog, entryAt, logOn, rangeOf } from './disk.ts'
import { type Ground, type Life, transact } from './ground.ts'
import { arrivalOf, createHolder } from './holder.ts'
import { FED, HUB, signerOf } from './members.ts'
import { BROKER, type Message, type Standing } from './network.ts'
import type { Role } from './role.ts'
import { markOf } from './roots.ts'
import { highestVersion, sealOperation, sealReopening } from './sealer.ts'

const WINDOW = 8
const TICK_MS = 1000
const PUBLISH_TIMEOUT_MS = 5000
const SETTLE_MS = 250
const HEAD_INTERVAL_MS = 15_000
const ASK_AGAIN_MS = 4000
/** how long a node waits for what others know before its operator acts */
const OPERATOR_MS = 20_000

export function createNodeRole(ground: Ground, life: Life, broker: Broker): Role {
  const { rules, members } = ground
  const { membership } = members
  const { code } = life
  const signer = signerOf(members, code)
  const disk = () => ground.disk(code)
  const holder = createHolder(ground, life, {
    effect: true,
    settled: async () => {},
    others: log => ground.codes.filter(other => other !== code && (other === log.origin || ground.mayRead(other, log.audience))),
  })
  const ownLogs = (): DiskLog[] => [...disk().logs.values()].filter(({ log }) => log.origin === code)

  // --- start: what others hold of the own logs is taken back before anything is sealed
  const standings = new Map<string, Standing>()
  let sealing = false

  function askStandings(): void {
    const all = [HUB, ...(rules.order.askEveryoneAtStart ? ground.codes.filter(other => other !== code) : [])]
    for (const other of all) {
      if (standings.has(other)) continue
      holder.ask(other, { what: 'standing' }, async answer => {
        if (answer?.what !== 'standing' || sealing) return
        standings.set(other, answer.standing)
        ground.step(life, 'start: answered')
        if (all.every(one => standings.has(one)) && !considering) await considerSealing()
      })
    }
    ground.step(life, 'start: asked')
    ground.after(ASK_AGAIN_MS, life, async () => {
      if (sealing || all.every(one => standings.has(one))) return
      // A note that no backup can have brought says itself how much is missing.
      const enough = !rules.order.awaitEveryAnswer || (noteAtStart?.trusted === true && startedAs === 'restored')
      if (enough && standings.size > 0 && !considering) await considerSealing()
      else askStandings()
    })
  }

  const noteAtStart = ground.sealedNote(code)
  const startedAs = rules.judgeStart(noteAtStart, id => disk().logs.get(id)?.head ?? null)
  const operatorComes = ground.now() + OPERATOR_MS
  let considering = false

  function beginSealing(): void {
    sealing = true
    const heads = ownLogs().flatMap(({ log, head }) => (head === null ? [] : [[formatLogId(log), head] as const]))
    ground.renewNote(code, new Map(heads))
    ground.note(`${code} may seal`)
    wake()
    moved()
  }

  /** The operator has waited long enough: what nobody delivers is declared lost, unless a receipt says that the hub holds it. */
  function declareLost(log: LogId, list: readonly Witness[]): void {
    holder.ask(HUB, { what: 'receipts' }, async answer => {
      if (answer?.what !== 'receipts' || sealing) return
      const on = logOn(disk(), log)
      const receipts = await Promise.all(answer.tokens.map(token => rules.openReceipt(token, membership).catch((): null => null)))
      const covered = receipts.some(
        receipt =>
          receipt !== null &&
          formatLogId(receipt.log) === formatLogId(log) &&
          (on.head === null || comparePositions(receipt.head, on.head) > 0),
      )
      const mark = noteAtStart?.positions.get(formatLogId(log)) ?? null
      const plan = rules.planReopening(on.head, list, mark, highestVersion(on))
      if (plan === null || covered) return
      ground.note(`${code} declares ${formatLogId(log)} lost from ${formatPosition(plan.lost)} on`)
      await sealReopening(ground, life, log, plan)
    })
  }

  async function considerSealing(): Promise<void> {
    considering = true
    const witnesses = new Map<string, { log: LogId; list: Witness[] }>()
    const witness = (holderCode: string, { log, head }: LogAt): void => {
      if (log.origin !== code) return
      const known = witnesses.get(formatLogId(log)) ?? { log, list: [] }
      witnesses.set(formatLogId(log), known)
      known.list.push({ holder: holderCode, head })
    }
    for (const [other, standing] of standings) for (const at of await positionsOf(standing)) witness(other, at)
    for (const id of noteAtStart?.positions.keys() ?? []) {
      const [origin = '', dataset = '', audience = ''] = id.split('/')
      if (!witnesses.has(id)) witnesses.set(id, { log: { origin, dataset, audience }, list: [] })
    }
    let behind = false
    for (const { log, list } of witnesses.values()) {
      const mark = noteAtStart?.positions.get(formatLogId(log)) ?? null
      const verdict = rules.maySeal(disk().logs.get(formatLogId(log))?.head ?? null, list, mark)
      if (verdict.kind === 'seal') continue
      behind = true
      ground.note(`${code} takes back ${formatLogId(log)} up to ${formatPosition(verdict.behind.head)}`)
      if (ground.now() > operatorComes && !holder.isRepairing(log)) declareLost(log, list)
      holder.repair(log, verdict.behind.head)
    }
    if (behind) ground.after(TICK_MS, life, considerSealing)
    else if (!sealing) beginSealing()
  }

  /** A witness is believed as far as the own signature stands under what it shows. */
  async function positionsOf({ entries, heads }: Standing): Promise<LogAt[]> {
    const found: LogAt[] = []
    for (const arrival of entries) {
      const opened = rules.order.verifyWitness
        ? await rules.openToken(arrival.kind, arrival.token, membership, null).catch((): null => null)
        : unverified(arrival.token)
      if (opened !== null) found.push({ log: opened.log, head: opened.entry })
    }
    for (const token of heads) {
      const head = await rules.openHead(token, membership).catch((): null => null)
      if (head?.origin === code) found.push(...head.logs)
    }
    return found
  }

  // --- outbox
  const sent = new Map<string, { position: LogHead; at: number; askedAt: number }>()
  const flying = new Map<string, { readonly refs: Set<number>; readonly end: LogHead }>()

  const outboxNow = (): number => (rules.order.outboxOnSteadyClock ? ground.now() : ground.time(code).getTime())

  async function publishFrom({ log, head, receipt }: DiskLog): Promise<void> {
    const id = formatLogId(log)
    if (flying.has(id) || head === null) return
    const now = outboxNow()
    const box: Outbox = { head, receipt: receipt?.head ?? null, sent: sent.get(id) ?? null }
    const action = rules.nextOutboxAction(box, now)
    if (action.kind === 'idle') return
    if (action.kind === 'ask') {
      const last = sent.get(id)
      if (last !== undefined) last.askedAt = now
      return askReceipts()
    }
    const on = logOn(disk(), log)
    const batch = rangeOf(on, action.from.epoch, action.from.seq, WINDOW)
    const end = batch.at(-1)
    if (end === undefined) return
    ground.step(life, 'publish: read')
    const flight = { refs: new Set<number>(), end: end.entry }
    flying.set(id, flight)
    for (const stored of batch) {
      const ref = ground.ref()
      flight.refs.add(ref)
      ground.watch.disclosed(log, stored.entry)
      ground.send(code, BROKER, { kind: 'publish', ref, id: stored.entry.digest, arrival: arrivalOf(log, stored) })
      ground.step(life, 'publish: sent')
    }
    ground.after(PUBLISH_TIMEOUT_MS, life, () => {
      if (flying.get(id) === flight) flying.delete(id)
    })
  }

  function published(ref: number): void {
    for (const [id, flight] of flying) {
      if (!flight.refs.delete(ref) || flight.refs.size > 0) continue
      ground.step(life, 'publish: acknowledged')
      flying.delete(id)
      const { epoch, seq, digest } = flight.end
      sent.set(id, { position: { epoch, seq, digest }, at: outboxNow(), askedAt: 0 })
      const log = disk().logs.get(id)
      if (!rules.order.forgetOnReceipt && log !== undefined) log.receipt = { head: { epoch, seq, digest }, token: '' }
      ground.step(life, 'publish: noted')
      wake()
    }
  }

  function askReceipts(): void {
    holder.ask(HUB, { what: 'receipts' }, async answer => {
      if (answer?.what === 'receipts') for (const token of answer.tokens) await takeReceipt(token)
    })
  }

  async function takeReceipt(token: string): Promise<void> {
    const receipt = await rules.openReceipt(token, membership).catch((): null => null)
    ground.step(life, 'receipt: opened')
    const log = receipt === null ? undefined : disk().logs.get(formatLogId(receipt.log))
    if (receipt === null || receipt.log.origin !== code || log === undefined) return
    const id = formatLogId(receipt.log)
    const earlier: Receipt[] = []
    for (const [key, kept] of disk().receipts) if (key.startsWith(`${id}@`)) earlier.push(await rules.openReceipt(kept, membership))
    const own = {
      head: log.head,
      noted: log.receipt?.head ?? null,
      digestAt: (at: LogHead) => entryAt(log, at)?.entry.digest ?? null,
    }
    const verdict = rules.judgeReceipt(receipt, own as Parameters<typeof rules.judgeReceipt>[1], earlier)
    if (verdict.kind !== 'old') ground.note(`${code} judges a receipt for ${id} ${formatPosition(receipt.head)}: ${verdict.kind}`)
    const writes: (() => void)[] = []
    if (verdict.kind === 'take') {
      writes.push(() => {
        log.receipt = { head: receipt.head, token }
      })
    }
    const { convicts } = verdict
    if (convicts === null) writes.push(() => void disk().receipts.set(`${id}@${formatPosition(receipt.head)}`, token))
    else {
      const whom: string = convicts.whom
      const { convictions } = disk()
      const known = convictions.some(({ statements }) => statements[0] === convicts.statements[0])
      if (whom !== 'hub') {
        writes.push(() => {
          log.fork = convicts
        })
      }
      if (whom === 'hub' && !known) writes.push(() => void convictions.push(convicts))
    }
    await transact(ground, life, 'receipt: written', 'receipt: committed', writes)
    ground.watch.receiptTaken(code, receipt.log, receipt.head, token)
    if (verdict.kind === 'take') wake()
  }

  let woken = false
  function wake(): void {
    if (woken) return
    woken = true
    ground.after(1, life, async () => {
      woken = false
      if (sealing) for (const log of ownLogs()) await publishFrom(log)
    })
  }
  function tick(): void {
    wake()
    ground.after(TICK_MS, life, tick)
  }

  // --- heads
  let announceDue = 0
  let announcing = 0
  async function announce(round: number): Promise<void> {
    if (round !== announcing) return
    if (sealing) {
      const at = ({ log, head }: DiskLog): LogAt[] => (head === null ? [] : [{ log, head }])
      const context = { fed: FED, mem: membership.position, signer, now: ground.time(code) }
      for (const audience of new Set(['all', ...ownLogs().map(({ log }) => log.audience)])) {
        const logs = ownLogs()
          .filter(({ log }) => log.audience === audience)
          .flatMap(own => at(own).map(one => ({ ...one, snapshot: markOf(ground, own, one.head) })))
        const held = [...disk().logs.values()].filter(({ log }) => log.origin !== code && log.audience === audience).flatMap(at)
        const token = await sealHead(code, audience, logs, held, context)
        for (const one of logs) ground.watch.disclosed(one.log, one.head)
        for (const reader of [HUB, ...ground.codes])
          if (reader !== code && (reader === HUB || ground.mayRead(reader, audience)))
            ground.send(code, reader, { kind: 'head', origin: code, audience, token })
      }
    }
    schedule(HEAD_INTERVAL_MS)
  }
  function schedule(ms: number): void {
    announceDue = ground.now() + ms
    announcing += 1
    const round = announcing
    ground.after(ms, life, () => announce(round))
  }
  function moved(): void {
    if (announceDue - ground.now() > SETTLE_MS) schedule(SETTLE_MS)
  }

  return {
    async deliver(from, message: Message) {
      if (message.kind === 'published') published(message.ref)
      else if (message.kind === 'receipt') await takeReceipt(message.token)
      else if (message.kind === 'question') {
        if (message.question.what === 'receipts') return
        ground.send(code, from, { kind: 'answer', ref: message.ref, answer: holder.answer(from, message.question) })
      } else await holder.deliver(from, message)
    },
    start() {
      broker.attach(code)
      holder.start()
      schedule(SETTLE_MS)
      tick()
      if (startedAs === 'continued') beginSealing()
      else askStandings()
    },
    isSealing: () => sealing,
    async submit(operation) {
      if (!sealing) return false
      const log = await sealOperation(ground, life, operation)
      if (log !== null) {
        wake()
        moved()
      }
      return true
    },
  }
}

/** The position that a token claims, read without asking whose signature it bears: what a careless start would do. */
function unverified(token: string): { log: LogId; entry: LogHead } | null {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
    iss: string
    ds: string
    aud: string
    ep: number
    seq?: number
  }
  const entry = { epoch: claims.ep, seq: claims.seq ?? 0, digest: '' }
  return { log: { origin: claims.iss, dataset: claims.ds, audience: claims.aud }, entry }
}
