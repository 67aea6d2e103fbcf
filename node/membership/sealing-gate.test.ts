import { expect, test } from 'vitest'
import type { ItemResult, Sealer } from '../ledger/sealer.ts'
import { createSealingGate } from './sealing-gate.ts'

/** A sealer whose work is done when the test says so. */
function sealerAt(): { sealer: Sealer; running: (() => void)[] } {
  const running: (() => void)[] = []
  const sealer: Sealer = {
    submit: () =>
      new Promise<ItemResult[]>(resolve => {
        running.push(() => resolve([]))
      }),
    async [Symbol.asyncDispose]() {},
  }
  return { sealer, running }
}

test('closing waits for what is being sealed, and what comes meanwhile waits until it is open again', async () => {
  const { sealer, running } = sealerAt()
  const gate = createSealingGate(sealer)
  const first = gate.sealer.submit('entity', 'all', [])
  let closed = false
  const closing = gate.close(60_000).then(() => {
    closed = true
  })
  const second = gate.sealer.submit('entity', 'all', [])
  await Promise.resolve()
  expect([closed, running.length]).toEqual([false, 1])
  running[0]?.()
  await Promise.all([first, closing])
  expect(running).toHaveLength(1)
  gate.open()
  await expect.poll(() => running.length).toBe(2)
  running[1]?.()
  expect(await second).toEqual([])
})

test('a gate that nobody opens again opens by itself', async () => {
  const { sealer, running } = sealerAt()
  const gate = createSealingGate(sealer)
  await gate.close(20)
  const work = gate.sealer.submit('entity', 'all', [])
  await expect.poll(() => running.length).toBe(1)
  running[0]?.()
  await work
})
