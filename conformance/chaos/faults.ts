/**
 * The faults, one row each: what it strikes, and how. A row returns when the fault is over; what has to happen then (a restart, a
 * reconnection, a repair) is the federation's affair and nobody's here. Everything random comes from the seed.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../samples/random.ts'
import type { Road, Weather } from './road.ts'
import { flipBit, freeBytes, limit, unlimit, wipe, zeroPage } from './store-damage.ts'

export type Ground = {
  readonly programs: readonly string[]
  /** nodes and hub, which reach broker and database through a proxy each */
  proxy(program: string, server: 'broker' | 'postgres'): Road
  pid(name: string): number | null
  /** SIGKILL; fulfilled with false when it was down anyway. What is given runs while it is down. */
  kill(name: string, whileDown?: () => void): Promise<boolean>
  /** fulfilled when the broker was started again and answers */
  brokerBack(): Promise<void>
  /** folder of the broker's files */
  readonly store: string
  readonly canLimit: boolean
}

/** Stops at once what it does when the run is called off, and leaves nothing behind. */
type Strike = {
  readonly ground: Ground
  readonly target: string
  readonly random: Random
  readonly signal: AbortSignal
  readonly said: (what: string) => void
}

export type FaultRow = {
  readonly name: string
  /** how often among the others */
  readonly weight: number
  readonly targets: (ground: Ground) => readonly string[]
  /** the longest that it takes by itself */
  readonly longest: number
  run(strike: Strike): Promise<void>
}

const wait = (ms: number, signal: AbortSignal): Promise<void> => delay(ms, undefined, { signal }).catch(() => undefined)

const SERVERS = ['broker', 'postgres'] as const
const BROKER = (): readonly string[] => ['broker']
const everything = ({ programs }: Ground): readonly string[] => [...programs, ...SERVERS]
const roads = ({ programs }: Ground): readonly string[] =>
  programs.filter(name => name !== 'samples').flatMap(name => SERVERS.map(server => `${name}-${server}`))
const brokerRoads = (ground: Ground): readonly string[] => roads(ground).filter(road => road.endsWith('-broker'))

/** The database is many processes: its children go on when only their parent stands still. */
function family(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
    } catch {
      // ended while it was looked at
    }
  }
  return [pid, ...[...parents].flatMap(([child, parent]) => (parent === pid ? [child] : []))]
}

function send(pid: number, name: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, name)
  } catch {
    // gone
  }
}

const onRoad =
  (weather: (random: Random) => Weather, from: number, to: number) =>
  async ({ ground, target, random, signal }: Strike): Promise<void> => {
    const [program = '', server] = target.split('-')
    const proxy = ground.proxy(program, server === 'postgres' ? 'postgres' : 'broker')
    proxy.change(weather(random))
    await wait(random.integer(from, to), signal)
    proxy.change({ kind: 'clear' })
  }

const damage =
  (act: (store: string, random: Random) => string) =>
  async ({ ground, random, said }: Strike): Promise<void> => {
    await ground.kill('broker', () => said(act(ground.store, random)))
  }

export const FAULTS: readonly FaultRow[] = [
  {
    name: 'kill',
    weight: 6,
    targets: everything,
    longest: 0,
    async run({ ground, target }) {
      await ground.kill(target)
    },
  },
  {
    name: 'stop',
    weight: 1,
    targets: everything,
    longest: 40_000,
    async run({ ground, target, random, signal }) {
      const pid = ground.pid(target)
      if (pid === null) return
      // the parent first: it forks no more then
      send(pid, 'SIGSTOP')
      const all = target === 'postgres' ? family(pid) : [pid]
      for (const one of all) send(one, 'SIGSTOP')
      await wait(random.integer(20_000, 40_000), signal)
      for (const one of all) send(one, 'SIGCONT')
    },
  },
  { name: 'flip', weight: 1, targets: BROKER, longest: 0, run: damage(flipBit) },
  { name: 'zero', weight: 1, targets: BROKER, longest: 0, run: damage(zeroPage) },
  { name: 'wipe', weight: 1, targets: BROKER, longest: 0, run: damage(wipe) },
  {
    name: 'full',
    weight: 1,
    targets: ({ canLimit }) => (canLimit ? BROKER() : []),
    longest: 20_000,
    async run({ ground, random, signal, said }) {
      await ground.kill('broker', () => said(limit(ground.store)))
      try {
        await ground.brokerBack()
        await wait(random.integer(10_000, 20_000), signal)
        said(`${freeBytes(ground.store)} bytes left`)
      } finally {
        // nats-server takes JetStream out of service when its disk is full, until it is restarted by whoever made room
        while (!(await ground.kill('broker', () => unlimit(ground.store)))) await delay(200)
      }
    },
  },
  { name: 'cut', weight: 2, targets: roads, longest: 10_000, run: onRoad(() => ({ kind: 'cut' }), 500, 10_000) },
  { name: 'silence', weight: 1, targets: roads, longest: 40_000, run: onRoad(() => ({ kind: 'silent' }), 20_000, 40_000) },
  {
    name: 'slow',
    weight: 1,
    targets: roads,
    longest: 15_000,
    run: onRoad(random => ({ kind: 'slow', ms: random.integer(100, 2000) }), 5000, 15_000),
  },
  {
    name: 'noise',
    weight: 2,
    targets: brokerRoads,
    longest: 10_000,
    run: onRoad(random => ({ kind: 'noisy', probability: 0.05, random }), 3000, 10_000),
  },
]

export type Card = { readonly row: FaultRow; readonly target: string }

function shuffled<T>(list: readonly T[], random: Random): T[] {
  const out = [...list]
  for (let index = out.length - 1; index > 0; index -= 1) {
    const other = random.integer(0, index)
    const [a, b] = [out[index], out[other]]
    if (a !== undefined && b !== undefined) {
      out[index] = b
      out[other] = a
    }
  }
  return out
}

/** Cards for ever: every row comes in each round, and each row's targets take turns, so that a long run leaves none out. */
export function* deal(ground: Ground, rows: readonly FaultRow[], random: Random): Generator<Card, never> {
  const waiting = new Map<string, string[]>()
  const usable = rows.filter(row => row.targets(ground).length > 0)
  const [first] = usable
  if (first === undefined) throw new RangeError('expected at least one fault that can be done here')
  for (;;) {
    for (const row of shuffled(
      usable.flatMap(row => Array.from({ length: row.weight }, () => row)),
      random,
    )) {
      let targets = waiting.get(row.name) ?? []
      if (targets.length === 0) targets = shuffled(row.targets(ground), random)
      const target = targets.shift()
      waiting.set(row.name, targets)
      if (target !== undefined) yield { row, target }
    }
  }
}
