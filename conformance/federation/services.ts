/** Database and broker, watched over as the programs are: one that dies is started again on the same data, each time a little later. */
import { setTimeout as delay } from 'node:timers/promises'
import { lastWords } from './last-words.ts'
import type { ProgramEvent } from './programs.ts'

type RunningServer = AsyncDisposable & { readonly pid: number; readonly exited: Promise<number | null> }

export type Service<S> = AsyncDisposable & {
  pid(): number | null
  start(signal: AbortSignal): Promise<S>
  /** SIGKILL, as a crash would be; it is started again. */
  kill(): void
}

const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000

export function createService<S extends RunningServer>(options: {
  readonly name: string
  readonly logFile: string
  readonly start: (signal: AbortSignal) => Promise<S>
  readonly onEvent: (event: ProgramEvent) => void
  readonly onRestarted: (server: S) => Promise<void>
}): Service<S> {
  const { name, logFile, onEvent } = options
  const stopping = new AbortController()
  const { signal } = stopping
  let running: S | null = null
  let supervising: Promise<void> = Promise.resolve()

  async function supervise(first: S): Promise<void> {
    let current: S | null = first
    let retryMs = FIRST_RETRY_MS
    while (!signal.aborted) {
      if (current !== null) {
        const code = await current.exited
        if (signal.aborted) return
        retryMs = FIRST_RETRY_MS
        running = null
        const how = code === null ? 'ended by a signal' : `exit code ${code}`
        onEvent({ kind: 'died', name, how, logFile, tail: await lastWords(logFile), retryMs })
        await current[Symbol.asyncDispose]() // gives its folder back
      }
      await delay(retryMs, undefined, { signal }).catch(() => undefined)
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)
      if (signal.aborted) return
      current = await restart(retryMs)
    }
  }

  async function restart(retryMs: number): Promise<S | null> {
    let server: S | null = null
    try {
      server = await options.start(signal)
      running = server
      await options.onRestarted(server)
      onEvent({ kind: 'recovered', name })
    } catch (error) {
      if (server === null && !signal.aborted) {
        onEvent({ kind: 'died', name, how: error instanceof Error ? error.message : 'error', logFile, tail: '', retryMs })
      }
    }
    return server
  }

  return {
    pid: () => running?.pid ?? null,
    async start(startSignal) {
      const server = await options.start(AbortSignal.any([startSignal, signal]))
      running = server
      supervising = supervise(server)
      return server
    },
    kill() {
      if (running !== null) process.kill(running.pid, 'SIGKILL')
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      const last = running
      await last?.[Symbol.asyncDispose]()
      await supervising
      // one that was being started while this was called
      if (running !== last) await running?.[Symbol.asyncDispose]()
      running = null
    },
  }
}
