/** `npm run bench -- sync|latency|bootstrap|verify`: measures the product against what the same machine can do at most. */
import { parseArgs } from 'node:util'
import { runProgram } from '../../runtime/lifetime.ts'
import { type Figure, formatFigure } from './figures.ts'
import { benchLatency } from './latency.ts'
import { benchSync, MODES, type Mode } from './sync.ts'
import { benchVerify } from './verify.ts'

const USAGE = `npm run bench -- sync|latency|bootstrap|verify [--json] [--quick] [--pairs 5] [--rows 50000] [--holders 1,3] [--modes ${MODES.join(',')}]\n`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    pairs: { type: 'string' },
    rows: { type: 'string' },
    holders: { type: 'string' },
    modes: { type: 'string' },
  },
})
const started = performance.now()
const progress = (text: string): void =>
  void process.stderr.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(7)} s  ${text}\n`)
const count = (text: string | undefined, otherwise: number): number => {
  const value = text === undefined ? otherwise : Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new Error(`expected a whole number above 0, got ${text}`)
}
const isMode = (text: string): text is Mode => MODES.some(mode => mode === text)

type Bench = (signal: AbortSignal) => Promise<Figure[]>
const pairs = count(values.pairs, values.quick ? 1 : 5)
const rows = count(values.rows, values.quick ? 10_000 : 50_000)
const holders = (values.holders ?? (values.quick ? '1' : '1,3')).split(',').map(text => count(text, 1))
const modes = (values.modes ?? (values.quick ? 'backlog,live' : MODES.join(','))).split(',').filter(isMode)
const BENCHES: { readonly [name: string]: Bench | undefined } = {
  sync: signal => benchSync({ pairs, rows, holders, modes, progress, signal }),
  latency: signal => benchLatency({ pairs, samples: values.quick ? 50 : 300, holders, progress, signal }),
  verify: () => benchVerify({ pairs, progress }),
}

await runProgram(async signal => {
  const [name = ''] = positionals
  if (name === 'bootstrap') {
    process.stderr.write('bootstrap is not in the product yet: there is nothing to measure\n')
    process.exitCode = 2
    return
  }
  const bench = BENCHES[name]
  if (bench === undefined) {
    process.stderr.write(USAGE)
    process.exitCode = 2
    return
  }
  const figures = await bench(signal)
  process.stdout.write(values.json ? `${JSON.stringify(figures)}\n` : figures.map(one => `${formatFigure(one)}\n`).join(''))
})
