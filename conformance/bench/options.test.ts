import { expect, it } from 'vitest'
import { readOptions } from './options.ts'

it('measures with one and with three holders unless told otherwise', () => {
  expect(readOptions(['sync'])).toMatchObject({ bench: 'sync', pairs: 5, holders: [1, 3], modes: ['backlog', 'live', 'http'] })
  expect(readOptions(['sync', '--quick'])).toMatchObject({ pairs: 1, holders: [1], modes: ['backlog', 'live'] })
})

it.each([
  [['sync', '--row', '5'], /'--row'/],
  [['sync', '--rows', 'many'], /--rows: expected a whole number/],
  [['sync', '--holders', '4'], /3 at most, got "4"/],
  [['sync', '--modes', 'live,dead'], /--modes: .* got "dead"/],
  [['sync', 'latency'], /expected one bench/],
])('says in one line what is wrong with %j', (args, fault) => {
  expect(readOptions(args)).toEqual({ fault: expect.stringMatching(fault) })
  expect(readOptions(args)).not.toEqual({ fault: expect.stringContaining('\n') })
})
