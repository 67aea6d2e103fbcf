/**
 * What an operator sees while the federation starts: one line for each step, with its seconds. On a terminal the lines stand still
 * and change in place; elsewhere a line is printed when a step begins to take its time and when it ends.
 */

export type Step = { readonly id: string; readonly zh: string; readonly en: string }
export type Progress = Step & { readonly state: 'begun' | 'done' | 'failed' | 'cancelled'; readonly note?: string }
export type Output = { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number }

const MARK = { begun: '·', done: '✔', failed: '✘', cancelled: '–' } as const
const REDRAW_MS = 200
/** A progress note (a download) is repeated this often at most where lines cannot change in place. */
const NOTE_EVERY_MS = 3000

type Line = { progress: Progress; readonly begun: number; ended: number | null; notedAt: number }

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`.padStart(7)

/** One line of the display; `now` in milliseconds. */
export const formatLine = ({ progress, begun, ended }: Pick<Line, 'progress' | 'begun' | 'ended'>, now: number): string =>
  `${MARK[progress.state]} ${seconds((ended ?? now) - begun)}  ${progress.zh}  ${progress.en}${progress.note === undefined ? '' : `  (${progress.note})`}`

/** Shows steps until disposed. `now` is in milliseconds and never goes back. */
export function showProgress(
  output: Output,
  now: () => number = () => performance.now(),
): Disposable & { show(progress: Progress): void } {
  const lines = new Map<string, Line>()
  let drawn = 0
  const fitted = (text: string): string => cutToWidth(text, (output.columns ?? 80) - 1)
  const redraw = (): void => {
    const up = drawn === 0 ? '' : `\u001b[${drawn}A`
    output.write(`${up}${[...lines.values()].map(line => `\u001b[2K${fitted(formatLine(line, now()))}\n`).join('')}`)
    drawn = lines.size
  }
  const timer = output.isTTY === true ? setInterval(redraw, REDRAW_MS) : null
  timer?.unref()
  return {
    show(progress) {
      const before = lines.get(progress.id)
      const at = now()
      const ended = progress.state === 'begun' ? null : at
      const line: Line = { progress, begun: before?.begun ?? at, ended, notedAt: before?.notedAt ?? at }
      lines.set(progress.id, line)
      if (output.isTTY === true) return redraw()
      const noteDue = progress.note !== undefined && at - line.notedAt >= NOTE_EVERY_MS
      if (before !== undefined && ended === null && !noteDue) return
      line.notedAt = at
      output.write(`${formatLine(line, at)}\n`)
    },
    [Symbol.dispose]() {
      if (timer === null) return
      clearInterval(timer)
      redraw()
    },
  }
}

/** A wrapped line would make the cursor go up too few rows. East Asian characters take two columns. */
function cutToWidth(text: string, width: number): string {
  let used = 0
  let cut = ''
  for (const letter of text) {
    used += (letter.codePointAt(0) ?? 0) >= 0x1100 ? 2 : 1
    if (used > width) return cut
    cut += letter
  }
  return cut
}
