/** A short run of faults over two nodes and the national reader: what `npm run chaos` does for ten minutes, in the time of a test. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DEMO_MEMBERS } from '../federation/members.ts'
import { runChaos } from './chaos.ts'

const MEMBERS = DEMO_MEMBERS.filter(({ code }) => ['530000', '520000', '000000'].includes(code))

let home = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'hutong-chaos-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

test('a federation whose hub, node, broker and database are killed and whose streams are wiped loses nothing and doubles nothing', async () => {
  const lines: string[] = []
  const summary = await runChaos({
    home,
    seed: 'ci',
    minutes: 0.5,
    script: [['kill hub', 'kill 530000'], ['wipe broker'], ['kill postgres', 'kill 520000', 'kill broker']],
    recoverWithinMs: 90_000,
    members: MEMBERS,
    said: line => lines.push(line),
    signal: new AbortController().signal,
  })
  expect(summary.violations, lines.join('\n')).toEqual([])
  expect(summary).toMatchObject({ lost: 0, doubled: 0, recoveries: 3 })
  expect(Object.keys(summary.faults).sort()).toEqual([
    'kill 520000',
    'kill 530000',
    'kill broker',
    'kill hub',
    'kill postgres',
    'wipe broker',
  ])
  expect(summary.remembered).toBeGreaterThan(100)
  expect(Object.keys(summary.applied).sort()).toEqual(['000000', '520000', '530000', 'hub'])
}, 400_000)
