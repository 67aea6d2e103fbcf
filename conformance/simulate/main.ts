/**
 * `npm run simulate`: worlds by the thousand, one by its seed with its trace, or the mutants. Exits with 1 when an invariant broke or a
 * mutant was not found.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { Command } from 'commander'
import { INVARIANTS, type Invariant } from './invariants.ts'
import { createMembers } from './members.ts'
import { MUTANTS } from './mutants.ts'
import { planOf } from './plan.ts'
import { formatFailure, formatMutants, formatPlan, type MutantRow } from './report.ts'
import { RULES } from './rules.ts'
import { shrink } from './shrink.ts'
import type { Told, Work } from './worker.ts'
import { runWorld } from './world.ts'

type Options = {
  readonly seeds: string
  readonly from: string
  readonly seed?: string
  readonly trace?: true
  readonly json?: true
  readonly mutants?: true
  readonly jobs: string
}

const write = (text: string): void => void process.stdout.write(text)
const print = (value: unknown): void => write(`${JSON.stringify(value, null, 2)}\n`)
const progress = (text: string): void => void (process.stderr.isTTY === true && process.stderr.write(`\r\u001b[2K${text}`))

/** Runs one worker to its end; false from `told` ends it early. */
function runWorker(work: Work, told: (said: Told) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: work })
    worker.on('message', (said: Told) => {
      if (!told(said)) void worker.terminate()
    })
    worker.on('error', reject)
    worker.on('exit', () => resolve())
  })
}

async function one(seed: number, options: Options): Promise<boolean> {
  const members = await createMembers()
  const plan = planOf(seed)
  const result = await runWorld(plan, members)
  if (options.json === true) print({ ...result, trace: options.trace === true ? result.trace : undefined })
  else {
    if (options.trace === true) write(`${formatPlan(plan)}\n${result.trace.join('\n')}\n`)
    if (result.violation === null)
      write(`seed ${seed}: holds, ${result.events} events, healed by ${result.healedAt} ms, trace ${result.digest}\n`)
    else write(formatFailure(await shrink(plan, result, members, RULES)))
  }
  return result.violation === null
}

async function many(options: Options): Promise<boolean> {
  const [from, count, jobs] = [Number(options.from), Number(options.seeds), Number(options.jobs)]
  const failed: Told[] = []
  const begun = performance.now()
  let ran = 0
  let events = 0
  const works = Array.from({ length: jobs }, (_, job) => ({ from: from + job, to: from + count, by: jobs, mutant: null }))
  await Promise.all(
    works.map(work =>
      runWorker(work, said => {
        ran += 1
        events += said.events
        if (said.invariant !== null) failed.push(said)
        progress(`${ran}/${count} worlds, ${failed.length} failed`)
        return true
      }),
    ),
  )
  progress('')
  const seconds = Math.round((performance.now() - begun) / 100) / 10
  failed.sort((a, b) => a.seed - b.seed)
  if (options.json === true) print({ from, seeds: ran, events, seconds, failed })
  else
    write(
      `${ran} worlds, ${events} events, ${seconds} s: ${failed.length === 0 ? 'every invariant held' : `${failed.length} failed`}\n`,
    )
  const [first] = failed
  if (first !== undefined && options.json !== true) {
    for (const { seed, invariant, detail } of failed.slice(0, 20))
      write(`  seed ${seed}  ${INVARIANTS[invariant as Invariant]}: ${detail}\n`)
    const members = await createMembers()
    const plan = planOf(first.seed)
    write(formatFailure(await shrink(plan, await runWorld(plan, members), members, RULES)))
  }
  return failed.length === 0 && ran === count
}

async function mutants(options: Options): Promise<boolean> {
  const [from, count, jobs] = [Number(options.from), Number(options.seeds), Number(options.jobs)]
  const rows: MutantRow[] = []
  const left = [...MUTANTS]
  const work = async (): Promise<void> => {
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      let found: Told | null = null
      let worlds = 0
      await runWorker({ from, to: from + count, by: 1, mutant: mutant.name }, said => {
        worlds += 1
        if (said.invariant !== null && (found === null || said.seed < found.seed)) found = said
        return true
      })
      const told = found as Told | null
      rows.push({ mutant: mutant.name, seed: told?.seed ?? null, invariant: told?.invariant ?? null, worlds })
      progress(`${rows.length}/${MUTANTS.length} mutants`)
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  progress('')
  rows.sort((a, b) => MUTANTS.findIndex(({ name }) => name === a.mutant) - MUTANTS.findIndex(({ name }) => name === b.mutant))
  if (options.json === true) print(rows)
  else write(formatMutants(rows))
  return rows.every(({ seed }) => seed !== null)
}

const program = new Command('simulate')
  .description(
    'The federation on a virtual clock: many worlds by their seeds, the log’s own rules, every invariant after every step.',
  )
  .option('--seeds <count>', 'how many worlds; for --mutants, at most how many for each (1000)', '2000')
  .option('--from <seed>', 'first seed', '1')
  .option('--seed <seed>', 'one world; if it fails, made as small as it can be')
  .option('--trace', 'with --seed: what happened, line by line')
  .option('--mutants', 'faults put into the rules on purpose, each run until it is found')
  .option('--json', 'print one JSON value')
  .option('--jobs <count>', 'threads', String(Math.min(2, availableParallelism())))
  .parse()
const options = program.opts<Options>()
for (const name of ['seeds', 'from', 'seed', 'jobs'] as const) {
  const text = options[name]
  if (text !== undefined && !/^[0-9]{1,9}$/.test(text)) program.error(`--${name}: expected a whole number, got ${text}`)
}
const good =
  options.mutants === true
    ? await mutants(program.getOptionValueSource('seeds') === 'default' ? { ...options, seeds: '1000' } : options)
    : options.seed === undefined
      ? await many(options)
      : await one(Number(options.seed), options)
process.exitCode = good ? 0 : 1
