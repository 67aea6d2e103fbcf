/** A thread of the pool (`pool.ts`): it is handed the material once, then batches of certificates, and answers with their rows. */
import { parentPort, workerData } from 'node:worker_threads'
import { judgeBytes, type MaterialBytes, readMaterial } from './judgement.ts'
import type { PoolQuestion } from './pool.ts'

const material = readMaterial(workerData as MaterialBytes)

parentPort?.on('message', ({ id, at, certificates }: PoolQuestion) => {
  parentPort?.postMessage({ id, judgements: certificates.map(der => judgeBytes(der, material, at)) })
})
