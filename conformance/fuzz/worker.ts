/** One thread of the campaign. The number of the case at hand stands in shared memory, where the owner sees it even if this thread hangs. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Failure, runCases } from './cases.ts'
import { makeCorpus } from './corpus.ts'

export type Work = {
  readonly seed: number
  readonly from: number
  readonly to: number
  readonly step: number
  readonly at: Int32Array
}
export type Told = { readonly failure: Failure } | { readonly memory: number }

const { at, ...range } = workerData as Work
const tell = (said: Told): void => parentPort?.postMessage(said)
runCases(makeCorpus(), range, {
  started: number => Atomics.store(at, 0, number),
  failed: failure => tell({ failure }),
})
Atomics.store(at, 0, range.to)
tell({ memory: process.memoryUsage().heapUsed })
