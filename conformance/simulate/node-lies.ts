/** How an origin lies: it signs, with its own key, two things about its own logs that cannot both be true; or speaks for another. */

import { digestOf } from '../../schemas/digest.ts'
import { sealEnvelope, sealOpening } from '../../schemas/envelope.ts'
import type { LogHead, LogId } from '../../schemas/log.ts'
import { formatLogId, formatPosition } from '../../schemas/log.ts'
import type { ExchangeRecord } from '../../schemas/record.ts'
import { redactBody, sealRedaction } from '../../schemas/redaction.ts'
import { type StateRecord, stateLine } from '../../schemas/snapshot.ts'
import { sealHead } from '../../schemas/statements.ts'
import { randomOf } from '../samples/random.ts'
import { append, type DiskLog, type StoredEntry } from './disk.ts'
import type { Fault, NodeLie } from './faults.ts'
import type { Ground } from './ground.ts'
import { arrivalOf } from './holder.ts'
import { HUB } from './members.ts'
import { type Arrival, BROKER } from './network.ts'
import { applyRecords } from './replica.ts'
import { stateIn } from './roots.ts'
import { bodyOf, contextOf, saltOf, storedOf } from './sealer.ts'
import { keep, snapshotOf } from './snapshots.ts'

type Telling = {
  readonly ground: Ground
  readonly who: string
  readonly log: LogId
  readonly on: DiskLog
  readonly head: LogHead
  /** an entry that was sealed, chosen by the plan */
  readonly some: StoredEntry
  readonly one: string
  readonly salt: string
  readonly records: readonly ExchangeRecord[]
}

const headBefore = ({ on, some }: Telling): LogHead | null => {
  const before = on.entries[on.entries.indexOf(some) - 1]
  return before === undefined || some.kind === 'epoch' ? null : before.entry
}

async function forge({ ground, who, log, salt, records }: Telling, previous: LogHead): Promise<Arrival> {
  const sealed = await sealEnvelope(log, previous, records, { ...contextOf(ground, who), salt })
  return arrivalOf(log, storedOf(sealed, null, previous, records))
}

function publish({ ground, who }: Telling, arrival: Arrival): void {
  ground.send(who, BROKER, { kind: 'publish', ref: ground.ref(), id: digestOf(arrival.token), arrival })
}
/** As the answer to a question that nobody asked, or a file: it came under no subject. */
function hand({ ground, who, one }: Telling, arrival: Arrival): void {
  ground.send(who, one, { kind: 'entry', origin: who, seq: -1, arrival: { ...arrival, subject: null } })
}

async function announce({ ground, who, log }: Telling, at: LogHead, to: readonly string[], origin = who): Promise<void> {
  const logs = [{ log: { ...log, origin }, head: at }]
  const token = await sealHead(origin, log.audience, logs, [], { ...contextOf(ground, who) })
  for (const reader of to) ground.send(who, reader, { kind: 'head', origin, audience: log.audience, token })
}

/** A redaction that names some keys and takes the bodies of others, published like a good one. The liar keeps its own log as it was. */
async function redact(telling: Telling, { entry, body, dig }: StoredEntry, named: ReadonlySet<string>, taken: ReadonlySet<string>) {
  const { ground, who, log, salt } = telling
  if (body === null || dig === null) return
  const plain = redactBody(body, taken, `${salt.slice(0, 20)}rr`)
  const position = { epoch: entry.epoch, seq: entry.seq }
  const token = await sealRedaction({ log, position, old: dig, keys: named, why: 'ordered', body: plain }, contextOf(ground, who))
  const redaction = await ground.rules.openRedaction(token, ground.members.membership, log)
  ground.watch.redacted(redaction, false)
  const arrival: Arrival = { kind: 'redaction', token, body: plain, subject: log }
  ground.send(who, BROKER, { kind: 'publish', ref: ground.ref(), id: digestOf(token), arrival })
}

