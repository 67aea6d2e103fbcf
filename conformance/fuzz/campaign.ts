/**
 * The campaign: threads over the numbered cases of a seed, watched from outside. A thread that stays on one case is ended and the case
 * reported; so is one that runs out of the memory that it is given. Then it goes on behind that case.
 */
import { Worker } from 'node:worker_threads'
import { type Failure, makeCase } from './cases.ts'
import { makeCorpus } from './corpus.ts'
import type { Told, Work } from './worker.ts'

/** For a thread: corpus, caches of keys, and one input. */
const HEAP_MB = 512
const HANG_MS = 30_000
const WATCH_MS = 1000

export type Campaign = { readonly cases: number; readonly seed: number; readonly jobs: number }
export type Outcome = Campaign & { readonly seconds: number; readonly failures: readonly Failure[] }

/** Runs one thread to its end. Answers the case at which it had to be ended, if it had. */
function runThread(work: Work, failed: (failure: Failure) => void): Promise<{ readonly ended: string } | null> {
  return new Promise(resolve => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: work,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    })
    let ended: string | null = null
    let last = -1
    // Counted in turns of this very clock, so that a machine that slept ends nothing.
    let still = 0
    const watch = setInterval(() => {
      const at = Atomics.load(work.at, 0)
      still = at === last ? still + 1 : 0
      last = at
      if (still * WATCH_MS > HANG_MS) {
        ended = `no answer in ${HANG_MS / 1000} s`
        void worker.terminate()
      }
    }, WATCH_MS)
    worker.on('message', (said: Told) => {
      if ('failure' in said) failed(said.failure)
    })
    worker.on('error', error => {
      ended = `${error.name}: ${error.message}`
    })
    worker.on('exit', () => {
      clearInterval(watch)
      resolve(ended === null ? null : { ended })
    })
  })
}

export async function runCampaign(campaign: Campaign, progress: (done: number, failures: number) => void): Promise<Outcome> {
  const { cases, seed, jobs } = campaign
  const corpus = makeCorpus()
  const failures: Failure[] = []
  const begun = performance.now()
  const places = Array.from({ length: jobs }, () => new Int32Array(new SharedArrayBuffer(4)))
  const done = (): number => places.reduce((sum, at) => sum + Math.ceil(Atomics.load(at, 0) / jobs), 0)
  const shown = setInterval(() => progress(done(), failures.length), WATCH_MS)
  const one = async (job: number, at: Int32Array): Promise<void> => {
    for (let from = job; from < cases; ) {
      const end = await runThread({ seed, from, to: cases, step: jobs, at }, failure => failures.push(failure))
      if (end === null) return
      const number = Atomics.load(at, 0)
      const { target, bytes } = makeCase(corpus, seed, number)
      failures.push({
        kind: 'slow',
        message: end.ended,
        number,
        target: target.name,
        hex: bytes.toString('hex'),
        bytes: bytes.length,
      })
      from = number + jobs
    }
  }
  try {
    await Promise.all(places.map((at, job) => one(job, at)))
  } finally {
    clearInterval(shown)
  }
  return { ...campaign, seconds: Math.round((performance.now() - begun) / 100) / 10, failures }
}
