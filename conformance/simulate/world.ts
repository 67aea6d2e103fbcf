/**
 * One world: a plan run to its end on a virtual clock. Events happen one after another, and after each the invariants are checked at
 * whoever acted; when the faults are over the world must heal. The same plan gives the same trace, byte for byte.
 */
import { createHash } from 'node:crypto'
import { isExchangeError } from '../../schemas/errors.ts'
import type { LogHead, Position } from '../../schemas/log.ts'
import { type OpenedToken, openToken } from '../../schemas/opening.ts'
import { openHead, openReceipt } from '../../schemas/statements.ts'
import { createBroker } from './broker.ts'
import { createClock } from './clock.ts'
import { copyDisk, type Disk, emptyDisk, type Note } from './disk.ts'
import { type Carry, type Fault, HEALED_BY_MS, type Operation, TROUBLE_MS } from './faults.ts'
import { createGapped, filesOf } from './gap.ts'
import { Crash, type Ground, type Life } from './ground.ts'
import { createHubLies } from './hub-lies.ts'
import { createHubRole } from './hub-role.ts'
import { type Invariant, Violation } from './invariants.ts'
import { HUB, type Members, NATIONAL } from './members.ts'
import { BROKER, createNetwork, type Message } from './network.ts'
import { tellLie } from './node-lies.ts'
import { createNodeRole } from './node-role.ts'
import { createOracle } from './oracle.ts'
import { codesOf, type Plan } from './plan.ts'
import type { Role } from './role.ts'
import { RULES, type Rules } from './rules.ts'

export type Result = {
  readonly seed: number
  readonly violation: { readonly invariant: Invariant; readonly detail: string; readonly at: number } | null
  readonly trace: readonly string[]
  readonly digest: string
  readonly events: number
  readonly healedAt: number
}

const START = Date.UTC(2026, 0, 1)
/** windows of trouble that began before its end are over by now */
const CALM_MS = TROUBLE_MS + 25_000
const AGAIN_MS = 700
const CARRY_MS = 6000
const BORNE_LIES: ReadonlySet<string> = new Set(['version counted back'])

/** What somebody may look at who watches a world and changes nothing in it. */
export type Watched = {
  now(): number
  at(time: number, act: () => Promise<void> | void): void
  /** the wall clock of a program */
  time(code: string): Date
  isAlive(code: string): boolean
  disk(code: string): Disk
  mayRead(code: string, audience: string): boolean
  note(line: string): void
}

