import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ERRORS, ExchangeError } from './errors.ts'

const root = new URL('../', import.meta.url)
const rooms = ['schemas', 'runtime', 'adapters', 'hub', 'node', 'console', 'conformance']
const sources = rooms
  .flatMap(room => readdirSync(new URL(`${room}/`, root), { recursive: true, encoding: 'utf8' }).map(name => `${room}/${name}`))
  .filter(name => name.endsWith('.ts') && name !== 'schemas/errors.ts' && !name.endsWith('.test.ts'))
const text = sources.map(name => readFileSync(new URL(name, root), 'utf8')).join('\n')

describe('the error table', () => {
  it.each(Object.entries(ERRORS))('%s is one sentence in each language with an HTTP status', (code, row) => {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
    expect(row.en).toMatch(/^[A-Z].*\.$/)
    expect(row.zh).toMatch(/[\u4e00-\u9fff].*。$/u)
    expect(row.status).toBeGreaterThanOrEqual(400)
    expect(row.status).toBeLessThan(600)
  })

  it('holds no code that nothing uses', () => {
    expect(Object.keys(ERRORS).filter(code => !text.includes(`'${code}'`))).toEqual([])
  })

  it('says in an error what was expected, under its code', () => {
    const error = new ExchangeError('LOG_GAP', 'expected 3, got 5')
    expect([error.message, error.status, error.retry]).toEqual(['LOG_GAP: expected 3, got 5', 409, true])
  })
})
