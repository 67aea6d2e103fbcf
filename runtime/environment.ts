/**
 * Reads a program's settings from an environment that is passed in, so that it can be tested without one. Rows say everything
 * about a setting: the reader, the README's table and the type of the result follow from them. Every fault is reported at once,
 * and a variable that carries our prefix but is in no row is a fault too, because a mistyped name would otherwise run on its
 * default in silence. A default is the text that an operator would write; `null` means that the setting may stay unset.
 */
import { ExchangeError } from '../schemas/errors.ts'

/** How a value is read; `SETTING` has them all. None touches the file system: whoever uses a folder finds out whether it exists. */
export type Parser<T> = {
  /** completes the sentence "NAME must be …" */
  readonly expects: string
  /** what the name of the setting must end in */
  readonly unit?: string
  read(text: string): { readonly value: T } | { readonly fault: true }
}

const FAULT = { fault: true } as const

const matching = <T>(expects: string, shape: RegExp, convert: (text: string) => T): Parser<T> => ({
  expects,
  read: text => (shape.test(text) ? { value: convert(text) } : FAULT),
})

const same = (text: string): string => text

const oneOf = <const V extends readonly string[]>(...values: V): Parser<V[number]> => ({
  expects: `one of ${values.join(', ')}`,
  read: text => {
    const value = values.find(one => one === text)
    return value === undefined ? FAULT : { value }
  },
})

const bounded = (expects: string, min: number, max: number): Parser<number> => ({
  expects: `${expects} from ${min} to ${max}`,
  read: text => {
    const value = /^(0|[1-9][0-9]{0,14})$/.test(text) ? Number(text) : Number.NaN
    return value >= min && value <= max ? { value } : FAULT
  },
})

const url = (...schemes: readonly string[]): Parser<string> => ({
  expects: `a URL that starts with ${schemes.map(scheme => `${scheme}://`).join(' or ')}`,
  read: text => {
    const parsed = URL.canParse(text) ? new URL(text) : undefined
    const allowed =
      parsed && schemes.some(scheme => text.startsWith(`${scheme}://`)) && (parsed.host !== '' || parsed.search !== '')
    return allowed ? { value: text } : FAULT
  },
})

/** No control characters, no blanks at either end; nothing expands `~` here, so it would become a folder of that name. */
const PLAIN = String.raw`(?![~\s])\P{Cc}*(?!\s)\P{Cc}`

export const SETTING = {
  text: matching('text without control characters', /^\P{Cc}+$/u, same),
  /** any of the given schemes, written without `://` */
  url,
  /** 0 asks the system for a free port */
  port: bounded('a port number (0 means any free one)', 0, 65_535),
  /** The name of an integer's row ends in its unit: `…_MS`, `…_BYTES`, `…_PER_MINUTE`. */
  integer: (unit: string, min: number, max: number): Parser<number> => ({
    ...bounded('a whole number', min, max),
    unit,
  }),
  directory: matching('the path of a folder', new RegExp(`^${PLAIN}$`, 'u'), text =>
    text === '/' ? text : text.replace(/\/+$/, ''),
  ),
  file: matching('the path of a file', new RegExp(`^${PLAIN}(?<!/)$`, 'u'), same),
  member: matching('a member code of six digits', /^[0-9]{6}$/, same),
  boolean: matching('true or false', /^(true|false)$/, text => text === 'true'),
  level: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  oneOf,
} as const

export type Setting<T = unknown> = {
  /** upper case, without the program's prefix unless `unprefixed` */
  readonly name: string
  readonly parse: Parser<T>
  readonly en: string
  readonly zh: string
  /** the value is never shown, not even in a fault */
  readonly secret?: true
  /** a name that the world already knows, such as DATABASE_URL */
  readonly unprefixed?: true
} & ({ readonly required: true } | { readonly required?: never; readonly default: string | null })

