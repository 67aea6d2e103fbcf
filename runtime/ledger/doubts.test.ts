import { expect, test } from 'vitest'
import { createDoubts } from './doubts.ts'

test('a doubt is counted by kind and by whom it concerns, with its first and last time and its last reason', () => {
  let now = 0
  const doubts = createDoubts(() => new Date(now))
  doubts.note('entry-refused', '530000', 'KEY_UNKNOWN')
  doubts.note('entries-missing', '530000/entity/all')
  now = 1000
  doubts.note('entry-refused', '530000', 'TOKEN_SIGNATURE_INVALID')
  doubts.note('entry-refused', '520000')
  expect(doubts.list()).toEqual([
    {
      ...{ kind: 'entry-refused', about: '530000', count: 2, reason: 'TOKEN_SIGNATURE_INVALID' },
      ...{ first: new Date(0), last: new Date(1000) },
    },
    { kind: 'entry-refused', about: '520000', count: 1, first: new Date(1000), last: new Date(1000), reason: null },
    { kind: 'entries-missing', about: '530000/entity/all', count: 1, first: new Date(0), last: new Date(0), reason: null },
  ])
})

test('whoever invents names does not fill the memory', () => {
  const doubts = createDoubts(() => new Date(0))
  for (let n = 0; n < 5000; n += 1) doubts.note('proof-refused', `invented-${n}`)
  doubts.note('proof-refused', 'invented-0')
  expect(doubts.list()).toHaveLength(1000)
  expect(doubts.list().find(({ about }) => about === 'invented-0')?.count).toBe(2)
})
