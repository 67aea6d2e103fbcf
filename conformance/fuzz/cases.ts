/** One case of the campaign, a function of the seed and its number: made, run, and if it fails made as small as it can be. */
import { randomOf } from '../samples/random.ts'
import type { Corpus } from './corpus.ts'
import { TARGETS, type Target } from './targets.ts'

/** Processor time. A case that takes longer has no bound that one could live with; most take well below a millisecond. */
export const CASE_MS = 2000

export type Case = { readonly number: number; readonly target: Target; readonly bytes: Buffer }
export type Fault = { readonly kind: 'exception' | 'slow'; readonly message: string }
export type Failure = Fault & { readonly number: number; readonly target: string; readonly hex: string; readonly bytes: number }

const SHARES = TARGETS.flatMap(target => Array.from({ length: target.share }, () => target)) as [Target, ...Target[]]

export function makeCase(corpus: Corpus, seed: number, number: number): Case {
  const random = randomOf('fuzz', seed, number)
  const target = random.pick(SHARES)
  return { number, target, bytes: target.make(corpus, random) }
}

const say = (error: unknown): string => (error instanceof Error ? `${error.name}: ${error.message}` : String(error))

export function runInput(corpus: Corpus, target: Target, bytes: Buffer): Fault | null {
  const since = process.threadCpuUsage()
  try {
    target.run(corpus, bytes)
  } catch (error) {
    return { kind: 'exception', message: say(error) }
  }
  const { user, system } = process.threadCpuUsage(since)
  const ms = (user + system) / 1000
  return ms > CASE_MS ? { kind: 'slow', message: `${Math.round(ms)} ms` } : null
}

const TRIES = 2000

/** Leaves out pieces, from halves down to bytes, as long as the same kind of fault stays. */
export function shrink(corpus: Corpus, { target, bytes }: Case, fault: Fault): Buffer {
  const name = fault.message.split(':')[0]
  const fails = (input: Buffer): boolean => {
    const found = runInput(corpus, target, input)
    return found !== null && found.kind === fault.kind && (fault.kind === 'slow' || found.message.split(':')[0] === name)
  }
  let small = bytes
  let tries = fault.kind === 'slow' ? 20 : TRIES
  for (let size = Math.ceil(small.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let at = 0; at < small.length && tries > 0; tries -= 1) {
      const shorter = Buffer.concat([small.subarray(0, at), small.subarray(at + size)])
      if (fails(shorter)) small = shorter
      else at += size
    }
  return small
}

/** Runs every `step`-th case from `from` up to `to`; tells of each failure, and now and then how far it is. */
export function runCases(
  corpus: Corpus,
  { seed, from, to, step }: { readonly seed: number; readonly from: number; readonly to: number; readonly step: number },
  told: { readonly started?: (number: number) => void; readonly failed: (failure: Failure) => void },
): void {
  for (let number = from; number < to; number += step) {
    told.started?.(number)
    const one = makeCase(corpus, seed, number)
    const fault = runInput(corpus, one.target, one.bytes)
    if (fault === null) continue
    const small = shrink(corpus, one, fault)
    told.failed({ ...fault, number, target: one.target.name, hex: small.toString('hex'), bytes: one.bytes.length })
  }
}
