/**
 * How a text of the file becomes a value of the record: one row per converter. A converter is given a text that is not empty
 * and either understands all of it or says which rule it breaks.
 */

import { parseDealCode } from '../schemas/codes/deal-code.ts'
import { REGIONS } from '../schemas/codes/regions.ts'
import { judgeUscc } from '../schemas/codes/uscc.ts'
import { isExchangeError } from '../schemas/errors.ts'
import type { JsonValue } from '../schemas/record.ts'
import { readDay, readInstant } from './dates.ts'
import { currencyNamed, readMoney } from './money.ts'

/** A value of null says nothing, as an empty cell does: a code that names no region is not wrong for that. */
type Converted =
  | { readonly ok: true; readonly value: JsonValue }
  | { readonly ok: false; readonly rule: string; readonly en: string; readonly zh: string }

type ConvertOptions = {
  /** code table: text of the file → value of the record */
  readonly values?: { readonly [text: string]: JsonValue } | undefined
  /** unit of a bare number, such as `万元` */
  readonly unit?: string | undefined
  /** currency of an amount that names none */
  readonly currency?: string | undefined
  /** edition of the classification a code is taken from */
  readonly edition?: string | undefined
}

type Convert = (text: string, options: ConvertOptions) => Converted

const good = (value: JsonValue): Converted => ({ ok: true, value })
const bad = (rule: string, en: string, zh: string): Converted => ({ ok: false, rule, en, zh })

const CONTROL = /[\p{Cc}\p{Cs}]/u

/** As it stands, apart from blanks around it; runs of full-width spaces become one space. */
const text: Convert = value => {
  const kept = value
    .replaceAll(/\u3000+/g, ' ')
    .replaceAll(/[\t\r\n]+/g, ' ')
    .trim()
  return CONTROL.test(kept) ? bad('text', 'A text holds no control characters', '文本不得含控制字符') : good(kept)
}

/** A code: full-width forms made ASCII, upper case, no blanks. A unified social credit code keeps its verdict elsewhere. */
const codeText = (value: string): string => value.normalize('NFKC').replaceAll(/[\s-]/gu, '').toUpperCase()

const code: Convert = value => {
  const judged = judgeUscc(value)
  const kept = judged.outer === 'unreadable' ? codeText(value) : judged.normalised
  return /^[0-9A-Z]{1,40}$/.test(kept) ? good(kept) : bad('code', 'A code is digits and letters', '代码应由数字和字母组成')
}

/** GB 32100: the verdict is stored, never a refusal, because codes in real use fail the check. */
const usccVerdict: Convert = value => {
  const { outer, inner } = judgeUscc(value)
  return good({ kind: outer === 'unreadable' ? 'other' : 'uscc', outer, inner })
}

/** Characters 3 to 8 of a unified social credit code, or 1 to 6 of the 15-digit licence number before it (GS 15-2006). */
const regionOfUscc: Convert = value => {
  const { region } = judgeUscc(value)
  if (region !== null) return good(region)
  const licence = /^(\d{6})\d{9}$/.exec(codeText(value))
  return good(licence?.[1] ?? null)
}

/** A region code of two, four or six digits, written with six (GB/T 2260). */
const region: Convert = value => {
  const digits = codeText(value)
  if (/^\d{9}$|^\d{12}$/.test(digits)) return good(digits.slice(0, 6))
  return /^(\d{2}|\d{4}|\d{6})$/.test(digits)
    ? good(digits.padEnd(6, '0'))
    : bad('region', 'A region is a GB/T 2260 code', '行政区划应为 GB/T 2260 代码')
}

/** GB/T 2260 by the name of the province, with or without its rank. */
const regionOfProvince: Convert = value => {
  const row = value.length < 2 ? undefined : REGIONS.find(({ code, zh }) => code.endsWith('0000') && zh.startsWith(value))
  return good(row?.code ?? null)
}

const date: Convert = value => {
  const day = readDay(value) ?? readInstant(value)?.slice(0, 10) ?? null
  return day === null ? bad('date', 'A date is a day of the calendar', '日期应为有效日期') : good(day)
}

const datetime: Convert = value => {
  const instant = readInstant(value)
  return instant === null
    ? bad('datetime', 'A time is yyyyMMddHHmmss or RFC 3339', '时间应为 yyyyMMddHHmmss 或 RFC 3339')
    : good(instant)
}

const money: Convert = (value, { unit, currency }) => {
  const read = readMoney(value, { ...(unit === undefined ? {} : { unit }), ...(currency === undefined ? {} : { currency }) })
  return read.ok ? good(read.money) : read
}

/** The decimal alone, for a record that holds its currency once beside several amounts. */
const amount: Convert = (value, options) => {
  const { currency = 'CNY' } = options
  const read = readMoney(value, { unit: options.unit ?? '元', currency })
  if (!read.ok) return read
  return read.money.currency === currency
    ? good(read.money.amount)
    : bad('money-currency', "The amount is in the record's currency", '金额币种应与记录一致')
}

