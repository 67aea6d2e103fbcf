/** The hub is killed at each step of a join. Nothing has to be begun again: every side takes up where it stood. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Bed, joinAs, startBed } from './bed.ts'
import { arrived, eventually, ingest } from './records.ts'

let bed: Bed
beforeAll(async () => {
  bed = await startBed({ members: ['530000'], hubProcess: true })
}, 180_000)
afterAll(async () => bed?.[Symbol.asyncDispose]())

/** An operator whose order meets a hub that is away gives it again. */
async function insisting<Type>(act: () => Promise<Type>): Promise<Type> {
  let last: unknown = null
  return eventually(
    'the hub takes the order',
    () =>
      act().catch((error: unknown) => {
        last = error
        const { code = 'PROGRAM_UNREACHABLE' } = error as { code?: string }
        if (code !== 'PROGRAM_UNREACHABLE' && code !== 'ECONNREFUSED') throw error
        return null
      }),
    value => value !== null,
    60_000,
  ).then(value => {
    if (value === null) throw last
    return value
  })
}

test('invite, kill, ask, kill, approve, kill, admitted, kill: the records are visible elsewhere within five minutes', {
  timeout: 240_000,
}, async () => {
  const start = performance.now()
  const file = await bed.invite('520000')
  bed.killHub()
  const joining = joinAs(bed.founded, file)
  const fingerprint = await joining.asked
  bed.killHub()
  await insisting(() => bed.order('security-administrator', '/v1/membership/members/520000/approve', { fingerprint }))
  bed.killHub()
  // An order that was given again after it took effect is no second admission.
  await insisting(() => bed.order('security-administrator', '/v1/membership/members/520000/approve', { fingerprint }))
  expect(await joining.done).toBe(true)
  bed.killHub()
  await bed.startNode('520000')
  await ingest(bed, '520000', 1)
  await arrived(bed, '530000', [1], 120_000)
  const seconds = (performance.now() - start) / 1000
  process.stdout.write(`    invite → records visible elsewhere, the hub killed at each step: ${seconds.toFixed(1)} s\n`)
  expect(seconds).toBeLessThan(300)
  const log = (await bed.ask('530000', '/v1/membership')) as { position: number }
  expect(log.position).toBe(3)
})

test('with the hub gone, a node that lost its membership log has it from a neighbour', { timeout: 120_000 }, async () => {
  const mark = { mark: 'conformance', until: '2030-01-01T00:00:00Z', digest: `sha-256:${'A'.repeat(43)}` }
  await insisting(() => bed.order('security-administrator', '/v1/membership/members/530000/marks', mark))
  const position = async (code: string) => ((await bed.ask(code, '/v1/membership')) as { position: number }).position
  for (const code of ['530000', '520000'])
    await eventually(
      'the mark',
      () => position(code),
      at => at === 4,
    )
  await bed.stopHub()
  await bed.stopNode('530000')
  await bed.nodeDb('530000').deleteFrom('membership_entry').where('seq', '>', 3).execute()
  await bed.startNode('530000')
  await eventually(
    'the neighbour’s copy',
    () => position('530000'),
    at => at === 4,
  )
  await ingest(bed, '520000', 2)
  await arrived(bed, '530000', [2], 60_000)
})
