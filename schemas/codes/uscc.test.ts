import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import vectors from '../vectors/uscc.json' with { type: 'json' }
import { isIdentityNumber } from './identity-number.ts'
import { judgeUscc, makeUscc } from './uscc.ts'

const ALPHABET = '0123456789ABCDEFGHJKLMNPQRTUWXY'
const OTHERS = '../shared/data/records/uscc.json'
const of = (characters: string, length: number) =>
  fc.array(fc.constantFrom(...characters), { minLength: length, maxLength: length }).map(all => all.join(''))
const made = fc.tuple(of('0123456789', 6), of(ALPHABET, 8)).map(([region, organisation]) => makeUscc(region, organisation))

describe('unified social credit codes', () => {
  test.each(vectors.vectors)('vector: $comment', ({ input, expected }) => {
    expect(judgeUscc(input)).toEqual(expected)
  })

  test('a made code has both checks right', () => {
    fc.assert(fc.property(made, code => judgeUscc(code).outer === 'right' && judgeUscc(code).inner === 'right'))
  })

  test('the outer check catches any one changed character', () => {
    fc.assert(
      fc.property(made, fc.nat(17), fc.constantFrom(...ALPHABET), (code, at, character) => {
        fc.pre(code.charAt(at) !== character)
        return judgeUscc(`${code.slice(0, at)}${character}${code.slice(at + 1)}`).outer === 'wrong'
      }),
    )
  })

  test('no text makes it throw', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), text => judgeUscc(text).normalised.length >= 0))
  })

  test('verdicts are those of python-stdnum', context => {
    if (!existsSync(OTHERS)) {
      process.stdout.write(`skipped: ${OTHERS} is absent\n`)
      context.skip()
    }
    const rows = JSON.parse(readFileSync(OTHERS, 'utf8')) as { code: string; stdnum_valid: boolean }[]
    expect(rows.length).toBeGreaterThan(0)
    expect(rows.filter(row => (judgeUscc(row.code).outer === 'right') !== row.stdnum_valid)).toEqual([])
  })
})

describe('identity numbers', () => {
  test('a text with region, birthday and right check is one, whatever the case of its X', () => {
    expect(isIdentityNumber('11010519491231002X')).toBe(true)
    expect(isIdentityNumber('11010519491231002x')).toBe(true)
  })

  test('a wrong check, an impossible birthday and a credit code are none', () => {
    expect(isIdentityNumber('110105194912310021')).toBe(false)
    expect(isIdentityNumber('11010519491331002X')).toBe(false)
    fc.assert(fc.property(made, code => !isIdentityNumber(code)))
  })
})