const everyone = ({ ground, who, log }: Telling): string[] => [
  HUB,
  ...ground.codes.filter(code => code !== who && ground.mayRead(code, log.audience)),
]
const falsified = (head: LogHead): LogHead => ({ epoch: head.epoch, seq: head.seq, digest: digestOf(`false/${head.digest}`) })
const closed = ({ on, head }: Telling): LogHead | null =>
  on.entries.findLast(({ entry }) => entry.epoch === head.epoch - 1)?.entry ?? null

const LIES: { readonly [how in NodeLie]: (telling: Telling) => Promise<void> } = {
  'false state root': async telling => {
    const { ground, who, log, on, head } = telling
    const mark = { at: head, root: digestOf(`false/${head.digest}`), records: on.rows.size }
    ground.watch.rootTold(log, mark, false)
    const token = await sealHead(who, log.audience, [{ log, head, snapshot: mark }], [], contextOf(ground, who))
    for (const reader of everyone(telling)) ground.send(who, reader, { kind: 'head', origin: who, audience: log.audience, token })
  },
  'second entry': async telling => {
    const before = headBefore(telling)
    if (before !== null) publish(telling, await forge(telling, before))
  },
  'second entry to one': async telling => {
    const before = headBefore(telling)
    if (before !== null) hand(telling, await forge(telling, before))
  },
  'second next entry to one': async telling => hand(telling, await forge(telling, telling.head)),
  'broken chain': async telling => publish(telling, await forge(telling, falsified(telling.head))),
  'head with another digest': async telling => announce(telling, falsified(telling.some.entry), everyone(telling)),
  'head with another digest to one': async telling => announce(telling, falsified(telling.some.entry), [telling.one]),
  'head ahead of the entries with another digest': async telling =>
    announce(telling, falsified({ ...telling.head, seq: telling.head.seq + 1 }), everyone(telling)),
  'false epoch': async telling => {
    const { ground, who, log, head, some } = telling
    if (some.entry.epoch !== head.epoch) return
    const closing = { epoch: some.entry.epoch, seq: some.entry.seq, digest: some.entry.digest }
    const sealed = await sealOpening(log, head.epoch + 1, closing, contextOf(ground, who))
    publish(telling, arrivalOf(log, storedOf(sealed, closing, null, [])))
  },
  'false loss': async telling => {
    const { ground, who, log, head, some } = telling
    if (some.kind === 'epoch' || some.entry.kind !== 'envelope') return
    const lost = { epoch: some.entry.epoch, seq: some.entry.seq, previous: some.entry.previous, floor: 9 }
    const sealed = await sealOpening(log, head.epoch + 1, head, contextOf(ground, who), lost)
    publish(telling, arrivalOf(log, storedOf(sealed, head, null, [], lost)))
  },
  'entry behind the end of an epoch': async telling => {
    const before = closed(telling)
    if (before !== null) publish(telling, await forge(telling, before))
  },
  'head behind the end of an epoch': async telling => {
    const before = closed(telling)
    if (before !== null) await announce(telling, falsified({ ...before, seq: before.seq + 2 }), everyone(telling))
  },
  'version counted back': async ({ ground, who, on, log, head, salt, records }) => {
    // Signed, chained and committed, and allowed to stand: what a record says of its version is its origin's to say.
    const [key, row] = [...on.rows].at(-1) ?? []
    if (key === undefined || row === undefined) return
    const back = records.map(record => ({ ...record, key, ver: Math.max(1, row.ver - 1) }))
    const sealed = await sealEnvelope(log, head, back, { ...contextOf(ground, who), salt })
    const stored = storedOf(sealed, null, head, back)
    append(on, stored)
    applyRecords(ground, on, stored)
    ground.watch.sealed(who, stored, log)
    ground.sealedNote(who)?.positions.set(formatLogId(log), stored.entry)
  },
  'erasure of what stands': async telling => {
    const { on } = telling
    const stands = ({ op, key, ver }: ExchangeRecord): boolean => op === 'put' && on.rows.get(key)?.ver === ver
    const entry = on.entries.findLast(({ records }) => records.some(stands))
    const key = entry?.records.find(stands)?.key
    if (entry !== undefined && key !== undefined) await redact(telling, entry, new Set([key]), new Set([key]))
  },
  'erasure beyond its keys': async telling => {
    const { on } = telling
    // Names what may go, and takes what it does not name besides.
    const entry = on.entries.find(({ body, records }) => body !== null && records.filter(({ op }) => op === 'put').length > 1)
    const [first, ...rest] = entry?.records.filter(({ op }) => op === 'put').map(({ key }) => key) ?? []
    if (entry !== undefined && first !== undefined) await redact(telling, entry, new Set([first]), new Set([first, ...rest]))
  },
  'false snapshot': async ({ ground, who, on, head }) => {
    const lines = stateIn(ground, on, head) ?? []
    const records = lines.map(line => JSON.parse(line.text) as StateRecord)
    const number = records.findIndex(({ body }) => body !== undefined)
    const [line, record] = [lines[number], records[number]]
    if (line === undefined || record?.body === undefined || on.log.audience !== 'all') return
    const altered = stateLine(line.place, { ...record, body: { ...record.body, name: 'false' } })
    const kept = snapshotOf(head, lines.with(number, altered))
    on.kept = []
    keep(on, kept)
    ground.watch.rootTold(on.log, kept.mark, false)
    ground.note(`${who} keeps a false snapshot`)
  },
  'second history behind a snapshot': async telling => {
    const { ground, log, on } = telling
    for (const { kind, entry } of on.entries) {
      const before = on.entries[on.entries.findIndex(one => one.entry === entry) - 1]?.entry
      if (kind !== 'envelope' || before === undefined) continue
      ground.falseHistory.set(`${formatLogId(log)} ${formatPosition(entry)}`, { ...(await forge(telling, before)), subject: null })
    }
  },
  'second history to a restored hub': async telling => {
    // Of everything that the hub may have lost, in the order in which it can follow.
    const { ground, who, on } = telling
    for (const [index, { kind }] of on.entries.entries()) {
      const before = on.entries[index - 1]?.entry
      if (kind !== 'envelope' || before === undefined) continue
      const arrival = { ...(await forge(telling, before)), subject: null }
      ground.send(who, HUB, { kind: 'entry', origin: who, seq: -1, arrival })
    }
  },
  'head of another': async telling => {
    const { ground, who } = telling
    const other = ground.plan.origins.find(code => code !== who)
    if (other !== undefined) await announce(telling, falsified({ ...telling.head, epoch: 1, seq: 1 }), everyone(telling), other)
  },
  'entry of another': async telling => {
    const { ground, who, log, salt, records } = telling
    const origin = ground.plan.origins.find(code => code !== who)
    if (origin === undefined) return
    const at = { epoch: 1, seq: 0, digest: digestOf('somewhere') }
    const sealed = await sealEnvelope({ ...log, origin }, at, records, { ...contextOf(ground, who), salt })
    hand(telling, arrivalOf({ ...log, origin }, storedOf(sealed, null, at, records)))
  },
}

