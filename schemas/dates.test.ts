import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isDate, isDateTime } from './dates.ts'

const day = fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true })

test('every time that Date writes is read, its day too', () => {
  fc.assert(fc.property(day, date => isDateTime(date.toISOString()) && isDate(date.toISOString().slice(0, 10))))
})

test('every time that is accepted is a time to Date', () => {
  const digits = fc.stringMatching(
    /^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,9})?(Z|[+-][0-2][0-9]:[0-6][0-9])$/,
  )
  fc.assert(fc.property(digits, text => !isDateTime(text) || !Number.isNaN(Date.parse(text))))
})

test.each(['2019-02-29', '2100-02-29', '2019-13-01', '2019-04-31', '0000-01-01', '2019-1-1', '2019-01-01\n', ''])(
  'refuses the day %j',
  text => {
    expect(isDate(text)).toBe(false)
  },
)

test.each([
  '2019-01-01T00:00:00',
  '2019-01-01 00:00:00Z',
  '2019-01-01t00:00:00z',
  '2019-01-01T24:00:00Z',
  '2016-12-31T23:59:60Z',
  '2019-01-01T00:00:00+0800',
  '2019-01-01T00:00:00+16:00',
  '2019-01-01T00:00:00.Z',
  '2019-01-01T00:00:00.1234567890Z',
  '2019-02-30T00:00:00Z',
])('refuses the time %j', text => {
  expect(isDateTime(text)).toBe(false)
})

test('accepts Chinese time, and the leap day of a leap year', () => {
  expect(isDateTime('2019-05-31T09:30:00+08:00')).toBe(true)
  expect(isDate('2000-02-29')).toBe(true)
})
