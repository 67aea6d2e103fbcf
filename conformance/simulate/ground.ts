/** What a virtual program stands on: time, road, disk, luck. Given to programs; it decides nothing for them. */
import type { KeeperAnswer } from '../../schemas/bootstrap-rule.ts'
import type { ChainEntry, LogHead, LogId, Position } from '../../schemas/log.ts'
import type { OpenedToken } from '../../schemas/opening.ts'
import type { Redaction } from '../../schemas/redaction.ts'
import type { SnapshotMark } from '../../schemas/snapshot.ts'
import type { Head } from '../../schemas/statements.ts'
import type { Disk, Note, StoredEntry } from './disk.ts'
import type { Step } from './faults.ts'
import type { HubLies } from './hub-lies.ts'
import type { Members } from './members.ts'
import type { Arrival, Message } from './network.ts'
import type { Plan } from './plan.ts'
import type { Rules } from './rules.ts'

/** From one start of a program to its death: what it planned dies with it. */
export type Life = { readonly code: string; alive: boolean }

/** Thrown by a step at which the plan kills the program; nothing after it happens. */
export class Crash extends Error {
  readonly downMs: number
  constructor(downMs: number) {
    super('crash')
    this.downMs = downMs
  }
}

export type Asked = { readonly holder: string; readonly added: number }

/** Told of what programs do, by the programs, and believed by the invariants alone. */
export type Watch = {
  /** an origin declared what it cannot have back lost, from a position up to its new opening */
  reopened(log: LogId, lost: Position, opening: ChainEntry): void
  /** an origin committed an entry of its own log */
  sealed(code: string, stored: StoredEntry, log: LogId): void
  /** bytes of an own log, or a statement about it, have left the origin */
  disclosed(log: LogId, at: Position): void
  /** a holder has settled a statement of an origin, otherwise than by a gap */
  settled(code: string, token: OpenedToken): void
  headTaken(code: string, head: Head, before: Head | null): void
  receiptTaken(code: string, log: LogId, head: LogHead, token: string): void
  /** the road was told that it may forget a message */
  acknowledged(code: string, token: string): void
  /** an origin announces a state root that its log gives, or one that it does not */
  rootTold(log: LogId, mark: SnapshotMark, honest: boolean): void
  /** a holder has judged an announced root by what stands on its own disk */
  rootJudged(code: string, log: LogId, mark: SnapshotMark, verdict: 'same' | 'differs'): void
  /** an origin committed a redaction of its own; not `honest` if it takes what it may not */
  redacted(redaction: Redaction, honest: boolean): void
  /** what became of it at the origin itself */
  erasureOrdered(redaction: Redaction, verdict: string): void
  /** a holder asked these for what was erased, and doubts some of them */
  erasuresAsked(code: string, log: LogId, asked: readonly Asked[], doubted: readonly string[]): void
  /** the hub kept back what was erased when it was asked */
  redactionsWithheld(code: string, log: LogId): void
  /** a newcomer has loaded a state, after these answers of others */
  snapshotLoaded(code: string, log: LogId, mark: SnapshotMark, answers: readonly KeeperAnswer[]): void
  /** a holder emptied a log, so as to read it anew */
  emptied(code: string, log: LogId): void
  /** the hub signed a receipt */
  receipted(log: LogId, head: LogHead): void
  done(operation: number): void
  /** every invariant, at what this program's disk holds now */
  check(code: string): Promise<void>
}

export type Ground = {
  readonly plan: Plan
  readonly rules: Rules
  readonly members: Members
  readonly hubLies: HubLies
  readonly watch: Watch
  now(): number
  /** the program's own clock, which may be wrong */
  time(code: string): Date
  after(ms: number, life: Life, act: () => Promise<void> | void): void
  step(life: Life, name: Step): void
  send(from: string, to: string, message: Message): void
  note(line: string): void
  /** a number for a question or a publish, never given twice */
  ref(): number
  disk(code: string): Disk
  /** the origin's own note of what it sealed, outside its disk; null if it has none */
  sealedNote(code: string): Note | null
  /** a new note, when sealing begins */
  renewNote(code: string, positions: Map<string, Position>): void
  mayRead(code: string, audience: string): boolean
  /** all programs but the hub that have joined by now and can be reached at all */
  readonly codes: readonly string[]
  /** beside the hub's database: the last receipt that it signed for each log */
  readonly receipted: Map<string, LogHead>
  /** entries that an origin shows in place of its own when it is asked for a range, by position */
  readonly falseHistory: Map<string, Arrival>
}

/** One transaction: the program may die before the commit, and then none of it has happened. The invariants hold behind it. */
export async function transact(
  ground: Ground,
  life: Life,
  written: Step,
  committed: Step,
  writes: readonly (() => void)[],
): Promise<void> {
  ground.step(life, written)
  for (const write of writes) write()
  await ground.watch.check(life.code)
  ground.step(life, committed)
}
