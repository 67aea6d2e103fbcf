/**
 * Money as people write it in registers (`1,000(万元人民币)`, `３００．５（万元）`, `5万美元`, `人民币20亿元`) becomes an exact decimal
 * string in the currency's own unit. The point is moved through the digits as text: no floating point touches an amount. What
 * is not understood to the last character is a fault, because a guessed amount is worse than none.
 */

type Money = { readonly amount: string; readonly currency: string }
type MoneyFault = { readonly rule: string; readonly en: string; readonly zh: string }
export type MoneyRead = { readonly ok: true; readonly money: Money } | ({ readonly ok: false } & MoneyFault)

/** ISO 4217 by the names in use; the longer name stands before the one that it contains. Numbers are GB/T 12406. */
const CURRENCY_NAMES: readonly (readonly [name: string, currency: string])[] = [
  ['人民币', 'CNY'],
  ['CNY', 'CNY'],
  ['RMB', 'CNY'],
  ['156', 'CNY'],
  ['￥', 'CNY'],
  ['¥', 'CNY'],
  ['美元', 'USD'],
  ['美金', 'USD'],
  ['USD', 'USD'],
  ['840', 'USD'],
  ['香港元', 'HKD'],
  ['港元', 'HKD'],
  ['港币', 'HKD'],
  ['HKD', 'HKD'],
  ['344', 'HKD'],
  ['澳门元', 'MOP'],
  ['MOP', 'MOP'],
  ['446', 'MOP'],
  ['新台币', 'TWD'],
  ['台币', 'TWD'],
  ['TWD', 'TWD'],
  ['欧元', 'EUR'],
  ['EUR', 'EUR'],
  ['978', 'EUR'],
  ['日元', 'JPY'],
  ['日圆', 'JPY'],
  ['JPY', 'JPY'],
  ['392', 'JPY'],
  ['英镑', 'GBP'],
  ['GBP', 'GBP'],
  ['826', 'GBP'],
  ['澳大利亚元', 'AUD'],
  ['澳元', 'AUD'],
  ['AUD', 'AUD'],
  ['加拿大元', 'CAD'],
  ['加元', 'CAD'],
  ['CAD', 'CAD'],
  ['新加坡元', 'SGD'],
  ['新元', 'SGD'],
  ['SGD', 'SGD'],
  ['韩元', 'KRW'],
  ['KRW', 'KRW'],
  ['瑞士法郎', 'CHF'],
  ['CHF', 'CHF'],
  ['瑞典克朗', 'SEK'],
  ['SEK', 'SEK'],
  ['俄罗斯卢布', 'RUB'],
  ['卢布', 'RUB'],
  ['RUB', 'RUB'],
]

/** How many places the point moves to the right. `元` alone moves it none. */
const SCALES: readonly (readonly [name: string, places: number])[] = [
  ['百亿', 10],
  ['十亿', 9],
  ['亿', 8],
  ['千万', 7],
  ['百万', 6],
  ['十万', 5],
  ['万', 4],
  ['千', 3],
  ['百', 2],
]

const MAX_DIGITS = 30

const fault = (rule: string, en: string, zh: string): MoneyRead => ({ ok: false, rule, en, zh })

/** Full-width digits, letters, commas, points and parentheses become their ASCII forms (NFKC); blanks disappear. */
const plain = (text: string): string => text.normalize('NFKC').replaceAll(/\s/gu, '').replaceAll('，', ',').toUpperCase()

/** The ISO 4217 code that a name, a letter code or a GB/T 12406 number stands for; null where it is none of the known ones. */
export const currencyNamed = (text: string): string | null => {
  const wanted = plain(text)
  for (const [name, currency] of CURRENCY_NAMES) if (plain(name) === wanted) return currency
  return null
}

/** Moves the decimal point `places` to the right and writes the shortest plain form: `003.50`, 4 → `35000`. */
const shiftDecimal = (integer: string, fraction: string, places: number): string => {
  const digits = integer + fraction
  const point = integer.length + places
  const padded = point < 0 ? '0'.repeat(-point) + digits : digits.padEnd(point, '0')
  const at = Math.max(point, 0)
  const whole = padded.slice(0, at).replace(/^0+/, '') || '0'
  const rest = padded.slice(at).replace(/0+$/, '')
  return rest === '' ? whole : `${whole}.${rest}`
}

