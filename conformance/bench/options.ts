/** What the command line asks for. What it gets wrong is said in one line. */
import { parseArgs } from 'node:util'
import { MODES, type Mode } from './sync.ts'

export const USAGE = `npm run bench -- sync|latency|bootstrap|memory|verify|certificates [options]

  --json                 one JSON array on standard output
  --quick                shows that the bench works; no measurement
  --pairs 5              interleaved pairs of ours and the limit
  --rows 50000           rows of one run (bootstrap 200000, memory 1000000, certificates 61218)
  --holders 1,3          numbers of holders, one after the other, 3 at most
  --modes ${MODES.join(',')}   of sync
  --help                 this text
`

export type Options = {
  readonly bench: string
  readonly help: boolean
  readonly json: boolean
  readonly quick: boolean
  readonly pairs: number
  readonly rows: number | undefined
  readonly holders: readonly number[]
  readonly modes: readonly Mode[]
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h', default: false },
  json: { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
  pairs: { type: 'string' },
  rows: { type: 'string' },
  holders: { type: 'string' },
  modes: { type: 'string' },
} as const

const isMode = (text: string): text is Mode => MODES.some(mode => mode === text)

function count(option: string, text: string, most = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0 && value <= most) return value
  throw new Error(
    `--${option}: expected a whole number above 0${most === Number.MAX_SAFE_INTEGER ? '' : `, ${most} at most`}, got "${text}"`,
  )
}

function mode(text: string): Mode {
  if (isMode(text)) return text
  throw new Error(`--modes: expected some of ${MODES.join(',')}, got "${text}"`)
}

export function readOptions(args: readonly string[]): Options | { readonly fault: string } {
  try {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS })
    const {
      help,
      json,
      quick,
      pairs,
      rows,
      holders = quick ? '1' : '1,3',
      modes = quick ? 'backlog,live' : MODES.join(','),
    } = values
    const [bench = help ? 'sync' : '', ...more] = positionals
    if (more.length > 0) throw new Error(`expected one bench, got ${positionals.join(' ')}`)
    return {
      bench,
      help,
      json,
      quick,
      pairs: pairs === undefined ? (quick ? 1 : 5) : count('pairs', pairs),
      rows: rows === undefined ? undefined : count('rows', rows),
      holders: holders.split(',').map(text => count('holders', text, 3)),
      modes: modes.split(',').map(mode),
    }
  } catch (error) {
    return { fault: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error) }
  }
}
