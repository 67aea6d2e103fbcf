/**
 * What happens in one world, drawn from its seed before anything runs: who takes part, what is written when, what goes wrong when.
 * A plan is a list, so that a failing one can be made smaller by leaving things out.
 */
import { type Random, randomOf } from '../samples/random.ts'
import { drawnApart, type Extras } from './drawn-apart.ts'
import {
  asPair,
  DRAWN_LIES,
  type Fault,
  HUB_LIES,
  type HubLie,
  type NodeLie,
  type Operation,
  STEPS,
  type Step,
  TROUBLE_MS,
} from './faults.ts'
import { HUB, NATIONAL, PROVINCES } from './members.ts'

export type Plan = Extras & { readonly seed: number; readonly origins: readonly string[] }

/** who takes part from the beginning */
export const codesOf = (plan: Plan): string[] => [...plan.origins, NATIONAL]

export function planOf(seed: number): Plan {
  const random = randomOf('simulate', seed)
  const origins = PROVINCES.slice(0, random.integer(2, PROVINCES.length))
  const operations = Array.from({ length: random.integer(4, 16) }, (_, index) => operationOf(random, origins, index))
  const faults: Fault[] = Array.from({ length: random.integer(0, 7) }, () => faultOf(random, origins))
  if (random.chance(0.35)) for (let n = random.integer(1, 4); n > 0; n -= 1) faults.push(...hubLieOf(random, origins))
  const liar = random.pick(asPair(origins))
  if (random.chance(0.35)) for (let n = random.integer(1, 3); n > 0; n -= 1) faults.push(nodeLieOf(random, liar))
  const extras = drawnApart(seed, origins, liar, faults)
  operations.push(...extras.operations)
  faults.push(...extras.faults)
  return { ...extras, seed, origins, operations: operations.sort((a, b) => a.at - b.at), faults }
}

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