export async function runWorld(
  plan: Plan,
  members: Members,
  given: Rules = RULES,
  watch: (world: Watched) => void = () => {},
): Promise<Result> {
  const clock = createClock()
  const trace: string[] = []
  const note = (line: string): void => void trace.push(`${String(clock.now()).padStart(6)}  ${line}`)
  const codes = codesOf(plan)
  const { newcomer, gapped } = plan
  const apart = [newcomer?.code, gapped?.code].filter(code => code !== undefined)
  const disks = new Map<string, Disk>([HUB, ...codes, ...apart].map(code => [code, emptyDisk()]))
  const disk = (code: string): Disk => {
    const found = disks.get(code)
    if (found === undefined) throw new Error(`no disk ${code}`)
    return found
  }
  const lives = new Map<string, { life: Life; role: Role }>()
  const notes = new Map<string, Note>()
  const skew = new Map<string, number>()
  const stepsDone = new Map<string, number>()
  const mayRead = (code: string, audience: string): boolean => audience === 'all' || (audience === 'national' && code === NATIONAL)
  const opening = remember(openToken)
  const openingHead = rememberOne(openHead)
  const openingReceipt = rememberOne(openReceipt)
  const rules: Rules = {
    ...given,
    openToken: given.openToken === RULES.openToken ? opening : given.openToken,
    openHead: given.openHead === RULES.openHead ? openingHead : rememberOne(given.openHead),
    openReceipt: openingReceipt,
  }
  const oracle = createOracle({
    plan,
    members,
    disk,
    mayRead,
    open: (kind, token) => opening(kind, token, members.membership, null),
    openHead: openingHead,
    openReceipt: openingReceipt,
  })
  const hubLies = createHubLies(plan.seed, plan.faults, clock.now, note)
  const network = createNetwork(plan.seed, plan.faults)
  const joined = [...codes]
  let refs = 0
  let events = 0

  function send(from: string, to: string, message: Message): void {
    if (message.kind === 'head' && hubLies.withholdsHead(to)) return
    const said =
      message.kind === 'head'
        ? { ...message, token: hubLies.headInstead(to, `${from}/${message.audience}/${to}`, message.token) }
        : message
    if (!broker.up()) return
    if (from === gapped?.code || to === gapped?.code) return
    for (const ms of network.fateOf(from, to, clock.now())) {
      clock.at(clock.now() + ms, async () => {
        if (!broker.up()) return
        if (to === BROKER) return broker.take(from, said)
        const program = lives.get(to)
        if (program !== undefined) await run(program.life, () => program.role.deliver(from, said))
      })
    }
  }

  const broker = createBroker({
    origins: plan.origins,
    readers: origin => [HUB, ...joined.filter(code => code !== origin)],
    mayRead,
    isUp: reader => lives.get(reader)?.life.alive === true,
    lies: hubLies,
    now: clock.now,
    at: clock.at,
    send,
    note,
  })

  const ground: Ground = {
    plan,
    rules,
    members,
    hubLies,
    watch: oracle,
    get codes() {
      return joined
    },
    now: clock.now,
    time: code => new Date(START + clock.now() + (skew.get(code) ?? 0)),
    after: (ms, life, act) => clock.at(clock.now() + ms, () => run(life, act)),
    step(life, name) {
      const count = (stepsDone.get(`${life.code} ${name}`) ?? 0) + 1
      stepsDone.set(`${life.code} ${name}`, count)
      if (clock.now() > CALM_MS) return
      for (const fault of plan.faults) {
        if (fault.kind !== 'crash' || fault.who !== life.code || fault.step !== name || fault.nth !== count) continue
        note(`${life.code} dies at "${name}"`)
        throw new Crash(fault.downMs)
      }
    },
    send,
    note,
    ref: () => {
      refs += 1
      return refs
    },
    disk,
    mayRead,
    sealedNote: code => notes.get(code) ?? null,
    receipted: new Map(),
    falseHistory: new Map(),
    renewNote: (code, positions) => void notes.set(code, { positions, trusted: true }),
  }

  async function run(life: Life, act: () => Promise<void> | void): Promise<void> {
    if (!life.alive) return
    events += 1
    try {
      await act()
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      stop(life.code, error.downMs)
    }
    await oracle.check(life.code)
  }

  function start(code: string): void {
    const life: Life = { code, alive: true }
    const role = code === HUB ? createHubRole(ground, life, broker) : createNodeRole(ground, life, broker)
    lives.set(code, { life, role })
    clock.at(clock.now(), () => run(life, role.start))
  }

  function stop(code: string, downMs: number): void {
    const program = lives.get(code)
    if (program === undefined || !program.life.alive) return
    program.life.alive = false
    clock.at(clock.now() + downMs, () => {
      if (lives.get(code)?.life.alive !== false) return
      note(`${code} starts again`)
      start(code)
    })
  }

  function plannedFault(fault: Fault): void {
    if (fault.kind === 'kill') {
      clock.at(fault.at, () => {
        note(`${fault.who} is killed`)
        stop(fault.who, fault.downMs)
      })
    } else if (fault.kind === 'broker away') clock.at(fault.at, () => broker.goAway(fault.ms, fault.wiped))
    else if (fault.kind === 'clock') {
      clock.at(fault.at, () => {
        skew.set(fault.who, (skew.get(fault.who) ?? 0) + fault.byMs)
        note(`the clock of ${fault.who} jumps by ${fault.byMs} ms`)
      })
    } else if (fault.kind === 'restore') plannedRestore(fault)
    else if (fault.kind === 'node lies') {
      clock.at(fault.at, async () => {
        const program = lives.get(fault.who)
        // A lie that its log bears is sealed like anything else, and so not by a node that does not seal yet.
        if (program === undefined || (BORNE_LIES.has(fault.how) && !program.role.isSealing())) return
        await run(program.life, () => tellLie(ground, fault))
      })
    } else if (fault.kind === 'partition') clock.at(fault.at, () => note(`${fault.who} is cut off for ${fault.ms} ms`))
    else if (fault.kind === 'noise') clock.at(fault.at, () => note(`the network is bad for ${fault.ms} ms`))
  }

  /** when each was last set back: a backup from before belongs to a life that never was */
  const setBack = new Map<string, number>()
  /** Somebody new, with nothing. */
  function plannedNewcomer({ code, at }: NonNullable<Plan['newcomer']>): void {
    clock.at(at, () => {
      note(`${code} joins`)
      joined.push(code)
      start(code)
    })
  }

  function plannedCarries({ code, carries }: NonNullable<Plan['gapped']>): void {
    const life: Life = { code, alive: true }
    const { importFile } = createGapped(ground, life)
    const carry = async (one: Carry): Promise<void> => {
      if (lives.get(one.from)?.life.alive !== true) return
      note(`a file of ${one.from} is carried to ${code}: ${one.shape}`)
      for (const bytes of filesOf(ground, disk(one.from), one, ({ log }) => mayRead(code, log.audience)))
        await run(life, () => importFile(bytes))
    }
    for (const one of carries) clock.at(one.at, () => carry(one))
    // In the end somebody brings everything that an origin, or whoever it reaches, has.
    const bringAll = (n: number): void => {
      clock.at(CALM_MS + n * CARRY_MS, async () => {
        for (const from of plan.origins) await carry({ at: 0, from, shape: 'whole', n })
        bringAll(n + 1)
      })
    }
    bringAll(1)
  }

  function plannedRestore(fault: Fault & { kind: 'restore' }): void {
    let backup = emptyDisk()
    let noted = new Map<string, Position>()
    let signed = new Map<string, LogHead>()
    clock.at(fault.backupAt, () => {
      backup = copyDisk(disk(fault.who))
      noted = new Map(notes.get(fault.who)?.positions)
      signed = new Map(ground.receipted)
    })
    const restore = (): void => {
      if (clock.now() > CALM_MS || (setBack.get(fault.who) ?? -1) >= fault.backupAt) return
      // The own note outlives the database and says what is missing; without it the witnesses are all there is, and none of them is
      // set back while somebody still asks.
      if (fault.note === 'kept' || fault.who === HUB ? oracle.isAsked(fault.who) : !oracle.mayRestore(fault.who)) {
        clock.at(clock.now() + AGAIN_MS, restore)
        return
      }
      note(`${fault.who} loses its disk and is restored from a backup of ${fault.backupAt} ms, its own note ${fault.note}`)
      stop(fault.who, fault.downMs)
      setBack.set(fault.who, clock.now())
      disks.set(fault.who, copyDisk(backup))
      if (fault.note === 'lost') notes.delete(fault.who)
      if (fault.note === 'restored' && fault.who !== HUB) notes.set(fault.who, { positions: new Map(noted), trusted: false })
      if (fault.who === HUB && fault.note === 'restored') {
        ground.receipted.clear()
        for (const [id, head] of signed) ground.receipted.set(id, head)
      }
      oracle.restored(fault.who)
    }
    clock.at(fault.at, restore)
  }

  function plannedOperation(operation: Operation, index: number): void {
    const submit = async (): Promise<void> => {
      const program = lives.get(operation.origin)
      let accepted = false
      if (program?.life.alive === true) {
        await run(program.life, async () => {
          accepted = await program.role.submit(operation)
        })
      }
      if (accepted) return oracle.done(index)
      clock.at(clock.now() + AGAIN_MS, submit)
    }
    clock.at(operation.at, submit)
  }

  for (const code of [HUB, ...codes]) start(code)
  if (newcomer !== null) plannedNewcomer(newcomer)
  if (gapped !== null) plannedCarries(gapped)
  plan.faults.forEach(plannedFault)
  plan.operations.forEach(plannedOperation)
  watch({ ...clock, time: ground.time, isAlive: code => lives.get(code)?.life.alive === true, disk, mayRead, note })

  let violation: Result['violation'] = null
  let healedAt = 0
  try {
    for (let until = CALM_MS; healedAt === 0; until += 2000) {
      while (await clock.next(until)) {}
      const missing = oracle.unhealed()
      if (missing === null) healedAt = until
      else if (until > HEALED_BY_MS) throw new Violation('healed', missing)
    }
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    violation = { invariant: error.invariant, detail: error.message, at: clock.now() }
    note(`VIOLATION ${error.message}`)
  }
  return {
    seed: plan.seed,
    violation,
    trace,
    digest: createHash('sha256').update(trace.join('\n')).digest('hex'),
    events,
    healedAt,
  }
}

/** Verdicts on a token hang on its text and the membership alone, so holders may share them; here membership never changes. */
function remember(open: typeof openToken): typeof openToken {
  const known = new Map<string, Promise<OpenedToken>>()
  return (kind, compact, membership, subject) => {
    const key = `${kind} ${subject === null ? '' : `${subject.origin}/${subject.dataset}/${subject.audience}`} ${compact}`
    const made = known.get(key) ?? open(kind, compact, membership, subject)
    known.set(key, made)
    made.catch(error => isExchangeError(error))
    return made
  }
}

function rememberOne<Args extends readonly [string, ...unknown[]], Value>(
  open: (...args: Args) => Promise<Value>,
): (...args: Args) => Promise<Value> {
  const known = new Map<string, Promise<Value>>()
  return (...args) => {
    const made = known.get(args[0]) ?? open(...args)
    known.set(args[0], made)
    made.catch(error => isExchangeError(error))
    return made
  }
}
