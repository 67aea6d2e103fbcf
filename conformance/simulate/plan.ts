/**
 * What happens in one world, drawn from its seed before anything runs: who takes part, what is written when, what goes wrong when.
 * A plan is a list, so that a failing one can be made smaller by leaving things out.
 */
import { type Random, randomOf } from '../samples/random.ts'
import { HUB, NATIONAL, PROVINCES } from './members.ts'

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
export type Step = (typeof STEPS)[number]

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
export type HubLie = (typeof HUB_LIES)[number]

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
const DRAWN_LIES = NODE_LIES.filter(how => how !== 'false loss' && how !== 'false state root')
export type NodeLie = (typeof NODE_LIES)[number]

export type Operation = {
  readonly at: number
  readonly origin: string
  readonly dataset: 'entity' | 'expert'
  readonly audience: 'all' | 'national'
  /** `epoch` closes the epoch at the own head and opens the next */
  readonly what: 'put' | 'retract' | 'epoch'
  readonly keys: readonly string[]
  readonly text: string
}

/** what becomes of the origin's own note beside its database: it stays, it is gone, or it too comes out of the backup */
export type RestoredNote = 'kept' | 'lost' | 'restored'

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

export type Plan = {
  readonly seed: number
  readonly origins: readonly string[]
  readonly operations: readonly Operation[]
  readonly faults: readonly Fault[]
}

/** Faults begin before this; after it, everything works and tells the truth, and the world must heal. Milliseconds. */
export const TROUBLE_MS = 40_000
export const HEALED_BY_MS = 400_000

export const codesOf = (plan: Plan): string[] => [...plan.origins, NATIONAL]

export function planOf(seed: number): Plan {
  const random = randomOf('simulate', seed)
  const origins = PROVINCES.slice(0, random.integer(2, PROVINCES.length))
  const operations = Array.from({ length: random.integer(4, 16) }, (_, index) => operationOf(random, origins, index))
  const faults: Fault[] = Array.from({ length: random.integer(0, 7) }, () => faultOf(random, origins))
  if (random.chance(0.35)) for (let n = random.integer(1, 4); n > 0; n -= 1) faults.push(...hubLieOf(random, origins))
  const liar = random.pick(asPair(origins))
  if (random.chance(0.35)) for (let n = random.integer(1, 3); n > 0; n -= 1) faults.push(nodeLieOf(random, liar))
  const loss = lossOf(seed, origins)
  operations.push(...loss.operations)
  faults.push(...loss.faults, ...falseLossOf(seed, liar), ...falseRootOf(seed, origins))
  return { seed, origins, operations: operations.sort((a, b) => a.at - b.at), faults }
}

/** Told now and then, by anyone: it leaves the log what it is, and so no other world changes for it. */
function falseRootOf(seed: number, origins: readonly string[]): Fault[] {
  const random = randomOf('simulate', 'false root', seed)
  if (!random.chance(0.1)) return []
  const at = random.integer(2000, TROUBLE_MS - 1000)
  return [{ kind: 'node lies', at, who: random.pick(asPair(origins)), how: 'false state root', n: random.integer(0, 1000) }]
}

/** Told now and then, apart from the other lies, and by nobody else than who tells those. */
function falseLossOf(seed: number, who: string): Fault[] {
  const random = randomOf('simulate', 'false loss', seed)
  if (!random.chance(0.06)) return []
  return [{ kind: 'node lies', at: random.integer(2000, TROUBLE_MS - 1000), who, how: 'false loss', n: random.integer(0, 1000) }]
}

/**
 * The last entry of a log reaches one reader alone; that one is cut off, the road forgets, and the origin is restored from before it. So
 * an operator declares lost what turns up again afterwards. Drawn apart, so that all other worlds stay what they were.
 */
