/** Statements of the hub end; the exchange between nodes does not. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Bed, startBed } from './bed.ts'
import { arrived, eventually, ingest } from './records.ts'

const LIFETIME_MS = 60_000

let bed: Bed
beforeAll(async () => {
  bed = await startBed({ members: ['530000', '520000'], statementLifetimeMs: LIFETIME_MS })
}, 180_000)
afterAll(async () => bed?.[Symbol.asyncDispose]())

type Check = { name: string; ok: boolean; reason?: string }
const health = async (code: string): Promise<{ ready: boolean; checks: Check[] }> =>
  (await (await fetch(`${bed.node(code).url}/health/ready`)).json()) as { ready: boolean; checks: Check[] }
const statement = async (code: string): Promise<Check | undefined> =>
  (await health(code)).checks.find(({ name }) => name === 'hub-statement')

test('nodes exchange while the hub is away past the lifetime of its statements, and say that these end', {
  timeout: 180_000,
}, async () => {
  const held = async () => (await fetch(`${bed.node('530000').url}/federation/statement`)).status
  await eventually('a statement', held, status => status === 200)
  await bed.stopHub()
  await eventually(
    'the warning before the end',
    () => statement('530000'),
    check => check?.reason?.includes('ends at') === true,
    LIFETIME_MS,
  )
  await eventually(
    'the end',
    () => statement('530000'),
    check => check?.reason?.includes('ended at') === true,
    LIFETIME_MS,
  )
  expect(await statement('530000')).toMatchObject({ ok: true })
  await ingest(bed, '530000', 1, 2, 3)
  await arrived(bed, '520000', [1, 2, 3])
  await ingest(bed, '520000', 4)
  await arrived(bed, '530000', [4])
})
