/** What must hold at any time, and the exception that says it does not. */
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
  receipted: 'an honest hub signs for what its ledger holds, and never for two entries at one position',
  outranked: 'what an origin says after a loss outranks what it has declared lost',
  roots: 'a state root that follows from its log is never judged false, and one that does not never true',
  erased: 'a redaction takes the bodies that it names, of what was superseded, and nothing else',
  gone: 'what was erased at a holder stands in nothing that it keeps or gives',
  named: 'who keeps back what was erased is doubted by whoever got it elsewhere',
  loaded: 'a newcomer loads the state that the log gives, unless nobody whom it heard could tell',
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

export const fail = (invariant: Invariant, detail: string): never => {
  throw new Violation(invariant, detail)
}
