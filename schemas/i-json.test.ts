import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readIJson } from './i-json.ts'

const read = (text: string, depth = 8) => readIJson(Buffer.from(text), depth)
const rules = (text: string, depth = 8): string[] => read(text, depth).faults.map(fault => `${fault.rule} ${fault.path}`)

describe('I-JSON (RFC 7493)', () => {
  it('accepts whatever JSON.stringify writes of well-formed text and safe numbers', () => {
    const value = fc
      .jsonValue({ noUnicodeString: false, maxDepth: 4 })
      .filter(one => !/\\u(0000|d[89a-f])/i.test(JSON.stringify(one)))
    fc.assert(
      fc.property(value, one => {
        const { faults } = readIJson(Buffer.from(JSON.stringify(one)), 16)
        expect(faults.filter(fault => fault.rule !== 'number-range')).toEqual([])
      }),
    )
  })

  it('reaches the same verdict with and without white space', () => {
    const samples = [
      '{"a":1,"b":[1,2,{"c":"x"}]}',
      '{"a":"\\u0000"}',
      '{"a":9007199254740992}',
      '{"a":1,"a":2}',
      '["\\ud800"]',
      '[1.5e300,0.1]',
    ]
    for (const sample of samples) expect(rules(sample)).toEqual(rules(` ${sample}\n`))
  })

  it('reaches the verdict of the scanner, whatever road is short enough for a text', () => {
    const literals = [
      '0',
      '-0',
      '1',
      '999',
      '1000',
      '1e2',
      '1e3',
      '-1E2',
      '1.0',
      '0.5',
      '1e400',
      '9007199254740993',
      '1e-999',
      '0e0',
    ]
    const strings = ['""', '"a"', '"b"', '"长"', '":"', '",:"', '"😀"', '"\\n"', '"\\u0061"', '"\\u0000"', '"\\ud800"']
    const { text } = fc.letrec<{ text: string; member: string }>(tie => ({
      member: fc.tuple(fc.constantFrom(...strings), fc.constantFrom(':', ': '), tie('text')).map(parts => parts.join('')),
      text: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constantFrom(...literals, ...strings, 'true', 'false', 'null'),
        fc.array(tie('text'), { maxLength: 4 }).map(items => `[${items.join(',')}]`),
        fc.array(tie('member'), { maxLength: 4 }).map(members => `{${members.join(',')}}`),
      ),
    }))
    fc.assert(
      fc.property(text, one => {
        // a space in front is no fault, and keeps a text off every road but the scanner's
        expect(read(one, 6).faults).toEqual(read(` ${one}`, 6).faults)
        expect(read(one, 6).value).toEqual(read(` ${one}`, 6).value)
      }),
      { numRuns: 1000 },
    )
  })

  it('names the place of each fault by JSON pointer', () => {
    expect(rules('{"a":[1,{"b/c":"\\u0000"}]}')).toEqual(['nul /a/1/b~1c'])
    expect(rules('{"a":{"b":1,"b":2},"c":"\\udc00"}')).toEqual(['duplicate-member /a/b', 'surrogate /c'])
  })

  it('sees a duplicate member behind an escape', () => {
    expect(rules('{"a":1,"\\u0061":2}')).toEqual(['duplicate-member /a'])
  })

  it('refuses numbers that a double does not hold as written', () => {
    for (const bad of ['9007199254740993', '1e400', '-1e400', '1e21', '0.1234567890123456789'])
      expect(rules(`[${bad}]`)).toEqual(['number-range /0'])
    for (const good of ['9007199254740991', '-0', '1.0', '1E2', '0.10', '1e-7', '123.456']) expect(rules(`[${good}]`)).toEqual([])
  })

  it('refuses text that is not UTF-8, not JSON, too deep or marked', () => {
    expect(readIJson(Buffer.from([0x22, 0xff, 0x22]), 8).faults[0]?.rule).toBe('utf-8')
    expect(rules('{"a":')).toEqual(['syntax '])
    expect(rules('[[[[]]]]', 3)).toEqual(['depth '])
    expect(rules('\ufeff{}')).toEqual(['byte-order-mark '])
  })

  it('survives nesting that would overflow a stack', () => {
    expect(rules('['.repeat(200_000) + ']'.repeat(200_000), 32)).toEqual(['depth '])
  })
})