export async function tellLie(ground: Ground, fault: Fault & { kind: 'node lies' }): Promise<void> {
  const logs = [...ground.disk(fault.who).logs.values()].filter(({ log, head }) => log.origin === fault.who && head !== null)
  const random = randomOf(ground.plan.seed, 'node lie', fault.how, fault.at)
  const on = logs[fault.n % Math.max(1, logs.length)]
  if (on === undefined || on.head === null) return ground.note(`${fault.who} has nothing to lie about`)
  const some = on.entries[random.integer(0, on.entries.length - 1)]
  if (some === undefined) return
  const readers = [HUB, ...ground.codes.filter(code => code !== fault.who && ground.mayRead(code, on.log.audience))]
  const one = readers[random.integer(0, readers.length - 1)] ?? HUB
  const text = `lie-${fault.at}`
  const records: ExchangeRecord[] = [
    {
      key: `k${random.integer(1, 4)}`,
      op: 'put',
      ver: 9,
      at: '2026-01-01T00:00:00Z',
      platform: 'P1',
      body: bodyOf(on.log.dataset, text),
    },
  ]
  ground.note(`${fault.who} lies: ${fault.how}`)
  await LIES[fault.how]({ ground, who: fault.who, log: on.log, on, head: on.head, some, one, salt: saltOf(ground, text), records })
}