/** A JSON or plain number literal (`1.10`, `2E+3`) as plain decimal text; null where it is none or absurdly long. */
export const plainDecimal = (literal: string): string | null => {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/.exec(literal)
  if (match === null) return null
  const decimal = shiftDecimal(match[2] ?? '', match[3] ?? '', Number(match[4] ?? '0'))
  if (decimal.length > MAX_DIGITS) return null
  return decimal === '0' ? decimal : `${match[1] ?? ''}${decimal}`
}

/** The exact sum of plain decimals. */
export const sumDecimals = (decimals: readonly string[]): string => {
  const places = Math.max(0, ...decimals.map(decimal => decimal.split('.')[1]?.length ?? 0))
  let sum = 0n
  for (const decimal of decimals) {
    const [whole = '0', fraction = ''] = decimal.split('.')
    sum += BigInt(whole + fraction.padEnd(places, '0'))
  }
  const digits = (sum < 0n ? -sum : sum).toString().padStart(places + 1, '0')
  const plain = shiftDecimal(digits.slice(0, digits.length - places), digits.slice(digits.length - places), 0)
  return sum < 0n ? `-${plain}` : plain
}

const takeNumber = (text: string): { readonly integer: string; readonly fraction: string; readonly rest: string } | MoneyFault => {
  const match = /^(\d[\d,]*)(?:\.(\d+))?/.exec(text)
  if (match === null) return { rule: 'money-number', en: 'An amount begins with its digits', zh: '金额应以数字开头' }
  const grouped = match[1] ?? ''
  if (grouped.includes(',') && !/^\d{1,3}(,\d{3})+$/.test(grouped))
    return { rule: 'money-grouping', en: 'Thousands are grouped by three digits', zh: '千分位应每三位分组' }
  const integer = grouped.replaceAll(',', '')
  const fraction = match[2] ?? ''
  if (integer.length + fraction.length > MAX_DIGITS - 10)
    return { rule: 'money-length', en: 'An amount has at most 20 digits', zh: '金额最多 20 位数字' }
  return { integer, fraction, rest: text.slice(match[0].length) }
}

/** Removes one known currency name from the front or the back of a unit such as `万元人民币`, `万香港元`, `万人民币元`. */
const takeCurrency = (unit: string): { readonly currency: string | null; readonly rest: string } => {
  for (const [name, currency] of CURRENCY_NAMES) {
    const wanted = plain(name)
    if (unit.startsWith(wanted)) return { currency, rest: unit.slice(wanted.length) }
    if (unit.endsWith(wanted)) return { currency, rest: unit.slice(0, -wanted.length) }
    if (unit.endsWith(`${wanted}元`)) return { currency, rest: unit.slice(0, -wanted.length - 1) }
  }
  return { currency: null, rest: unit }
}

/**
 * Reads an amount with its unit. `unit` is what a bare number is counted in (`元`, `万元`); without it a bare number is a
 * fault, for the difference is a factor of ten thousand. `currency` is that of amounts which name none.
 */
export const readMoney = (text: string, { unit, currency = 'CNY' }: { unit?: string; currency?: string } = {}): MoneyRead => {
  let rest = plain(text)
  const front = /^(?:人民币|[￥¥]|[A-Z]{3})/u.exec(rest)
  const named = front === null ? null : currencyNamed(front[0])
  if (front !== null && named !== null) rest = rest.slice(front[0].length)
  const number = takeNumber(rest)
  if (!('integer' in number)) return { ok: false, ...number }
  const stated = number.rest.replace(/^\((.*)\)$/u, '$1').replace(/^(.*)\((.+)\)$/u, '$1$2')
  const written = stated === '' && named === null ? (unit === undefined ? null : plain(unit)) : stated
  if (written === null) return fault('money-unit', 'An amount names its unit', '金额应注明单位')
  const { currency: trailing, rest: scaleText } = takeCurrency(written)
  if (named !== null && trailing !== null && named !== trailing)
    return fault('money-currency', 'An amount has one currency', '金额只应有一种币种')
  const scaleName = scaleText.replace(/[元圆整]+$/u, '')
  const places = scaleName === '' ? 0 : SCALES.find(([name]) => name === scaleName)?.[1]
  if (places === undefined) return fault('money-unit', 'The unit of an amount is known', '金额单位应可识别')
  return {
    ok: true,
    money: { amount: shiftDecimal(number.integer, number.fraction, places), currency: named ?? trailing ?? currency },
  }
}
