/**
 * Threads that judge certificates in bulk, so that signatures of a hundred thousand certificates do not keep the program from
 * answering. The material is read once in each; batches go to whoever is free. A thread that dies fails the batch that it had, and its
 * place is taken by a new one.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { ExchangeError } from '../../schemas/errors.ts'
import type { Judgement, MaterialBytes } from './judgement.ts'

export type PoolQuestion = { readonly id: number; readonly at: number; readonly certificates: readonly Uint8Array[] }
type PoolAnswer = { readonly id: number; readonly judgements: readonly Judgement[] }
type Waiting = {
  readonly question: PoolQuestion
  readonly resolve: (judgements: readonly Judgement[]) => void
  readonly reject: (error: unknown) => void
}

/** One core is left to the program itself. */
export const POOL_THREADS = Math.max(1, Math.min(8, availableParallelism() - 1))

export type VerificationPool = AsyncDisposable & {
  readonly threads: number
  /** in the order asked; `at` in ms since 1970 */
  judge(certificates: readonly Uint8Array[], at: number): Promise<readonly Judgement[]>
}

export function startPool(material: MaterialBytes, threads = POOL_THREADS): VerificationPool {
  const free: Worker[] = []
  const busy = new Map<Worker, Waiting>()
  const queue: Waiting[] = []
  let stopping = false
  let count = 0

  function hire(): void {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: material })
    worker.on('message', ({ judgements }: PoolAnswer) => {
      busy.get(worker)?.resolve(judgements)
      busy.delete(worker)
      free.push(worker)
      pass()
    })
    worker.on('error', cause => {
      busy.get(worker)?.reject(new ExchangeError('INTERNAL', 'a thread that judges certificates has failed', { cause }))
      busy.delete(worker)
      const at = free.indexOf(worker)
      if (at >= 0) free.splice(at, 1)
      if (stopping) return
      hire()
      pass()
    })
    free.push(worker)
  }

  function pass(): void {
    while (queue.length > 0 && free.length > 0) {
      const [waiting, worker] = [queue.shift(), free.pop()]
      if (waiting === undefined || worker === undefined) return
      busy.set(worker, waiting)
      worker.postMessage(waiting.question)
    }
  }

  for (let index = 0; index < threads; index += 1) hire()
  return {
    threads,
    judge(certificates, at) {
      count += 1
      const question = { id: count, at, certificates }
      return new Promise((resolve, reject) => {
        queue.push({ question, resolve, reject })
        pass()
      })
    },
    async [Symbol.asyncDispose]() {
      stopping = true
      const gone = new ExchangeError('INTERNAL', 'the pool is stopping')
      for (const { reject } of queue.splice(0)) reject(gone)
      for (const { reject } of busy.values()) reject(gone)
      await Promise.all([...free, ...busy.keys()].map(worker => worker.terminate()))
    },
  }
}
