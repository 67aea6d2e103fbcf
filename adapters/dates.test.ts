import { describe, expect, it } from 'vitest'
import { readDay, readInstant } from './dates.ts'

describe('days and instants', () => {
  it('reads the ways in which a day is written', () => {
    for (const text of [
      '2019-01-02',
      '20190102',
      '2019/1/2',
      '2019.01.02',
      '2019年1月2日',
      '２０１９-01-02',
      '2019-01-02 00:00:00',
    ])
      expect(readDay(text)).toBe('2019-01-02')
  })

  it('refuses a day that the calendar has not', () => {
    for (const text of ['2019-02-30', '20191301', '0000-01-01', '2019-1', '43467']) expect(readDay(text)).toBeNull()
  })

  it("reads the national specification's times as China's, and keeps an offset that is written", () => {
    expect(readInstant('20190102030405')).toBe('2019-01-02T03:04:05+08:00')
    expect(readInstant('2019/1/2 3:04')).toBe('2019-01-02T03:04:00+08:00')
    expect(readInstant('2010-05-10T10:30:00Z')).toBe('2010-05-10T10:30:00Z')
    for (const text of ['20190102240000', '2019-01-02T03:60:00Z', '']) expect(readInstant(text)).toBeNull()
  })
})
