import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { plainDecimal, readMoney, sumDecimals } from './money.ts'

const amount = (text: string) => {
  const read = readMoney(text)
  return read.ok ? `${read.money.amount} ${read.money.currency}` : read.rule
}

describe('money as registers write it', () => {
  it.each([
    ['1,000(万元人民币)', '10000000 CNY'],
    ['１，０００（万元）', '10000000 CNY'],
    ['300.5(万)', '3005000 CNY'],
    ['5万人民币', '50000 CNY'],
    ['100(万人民币元)', '1000000 CNY'],
    ['人民币20亿元', '2000000000 CNY'],
    ['￥1,000.50', '1000.5 CNY'],
    ['0.00001万元', '0.1 CNY'],
    ['5万美元', '50000 USD'],
    ['12(万香港元)', '120000 HKD'],
    ['5.10万欧元', '51000 EUR'],
    ['0万', '0 CNY'],
  ])('reads %s', (text, expected) => {
    expect(amount(text)).toBe(expected)
  })

  it.each([
    ['万人民币', 'money-number'],
    ['-5万', 'money-number'],
    ['1,0000000(万)', 'money-grouping'],
    ['100', 'money-unit'],
    ['100(万两)', 'money-unit'],
    ['人民币5万美元', 'money-currency'],
    ['123456789012345678901234567890万', 'money-length'],
  ])('refuses %s', (text, rule) => {
    expect(amount(text)).toBe(rule)
  })

  it('moves the point without losing a digit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n }), fc.nat(9999), (whole, tenthousandths) => {
        const read = readMoney(`${whole}.${String(tenthousandths).padStart(4, '0')}万元`)
        expect(read.ok && read.money.amount).toBe(String(whole * 10_000n + BigInt(tenthousandths)))
      }),
    )
  })

  it('reads a JSON number with its exponent and sign, and adds exactly', () => {
    expect(['1.10', '2e3', '-0.50', '1E-2', '0.0', '1e400', 'x'].map(plainDecimal)).toEqual([
      '1.1',
      '2000',
      '-0.5',
      '0.01',
      '0',
      null,
      null,
    ])
    expect(sumDecimals(['0.1', '0.2', '9007199254740993'])).toBe('9007199254740993.3')
    expect(sumDecimals(['0.1', '-0.3'])).toBe('-0.2')
  })
})
