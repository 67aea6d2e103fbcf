import { expect, test } from 'vitest'
import { isExchangeError } from '../errors.ts'
import vectors from '../vectors/deal-code.json' with { type: 'json' }
import { formatDealCode, parseDealCode } from './deal-code.ts'

const outcome = (input: string): unknown => {
  try {
    return parseDealCode(input)
  } catch (error) {
    return isExchangeError(error) ? error.code : error
  }
}

test.each(vectors.vectors)('vector: $comment', vector => {
  expect(outcome(vector.input)).toEqual(vector.expected ?? vector.code)
})

test('both forms of one code are formatted alike, with hyphens', () => {
  const code = 'A99-91359128593462349A-20170601-002267-T'
  expect(formatDealCode(parseDealCode(code))).toBe(code)
  expect(formatDealCode(parseDealCode(code.replaceAll('-', '')))).toBe(code)
})
