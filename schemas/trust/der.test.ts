import { describe, expect, test } from 'vitest'
import {
  booleanOf,
  DerReader,
  flagOf,
  integerOf,
  namedBitsOf,
  numberOf,
  octetsOf,
  oidOf,
  readDer,
  readMany,
  TAG,
  timeOf,
} from './der.ts'

const of = (hex: string): Buffer => Buffer.from(hex.replace(/ /g, ''), 'hex')
const refused = expect.objectContaining({ code: 'DER_MALFORMED' })
const time = (tag: number, text: string): number => timeOf(readDer(Buffer.concat([Buffer.of(tag, text.length), Buffer.from(text)])))

describe('an element', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['of an indefinite length', '30 80 00 00'],
    ['of a length with a leading zero', '04 82 00 81 00'],
    ['of a long length that a short one can say', '04 81 01 00'],
    ['of more octets than there are', '04 05 00'],
    ['with something behind it', '05 00 00'],
    ['of a high tag number', '1f 81 01 00'],
    ['that is cut before its length', '04'],
    ['of a length of five octets', '04 85 00 00 00 00 01 00'],
    ['that is nothing', ''],
  ]
  for (const [what, hex] of cases) test(`${what} is refused`, () => expect(() => readDer(of(hex))).toThrow(refused))

  test('is read no deeper than it is asked for', () => {
    let nested = Buffer.of(5, 0)
    for (let depth = 0; depth < 100_000; depth++) {
      const { length } = nested
      if (length > 60_000) break
      const head = length < 128 ? [0x30, length] : length < 256 ? [0x30, 0x81, length] : [0x30, 0x82, length >> 8, length & 0xff]
      nested = Buffer.concat([Buffer.from(head), nested])
    }
    expect(readDer(nested, TAG.SEQUENCE).to).toBe(nested.length)
  })

  test('of another type than expected is refused', () => {
    expect(() => readDer(of('05 00'), TAG.SEQUENCE)).toThrow(refused)
    expect(() => readMany(new DerReader(of('05 00 05 00')), reader => reader.any(), 1)).toThrow(refused)
    expect(() => readMany(new DerReader(of('')), reader => reader.any(), 1)).toThrow(refused)
  })
})

describe('values', () => {
  const reads: { readonly [type: string]: (hex: string) => unknown } = {
    boolean: hex => booleanOf(readDer(of(hex))),
    flag: hex => flagOf(new DerReader(of(hex))),
    integer: hex => integerOf(readDer(of(hex))),
    number: hex => numberOf(readDer(of(hex))),
    bits: hex => octetsOf(readDer(of(hex))),
    uses: hex => namedBitsOf(readDer(of(hex))),
    oid: hex => oidOf(readDer(of(hex))),
  }
  const bad: readonly (readonly [string, string, string])[] = [
    ['boolean', '01 01 01', 'that is neither 00 nor FF'],
    ['flag', '01 01 00', 'that writes its default'],
    ['integer', '02 00', 'without octets'],
    ['integer', '02 02 00 01', 'with a zero too many'],
    ['integer', '02 02 ff ff', 'with a sign too many'],
    ['number', '02 01 80', 'that is negative'],
    ['number', '02 05 01 00 00 00 00', 'that is too large'],
    ['bits', '03 02 01 02', 'that does not end with an octet'],
    ['bits', '03 02 01 03', 'with an unused bit set'],
    ['bits', '03 02 08 00', 'with eight unused bits'],
    ['bits', '03 00', 'without octets'],
    ['uses', '03 06 00 01 01 01 01 01', 'of more than 32 uses'],
    ['oid', '06 00', 'without arcs'],
    ['oid', '06 02 80 01', 'with a padded arc'],
    ['oid', '06 01 81', 'that is cut'],
  ]
  for (const [type, hex, what] of bad) test(`a ${type} ${what} is refused`, () => expect(() => reads[type]?.(hex)).toThrow(refused))

  test('say what they say', () => {
    expect(numberOf(readDer(of('02 02 00 ff')))).toBe(255)
    expect(oidOf(readDer(of('06 08 2a 81 1c cf 55 01 83 75')))).toBe('1.2.156.10197.1.501')
    expect(oidOf(readDer(of('06 03 88 37 03')))).toBe('2.999.3')
    expect(namedBitsOf(readDer(of('03 02 05 a0')))).toEqual({ set: 0b101, tight: true })
    expect(namedBitsOf(readDer(of('03 02 00 a0'))).tight).toBe(false)
  })

  test('times are to the second, in UTC, and exist', () => {
    expect(time(TAG.UTC_TIME, '491231235959Z')).toBe(Date.UTC(2049, 11, 31, 23, 59, 59))
    expect(time(TAG.UTC_TIME, '500101000000Z')).toBe(Date.UTC(1950, 0, 1))
    expect(time(TAG.GENERALIZED_TIME, '99991231235959Z')).toBe(Date.UTC(9999, 11, 31, 23, 59, 59))
    expect(time(TAG.GENERALIZED_TIME, '20240229120000Z')).toBe(Date.UTC(2024, 1, 29, 12))
    expect(new Date(time(TAG.GENERALIZED_TIME, '00010101000000Z')).getUTCFullYear()).toBe(1)
    const none: readonly (readonly [number, string])[] = [
      [TAG.UTC_TIME, '2401010000Z'],
      [TAG.UTC_TIME, '240101000000+0800'],
      [TAG.UTC_TIME, '240230000000Z'],
      [TAG.UTC_TIME, '241301000000Z'],
      [TAG.UTC_TIME, '240101240000Z'],
      [TAG.UTC_TIME, '24010100000 Z'],
      [TAG.GENERALIZED_TIME, '20240101000000.5Z'],
      [TAG.GENERALIZED_TIME, '20240101000060Z'],
      [TAG.OCTET_STRING, '240101000000Z'],
    ]
    for (const [tag, text] of none) expect(() => time(tag, text), text).toThrow(refused)
  })
})