function lossOf(seed: number, origins: readonly string[]): { operations: Operation[]; faults: Fault[] } {
  const random = randomOf('simulate', 'loss', seed)
  if (!random.chance(0.12)) return { operations: [], faults: [] }
  const origin = random.pick(asPair(origins))
  const others = [...origins.filter(code => code !== origin), NATIONAL]
  const holder = random.chance(0.7) ? random.pick(asPair(others)) : null
  const at = random.integer(3000, 9000)
  const note = holder !== null && random.chance(0.4) ? 'lost' : 'kept'
  const says = (when: number, text: string): Operation => ({
    at: when,
    origin,
    dataset: 'entity',
    audience: 'all',
    what: 'put',
    keys: ['k1', `k${random.integer(2, 4)}`],
    text,
  })
  const cut = (who: string, from: number, ms: number): Fault => ({ kind: 'partition', at: from, ms, who })
  return {
    operations: [says(at - 2500, 'kept'), says(at + 500, 'lost'), says(at + 800, 'lost too'), says(at + 20_000, 'after')],
    faults: [
      ...[HUB, ...others].filter(code => code !== holder).map(code => cut(code, at, 6000)),
      ...(holder === null ? [] : [cut(holder, at + 1500, random.integer(4000, 32_000))]),
      { kind: 'broker away', at: at + 2800, ms: 300, wiped: true },
      { kind: 'restore', at: at + 2500, who: origin, backupAt: at + 200, downMs: 3000, note },
    ],
  }
}

const asPair = (codes: readonly string[]): [string, ...string[]] => [codes[0] ?? HUB, ...codes.slice(1)]

function operationOf(random: Random, origins: readonly string[], index: number): Operation {
  const what = random.chance(0.07) ? 'epoch' : random.chance(0.2) ? 'retract' : 'put'
  return {
    at: random.integer(0, TROUBLE_MS - 5000),
    origin: random.pick(asPair(origins)),
    dataset: random.chance(0.75) ? 'entity' : 'expert',
    audience: random.chance(0.85) ? 'all' : 'national',
    what,
    keys: Array.from({ length: random.chance(0.3) ? 3 : 1 }, () => `k${random.integer(1, 4)}`),
    text: `v${index}`,
  }
}

function faultOf(random: Random, origins: readonly string[]): Fault {
  const at = random.integer(0, TROUBLE_MS - 2000)
  const ms = random.integer(1000, 15_000)
  const anyone = (): string => random.pick([HUB, NATIONAL, ...origins])
  const origin = (): string => random.pick(asPair(origins))
  return random.pick<() => Fault>([
    () => ({
      kind: 'noise',
      at,
      ms,
      loss: random.integer(0, 60) / 100,
      twice: random.integer(0, 50) / 100,
      slowMs: random.integer(0, 4000),
    }),
    () => ({ kind: 'partition', at, ms, who: anyone() }),
    () => ({ kind: 'kill', at, who: anyone(), downMs: random.integer(50, 6000) }),
    () => crashOf(random, anyone()),
    () => crashOf(random, origin()),
    () => crashOf(random, random.pick([HUB, origin()])),
    () => ({ kind: 'broker away', at, ms: random.integer(200, 8000), wiped: random.chance(0.7) }),
    () => ({
      kind: 'restore',
      at,
      who: origin(),
      backupAt: random.integer(0, at),
      downMs: random.integer(3000, 8000),
      // Not drawn from the plan's own luck: worlds of before keep their faults.
      note: randomOf('simulate', 'note', at).pick(['kept', 'kept', 'lost', 'restored'] as const),
    }),
    () => ({
      kind: 'clock',
      at,
      who: anyone(),
      byMs: random.chance(0.6) ? -random.integer(1000, 900_000) : random.integer(1000, 900_000),
    }),
  ])()
}

function crashOf(random: Random, who: string): Fault {
  const step = random.pick<Step>(STEPS as unknown as readonly [Step, ...Step[]])
  return { kind: 'crash', who, step, nth: random.integer(1, 8), downMs: random.integer(50, 6000) }
}

function hubLieOf(random: Random, origins: readonly string[]): Fault[] {
  const at = random.integer(0, TROUBLE_MS - 10_000)
  const lie: Fault = {
    kind: 'hub lies',
    at,
    ms: random.integer(3000, 25_000),
    how: random.pick<HubLie>(HUB_LIES as unknown as readonly [HubLie, ...HubLie[]]),
    to: random.chance(0.5) ? null : random.pick([NATIONAL, ...origins]),
    chance: random.integer(3, 10) / 10,
  }
  // What the hub says of an origin's own logs is asked for at a start only.
  if (!lie.how.startsWith('stand')) return [lie]
  return [lie, { kind: 'kill', at: at + 1000, who: random.pick(asPair(origins)), downMs: random.integer(50, 1500) }]
}

const nodeLieOf = (random: Random, who: string): Fault => ({
  kind: 'node lies',
  at: random.integer(2000, TROUBLE_MS - 1000),
  who,
  how: random.pick<NodeLie>(DRAWN_LIES as unknown as readonly [NodeLie, ...NodeLie[]]),
  n: random.integer(0, 1000),
})
