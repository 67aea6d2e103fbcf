import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { keepRounds } from './rounds.ts'

const EVERY_MS = 1000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const rejected = (error: unknown): never => {
  throw error
}

describe('rounds', () => {
  test('no round begins while another runs', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    let begun = 0
    await using _rounds = keepRounds(EVERY_MS, () => (begun++ === 0 ? held : Promise.resolve()), rejected)
    await vi.advanceTimersByTimeAsync(EVERY_MS * 5)
    expect(begun).toBe(1)
    release()
    await vi.advanceTimersByTimeAsync(EVERY_MS * 2)
    expect(begun).toBe(3)
  })

  test('a round that fails is told, and the next is tried', async () => {
    const told: unknown[] = []
    let begun = 0
    const round = async (): Promise<void> => {
      begun += 1
      throw new Error(`round ${begun}`)
    }
    await using _rounds = keepRounds(EVERY_MS, round, error => told.push(error))
    await vi.advanceTimersByTimeAsync(EVERY_MS * 2)
    expect(told).toEqual([new Error('round 1'), new Error('round 2')])
  })

  test('disposing aborts the signal of the round that runs, waits for it and begins none after', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    const signals: AbortSignal[] = []
    const round = (stopping: AbortSignal): Promise<void> => {
      signals.push(stopping)
      return held
    }
    const rounds = keepRounds(EVERY_MS, round, rejected)
    await vi.advanceTimersByTimeAsync(EVERY_MS)
    let disposed = false
    const disposing = rounds[Symbol.asyncDispose]().then(() => {
      disposed = true
    })
    await vi.advanceTimersByTimeAsync(EVERY_MS * 2)
    expect(signals.map(signal => signal.aborted)).toEqual([true])
    expect(disposed).toBe(false)
    release()
    await disposing
    await vi.advanceTimersByTimeAsync(EVERY_MS * 2)
    expect(signals).toHaveLength(1)
  })
})
