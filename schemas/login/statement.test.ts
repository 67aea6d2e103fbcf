import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import VECTORS from '../vectors/login-statement.json' with { type: 'json' }
import { formatLoginStatement, type LoginStatement, loginBytes, parseLoginStatement } from './statement.ts'

const issued = new Date('2026-11-24T03:10:00Z')
const GOOD: LoginStatement = {
  issuer: 'https://login.example.cn',
  client: 'yunnan-trading',
  nonce: 'n'.repeat(43),
  issued,
  expires: new Date(issued.getTime() + 300_000),
}

describe('the vectors', () => {
  it.each(VECTORS.accepted)('accept: $comment', ({ text, issuer, client, nonce, issued: from, expires, sha256 }) => {
    const parsed = { issuer, client, nonce, issued: new Date(from), expires: new Date(expires) }
    expect(parseLoginStatement(text)).toEqual(parsed)
    expect(formatLoginStatement(parsed)).toBe(text)
    expect(createHash('sha256').update(loginBytes(text)).digest('hex')).toBe(sha256)
  })

  it.each(VECTORS.refused)('refuse: $comment', ({ text }) => {
    expect(() => parseLoginStatement(text)).toThrow(/LOGIN_STATEMENT_INVALID/)
  })
})

describe('the text that is signed', () => {
  it('is read back as what was written', () => {
    expect(parseLoginStatement(formatLoginStatement(GOOD))).toEqual(GOOD)
  })

  it('is ASCII and begins with words of its own: no DER, token or JSON begins so', () => {
    const bytes = loginBytes(formatLoginStatement(GOOD))
    expect(bytes.every(byte => byte === 10 || (byte >= 0x20 && byte < 0x7f))).toBe(true)
    expect(new TextDecoder().decode(bytes.slice(0, 15))).toBe('hutong-login-1\n')
  })

  it.each([
    ['another issuer', { issuer: 'https://other.example.cn' }],
    ['another client', { client: 'guizhou-trading' }],
    ['another nonce', { nonce: 'm'.repeat(43) }],
    ['another time', { issued: new Date(issued.getTime() + 1) }],
  ])('is another text for %s', (_, change) => {
    expect(formatLoginStatement({ ...GOOD, ...change })).not.toBe(formatLoginStatement(GOOD))
  })

  it('cannot be made to say one thing in the place of another', () => {
    for (const value of ['x\nclient: y', 'x\r', '用户', '', ' x'])
      expect(() => formatLoginStatement({ ...GOOD, client: value })).toThrow(/LOGIN_STATEMENT_INVALID/)
    expect(() => formatLoginStatement({ ...GOOD, issuer: 'https://a\nclient: b' })).toThrow(/LOGIN_STATEMENT_INVALID/)
  })

  it('is refused when lines are missing, repeated, reordered, longer, or good for too long', () => {
    const text = formatLoginStatement(GOOD)
    const lines = text.split('\n')
    for (const other of [
      lines.slice(1).join('\n'),
      text.trimEnd(),
      `${text}\n`,
      `${text}nonce: ${GOOD.nonce}\n`,
      [lines[0], lines[2], lines[1], ...lines.slice(3)].join('\n'),
      text.replace('sign-in', 'seal'),
      text.replace(/expires: .*/, 'expires: 2026-11-24T03:15:00.001Z'),
      text.replace(/expires: .*/, 'expires: 2026-99-24T03:15:00.001Z'),
    ])
      expect(() => parseLoginStatement(other)).toThrow(/LOGIN_STATEMENT_INVALID/)
  })

  it('has one reading: whatever is read is written again as the same text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400 }), noise => {
        const text = `${formatLoginStatement(GOOD)}${noise}`
        try {
          expect(formatLoginStatement(parseLoginStatement(text))).toBe(text)
        } catch (error) {
          expect(String(error)).toContain('LOGIN_STATEMENT_INVALID')
        }
      }),
    )
  })
})
