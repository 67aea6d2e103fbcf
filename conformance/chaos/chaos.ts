/**
 * A whole federation under load and under faults, and then the judgement. Faults come in short series, some of them at once; after
 * each series the federation has to come back by itself: everyone ready, and everyone where the origins stood. What could not be
 * waited for is a violation, as is whatever is found at the end. The schedule follows from the seed; the machine's own timing does not.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseMembership } from '../../schemas/membership.ts'
import { type Federation, type Route, startFederation } from '../federation/federation.ts'
import { DEMO_MEMBERS, type MemberPlan } from '../federation/members.ts'
import type { ProgramEvent } from '../federation/programs.ts'
import { randomOf } from '../samples/random.ts'
import { type Card, deal, type Ground } from './faults.ts'
import { behind, type OwnLog, openHolders, ownLogs } from './holders.ts'
import { judge } from './judgement.ts'
import { type Loader, startLoader } from './loader.ts'
import { isReady, pauseSamples, unready, untilCalm } from './readiness.ts'
import { type Road, startRoad } from './road.ts'
import { chosen, dealt, scripted } from './schedule.ts'
import { canLimit, unlimit } from './store-damage.ts'
import type { Recovery, Summary } from './summary.ts'

export type ChaosOptions = {
  readonly home: string
  readonly seed: string
  readonly minutes: number
  /** names of faults, all of them unless said, optionally with a target: `kill hub` */
  readonly only?: readonly string[]
  /** these series and no others, each of faults with their targets, instead of dealt ones */
  readonly script?: readonly (readonly string[])[]
  readonly members?: readonly MemberPlan[]
  /** nodes that are given numbered records */
  readonly loaded?: readonly string[]
  /** how long coming back may take, after a series and at the end */
  readonly recoverWithinMs?: number
  /** a line worth keeping */
  readonly said: (line: string) => void
  /** what goes on just now */
  readonly status?: (text: string) => void
  readonly signal: AbortSignal
}

const RECOVER_WITHIN_MS = 240_000
const LOOK_MS = 250
const TELL_EVERY_MS = 5000

type Pending = { readonly whileDown: () => void; readonly resolve: () => void; readonly reject: (error: unknown) => void }