export type Environment = { readonly [name: string]: string | undefined }

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<Camel<Tail>>}`
  : Lowercase<S>
type Value<R> = R extends { readonly parse: Parser<infer T> } ? (R extends { readonly default: null } ? T | undefined : T) : never

/** `BATCH_MAX_BYTES` becomes `batchMaxBytes`. */
export type Settings<Rows extends readonly Setting[]> = {
  readonly [R in Rows[number] as Camel<R['name']>]: Value<R>
}

const camel = (name: string): string => name.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

const fullName = (prefix: string, row: Setting): string => (row.unprefixed ? row.name : `${prefix}${row.name}`)

const readRow = (env: Environment, name: string, row: Setting): { value: unknown } | { fault: string } => {
  const given = env[name]
  if (given === undefined && row.required) return { fault: `${name} is required (${row.en})` }
  const text = given ?? (row.required ? undefined : row.default)
  if (text === undefined || text === null) return { value: undefined }
  // An empty value is mostly a variable that failed to expand: to run on the default then would be a mistyped setting.
  if (text === '') return { fault: `${name} is set but empty; give it a value or unset it` }
  const read = row.parse.read(text)
  if ('value' in read) return read
  return { fault: `${name} must be ${row.parse.expects}${row.secret ? '' : `, not ${JSON.stringify(text)}`}` }
}

/** Number of single-character edits between two names (Levenshtein). */
const distance = (from: string, to: string): number => {
  let above = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (const [i, letter] of [...from].entries()) {
    const line = [i + 1]
    for (const [j, other] of [...to].entries())
      line.push(Math.min((above[j] ?? 0) + (letter === other ? 0 : 1), (above[j + 1] ?? 0) + 1, (line[j] ?? 0) + 1))
    above = line
  }
  return above[to.length] ?? 0
}

const unknownNames = (env: Environment, prefix: string, known: readonly string[]): string[] =>
  Object.keys(env)
    .filter(name => name.toUpperCase().startsWith(prefix) && !known.includes(name))
    .sort()
    .map(name => {
      const [nearest] = known
        .map(other => ({ other, edits: distance(name.toUpperCase(), other) }))
        .filter(({ other, edits }) => other.startsWith(prefix) && edits <= 4)
        .sort((a, b) => a.edits - b.edits)
      return `${name} is not a setting${nearest ? `; did you mean ${nearest.other}?` : ''}`
    })

/**
 * Throws CONFIG_INVALID whose reason names every fault; `detail.faults` is the same list. The value of a secret is in neither.
 */
export const readEnvironment = <const Rows extends readonly Setting[]>(
  env: Environment,
  prefix: string,
  rows: Rows,
): Settings<Rows> => {
  const read = rows.map(row => ({ row, ...readRow(env, fullName(prefix, row), row) }))
  const known = rows.map(row => fullName(prefix, row))
  const misnamed = rows.flatMap(({ name, parse: { unit } }) =>
    unit === undefined || name.endsWith(`_${unit}`) ? [] : [`the name ${name} must end in its unit _${unit}`],
  )
  const faults = [...misnamed, ...read.flatMap(one => ('fault' in one ? [one.fault] : [])), ...unknownNames(env, prefix, known)]
  if (faults.length > 0) throw new ExchangeError('CONFIG_INVALID', faults.join('; '), { detail: { faults } })
  return Object.fromEntries(read.map(one => [camel(one.row.name), 'value' in one ? one.value : undefined])) as Settings<Rows>
}

const cell = (text: string): string => text.replaceAll('|', '\\|')

const shownDefault = (row: Setting): string => {
  if (row.required) return 'required 必填'
  return row.default === null ? '–' : `\`${row.default}\``
}

/** The rows of the README's configuration table: name, default, meaning in English and Chinese. */
export const describeEnvironment = (prefix: string, rows: readonly Setting[]): string[] =>
  rows.map(row => `| \`${fullName(prefix, row)}\` | ${cell(shownDefault(row))} | ${cell(row.en)} | ${cell(row.zh)} |`)
