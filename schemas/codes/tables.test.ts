import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { isDate } from '../dates.ts'
import type { Period } from './periods.ts'
import { REGIONS, regionAt } from './regions.ts'
import { TRADE_CLASSES, TRADE_GROUPS, tradeClassAt } from './trade-classes.ts'

const GB2260 = '../shared/data/records/gb2260'
const days = (period: Period): string[] => [period.valid_from, period.valid_to].filter(day => day !== null)

describe('trade classes', () => {
  test('every group has a class, every code stands once, every row is named in both languages', () => {
    expect(new Set(TRADE_CLASSES.map(row => row.group))).toEqual(new Set(TRADE_GROUPS))
    expect(new Set(TRADE_CLASSES.map(row => row.code)).size).toBe(TRADE_CLASSES.length)
    expect(TRADE_CLASSES.filter(row => row.en === '' || row.zh === '' || !days(row).every(isDate))).toEqual([])
  })

  test('a code is read as of its day', () => {
    expect(tradeClassAt('A02', '2019-05-01')).toMatchObject({ found: 'exact', row: { zh: '市政', group: 'engineering' } })
    expect(tradeClassAt('A02', '2015-08-09')).toBeNull()
    expect(tradeClassAt('Z', '2001-01-01')).toMatchObject({ found: 'exact', row: { group: 'others' } })
  })

  test('a code whose digits are not in the table is found by its letter and says so', () => {
    expect(tradeClassAt('D03', '2019-05-01')).toMatchObject({ found: 'letter', row: { code: 'D' } })
    expect(tradeClassAt('A50', '2019-05-01')).toBeNull()
    expect(tradeClassAt('DX', '2019-05-01')).toBeNull()
  })
})

describe('regions', () => {
  test('days exist, and successors of a code are codes of six digits', () => {
    expect(REGIONS.flatMap(days).filter(day => !isDate(day))).toEqual([])
    expect(REGIONS.flatMap(region => region.successors).filter(code => !/^[0-9]{6}$/.test(code))).toEqual([])
  })

  test('a row that ended names a successor, and only such a row', () => {
    expect(REGIONS.filter(region => (region.valid_to === null) !== (region.successors.length === 0))).toEqual([])
  })

  test('a retired code is exact as of its day and says that it is not in force after', () => {
    expect(regionAt('522400', '2010-06-01')).toMatchObject({ found: 'exact', region: { zh: '毕节地区' } })
    expect(regionAt('522400', '2019-06-01')).toMatchObject({ found: 'not-in-force', region: { successors: ['520500'] } })
    expect(regionAt('341400', '2019-06-01')?.region.successors).toHaveLength(3)
  })

  test('one code with two names in turn is named as of the day', () => {
    expect(regionAt('530800', '2005-06-01')?.region.zh).toBe('思茅市')
    expect(regionAt('530800', '2019-06-01')?.region.zh).toBe('普洱市')
  })

  test('an unknown code falls back to its city, then to its province, and says so', () => {
    expect(regionAt('530102', '2019-06-01')).toMatchObject({ found: 'city', region: { code: '530100' } })
    expect(regionAt('440305', '2019-06-01')).toMatchObject({ found: 'province', region: { code: '440000' } })
    expect(regionAt('990000', '2019-06-01')).toBeNull()
    expect(regionAt('5301', '2019-06-01')).toBeNull()
  })

  test('names in force are those of the table made by others', context => {
    if (!existsSync(GB2260)) {
      process.stdout.write(`skipped: ${GB2260} is absent\n`)
      context.skip()
    }
    const lines = ['provinces.csv', 'cities.csv'].flatMap(file =>
      readFileSync(`${GB2260}/${file}`, 'utf8').trim().split('\n').slice(1),
    )
    const theirs = new Map(
      lines.map(line => line.split(',')).map(([code = '', name = '']) => [code.padEnd(6, '0'), name.replaceAll('"', '')]),
    )
    const ours = REGIONS.filter(region => region.valid_to === null && theirs.has(region.code))
    expect(ours.length).toBeGreaterThan(60)
    expect(ours.filter(region => theirs.get(region.code) !== region.zh)).toEqual([])
  })
})
