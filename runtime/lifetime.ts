/**
 * The life of a program, from start to an orderly stop. `runProgram` gives `main` one AbortSignal; whatever ends the program (a
 * signal, the end of standard input, an error that nobody caught) aborts it, and `main` disposes what it opened and returns.
 * Nothing here ends the process while disposal goes on, save a second signal and a fault that leaves the process hanging.
 */
import { fstatSync } from 'node:fs'
import { ERRORS, isExchangeError } from '../schemas/errors.ts'
import { serializeError } from './log.ts'

const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const
const FORCED_EXIT_CODE = 130
/** How long disposal may take after an error that nobody caught. */
const FATAL_WAIT_MS = 10_000

type Listening = Disposable & { readonly received: Promise<NodeJS.Signals> }

const listenForSignals = (): Listening => {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  let stopping = false
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(FORCED_EXIT_CODE)
    stopping = true
    resolve(signal)
  }
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal)
  return {
    received: promise,
    [Symbol.dispose]: () => {
      for (const signal of STOP_SIGNALS) process.off(signal, onSignal)
    },
  }
}

/** The first SIGINT or SIGTERM from now on. A second one ends the process at once with code 130. */
export const untilSignal = (): Promise<NodeJS.Signals> => listenForSignals().received

/** Fulfilled when `signal` aborts, at once if it has. */
export const untilAborted = (signal: AbortSignal): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  else signal.addEventListener('abort', () => resolve(), { once: true })
  return promise
}

/** A pipe's other end closes when its owner dies, however it dies; a terminal or a file tells nothing about an owner. */
const watchStdinEnd = (stop: () => void): Disposable => {
  const kind = fstatSync(0, { throwIfNoEntry: false })
  if (!kind?.isFIFO() && !kind?.isSocket()) return { [Symbol.dispose]: () => undefined }
  const { stdin } = process
  stdin.on('end', stop).on('error', stop).resume()
  return {
    [Symbol.dispose]: () => {
      stdin.off('end', stop).off('error', stop)
      stdin.destroy()
    },
  }
}

/** What an operator reads when a program cannot go on: the code's sentence in both languages, the reason, the causes. */
export const formatFault = (error: unknown): string => {
  const code = isExchangeError(error) ? error.code : 'INTERNAL'
  const { en, zh } = ERRORS[code]
  const lines = [`${code}: ${en} ${zh}`]
  if (isExchangeError(error)) {
    const { faults } = error.detail
    lines.push(...(Array.isArray(faults) ? faults : [error.reason]).map(line => `  ${line}`))
  }
  const foreign = isExchangeError(error) ? error.cause : error
  if (foreign !== undefined)
    lines.push(
      ...JSON.stringify(serializeError(foreign), null, 2)
        .split('\n')
        .map(line => `  ${line}`),
    )
  return `${lines.join('\n')}\n`
}

type Stop = { readonly controller: AbortController; readonly fail: (error: unknown) => void }

const watchUncaught = ({ controller, fail }: Stop): Disposable => {
  const onFatal = (error: unknown): void => {
    fail(error)
    controller.abort(error)
    // Unreferenced: it only ends a process that disposal left hanging.
    setTimeout(() => process.exit(1), FATAL_WAIT_MS).unref()
  }
  process.on('uncaughtException', onFatal).on('unhandledRejection', onFatal)
  return { [Symbol.dispose]: () => process.off('uncaughtException', onFatal).off('unhandledRejection', onFatal) }
}

/**
 * Runs a program's `main` and sets the exit code: 0 when it returns, also after a signal; 1 after an error, which it prints on
 * standard error. Never rejects. `stopOnStdinEnd` aborts when standard input is a pipe and ends, so that a child goes with its
 * launcher. `report` is told of the error too, for the log.
 */
export const runProgram = async (
  main: (signal: AbortSignal) => Promise<void>,
  { stopOnStdinEnd = false, report }: { stopOnStdinEnd?: boolean; report?: (error: unknown) => void } = {},
): Promise<void> => {
  const controller = new AbortController()
  const { signal } = controller
  const fail = (error: unknown): void => {
    process.exitCode = 1
    process.stderr.write(formatFault(error))
    report?.(error)
  }
  await using lifetime = new AsyncDisposableStack()
  const signals = lifetime.use(listenForSignals())
  lifetime.use(watchUncaught({ controller, fail }))
  if (stopOnStdinEnd) lifetime.use(watchStdinEnd(() => controller.abort()))
  void signals.received.then(() => controller.abort())
  try {
    await main(signal)
  } catch (error) {
    // A wait that was cut short by the stop itself is the stop, not a fault.
    const cutShort = signal.aborted && (error === signal.reason || (error instanceof Error && error.name === 'AbortError'))
    if (!cutShort) fail(error)
  }
}
