import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inChunks } from './adapter.suite.ts'
import { jsonValues } from './json-values.ts'

const spans = async (text: string, { size = 3, limit = 1000 } = {}) =>
  (await Array.fromAsync(jsonValues(inChunks(Buffer.from(text), size), limit))).map(({ line, state, bytes }) => [
    line,
    state,
    Buffer.from(bytes).toString(),
  ])

describe('the values of a JSON file', () => {
  it('are the elements of an array, or what stands one after the other', async () => {
    const expected = [
      [1, 'whole', '{"a":[{}]}'],
      [2, 'whole', '{"b":"}{"}'],
    ]
    expect(await spans('[{"a":[{}]},\n{"b":"}{"}]')).toEqual(expected)
    expect(await spans('\uFEFF{"a":[{}]}\n{"b":"}{"}\n')).toEqual(expected)
    expect(await spans(' \n[]')).toEqual([])
  })

  it('lose only the value that is damaged', async () => {
    expect(await spans('{"a":1}\n{"b":\n{"c":1}\n{"d":"x\n{"e":1}\nfoo\n{"f":2}')).toEqual([
      [1, 'whole', '{"a":1}'],
      [2, 'cut', '{"b":'],
      [3, 'whole', '{"c":1}'],
      [4, 'cut', '{"d":"x'],
      [5, 'whole', '{"e":1}'],
      [6, 'whole', 'foo'],
      [7, 'whole', '{"f":2}'],
    ])
    expect(await spans('[{"a":1,{"b":2},{"c":3}]')).toEqual([
      [1, 'cut', '{"a":1,'],
      [1, 'whole', '{"b":2}'],
      [1, 'whole', '{"c":3}'],
    ])
    expect(await spans('[\n {"a": 1,\n  "D": {"x": 1},\n {"b": 2}\n]')).toEqual([
      [2, 'cut', '{"a": 1,\n  "D": {"x": 1},'],
      [4, 'whole', '{"b": 2}'],
    ])
  })

  it('keep the beginning of a value that is too long, and the lines after it', async () => {
    const long = `{"a":"${'x'.repeat(5000)}",\n"b":1}`
    for (const size of [1, 999, 9999])
      expect(await spans(`[${long},\n{"c":1}]`, { size, limit: 100 })).toEqual([
        [1, 'long', long.slice(0, 100)],
        [3, 'whole', '{"c":1}'],
      ])
  })

  it('are those that JSON.parse finds, however the file is laid out and cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.dictionary(fc.string(), fc.jsonValue())),
        fc.nat(4),
        fc.integer({ min: 1, max: 9 }),
        async (values, indent, size) => {
          const found = await spans(JSON.stringify(values, null, indent), { size, limit: 1 << 20 })
          expect(found.map(([, , text]) => JSON.parse(String(text)))).toEqual(JSON.parse(JSON.stringify(values)))
        },
      ),
      { numRuns: 60 },
    )
  })
})
