/**
 * `bench memory`: what a holder's process occupies after a million rows have passed through it, beside what it did after the first ten
 * thousand. The limit is the holder itself: what it holds at once has a bound, so that it must not grow with what has passed.
 */
import { residentMiB } from './accounts.ts'
import { type Figure, figure } from './figures.ts'
import { startStage } from './stage.ts'
import { arrived, watchAll } from './sync.ts'

const FIRST_ROWS = 10_000
const STEP_ROWS = 50_000

export async function benchMemory(options: {
  readonly rows: number
  readonly progress: (text: string) => void
  readonly signal: AbortSignal
}): Promise<Figure[]> {
  await using stage = await startStage(1, options.signal)
  await using watches = await watchAll(stage)
  const driver = await stage.driver()
  const [code = ''] = stage.holders
  let round = 0
  let passed = 0
  const pass = async (rows: number): Promise<number> => {
    round += 1
    await driver.ask('prepare', { round, rows })
    await driver.ask('open')
    await driver.ask('seal')
    await arrived(watches)
    passed += rows
    const resident = await residentMiB(stage.holder(code).pid() ?? 0)
    options.progress(`${resident} MiB after ${passed} rows`)
    return resident
  }
  const first = await pass(FIRST_ROWS)
  const later: number[] = []
  while (passed < options.rows) later.push(await pass(Math.min(STEP_ROWS, options.rows - passed)))
  const last = later.at(-1) ?? first
  return [
    figure('memory of a holder', 'MiB', [last], { name: `the same holder after ${FIRST_ROWS} rows`, values: [first] }, [
      `resident, after ${passed} rows, live, one holder`,
      `every ${STEP_ROWS} rows: ${later.join(', ')}`,
    ]),
  ]
}
