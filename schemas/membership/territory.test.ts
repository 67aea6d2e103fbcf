import { describe, expect, test } from 'vitest'
import { checkMemberCode, checkVouched, chineseDay, coverage, regionOfPlatform, voucherFor } from './territory.ts'

const DAY = '2026-03-01'
const YUNNAN = { code: '530000', territory: ['530000'] }
const KUNMING = { code: '530100', territory: ['530100'] }
const SICHUAN = { code: '510000', territory: ['510000'] }
const CHONGQING = { code: '500000', territory: ['500000'] }
const ALL = [YUNNAN, SICHUAN, CHONGQING]

describe('who vouches', () => {
  test.each([
    ['a province for its own code', '530000', DAY, '530000'],
    ['a province for a county of it', '530102', DAY, '530000'],
    ['nobody for a province that is no member', '450000', DAY, undefined],
    ['nobody for what is no region', '990000', DAY, undefined],
    ['the province that had a city, while it had it', '511200', '1996-06-01', '510000'],
    ['the successor’s province for a code that was retired', '511200', DAY, '500000'],
    ['nobody for a city before there was one', '511200', '1980-01-01', undefined],
  ])('is %s', (_, region, day, expected) => {
    expect(voucherFor(ALL, region, day)?.code).toBe(expected)
  })

  test('is the city that is a member itself, before its province', () => {
    expect(voucherFor([YUNNAN, KUNMING], '530102', DAY)).toBe(KUNMING)
    expect(voucherFor([YUNNAN, KUNMING], '530300', DAY)).toBe(YUNNAN)
  })

  test('is not one that has left', () => {
    expect(voucherFor([{ ...YUNNAN, standing: 'left' as const }], '530100', DAY)).toBeNull()
    expect(voucherFor([YUNNAN, { ...KUNMING, standing: 'left' as const }], '530102', DAY)).toBe(YUNNAN)
  })

  test('nobody, of a code whose successors lie in several territories and one is nobody’s', () => {
    expect(coverage(['340100', '340200'], '341400', DAY)).toBeNull()
    expect(coverage(['340000'], '341400', DAY)).toBe(2)
  })

  test.each(['node', 'platform', 'ca', 'pool'] as const)('is checked for %s, and a foreign one is refused', kind => {
    expect(() => checkVouched(ALL, '530000', { kind, region: '530100' }, DAY)).not.toThrow()
    expect(() => checkVouched(ALL, '530000', { kind, region: '510100' }, DAY)).toThrow('TERRITORY_FOREIGN')
  })
})

test('a day is one in China', () => {
  expect(chineseDay(new Date('2026-02-28T16:00:00Z'))).toBe('2026-03-01')
})

test('a code is of its kind', () => {
  for (const [code, kind] of [
    ['530000', 'province'],
    ['660000', 'province'],
    ['440300', 'city'],
    ['000000', 'national'],
  ] as const)
    expect(() => checkMemberCode(code, kind, DAY)).not.toThrow()
  for (const [code, kind] of [
    ['530100', 'province'],
    ['530102', 'city'],
    ['990000', 'province'],
    ['530000', 'county'],
    ['530200', 'city'],
  ] as const)
    expect(() => checkMemberCode(code, kind, DAY)).toThrow('MEMBER_CODE_INVALID')
})

test('a platform’s code shows its region where it begins with one', () => {
  expect([regionOfPlatform('530100-01'), regionOfPlatform('991234'), regionOfPlatform('YN-01')]).toEqual(['530100', null, null])
})
