/**
 * What is wrong with a value, without the value: place, broken rule, expectation in English and Chinese. A fault may be logged,
 * stored in quarantine and shown to anyone.
 */
import type { ErrorObject } from 'ajv/dist/2020.js'

export type Fault = {
  /** JSON pointer (RFC 6901); of a missing field, its own */
  readonly path: string
  /** keyword of the schema that was broken */
  readonly rule: string
  readonly expected: string
  readonly zh: string
}

type Params = { readonly [name: string]: unknown }
type Sentence = (params: Params) => readonly [en: string, zh: string]

const FORMATS: { readonly [format: string]: readonly [string, string] } = {
  date: ['a day written YYYY-MM-DD', '按 YYYY-MM-DD 书写的日期'],
  'date-time': ['a time by RFC 3339 with offset', '符合 RFC 3339 且带时区偏移的时间'],
  'party-code': ['a code that is no identity number', '非身份证件号码的代码'],
}
const list = (value: unknown): string => (Array.isArray(value) ? value.join(', ') : String(value))

const SENTENCES: { readonly [rule: string]: Sentence } = {
  required: () => ['this field', '此字段必填'],
  dependentRequired: ({ property }) => [`this field where ${property} stands`, `填写 ${property} 时此字段必填`],
  additionalProperties: () => ['no field that the schema does not name', '不应有模式之外的字段'],
  'false schema': () => ['no such field here', '此处不应有该字段'],
  type: ({ type }) => [`type ${list(type)}`, `类型应为 ${list(type)}`],
  enum: ({ allowedValues }) => [`one of ${list(allowedValues)}`, `应为 ${list(allowedValues)} 之一`],
  const: ({ allowedValue }) => [`the value ${list(allowedValue)}`, `应为 ${list(allowedValue)}`],
  pattern: ({ pattern }) => [`text of the form ${pattern}`, `格式应为 ${pattern}`],
  format: ({ format }) => FORMATS[String(format)] ?? [`format ${format}`, `格式应为 ${format}`],
  minLength: ({ limit }) => [`at least ${limit} characters`, `至少 ${limit} 个字符`],
  maxLength: ({ limit }) => [`at most ${limit} characters`, `至多 ${limit} 个字符`],
  minimum: ({ limit }) => [`at least ${limit}`, `不小于 ${limit}`],
  maximum: ({ limit }) => [`at most ${limit}`, `不大于 ${limit}`],
  minItems: ({ limit }) => [`at least ${limit} items`, `至少 ${limit} 项`],
  maxItems: ({ limit }) => [`at most ${limit} items`, `至多 ${limit} 项`],
  uniqueItems: () => ['no item twice', '各项不得重复'],
}

/** Rules whose place is a field that the error only names. A name that came with the value is shown only if it is a plain word. */
const NAMED: { readonly [rule: string]: string } = {
  required: 'missingProperty',
  dependentRequired: 'missingProperty',
  additionalProperties: 'additionalProperty',
}
const PLAIN = /^[A-Za-z][A-Za-z0-9_]{0,31}$/

export function faultOf(error: Pick<ErrorObject, 'instancePath' | 'keyword' | 'params'>): Fault {
  const params: Params = error.params
  const name = NAMED[error.keyword] === undefined ? undefined : String(params[NAMED[error.keyword] ?? ''])
  const [expected, zh] = SENTENCES[error.keyword]?.(params) ?? [`what rule ${error.keyword} asks`, `应符合规则 ${error.keyword}`]
  return {
    path: name === undefined || !PLAIN.test(name) ? error.instancePath : `${error.instancePath}/${name}`,
    rule: error.keyword === 'false schema' ? 'forbidden' : error.keyword,
    expected,
    zh,
  }
}
