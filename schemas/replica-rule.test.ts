import { describe, expect, it } from 'vitest'
import { highestOfEachKey, takesEffect } from './replica-rule.ts'

describe('the replica', () => {
  it('takes a record whose version is higher than what stands, and no other', () => {
    expect(takesEffect(null, 1)).toBe(true)
    expect(takesEffect(1, 2)).toBe(true)
    expect(takesEffect(2, 2)).toBe(false)
    expect(takesEffect(3, 2)).toBe(false)
  })

  it('lets the highest version of a key stand for all of a batch, the first of equals', () => {
    const a1 = { key: 'a', ver: 1, op: 'first' }
    const a3 = { key: 'a', ver: 3, op: 'second' }
    const b1 = { key: 'b', ver: 1, op: 'third' }
    expect(highestOfEachKey([a1, b1, a3, { ...a3, op: 'again' }])).toEqual([a3, b1])
  })
})
