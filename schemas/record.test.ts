import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isSameJson, type JsonValue } from './record.ts'

it('takes values that say the same for the same, whatever the order of their members', () => {
  const shuffled = (value: JsonValue | undefined): JsonValue | undefined => {
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map(one => shuffled(one) ?? null)
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([name, one]) => [name, shuffled(one)]),
    )
  }
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 3 }), value => isSameJson(value as JsonValue, shuffled(value as JsonValue))))
})

it.each<readonly [string, JsonValue, JsonValue]>([
  ['a value that changed', { a: [1, { b: 'x' }] }, { a: [1, { b: 'y' }] }],
  ['a member that is missing', { a: 1, b: 2 }, { a: 1 }],
  ['another member', { a: null }, { b: null }],
  ['a list that is longer', [1], [1, 2]],
  ['a list and an object', [], {}],
  ['a number and its text', 1, '1'],
  ['nothing and an empty object', null, {}],
])('tells apart: %s', (_what, a, b) => {
  expect([isSameJson(a, b), isSameJson(b, a)]).toEqual([false, false])
})

it('takes a member that is undefined for absent', () => {
  expect(isSameJson({ a: 1, b: undefined }, { a: 1 })).toBe(true)
})
