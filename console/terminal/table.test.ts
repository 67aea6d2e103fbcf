import { expect, test } from 'vitest'
import { formatTable, widthOf } from './table.ts'

test('counts two cells for a Chinese character and none for a combining mark', () => {
  expect(widthOf('云南')).toBe(4)
  expect(widthOf('hub 枢纽')).toBe(8)
  expect(widthOf('e\u0301')).toBe(1)
  expect(widthOf('，。（）')).toBe(8)
  expect(widthOf('−3 ≠ ✔')).toBe(6)
})

test('lines columns up by cells, not by characters', () => {
  const lines = formatTable(
    ['来源', 'head'],
    [
      ['云南 Yunnan', '1.2'],
      ['x', '1.10'],
    ],
  ).split('\n')
  const columnOf = (line: string, text: string): number => widthOf(line.slice(0, line.indexOf(text)))
  expect(columnOf(lines[0] ?? '', 'head')).toBe(13)
  expect(columnOf(lines[2] ?? '', '1.2')).toBe(13)
  expect(columnOf(lines[3] ?? '', '1.10')).toBe(13)
})

test('leaves no blanks at the end of a line and fills missing cells', () => {
  const text = formatTable(['a', 'b'], [['only']])
  expect(text).toBe('a     b\n────  ─\nonly\n')
})
