/**
 * What can go wrong in a world, who can lie how, and what is written: the words of a plan. Lists that a plan draws from keep their order
 * and their length, because a seed means a place in them; what was thought of later stands in lists of its own (`LATER_…`).
 */

/** Every place where a program can die. Between two of them nothing is written and nothing leaves. */
export const STEPS = [
  'seal: begun',
  'seal: decided',
  'seal: sealed',
  'seal: written',
  'seal: committed',
  'publish: read',
  'publish: sent',
  'publish: acknowledged',
  'publish: noted',
  'receive: arrived',
  'receive: opened',
  'receive: settled',
  'receive: written',
  'receive: cursor moved',
  'receive: committed',
  'receive: acknowledged',
  'receipt: signed',
  'receipt: sent',
  'receipt: opened',
  'receipt: written',
  'receipt: committed',
  'head: opened',
  'head: written',
  'head: stored',
  'head: committed',
  'repair: asked',
  'repair: answered',
  'start: asked',
  'start: answered',
] as const
export const LATER_STEPS = [
  'erase: signed',
  'erase: written',
  'erase: committed',
  'load: written',
  'load: committed',
  'backfill: written',
  'backfill: committed',
] as const
export type Step = (typeof STEPS)[number] | (typeof LATER_STEPS)[number]

export const HUB_LIES = [
  'drop deliveries',
  'reorder deliveries',
  'replay deliveries',
  'alter bodies',
  'alter tokens',
  'swallow publishes',
  'withhold receipts',
  'receipts with a false digest',
  'receipts with two digests',
  'receipts beyond the ledger',
  'receipts for what is not held',
  'replay receipts',
  'withhold heads',
  'replay heads',
  'answer no range',
  'answer foreign entries',
  'answer altered entries',
  'answer with holes',
  'stand too low',
  'stand too high',
] as const
export const LATER_HUB_LIES = ['withhold redactions', 'alter snapshots', 'refuse snapshots', 'give no snapshots'] as const
export type HubLie = (typeof HUB_LIES)[number] | (typeof LATER_HUB_LIES)[number]

export const NODE_LIES = [
  'second entry',
  'second entry to one',
  'second next entry to one',
  'broken chain',
  'head with another digest',
  'head with another digest to one',
  'head ahead of the entries with another digest',
  'false epoch',
  'entry behind the end of an epoch',
  'head behind the end of an epoch',
  'false loss',
  'false state root',
  'version counted back',
  'head of another',
  'entry of another',
] as const
/** drawn apart from those above */
const TOLD_APART: ReadonlySet<string> = new Set(['false loss', 'false state root'])
export const DRAWN_LIES = NODE_LIES.filter(how => !TOLD_APART.has(how))
export const LATER_LIES = [
  'erasure of what stands',
  'erasure beyond its keys',
  'false snapshot',
  'second history behind a snapshot',
  'second history to a restored hub',
] as const
export type NodeLie = (typeof NODE_LIES)[number] | (typeof LATER_LIES)[number]

export type Operation = {
  readonly at: number
  readonly origin: string
  readonly dataset: 'entity' | 'expert'
  readonly audience: 'all' | 'national'
  /** `epoch` closes the epoch at the own head and opens the next; `erase` takes what was superseded of the keys */
  readonly what: 'put' | 'retract' | 'epoch' | 'erase'
  readonly keys: readonly string[]
  readonly text: string
}

/** what becomes of the origin's own note beside its database: it stays, it is gone, or it too comes out of the backup */
export type RestoredNote = 'kept' | 'lost' | 'restored'

/**
 * A file carried across the air gap: all of one holder's logs, or part of it. `last part first` brings the rest in a second file,
 * `cut off` ends within an entry, `altered` has a byte that nobody signed.
 */
export type Carry = {
  readonly at: number
  readonly from: string
  readonly shape: 'whole' | 'twice' | 'cut off' | 'last part first' | 'altered'
  readonly n: number
}

export type Fault =
  | {
      readonly kind: 'noise'
      readonly at: number
      readonly ms: number
      readonly loss: number
      readonly twice: number
      readonly slowMs: number
    }
  | { readonly kind: 'partition'; readonly at: number; readonly ms: number; readonly who: string }
  | { readonly kind: 'crash'; readonly who: string; readonly step: Step; readonly nth: number; readonly downMs: number }
  | { readonly kind: 'kill'; readonly at: number; readonly who: string; readonly downMs: number }
  | { readonly kind: 'broker away'; readonly at: number; readonly ms: number; readonly wiped: boolean }
  | {
      readonly kind: 'restore'
      readonly at: number
      readonly who: string
      readonly backupAt: number
      readonly downMs: number
      readonly note: RestoredNote
    }
  | { readonly kind: 'clock'; readonly at: number; readonly who: string; readonly byMs: number }
  | {
      readonly kind: 'hub lies'
      readonly at: number
      readonly ms: number
      readonly how: HubLie
      readonly to: string | null
      readonly chance: number
    }
  | { readonly kind: 'node lies'; readonly at: number; readonly who: string; readonly how: NodeLie; readonly n: number }

/** Faults begin before this; after it, everything works and tells the truth, and the world must heal. Milliseconds. */
export const TROUBLE_MS = 40_000
export const HEALED_BY_MS = 400_000

export const asPair = (codes: readonly string[]): [string, ...string[]] => [codes[0] ?? '', ...codes.slice(1)]
