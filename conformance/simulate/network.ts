/**
 * The virtual network, and who speaks over it. A message's fate hangs on the seed, its link and how many went over that link before,
 * and on nothing else: leaving one fault out of a plan changes no other message's luck.
 */
import type { LogId } from '../../schemas/log.ts'
import type { SnapshotMark } from '../../schemas/snapshot.ts'
import { randomOf } from '../samples/random.ts'
import type { Fault } from './faults.ts'

export const BROKER = 'broker'

/** An entry as it travels: what the token says is known only after it was opened. */
export type Arrival = {
  /** `redaction`: one by itself, with the body that it names */
  readonly kind: 'envelope' | 'epoch' | 'redaction'
  readonly token: string
  readonly body: Buffer | null
  /** of an envelope whose body is the redacted one */
  readonly redaction?: string
  /** it came in a file */
  readonly file?: true
  /** log whose subject it came under; null for a repair */
  readonly subject: LogId | null
}
export type Question =
  | { readonly what: 'range'; readonly log: LogId; readonly epoch: number; readonly from: number }
  | { readonly what: 'receipts' }
  | { readonly what: 'standing' }
  | { readonly what: 'heads' }
  | { readonly what: 'redactions'; readonly log: LogId }
  /** the manifest, or a group by its number */
  | { readonly what: 'snapshot'; readonly log: LogId; readonly mark: SnapshotMark; readonly group: number | null }
/** What a holder says of the asker's logs: tokens that the asker itself signed. `claimed` is what it says beside them. */
export type Standing = { readonly entries: readonly Arrival[]; readonly heads: readonly string[] }
export type Answer =
  | { readonly what: 'range'; readonly arrivals: readonly Arrival[] }
  | { readonly what: 'receipts'; readonly tokens: readonly string[] }
  | { readonly what: 'standing'; readonly standing: Standing }
  | {
      readonly what: 'heads'
      readonly heads: readonly { readonly origin: string; readonly audience: string; readonly token: string }[]
    }
  | { readonly what: 'redactions'; readonly arrivals: readonly Arrival[] }
  | { readonly what: 'snapshot'; readonly said: 'gives' | 'refuses' | 'lacks'; readonly piece: Buffer | null }

/** Asks one program; what comes back, or null when nothing does for a while. */
export type Ask = (to: string, question: Question, answered: (answer: Answer | null) => Promise<void> | void) => void

export type Message =
  | { readonly kind: 'publish'; readonly ref: number; readonly id: string; readonly arrival: Arrival }
  | { readonly kind: 'published'; readonly ref: number }
  | { readonly kind: 'entry'; readonly origin: string; readonly seq: number; readonly arrival: Arrival }
  | { readonly kind: 'ack' | 'nak'; readonly origin: string; readonly seq: number }
  | { readonly kind: 'head'; readonly origin: string; readonly audience: string; readonly token: string }
  | { readonly kind: 'receipt'; readonly token: string }
  | { readonly kind: 'question'; readonly ref: number; readonly question: Question }
  | { readonly kind: 'answer'; readonly ref: number; readonly answer: Answer }

export type Network = {
  /** Delays after which a message arrives: none when it is lost, two when it comes twice. */
  fateOf(from: string, to: string, now: number): number[]
}

const lasts = (fault: Fault & { at: number; ms: number }, now: number): boolean => now >= fault.at && now < fault.at + fault.ms

export function createNetwork(seed: number, faults: readonly Fault[]): Network {
  const counts = new Map<string, number>()
  const noises = faults.filter(fault => fault.kind === 'noise')
  const partitions = faults.filter(fault => fault.kind === 'partition')
  return {
    fateOf(from, to, now) {
      const link = `${from}>${to}`
      const count = (counts.get(link) ?? 0) + 1
      counts.set(link, count)
      if (partitions.some(fault => lasts(fault, now) && (fault.who === from || fault.who === to))) return []
      const random = randomOf(seed, link, count)
      const delays = [random.integer(1, 12)]
      for (const fault of noises) {
        if (!lasts(fault, now)) continue
        if (random.chance(fault.loss)) return []
        delays[0] = (delays[0] ?? 0) + random.integer(0, fault.slowMs)
        if (random.chance(fault.twice)) delays.push(random.integer(1, 12 + fault.slowMs))
      }
      return delays
    },
  }
}
