/** `npm run bench -- sync|latency|bootstrap|verify|certificates`: measures the product against what the same machine can do at most. */
import { runProgram } from '../../runtime/lifetime.ts'
import { benchBootstrap } from './bootstrap.ts'
import { benchCertificates } from './certificates.ts'
import { type Figure, formatFigure } from './figures.ts'
import { benchLatency } from './latency.ts'
import { benchMemory } from './memory.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { benchSync } from './sync.ts'
import { benchVerify } from './verify.ts'

const started = performance.now()
const progress = (text: string): void =>
  void process.stderr.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(7)} s  ${text}\n`)
type Bench = (options: Options, signal: AbortSignal) => Promise<Figure[]>
const BENCHES: { readonly [name: string]: Bench | undefined } = {
  sync: (options, signal) => benchSync({ ...options, rows: options.rows ?? (options.quick ? 10_000 : 50_000), progress, signal }),
  latency: (options, signal) => benchLatency({ ...options, samples: options.quick ? 50 : 300, progress, signal }),
  bootstrap: (options, signal) =>
    benchBootstrap({ ...options, rows: options.rows ?? (options.quick ? 10_000 : 200_000), progress, signal }),
  memory: (options, signal) => benchMemory({ rows: options.rows ?? (options.quick ? 50_000 : 1_000_000), progress, signal }),
  verify: options => benchVerify({ ...options, progress }),
  certificates: (options, signal) => benchCertificates({ ...options, progress, signal }),
}

await runProgram(async signal => {
  const asked = readOptions(process.argv.slice(2))
  const bench = 'fault' in asked ? undefined : BENCHES[asked.bench]
  if ('fault' in asked || bench === undefined) {
    const fault = 'fault' in asked ? asked.fault : `expected one of ${Object.keys(BENCHES).join(', ')}, got "${asked.bench}"`
    process.stderr.write(`${fault}\n${USAGE}`)
    process.exitCode = 2
    return
  }
  if (asked.help) {
    process.stdout.write(USAGE)
    return
  }
  const figures = await bench(asked, signal)
  process.stdout.write(asked.json ? `${JSON.stringify(figures)}\n` : figures.map(one => `${formatFigure(one)}\n`).join(''))
})