const currency: Convert = value => {
  const known = currencyNamed(value)
  return known === null ? bad('currency', 'The currency is known', '币种应可识别') : good(known)
}

const integer: Convert = value => {
  const digits = value.normalize('NFKC').replaceAll(/(?<=\d),(?=\d{3}(?:,|$))/g, '')
  return /^\d{1,9}$/.test(digits) ? good(Number(digits)) : bad('integer', 'A count is a whole number', '数量应为整数')
}

const FLAGS: { readonly [text: string]: boolean } = {
  '1': true,
  '0': false,
  true: true,
  false: false,
  是: true,
  否: false,
  Y: true,
  N: false,
}

const flag: Convert = value => {
  const known = Object.hasOwn(FLAGS, value) ? FLAGS[value] : undefined
  return known === undefined ? bad('flag', 'A flag is 1 or 0', '标志应为 1 或 0') : good(known)
}

const fromTable = (value: string, values: ConvertOptions['values']): JsonValue | undefined => {
  if (values === undefined || !Object.hasOwn(values, value)) return undefined
  return values[value]
}

const codeTable: Convert = (value, { values }) => {
  const known = fromTable(value, values)
  return known === undefined ? bad('code-table', 'The value is in the code table', '取值应在代码表中') : good(known)
}

/** Several texts in one column; each through the code table where there is one. */
const list: Convert = (value, { values }) => {
  const items: JsonValue[] = []
  for (const part of value.split(/[;；,，、|]/u)) {
    const item = part.trim()
    if (item === '') continue
    const known = values === undefined ? item : fromTable(item, values)
    if (known === undefined) return bad('code-table', 'Each value of the list is in the code table', '列表中的取值应在代码表中')
    if (!items.includes(known)) items.push(known)
  }
  return good(items)
}

/** Class of the trade as the specification writes it: `A01`, `D`. Whether there is such a class is the schema's question. */
const dealClass: Convert = value => good(codeText(value))

/** The class that a unified deal code begins with; null where the text has not the code's shape. */
const classOf = (text: string): string | null => {
  try {
    return parseDealCode(text).class
  } catch (error) {
    if (isExchangeError(error)) return null
    throw error
  }
}

const classOfDealCode: Convert = value => good(classOf(value.normalize('NFKC').trim()))

/** How a class is traded where the platform does not say: works by tender, procurement by its own law, rights by listing. */
const KIND_OF_CLASS: { readonly [letter: string]: string } = {
  A: 'tender',
  B: 'listing',
  C: 'listing',
  D: 'procurement',
  E: 'procurement',
}

const kindOf = (tradeClass: string | null): string | null =>
  tradeClass === null ? null : (KIND_OF_CLASS[tradeClass.slice(0, 1)] ?? 'tender')

const kindOfClass: Convert = value => good(kindOf(codeText(value)))

const kindOfDealCode: Convert = value => good(kindOf(classOf(value.normalize('NFKC').trim())))

/** 发改法规〔2018〕316号: `A01` stands at the second level, each further pair of digits one level below. */
const EXPERT_CLASS = /^[A-Z]\d{2}(?:\d{2}){0,2}$/

const expertClasses: Convert = value => {
  const classes: JsonValue[] = []
  for (const part of value.split(/[;；,，、|]/u).map(codeText)) {
    if (part === '') continue
    if (!EXPERT_CLASS.test(part))
      return bad('expert-class', 'A class is a code of the national classification', '专业应为国家分类代码')
    classes.push({ code: part, level: 1 + (part.length - 1) / 2 })
  }
  return good(classes)
}

/** The first class of the field; a flag such as IS_MAIN = 1 names none. */
const mainClass: Convert = value => {
  const first = codeText(value.split(/[;；,，、|]/u)[0] ?? '')
  return good(EXPERT_CLASS.test(first) ? first : null)
}

/** GB/T 4754 codes change with their edition, so the edition is kept beside the code. */
const industry: Convert = (value, { edition = '2017' }) =>
  /^[A-T]?\d{0,4}$/.test(value)
    ? good({ code: value, edition })
    : bad('industry', 'An industry is a GB/T 4754 code', '行业应为 GB/T 4754 代码')

export const CONVERTERS = {
  text,
  code,
  'uscc-verdict': usccVerdict,
  'region-of-uscc': regionOfUscc,
  'region-of-province': regionOfProvince,
  region,
  date,
  datetime,
  money,
  amount,
  currency,
  integer,
  flag,
  'code-table': codeTable,
  list,
  industry,
  'deal-class': dealClass,
  'class-of-deal-code': classOfDealCode,
  'kind-of-class': kindOfClass,
  'kind-of-deal-code': kindOfDealCode,
  'expert-classes': expertClasses,
  'main-class': mainClass,
} as const satisfies { readonly [name: string]: Convert }

export type ConverterName = keyof typeof CONVERTERS

export const CONVERTER_NAMES = Object.keys(CONVERTERS) as readonly ConverterName[]
