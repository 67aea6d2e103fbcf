/**
 * The log of a program: one JSON object a line on standard output. It never holds a personal identifier, a key or a token. Two
 * rules see to that wherever a line comes from: values under the names of {@link HIDDEN} are replaced at any depth, and of an
 * error only what the code table and the runtime wrote is printed. A foreign error's message is withheld, because PostgreSQL,
 * JSON.parse and many libraries quote the offending value in it; its class, its code and its stack say where to look.
 */
import { isSpanContextValid, trace } from '@opentelemetry/api'
import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino'
import { isExchangeError } from '../schemas/errors.ts'

export type { Logger } from 'pino'
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

const HIDDEN = new Set(
  'authorization cookie setcookie proxyauthorization token jwt jws body records payload password secret seed key keys privatekey jwk d'.split(
    ' ',
  ),
)
const CENSOR = '[hidden]'
const DEPTH_MAX = 8

const isPlain = (value: unknown): value is { readonly [name: string]: unknown } => {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** An instance of a class says its class only: nobody here knows what it holds. */
const hide = (value: unknown, depth: number): unknown => {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  if (depth > DEPTH_MAX) return CENSOR
  if (value instanceof Error) return serializeError(value)
  if (Array.isArray(value)) return value.map(one => hide(one, depth + 1))
  return isPlain(value) ? hideMembers(value, depth + 1) : `[${value.constructor.name}]`
}

const hideMembers = (object: { readonly [name: string]: unknown }, depth = 0): { [name: string]: unknown } =>
  Object.fromEntries(
    Object.entries(object).map(([name, value]) => [
      name,
      HIDDEN.has(name.toLowerCase().replaceAll(/[-_]/g, '')) ? CENSOR : hide(value, depth),
    ]),
  )

type PrintedError = { readonly [name: string]: unknown }

/** The frames of a stack without its first lines, which repeat the message. */
const framesOf = (error: Error): string[] => {
  const stack = error.stack ?? ''
  const at = stack.indexOf(error.message)
  return stack
    .slice(at < 0 ? 0 : at + error.message.length)
    .split('\n')
    .filter(line => /^ {4}at /.test(line))
    .map(line => line.slice(7))
}

const foreignFacts = (error: Error): PrintedError => {
  const { code, syscall, address, port } = error as NodeJS.ErrnoException & { address?: unknown; port?: unknown }
  const named = typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? { code } : {}
  return typeof syscall === 'string' ? { ...named, syscall, address, port } : named
}

/** What may be known of an error: code, reason and detail of ours, class, code and stack of a foreign one, and so down its causes. */
export const serializeError = (error: unknown, depth = 0): PrintedError => {
  if (!(error instanceof Error)) return { type: typeof error }
  const facts = isExchangeError(error) ? { code: error.code, reason: error.reason, detail: error.detail } : foreignFacts(error)
  const inner = error instanceof AggregateError ? error.errors.slice(0, 5) : []
  const deeper = depth < DEPTH_MAX
  return {
    type: error.constructor.name,
    ...facts,
    stack: framesOf(error),
    ...(deeper && error.cause !== undefined ? { cause: serializeError(error.cause, depth + 1) } : {}),
    ...(deeper && inner.length > 0 ? { errors: inner.map(one => serializeError(one, depth + 1)) } : {}),
  }
}

/** pino would take the error's own message for the line's when it is given none. */
const lineFor = (error: Error): string => (isExchangeError(error) ? error.code : error.constructor.name)

const activeTrace = (): { trace_id?: string; span_id?: string } => {
  const span = trace.getActiveSpan()?.spanContext()
  return span && isSpanContextValid(span) ? { trace_id: span.traceId, span_id: span.spanId } : {}
}

const options = (program: string, level: LogLevel): LoggerOptions => ({
  level,
  base: { program, pid: process.pid },
  timestamp: pino.stdTimeFunctions.isoTime,
  mixin: activeTrace,
  formatters: {
    level: label => ({ level: label }),
    log: object => hideMembers(object),
  },
  hooks: {
    logMethod(args, method) {
      const [first, message, ...rest] = args as unknown[]
      const error = first instanceof Error ? first : isPlain(first) && first.err instanceof Error ? first.err : undefined
      if (error && message === undefined) method.apply(this, [first instanceof Error ? { err: error } : first, lineFor(error)])
      else method.apply(this, [first, message, ...rest] as Parameters<typeof method>)
    },
  },
})

/** pino drops the bindings formatter in child loggers; every child inherits this method from the first logger instead. */
const guardChildren = (logger: Logger): Logger => {
  const { child } = logger
  const guarded = function (this: Logger, bindings: { readonly [name: string]: unknown }, childOptions: unknown): unknown {
    return Reflect.apply(child, this, [hideMembers(bindings), childOptions])
  }
  return Object.assign(logger, { child: guarded as typeof child })
}

type LoggerSettings = {
  readonly program: string
  readonly level: LogLevel
  /** for tests; a program writes to standard output */
  readonly destination?: DestinationStream
}

export const createLogger = ({ program, level, destination }: LoggerSettings): Logger =>
  guardChildren(destination ? pino(options(program, level), destination) : pino(options(program, level)))
