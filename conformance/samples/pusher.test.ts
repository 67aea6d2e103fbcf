import { expect, test } from 'vitest'
import { backoffMs, parseAnswer } from './pusher.ts'

const ROWS = [11, 12, 13].map(id => ({ id, document: '{}', ends_batch: false }))
const refusal = (line: number) => ({
  line,
  item: null,
  field: 'REGION_CODE',
  rule: 'region',
  code: 'ROW_FIELD_INVALID',
  en: 'A region.',
  zh: '',
})

test('rows that the node did not refuse are taken', () => {
  const answer = { rows: 3, sealed: 1, unchanged: 0, superseded: 0, parked: 1, refused: 1, refusals: [refusal(2)] }
  expect(parseAnswer(answer, ROWS)).toEqual({
    taken: [11, 13],
    refused: [{ id: 12, code: 'ROW_FIELD_INVALID', reason: 'REGION_CODE: A region.' }],
  })
})

test('where more are refused than named, the others wait to be asked for again', () => {
  const { taken, refused } = parseAnswer({ rows: 3, refused: 2, refusals: [refusal(1)] }, ROWS)
  expect([taken, refused.map(({ id }) => id)]).toEqual([[], [11]])
})

test.each([
  ['another number of rows', { rows: 2, refused: 0, refusals: [] }],
  ['no sum', { ok: true }],
  ['nothing', null],
  ['a refusal of a line that was not sent', { rows: 3, refused: 1, refusals: [refusal(4)] }],
  ['refusals without names', { rows: 3, refused: 1, refusals: [] }],
])('an answer with %s takes nothing and is asked for again', (_, answer) => {
  expect(() => parseAnswer(answer, ROWS)).toThrow(expect.objectContaining({ code: 'PROGRAM_UNREACHABLE', retry: true }))
})

test('waits double up to ten seconds and spread over all of it', () => {
  expect([0, 1, 2, 5, 6, 1000].map(attempt => backoffMs(attempt, 1))).toEqual([200, 400, 800, 6400, 10_000, 10_000])
  expect(backoffMs(6, 0)).toBe(0)
  expect(backoffMs(6, 0.25)).toBe(2500)
})
