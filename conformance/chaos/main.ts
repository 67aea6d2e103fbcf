/** `npm run chaos`: the federation of `npm start` under faults; exit code 1 if anything that must hold does not. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runProgram } from '../../runtime/lifetime.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { runChaos } from './chaos.ts'
import { FAULTS } from './faults.ts'
import { formatSummary } from './summary.ts'

const HELP = `npm run chaos -- [--minutes 2] [--seed text] [--only kill,"stop hub",…] [--json] [--keep]
  faults: ${FAULTS.map(({ name }) => name).join(', ')}
`
const REDRAW_MS = 500

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    seed: { type: 'string', default: '' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

function parseMinutes(text: string): number {
  const minutes = Number(text)
  if (Number.isFinite(minutes) && minutes > 0) return minutes
  throw new ExchangeError('CONFIG_INVALID', `--minutes: expected a number above 0, got ${text}`)
}

function parseOnly(text: string | undefined): readonly string[] | undefined {
  const names = text?.split(',').map(name => name.trim())
  const unknown = names?.find(name => !FAULTS.some(row => row.name === name.split(' ')[0]))
  if (unknown === undefined) return names
  throw new ExchangeError('CONFIG_INVALID', `--only: expected one of ${FAULTS.map(row => row.name).join(', ')}, got ${unknown}`)
}

/** One line at the foot of a terminal that says what goes on; elsewhere only the lines worth keeping. */
function showStatus(output: NodeJS.WriteStream): Disposable & { said(line: string): void; status(text: string): void } {
  const since = performance.now()
  let text = ''
  const draw = (): void => {
    if (output.isTTY)
      output.write(
        `\r\u001b[2K… ${((performance.now() - since) / 1000).toFixed(0)} s  ${text}`.slice(0, (output.columns ?? 80) + 4),
      )
  }
  const timer = setInterval(draw, REDRAW_MS)
  return {
    said(line) {
      output.write(`${output.isTTY ? '\r\u001b[2K' : ''}${line}\n`)
      draw()
    },
    status(next) {
      text = next
      draw()
    },
    [Symbol.dispose]() {
      clearInterval(timer)
      if (output.isTTY) output.write('\r\u001b[2K')
    },
  }
}

await runProgram(async signal => {
  if (values.help) {
    process.stdout.write(HELP)
    return
  }
  const minutes = parseMinutes(values.minutes)
  const only = parseOnly(values.only)
  const seed = values.seed === '' ? String(Date.now() % 1_000_000) : values.seed
  const home = await mkdtemp(join(tmpdir(), 'hutong-chaos-'))
  let keep = true
  {
    using display = showStatus(process.stderr)
    display.said(`seed ${seed}, ${minutes} min, ${home}`)
    const summary = await runChaos({ home, seed, minutes, ...(only === undefined ? {} : { only }), ...display, signal })
    keep = values.keep || summary.violations.length > 0
    if (summary.violations.length > 0) process.exitCode = 1
    process.stdout.write(values.json ? `${JSON.stringify(summary)}\n` : formatSummary(summary))
  }
  if (!keep) await rm(home, { recursive: true, force: true })
})
