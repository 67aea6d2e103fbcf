/** One thread of a long run: takes every n-th seed, or one mutant, and tells how each ended. */
import { parentPort, workerData } from 'node:worker_threads'
import { MUTANTS } from './mutants.ts'
import { RULES } from './rules.ts'
import { runSeeds } from './seeds.ts'

export type Work = { readonly from: number; readonly to: number; readonly by: number; readonly mutant: string | null }
export type Told = { readonly seed: number; readonly events: number; readonly invariant: string | null; readonly detail: string }

const { mutant, ...range } = workerData as Work
const rules = mutant === null ? RULES : MUTANTS.find(one => one.name === mutant)?.rules
if (rules === undefined) throw new Error(`no mutant is named ${mutant}`)
await runSeeds({
  ...range,
  rules,
  untilFound: mutant !== null,
  ended: ({ seed, events, violation }) =>
    parentPort?.postMessage({
      seed,
      events,
      invariant: violation?.invariant ?? null,
      detail: violation?.detail ?? '',
    } satisfies Told),
})
