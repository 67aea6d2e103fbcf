/**
 * How a hub lies: as the keeper of the road (it drops, reorders, replays and alters what it delivers), as the signer of receipts, and
 * as the one who is asked first. It has its own key and nobody else's.
 */
import { digestOf } from '../../schemas/digest.ts'
import { formatLogId, type LogHead, type LogId } from '../../schemas/log.ts'
import { formatChunk, parseChunk } from '../../schemas/snapshot.ts'
import { randomOf } from '../samples/random.ts'
import type { Fault, HubLie } from './faults.ts'
import type { Answer, Arrival } from './network.ts'

export type HubLies = {
  /** whether the hub has lied in a way that leaves its own ledger wrong */
  readonly ledgerWrong: () => boolean
  swallows(origin: string): boolean
  deliveries(reader: string, origin: string, arrival: Arrival): Arrival[]
  withholdsHead(reader: string): boolean
  /** an older head in place of this one */
  headInstead(reader: string, key: string, token: string): string
  /** what the hub signs in place of a receipt for this head; `own` when it has just received it */
  receiptHeads(origin: string, log: LogId, head: LogHead): LogHead[]
  withholdsReceipt(origin: string): boolean
  receiptInstead(origin: string, log: LogId, token: string): string
  /** the hub acknowledges and receipts an entry and does not write it */
  forgetsEntry(origin: string): boolean
  /** `isGroup`: a piece of a snapshot that is no manifest */
  answer(asker: string, answer: Answer, foreign: () => readonly Arrival[], isGroup: boolean): Answer
}

const flip = (bytes: Buffer): Buffer => {
  const changed = Buffer.from(bytes)
  const at = changed.length >> 1
  changed[at] = (changed[at] ?? 0) ^ 1
  return changed
}
const flipText = (token: string): string => {
  const at = token.length - 20
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
}
const altered = (arrival: Arrival): Arrival =>
  arrival.body === null ? { ...arrival, token: flipText(arrival.token) } : { ...arrival, body: alteredBody(arrival.body) }

/** Still a batch that can be read, so that only its digest gives it away. */
function alteredBody(body: Buffer): Buffer {
  const text = body.toString('utf8')
  const changed = text.replace('"name":"', '"name":"X')
  return changed === text ? flip(body) : Buffer.from(changed)
}

/** A piece that says something else, and can be read all the same. */
function alteredChunk(piece: Buffer): Buffer {
  const [line, ...rest] = parseChunk(piece)
  if (line === undefined) return piece
  return formatChunk([{ ...line, text: line.text.replace('"name":"', '"name":"X') }, ...rest])
}

export function createHubLies(seed: number, faults: readonly Fault[], now: () => number, note: (line: string) => void): HubLies {
  const lies = faults.filter(fault => fault.kind === 'hub lies')
  const firstHeads = new Map<string, string>()
  const firstReceipts = new Map<string, string>()
  const earlier = new Map<string, Arrival>()
  let count = 0
  let ledgerWrong = false

  function tells(how: HubLie, to: string): boolean {
    if (lies.length === 0) return false
    const lie = lies.find(
      fault => fault.how === how && (fault.to === null || fault.to === to) && now() >= fault.at && now() < fault.at + fault.ms,
    )
    if (lie === undefined) return false
    count += 1
    const told = randomOf(seed, 'lie', how, to, count).chance(lie.chance)
    if (told) note(`hub lies to ${to}: ${how}`)
    return told
  }

  const falseDigest = (head: LogHead): LogHead => ({ ...head, digest: digestOf(`${seed}/${head.digest}`) })

  return {
    ledgerWrong: () => ledgerWrong,
    swallows: origin => tells('swallow publishes', origin),
    deliveries(reader, origin, arrival) {
      if (lies.length === 0) return [arrival]
      const key = `${reader}/${origin}`
      const said: Arrival[] = []
      const held = earlier.get(key)
      if (tells('drop deliveries', reader)) return []
      if (tells('reorder deliveries', reader)) {
        if (held === undefined) {
          earlier.set(key, arrival)
          return []
        }
        said.push(arrival, held)
        earlier.delete(key)
        return said
      }
      if (tells('alter bodies', reader)) said.push(altered(arrival))
      else if (tells('alter tokens', reader)) said.push({ ...arrival, token: flipText(arrival.token) })
      else said.push(arrival)
      if (tells('replay deliveries', reader)) said.push(arrival, arrival)
      return said
    },
    withholdsHead: reader => tells('withhold heads', reader),
    headInstead(reader, key, token) {
      if (lies.length === 0) return token
      if (!firstHeads.has(key)) firstHeads.set(key, token)
      return tells('replay heads', reader) ? (firstHeads.get(key) ?? token) : token
    },
    receiptHeads(origin, _log, head) {
      if (tells('receipts with a false digest', origin)) return [falseDigest(head)]
      if (tells('receipts with two digests', origin)) return [head, falseDigest(head)]
      if (tells('receipts beyond the ledger', origin)) return [head, falseDigest({ ...head, seq: head.seq + 3 })]
      return [head]
    },
    withholdsReceipt: origin => tells('withhold receipts', origin),
    receiptInstead(origin, log, token) {
      if (lies.length === 0) return token
      const key = formatLogId(log)
      if (!firstReceipts.has(key)) firstReceipts.set(key, token)
      return tells('replay receipts', origin) ? (firstReceipts.get(key) ?? token) : token
    },
    forgetsEntry(origin) {
      const forgets = tells('receipts for what is not held', origin)
      if (forgets) ledgerWrong = true
      return forgets
    },
    answer(asker, answer, foreign, isGroup) {
      if (answer.what === 'range') {
        if (tells('answer no range', asker)) return { what: 'range', arrivals: [] }
        if (tells('answer foreign entries', asker)) return { what: 'range', arrivals: foreign() }
        if (tells('answer altered entries', asker)) return { what: 'range', arrivals: answer.arrivals.map(altered) }
        if (tells('answer with holes', asker))
          return { what: 'range', arrivals: answer.arrivals.filter((_, index) => index % 2 === 1) }
      }
      if (answer.what === 'redactions' && answer.arrivals.length > 0 && tells('withhold redactions', asker))
        return { what: 'redactions', arrivals: [] }
      if (answer.what === 'snapshot') {
        if (tells('refuse snapshots', asker)) return { what: 'snapshot', said: 'refuses', piece: null }
        if (tells('give no snapshots', asker)) return { what: 'snapshot', said: 'lacks', piece: null }
        if (isGroup && answer.piece !== null && tells('alter snapshots', asker))
          return { ...answer, piece: alteredChunk(answer.piece) }
      }
      if (answer.what === 'standing') {
        if (tells('stand too low', asker)) return { what: 'standing', standing: { entries: [], heads: [] } }
        if (tells('stand too high', asker))
          return { what: 'standing', standing: { ...answer.standing, entries: answer.standing.entries.map(raised) } }
      }
      return answer
    },
  }
}

/** The token of an entry with a higher position in its claims: the signature is no longer its own. */
function raised(arrival: Arrival): Arrival {
  const [header = '', claims = '', signature = ''] = arrival.token.split('.')
  const value = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as { seq?: number }
  const text = JSON.stringify({ ...value, ...(value.seq === undefined ? {} : { seq: value.seq + 7 }) })
  return { ...arrival, token: `${header}.${Buffer.from(text).toString('base64url')}.${signature}` }
}
