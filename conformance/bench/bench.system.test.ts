import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { Figure } from './figures.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const bench = (...args: string[]) => promisify(execFile)(process.execPath, [MAIN, ...args])

test('sync prints figures of one shape as JSON, and nothing else on standard output', async () => {
  const { stdout } = await bench('sync', '--quick', '--json')
  const figures = JSON.parse(stdout) as Figure[]
  expect(figures.map(({ bench }) => bench)).toEqual(
    ['backlog', 'live'].flatMap(mode =>
      ['', ', against bare', ', against shaped', ', against the peer', ', processor time'].map(
        against => `sync ${mode}, 1 holder${against}`,
      ),
    ),
  )
  for (const { unit, ours, limit, ratio, notes } of figures) {
    expect(['rows/s', 'µs/row']).toContain(unit)
    expect(limit.name).toMatch(/\w/)
    expect(typeof notes).toBe('string')
    for (const { median, min, max } of [ours, limit]) {
      expect(min).toBeGreaterThan(0)
      expect(median).toBeGreaterThanOrEqual(min)
      expect(max).toBeGreaterThanOrEqual(median)
    }
    expect(ratio).toBeCloseTo(ours.median / limit.median, 2)
  }
})

test('bootstrap loads a log from its snapshot and prints one figure', async () => {
  const { stdout } = await bench('bootstrap', '--quick', '--json')
  const figures = JSON.parse(stdout) as Figure[]
  expect(figures.map(({ bench, unit }) => ({ bench, unit }))).toEqual([{ bench: 'bootstrap', unit: 'rows/s' }])
  expect(figures[0]?.ratio).toBeGreaterThan(0)
})

test('certificates answers cold and warm beside the bare check, and says where the time of an import goes', async () => {
  const { stdout } = await bench('certificates', '--quick', '--rows', '300', '--json')
  const figures = JSON.parse(stdout) as Figure[]
  expect(figures.map(({ bench }) => bench)).toEqual([
    ...['ECDSA P-256', 'SM2'].flatMap(name => [
      `certificates cold, ${name}`,
      `certificates cold, path validation alone, ${name}`,
      `certificates warm, ${name}`,
    ]),
    'certificates import',
  ])
  for (const { bench, ratio } of figures) expect(ratio, bench).toBeGreaterThan(0)
  for (const part of ['reading', 'parsing', 'judging', 'storing', 'together', 'once more'])
    expect(figures.at(-1)?.notes).toMatch(new RegExp(`(^|; )${part}`))
})
