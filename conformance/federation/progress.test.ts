import { describe, expect, test } from 'vitest'
import { showProgress } from './progress.ts'

const STEP = { id: 'broker', zh: '消息代理', en: 'broker' }

const shown = (isTTY: boolean) => {
  const said: string[] = []
  let now = 0
  const display = showProgress({ write: text => said.push(text), isTTY, columns: 60 }, () => now)
  const at = (ms: number, progress: Parameters<typeof display.show>[0]): void => {
    now = ms
    display.show(progress)
  }
  return { said, at, display }
}

describe('progress', () => {
  test('prints a line when a step begins and one with its seconds when it ends, Chinese first', () => {
    const { said, at } = shown(false)
    at(1000, { ...STEP, state: 'begun' })
    at(2500, { ...STEP, state: 'done' })
    expect(said).toEqual(['·   0.0 s  消息代理  broker\n', '✔   1.5 s  消息代理  broker\n'])
  })

  test('repeats a note every three seconds at most where lines cannot change', () => {
    const { said, at } = shown(false)
    at(0, { ...STEP, state: 'begun' })
    for (let ms = 500; ms <= 7000; ms += 500) at(ms, { ...STEP, state: 'begun', note: 'download' })
    expect(said.length).toBe(3)
    expect(said[2]).toBe('·   6.0 s  消息代理  broker  (download)\n')
  })

  test('redraws in place on a terminal, never wider than it', () => {
    const { said, at, display } = shown(true)
    at(0, { ...STEP, state: 'begun' })
    at(100, { ...STEP, state: 'begun', note: '下载'.repeat(40) })
    display[Symbol.dispose]()
    expect(said[0]).not.toContain('\u001b[1A')
    expect(said[1]?.startsWith('\u001b[1A\u001b[2K')).toBe(true)
    const cells = [...(said[1] ?? '').slice(8)].reduce((sum, letter) => sum + (letter >= '\u1100' ? 2 : 1), 0)
    expect(cells).toBeLessThanOrEqual(60)
  })
})
