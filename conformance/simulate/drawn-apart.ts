/**
 * What a plan draws from luck of its own, so that worlds without it stay what they were when it was thought of: losses, erasures,
 * newcomers, files across an air gap, a hub set back.
 */
import { randomOf } from '../samples/random.ts'
import {
  asPair,
  type Carry,
  type Fault,
  type HubLie,
  LATER_HUB_LIES,
  LATER_STEPS,
  type NodeLie,
  type Operation,
  type Step,
  TROUBLE_MS,
} from './faults.ts'
import { GAPPED, HUB, NATIONAL, NEWCOMER } from './members.ts'

type Drawn = { readonly operations: readonly Operation[]; readonly faults: readonly Fault[] }
export type Extras = Drawn & {
  /** who joins in the middle, with nothing */
  readonly newcomer: { readonly code: string; readonly at: number } | null
  /** whom nothing reaches but files */
  readonly gapped: { readonly code: string; readonly carries: readonly Carry[] } | null
}

export function drawnApart(seed: number, origins: readonly string[], liar: string, drawnBefore: readonly Fault[]): Extras {
  const loss = lossOf(seed, origins)
  const newcomer = newcomerOf(seed, origins, liar)
  const drawn = [loss, erasuresOf(seed, origins, liar), newcomer]
  const faults = [
    ...loss.faults,
    ...falseLossOf(seed, liar),
    ...falseRootOf(seed, origins),
    ...drawn.slice(1).flatMap(one => one.faults),
  ]
  const lied = [...drawnBefore, ...faults].some(({ kind }) => kind === 'node lies')
  return {
    operations: drawn.flatMap(({ operations }) => operations),
    faults: [...faults, ...hubSetBackOf(seed, liar, lied)],
    newcomer: newcomer.newcomer,
    gapped: gappedOf(seed, origins),
  }
}

/** What is superseded is erased while some are cut off, and the hub or the origin may lie about it. */
function erasuresOf(seed: number, origins: readonly string[], liar: string): Drawn {
  const random = randomOf('simulate', 'erasures', seed)
  if (!random.chance(0.35)) return { operations: [], faults: [] }
  const origin = random.pick(asPair(origins))
  const at = random.integer(4000, 20_000)
  const key = (): string => `k${random.integer(1, 3)}`
  const does = (when: number, what: 'put' | 'erase', keys: readonly string[], text: string): Operation => ({
    at: when,
    origin,
    dataset: 'entity',
    audience: 'all',
    what,
    keys,
    text,
  })
  const operations = [does(at, 'put', ['k1', 'k2'], 'first'), does(at + 400, 'put', ['k1', 'k3'], 'second')]
  for (let n = random.integer(1, 3); n > 0; n -= 1)
    operations.push(does(at + random.integer(600, 14_000), random.chance(0.75) ? 'erase' : 'put', [key()], `more${n}`))
  const faults: Fault[] = []
  const anyone = (): string => random.pick([HUB, NATIONAL, ...origins])
  const after = (): number => at + random.integer(0, 8000)
  if (random.chance(0.6)) faults.push({ kind: 'partition', at: after(), ms: random.integer(2000, 14_000), who: anyone() })
  if (random.chance(0.3)) {
    const step = random.pick<Step>(['erase: signed', 'erase: written', 'erase: committed'])
    faults.push({ kind: 'crash', who: anyone(), step, nth: random.integer(1, 3), downMs: random.integer(50, 5000) })
  }
  // One position erased twice, wider the second time.
  if (random.chance(0.3)) operations.push(...twiceErased(does, at + 15_000))
  if (random.chance(0.3)) {
    const to = random.chance(0.5) ? null : random.pick(asPair(origins))
    faults.push({ kind: 'hub lies', at, ms: 30_000, how: 'withhold redactions', to, chance: random.integer(7, 10) / 10 })
    // The road forgets while somebody is cut off, and the origin may lose what it had signed.
    const cut = at + random.integer(600, 6000)
    faults.push({ kind: 'partition', at: cut, ms: 5000, who: random.pick([NATIONAL, ...origins.filter(code => code !== origin)]) })
    faults.push({ kind: 'broker away', at: cut + 4000, ms: 500, wiped: true })
    if (random.chance(0.5))
      faults.push({ kind: 'restore', at: cut + 9000, who: origin, backupAt: at + 500, downMs: 3000, note: 'kept' })
  }
  if (random.chance(0.25)) {
    const how = random.pick<NodeLie>(['erasure of what stands', 'erasure beyond its keys'])
    faults.push({ kind: 'node lies', at: at + 3000, who: random.chance(0.5) ? liar : origin, how, n: random.integer(0, 1000) })
  }
  return { operations, faults }
}

