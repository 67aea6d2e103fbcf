/**
 * Worlds of more than a month, in which the hub is away for longer than its statements last (OpenID Federation 1.0, thirty days). The
 * wall clocks of all programs go on by a day at a time; each node keeps the hub's statement about it as the product does: fetched while
 * the hub is there, judged by `expiryOf` afterwards. The plan is drawn from the seed like any other, and what is asked of the world
 * beside its invariants is that nodes exchange to the end of the outage, and say when their statements end.
 */
import { expiryOf } from '../../schemas/membership/federation/expiry.ts'
import { entityIdOf, signStatement, subordinateStatement } from '../../schemas/membership/federation/publication.ts'
import { type EntityStatement, parseStatement, verifySigned } from '../../schemas/membership/federation/statements.ts'
import { FED, SampleFederation } from '../../schemas/membership/sample-federation.ts'
import { randomOf } from '../samples/random.ts'
import type { Fault, Operation } from './faults.ts'
import { asPair } from './faults.ts'
import { HUB, type Members, NATIONAL, PROVINCES } from './members.ts'
import { codesOf, type Plan } from './plan.ts'
import { RULES, type Rules } from './rules.ts'
import { type Result, runWorld, type Watched } from './world.ts'

const DAY_MS = 86_400_000
/** the hub is away from here on */
const AWAY_MS = 4000
export const DAYS_AWAY = 76
/** what a day takes of the virtual clock by which programs wait */
const STEP_MS = 700
const BACK_MS = AWAY_MS + (DAYS_AWAY + 1) * STEP_MS
/** before the hub comes back, so that what is asked has had its time without new trouble */
const SETTLED_MS = 25_000
const ASK_MS = 500

/** `day` of the hub's absence */
export type Warning = { readonly code: string; readonly state: 'soon' | 'expired'; readonly day: number }
export type Month = Result & {
  readonly warnings: readonly Warning[]
  /** entries that were sealed while the hub was away */
  readonly sealed: number
  /** `holder lacks log at position`, at the end of the outage */
  readonly missing: readonly string[]
  /** whose statement is good again in the end */
  readonly renewed: readonly string[]
}

export function monthPlan(seed: number): Plan {
  const random = randomOf('simulate', 'months', seed)
  const origins = PROVINCES.slice(0, random.integer(2, PROVINCES.length))
  const quiet = BACK_MS - SETTLED_MS
  const operations = Array.from(
    { length: random.integer(12, 30) },
    (_, index): Operation => ({
      at: random.integer(index < 4 ? 0 : AWAY_MS, quiet),
      origin: random.pick(asPair(origins)),
      dataset: random.chance(0.75) ? 'entity' : 'expert',
      audience: random.chance(0.85) ? 'all' : 'national',
      what: random.chance(0.2) ? 'retract' : 'put',
      keys: [`k${random.integer(1, 4)}`],
      text: `m${index}`,
    }),
  )
  const faults: Fault[] = [{ kind: 'kill', at: AWAY_MS, who: HUB, downMs: BACK_MS - AWAY_MS }]
  for (let day = 1; day <= DAYS_AWAY; day += 1)
    for (const who of [HUB, ...origins, NATIONAL]) faults.push({ kind: 'clock', at: AWAY_MS + day * STEP_MS, who, byMs: DAY_MS })
  for (let n = random.integer(0, 3); n > 0; n -= 1) {
    const who = random.pick([NATIONAL, ...origins])
    const at = random.integer(AWAY_MS, quiet - 6000)
    faults.push(
      random.chance(0.5)
        ? { kind: 'partition', at, ms: random.integer(1000, 5000), who }
        : { kind: 'kill', at, who, downMs: random.integer(200, 4000) },
    )
  }
  return { seed, origins, operations: operations.sort((a, b) => a.at - b.at), faults, newcomer: null, gapped: null }
}

/** `more`: what goes wrong beside. */
export async function runMonth(seed: number, members: Members, more: readonly Fault[] = [], rules: Rules = RULES): Promise<Month> {
  const drawn = monthPlan(seed)
  const plan: Plan = { ...drawn, faults: [...drawn.faults, ...more] }
  const codes = codesOf(plan)
  const federation = await SampleFederation.found(FED)
  for (const code of codes)
    await federation.admit(code, code === NATIONAL ? { kind: 'national', territory: [], writes: [] } : { territory: [code] })
  const { state, anchor } = federation
  const held = new Map<string, EntityStatement>()
  const told = new Map<string, string>()
  const warnings: Warning[] = []
  const missing: string[] = []
  let sealed = 0

  /** As a node does it: fetched and verified while the hub is there, watched always. */
  async function keep(world: Watched, code: string): Promise<void> {
    if (world.isAlive(HUB) && world.isAlive(code)) {
      const claims = subordinateStatement(state, code, { now: world.time(HUB) })
      const statement = parseStatement(await signStatement(anchor.signer, claims))
      await verifySigned(
        statement,
        state.hub.keys.map(({ jwk }) => ({ ...jwk })),
      )
      if (statement.sub === entityIdOf(state, code)) held.set(code, statement)
    }
    const statement = held.get(code)
    const now = statement === undefined ? 'none' : expiryOf(statement, world.time(code)).state
    if ((now === 'soon' || now === 'expired') && told.get(code) !== now) {
      const day = Math.floor((world.now() - AWAY_MS) / STEP_MS)
      warnings.push({ code, state: now, day })
      world.note(`${code} warns on day ${day}: the hub's statement about it ${now === 'soon' ? 'ends soon' : 'has ended'}`)
    }
    told.set(code, now)
  }

  const result = await runWorld(plan, members, rules, world => {
    const look = async (): Promise<void> => {
      for (const code of codes) await keep(world, code)
      world.at(world.now() + ASK_MS, look)
    }
    world.at(ASK_MS, look)
    const entries = (): number =>
      plan.origins.reduce(
        (sum, origin) =>
          sum +
          [...world.disk(origin).logs.values()].reduce((all, log) => all + (log.log.origin === origin ? log.entries.length : 0), 0),
        0,
      )
    world.at(AWAY_MS, () => {
      sealed -= entries()
    })
    world.at(BACK_MS - 100, () => {
      sealed += entries()
      for (const origin of plan.origins)
        for (const [id, { log, head }] of world.disk(origin).logs)
          for (const code of codes) {
            if (log.origin !== origin || !world.mayRead(code, log.audience)) continue
            if (world.disk(code).logs.get(id)?.head?.digest !== head?.digest)
              missing.push(`${code} lacks ${id} at ${head?.epoch}.${head?.seq}`)
          }
      world.note(`the hub was away for ${DAYS_AWAY} days, ${sealed} entries were sealed, ${missing.length} are missing somewhere`)
    })
  })
  const renewed = codes.filter(code => told.get(code) === 'valid')
  return { ...result, warnings, sealed, missing, renewed }
}
