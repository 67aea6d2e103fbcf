/** Columns that line up on a terminal, where Chinese characters take two cells and combining marks none. */

/** East Asian Wide and Fullwidth (UAX #11), the blocks that occur in names, punctuation and numbers. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe4f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1faff],
  [0x20000, 0x3fffd],
]

const cellsOf = (letter: string): number => {
  if (/\p{Mark}|\p{Control}|\p{Format}/u.test(letter)) return 0
  const point = letter.codePointAt(0) ?? 0
  return WIDE.some(([first, last]) => point >= first && point <= last) ? 2 : 1
}

/** The number of terminal cells that a text takes. */
export const widthOf = (text: string): number => [...text].reduce((width, letter) => width + cellsOf(letter), 0)

const padded = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - widthOf(text)))

/** Rows under their heads, two blanks between columns, none at the end of a line. */
export function formatTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heads, ...rows]
  const widths = heads.map((_, column) => Math.max(...all.map(row => widthOf(row[column] ?? ''))))
  const rule = widths.map(width => '─'.repeat(width))
  return [heads, rule, ...rows]
    .map(
      row =>
        `${widths
          .map((width, column) => padded(row[column] ?? '', width))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
