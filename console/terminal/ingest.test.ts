import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { addSums, addsUp, formatSum, listFiles, parseSum, readMapping } from './ingest.ts'

const SUM = { rows: 10, sealed: 4, unchanged: 3, superseded: 1, parked: 1, refused: 1, refusals: [] }

describe('the sum of an ingest', () => {
  test('adds up when every row has one fate', () => {
    expect(addsUp(parseSum(SUM))).toBe(true)
    expect(formatSum('f', parseSum(SUM))).not.toContain('does not add up')
  })

  test('is shown not to add up when a row is unaccounted for', () => {
    const sum = parseSum({ ...SUM, rows: 11 })
    expect(addsUp(sum)).toBe(false)
    expect(formatSum('f', sum)).toContain('合计不符')
  })

  test('of several files is the sum of each count', () => {
    expect(addSums([parseSum(SUM), parseSum(SUM)])).toMatchObject({ rows: 20, sealed: 8, refused: 2 })
  })

  test.each([null, {}, { ...SUM, rows: -1 }, { ...SUM, sealed: '4' }])('is no answer with a count missing: %j', answer => {
    expect(() => parseSum(answer)).toThrow(expect.objectContaining({ code: 'PROGRAM_UNREACHABLE' }))
  })

  test('lists at most twenty refusals, in both languages, and says how many are left', () => {
    const refusal = {
      line: 4,
      item: null,
      field: '注册资金',
      rule: 'money',
      code: 'ROW_FIELD_INVALID',
      en: 'Not money.',
      zh: '不是金额。',
    }
    const text = formatSum('f', { ...SUM, rows: 50, refused: 41, refusals: Array.from({ length: 41 }, () => refusal) })
    expect(text.split('不是金额。 Not money.').length - 1).toBe(20)
    expect(text).toContain('另有 21 条')
    expect(text).toContain('第 4 行 line 4 · 注册资金 · money · ROW_FIELD_INVALID')
  })
})

test('a folder stands for its files in the order of their names, other kinds of files left out', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hutong-ingest-'))
  for (const name of ['b.json', 'a.json', 'README.md']) await writeFile(join(folder, name), '{}')
  expect((await listFiles([folder], 'ocds')).map(({ path }) => path)).toEqual([join(folder, 'a.json'), join(folder, 'b.json')])
  await rm(folder, { recursive: true })
  await expect(listFiles([folder], 'ocds')).rejects.toMatchObject({ code: 'REQUEST_INVALID' })
})

test('a mapping is found by the name of a shipped one, and the shipped ones are listed otherwise', async () => {
  expect(await readMapping('csv', 'entities')).toContain('entity')
  await expect(readMapping('csv', 'nothing')).rejects.toMatchObject({
    code: 'MAPPING_INVALID',
    reason: expect.stringContaining('entities'),
  })
})