export async function runChaos(options: ChaosOptions): Promise<Summary> {
  const { seed, signal, said, members = DEMO_MEMBERS, loaded = ['530000', '520000'], recoverWithinMs = RECOVER_WITHIN_MS } = options
  const status = options.status ?? (() => {})
  await using undo = new AsyncDisposableStack()
  const violations: string[] = []
  const skipped: string[] = []
  const faults: { [fault: string]: number } = {}
  const recoveries: Recovery[] = []

  const proxies = new Map<string, Road>()
  for (const program of ['hub', ...members.map(({ code }) => code)]) {
    for (const server of ['broker', 'postgres'] as const) proxies.set(`${program}-${server}`, undo.use(await startRoad()))
  }
  const route: Route = (program, server, url) => proxies.get(`${program}-${server}`)?.through(url) ?? url

  const pending = new Map<string, Pending>()
  let ending = false
  function onEvent(event: ProgramEvent): void {
    if (event.kind === 'recovered') {
      said(`  ${event.name} is back`)
      return
    }
    const awaited = pending.get(event.name)
    pending.delete(event.name)
    if (awaited === undefined) {
      if (!ending) violations.push(`${event.name} died by itself (${event.how}); ${event.logFile} ends in: ${event.tail}`)
      said(`  ${event.name} died by itself (${event.how})`)
      return
    }
    try {
      awaited.whileDown()
      awaited.resolve()
    } catch (error) {
      awaited.reject(error)
    }
  }

  const store = join(options.home, 'broker', 'jetstream')
  const giveBack = (): void => unlimit(store)
  process.once('exit', giveBack)
  undo.defer(() => {
    process.off('exit', giveBack)
    giveBack()
  })
  status('starting')
  const federation = undo.use(await startFederation({ home: options.home, members, route, onEvent, onProgress: () => {}, signal }))
  undo.defer(() => {
    ending = true
  })
  const { file } = federation
  const membership = await parseMembership(await readFile(file.membership_file, 'utf8'))
  const holders = undo.use(openHolders(membership, federation.databaseUrl))
  const loaders: Loader[] = []
  for (const origin of loaded) {
    const place = file.nodes[origin]
    if (place === undefined) continue
    const token = (await readFile(place.operator_token_file, 'utf8')).trim()
    loaders.push(undo.use(startLoader({ origin, url: place.url, token, seed })))
  }

  const ground = groundOf(federation, { members, proxies, pending, store })
  if (!ground.canLimit) skipped.push('full disk: no right to mount a small file system here')
  const urls = [file.hub.url, ...Object.values(file.nodes).map(({ url }) => url)]
  if (file.samples !== undefined) urls.push(file.samples.url)
  const allReady = async (): Promise<boolean> => (await Promise.all(urls.map(isReady))).every(Boolean)

  /** What is still missing, as sentences; empty when the federation has come back. */
  async function untilRecovered(withinMs: number): Promise<string[]> {
    const end = performance.now() + withinMs
    let goal: readonly OwnLog[] | null = null
    let tellAt = performance.now() + TELL_EVERY_MS
    for (;;) {
      const late = await missing()
      if (late.length > 0 && performance.now() > tellAt) {
        said(`          still: ${late.slice(0, 3).join('; ')}${late.length > 3 ? ` and ${late.length - 3} more` : ''}`)
        tellAt += TELL_EVERY_MS
      }
      if (late.length === 0 || signal.aborted || performance.now() > end) return signal.aborted ? [] : late
      await delay(LOOK_MS)
    }
    async function missing(): Promise<string[]> {
      try {
        if (!(await allReady())) return await unready(urls)
        goal ??= await ownLogs(holders)
        return await behind(holders, goal)
      } catch (error) {
        return [`the databases do not answer: ${error instanceof Error ? error.message : String(error)}`]
      }
    }
  }

  async function strike(card: Card): Promise<void> {
    const name = `${card.row.name} ${card.target}`
    const random = randomOf(
      'fault',
      seed,
      Object.values(faults).reduce((sum, count) => sum + count, 0),
    )
    faults[name] = (faults[name] ?? 0) + 1
    said(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${name}`)
    await card.row.run({ ground, target: card.target, random, signal, said: what => said(`          ${name}: ${what}`) })
  }

  /** One to three faults, each a little after the one before, and then the way back. */
  async function series(cards: readonly Card[], gaps: readonly number[]): Promise<void> {
    const running: Promise<void>[] = []
    for (const [index, card] of cards.entries()) {
      await delay(gaps[index] ?? 0)
      running.push(strike(card))
    }
    const after = cards.map(card => `${card.row.name} ${card.target}`)
    await Promise.all(running)
    const since = performance.now()
    status(`coming back after ${after.join(' + ')}`)
    const late = await untilRecovered(recoverWithinMs)
    const ms = performance.now() - since
    if (late.length > 0)
      violations.push(`not back ${recoverWithinMs / 1000} s after ${after.join(' + ')}: ${late.slice(0, 6).join('; ')}`)
    else recoveries.push({ after, ms })
    said(late.length > 0 ? `  NOT BACK: ${late.slice(0, 6).join('; ')}` : `  all back after ${(ms / 1000).toFixed(1)} s`)
  }

  const random = randomOf('schedule', seed)
  const cards = deal(ground, chosen(options.only), random)
  const startedAt = performance.now()
  const end = startedAt + options.minutes * 60_000
  const plan = options.script === undefined ? dealt(cards, options.only, random) : scripted(options.script, random)
  for (const { group, gaps } of plan) {
    if (signal.aborted || (options.script === undefined && performance.now() >= end)) break
    const left = Math.max(0, end - performance.now())
    status(`${Math.ceil(left / 1000)} s left, ${loaders.reduce((sum, one) => sum + one.count(), 0)} versions sealed`)
    await series(group, gaps)
  }
  while (performance.now() < end && !signal.aborted) await delay(LOOK_MS)

  const flippedBits = [...proxies.values()].reduce((sum, proxy) => sum + proxy.flipped(), 0)
  for (const proxy of proxies.values()) proxy.change({ kind: 'clear' })
  status('waiting for everything to come across')
  const limit = AbortSignal.any([signal, AbortSignal.timeout(recoverWithinMs)])
  const whole = await Promise.all(loaders.map(loader => loader.finish(limit)))
  if (whole.includes(false)) violations.push('a node did not answer for the last numbered records')
  violations.push(...loaders.flatMap(loader => loader.refusals().slice(0, 3)))
  if (!(await pauseSamples(federation, limit))) violations.push('the sample systems could not push everything')
  const since = performance.now()
  const goal = await untilCalm(holders, limit)
  const late = await untilRecovered(Math.max(10_000, recoverWithinMs - (performance.now() - since)))
  violations.push(...late.slice(0, 10).map(what => `at the end: ${what}`))
  status('judging')
  const remembered = new Map(loaders.map(loader => [loader.origin, loader.remembered()]))
  const findings = await judge(holders, goal, remembered, flippedBits > 0)
  const longest = recoveries.toSorted((a, b) => b.ms - a.ms)[0] ?? null
  return {
    seed,
    minutes: options.minutes,
    faults,
    flippedBits,
    remembered: loaders.reduce((sum, one) => sum + one.count(), 0),
    offered: findings.offered,
    applied: findings.applied,
    lost: findings.lost,
    doubled: findings.doubled,
    recoveries: recoveries.length,
    longestRecovery: longest,
    quarantined: findings.quarantined,
    skipped,
    violations: [...violations, ...findings.violations],
    logs: join(federation.home, 'logs'),
  }
}

function groundOf(
  federation: Federation,
  parts: {
    readonly members: readonly MemberPlan[]
    readonly proxies: ReadonlyMap<string, Road>
    readonly pending: Map<string, Pending>
    readonly store: string
  },
): Ground {
  const { proxies, pending, store } = parts
  const programs = ['hub', ...parts.members.map(({ code }) => code), ...(federation.samples === null ? [] : ['samples'])]
  return {
    programs,
    proxy(program, server) {
      const proxy = proxies.get(`${program}-${server}`)
      if (proxy === undefined) throw new RangeError(`there is no road from ${program} to ${server}`)
      return proxy
    },
    pid: federation.pid,
    async kill(name, whileDown = () => {}) {
      if (federation.pid(name) === null || pending.has(name)) return false
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      pending.set(name, { whileDown, resolve, reject })
      federation.killProgram(name)
      await promise
      return true
    },
    async brokerBack() {
      while (federation.pid('broker') === null) await delay(LOOK_MS)
    },
    store,
    canLimit: canLimit(federation.home),
  }
}
