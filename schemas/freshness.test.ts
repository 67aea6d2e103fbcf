import { describe, expect, test } from 'vitest'
import { DATASETS } from './datasets/datasets.ts'
import { freshnessAction, freshnessOf, ownFreshness } from './freshness.ts'

const NOW = new Date('2026-11-23T12:00:00Z')
const ago = (seconds: number): Date => new Date(NOW.getTime() - seconds * 1000)
const HOUR = { budget_seconds: 3600, when_stale: 'mark' } as const

describe('freshness', () => {
  test.each([
    [0, 0, 'fresh'],
    [3600, 3600, 'fresh'],
    [3600.9, 3600, 'fresh'],
    [3601, 3601, 'stale'],
    [90_000, 90_000, 'stale'],
  ])('counts whole seconds, and ends when the budget is over: %d s is %d and %s', (seconds, age, state) => {
    expect(freshnessOf(ago(seconds), HOUR, NOW)).toMatchObject({ age_seconds: age, state, budget_seconds: 3600 })
  })

  test('is not won by a clock that runs ahead', () => {
    expect(freshnessOf(ago(-600), HOUR, NOW)).toMatchObject({ age_seconds: 0, as_of: NOW.toISOString() })
  })

  test('is said in both languages, with the age and what is allowed', () => {
    const { said } = freshnessOf(ago(7300), HOUR, NOW)
    expect(said.en).toContain('2 hours ago, 1 hour allowed')
    expect(said.zh).toContain('2小时前，允许1小时')
  })

  test('of an own record is never in doubt', () => {
    expect(ownFreshness({ budget_seconds: 0, when_stale: 'refuse' }, NOW)).toMatchObject({ age_seconds: 0, state: 'fresh' })
  })
})

describe('what a stale dataset makes of an answer', () => {
  test.each([
    ['fresh', 'refuse', false, 'serve'],
    ['fresh', 'ask', false, 'serve'],
    ['stale', 'mark', false, 'mark'],
    ['stale', 'refuse', false, 'refuse'],
    ['stale', 'refuse', true, 'refuse'],
    ['stale', 'ask', false, 'ask'],
    ['stale', 'ask', true, 'mark'],
  ] as const)('%s, contract %s, asked before %s: %s', (state, when_stale, asked, action) => {
    expect(freshnessAction(state, { budget_seconds: 1, when_stale }, asked)).toBe(action)
  })

  test('is stated by a row for every dataset', () => {
    expect(DATASETS.filter(({ freshness }) => freshness.budget_seconds <= 0)).toEqual([])
    expect(DATASETS.map(({ freshness }) => freshness.when_stale)).toEqual(expect.arrayContaining(['mark', 'refuse', 'ask']))
  })
})