const twiceErased = (
  does: (when: number, what: 'put' | 'erase', keys: readonly string[], text: string) => Operation,
  at: number,
): Operation[] => [
  does(at, 'put', ['k1', 'k2'], 'both'),
  does(at + 300, 'put', ['k1'], 'one'),
  does(at + 600, 'erase', ['k1'], 'once'),
  does(at + 1500, 'put', ['k2'], 'other'),
  does(at + 1800, 'erase', ['k2'], 'twice'),
]

/** Somebody joins, begins with a snapshot where there is one, and fetches the history behind it; others lie about either. */
function newcomerOf(seed: number, origins: readonly string[], liar: string): Drawn & Pick<Extras, 'newcomer'> {
  const random = randomOf('simulate', 'newcomer', seed)
  if (!random.chance(0.3)) return { operations: [], faults: [], newcomer: null }
  const origin = random.pick(asPair(origins))
  const at = random.integer(12_000, 28_000)
  const says = (when: number, what: Operation['what'], text: string, keys?: readonly string[]): Operation => ({
    at: when,
    origin,
    dataset: 'entity',
    audience: 'all',
    what,
    keys: keys ?? [`k${random.integer(1, 4)}`, `k${random.integer(5, 9)}`],
    text,
  })
  const operations = Array.from({ length: random.integer(4, 9) }, (_, index) =>
    says(random.integer(0, at - 1500), random.chance(0.1) ? 'epoch' : random.chance(0.15) ? 'retract' : 'put', `long${index}`),
  )
  operations.push(says(at - 500, 'put', 'before'), says(at + random.integer(200, 1500), 'put', 'after'))
  const faults: Fault[] = []
  if (random.chance(0.3)) {
    const step = random.pick<Step>(LATER_STEPS.slice(3) as unknown as readonly [Step, ...Step[]])
    faults.push({ kind: 'crash', who: NEWCOMER, step, nth: random.integer(1, 3), downMs: random.integer(50, 5000) })
  }
  if (random.chance(0.35)) {
    const how = random.pick<HubLie>(LATER_HUB_LIES.slice(1) as unknown as readonly [HubLie])
    faults.push({ kind: 'hub lies', at: at - 1000, ms: 20_000, how, to: NEWCOMER, chance: random.integer(4, 10) / 10 })
  }
  if (random.chance(0.35)) {
    const told = at - random.integer(100, 3000)
    faults.push({ kind: 'node lies', at: told, who: origin, how: 'false snapshot', n: 0 })
    operations.push(says(told + 60, 'put', 'beside'))
  }
  if (random.chance(0.12))
    faults.push({ kind: 'node lies', at: at - 600, who: liar, how: 'second history behind a snapshot', n: random.integer(0, 1000) })
  // With nobody else to be asked, the origin's own word has to do.
  if (random.chance(0.2)) {
    const ms = random.integer(3000, 9000)
    for (const who of [HUB, NATIONAL, ...origins]) if (who !== origin) faults.push({ kind: 'partition', at: at - 300, ms, who })
  }
  // What is erased while the history comes, and at some not at once.
  if (random.chance(0.4)) {
    const when = at + random.integer(1000, 5000)
    for (const n of [1, 2, 3]) operations.push(says(when + n * 300, 'erase', `past${n}`, [`k${n}`]))
    const who = random.pick([HUB, NATIONAL, ...origins.filter(code => code !== origin)])
    faults.push({ kind: 'partition', at: when - 200, ms: random.integer(1500, 4000), who })
  }
  return { operations, faults, newcomer: { code: NEWCOMER, at } }
}

/** Files of any holder, whole or not, more than once, in any order. */
function gappedOf(seed: number, origins: readonly string[]): Extras['gapped'] {
  const random = randomOf('simulate', 'air gap', seed)
  if (!random.chance(0.2)) return null
  const carries = Array.from(
    { length: random.integer(2, 7) },
    (): Carry => ({
      at: random.integer(3000, TROUBLE_MS),
      from: random.pick([HUB, NATIONAL, ...origins]),
      shape: random.pick(['whole', 'twice', 'cut off', 'last part first', 'altered']),
      n: random.integer(0, 1000),
    }),
  )
  return { code: GAPPED, carries }
}

/**
 * The hub's database comes out of a backup. What it noted beside it may come along, where nobody lies: an origin that signs two histories
 * could else have it sign both.
 */
function hubSetBackOf(seed: number, liar: string, lied: boolean): Fault[] {
  const random = randomOf('simulate', 'hub set back', seed)
  if (!random.chance(0.15)) return []
  const at = random.integer(8000, TROUBLE_MS - 2000)
  const downMs = random.integer(500, 6000)
  const tells = random.chance(0.3)
  const note = random.chance(0.6) || lied || tells ? 'kept' : 'restored'
  const restore: Fault = { kind: 'restore', at, who: HUB, backupAt: random.integer(0, at), downMs, note }
  if (!tells) return [restore]
  const how = 'second history to a restored hub'
  return [restore, { kind: 'node lies', at: at + downMs + random.integer(5, 400), who: liar, how, n: random.integer(0, 1000) }]
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
