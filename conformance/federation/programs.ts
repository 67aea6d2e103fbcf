/**
 * A program of ours as a process of its own: hub, node or sample systems. Its standard input is a pipe that ends when the launcher
 * does, however it dies, and it stands in a session of its own, so that Ctrl-C reaches the launcher only, which stops things in
 * order. A program that dies is started again, each time a little later; one that cannot even start ends the whole start.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { open, rename, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Environment } from '../../runtime/environment.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { lastWords } from './last-words.ts'

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

export type ProgramPlan = {
  readonly name: string
  /** absolute path of its main.ts */
  readonly script: string
  readonly env: () => Environment
  /** both outputs are appended here */
  readonly logFile: string
  /** answers 200 when the program can do its work */
  readonly readyUrl: string
}

export type ProgramEvent =
  | {
      readonly kind: 'died'
      readonly name: string
      readonly how: string
      readonly logFile: string
      readonly tail: string
      readonly retryMs: number
    }
  | { readonly kind: 'recovered'; readonly name: string }

export type Program = AsyncDisposable & {
  readonly name: string
  readonly logFile: string
  pid(): number | null
  /** Fulfilled when it is ready. @throws PROGRAM_FAILED if it ends or does not become ready */
  start(signal: AbortSignal): Promise<void>
  /** Asks it to stop and waits; kills it when the grace is over. It stays down. */
  stop(): Promise<void>
  /** SIGKILL, as a crash would be; it is started again. */
  kill(): void
}

const READY_WAIT_MS = 60_000
const READY_POLL_MS = 50
const STOP_GRACE_MS = 12_000
const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 30_000
const STEADY_AFTER_MS = 60_000
/** Room for what lives as long as one batch does: it dies there, and never reaches the part of the heap that is costly to tidy. */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=32']
const LOG_KEPT_BYTES = 16 * 1024 * 1024

type Running = { readonly child: ChildProcess; readonly exited: Promise<string>; readonly state: { ended: boolean } }

async function launch(plan: ProgramPlan): Promise<Running> {
  const size = await stat(plan.logFile).then(
    found => found.size,
    () => 0,
  )
  if (size > LOG_KEPT_BYTES) await rename(plan.logFile, `${plan.logFile}.1`)
  await using log = await open(plan.logFile, 'a', 0o600)
  const { promise, resolve } = Promise.withResolvers<string>()
  const state = { ended: false }
  const end = (how: string): void => {
    state.ended = true
    resolve(how)
  }
  const child = spawn(process.execPath, [...NODE_FLAGS, plan.script], {
    cwd: PROJECT,
    detached: true,
    stdio: ['pipe', log.fd, log.fd],
    env: { ...plan.env() },
  })
  child.once('error', error => end((error as NodeJS.ErrnoException).code ?? 'error'))
  child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`))
  child.stdin?.on('error', () => {}) // the program went first; `exited` tells
  return { child, exited: promise, state }
}

async function terminate({ child, exited }: Running): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS)
  await exited
  clearTimeout(timer)
  child.stdin?.destroy()
}

const isReady = (url: string): Promise<boolean> =>
  fetch(url, { signal: AbortSignal.timeout(2000) }).then(
    async answer => {
      await answer.body?.cancel()
      return answer.status === 200
    },
    () => false,
  )

async function untilReady(plan: ProgramPlan, { exited, state }: Running, signal: AbortSignal): Promise<void> {
  const end = performance.now() + READY_WAIT_MS
  while (!(await isReady(plan.readyUrl))) {
    signal.throwIfAborted()
    const how = state.ended ? `ended while starting (${await exited})` : `is not ready after ${READY_WAIT_MS / 1000} s`
    if (state.ended || performance.now() > end) {
      const tail = await lastWords(plan.logFile)
      throw new ExchangeError('PROGRAM_FAILED', `${plan.name} ${how}; its log is ${plan.logFile}, which ends in\n${tail}`, {
        detail: { program: plan.name, log_file: plan.logFile },
      })
    }
    await delay(READY_POLL_MS)
  }
}

const wait = (ms: number, signal: AbortSignal): Promise<void> => delay(ms, undefined, { signal }).catch(() => undefined)

export function createProgram(
  plan: ProgramPlan,
  options: { readonly onEvent: (event: ProgramEvent) => void; readonly onPids: () => void },
): Program {
  let running: Running | null = null
  let stopping = new AbortController()
  let supervising: Promise<void> = Promise.resolve()

  async function run(): Promise<Running> {
    running = await launch(plan)
    options.onPids()
    return running
  }

  async function supervise(first: Running, { signal }: AbortController): Promise<void> {
    let current = first
    let retryMs = FIRST_RETRY_MS
    for (;;) {
      const since = performance.now()
      const how = await current.exited
      if (signal.aborted) return
      if (performance.now() - since > STEADY_AFTER_MS) retryMs = FIRST_RETRY_MS
      options.onEvent({ kind: 'died', name: plan.name, how, logFile: plan.logFile, tail: await lastWords(plan.logFile), retryMs })
      await wait(retryMs, signal)
      if (signal.aborted) return
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)
      current = await run()
      if (signal.aborted) return terminate(current)
      void untilReady(plan, current, signal).then(
        () => options.onEvent({ kind: 'recovered', name: plan.name }),
        () => undefined, // the loop says how it ended
      )
    }
  }

  async function stop(): Promise<void> {
    stopping.abort()
    if (running !== null) await terminate(running)
    await supervising
    running = null
    options.onPids()
  }

  return {
    name: plan.name,
    logFile: plan.logFile,
    pid: () => (running === null || running.state.ended ? null : (running.child.pid ?? null)),
    async start(signal) {
      if (running !== null) return
      stopping = new AbortController()
      const first = await run()
      try {
        await untilReady(plan, first, signal)
      } catch (error) {
        await stop()
        throw error
      }
      supervising = supervise(first, stopping)
    },
    stop,
    kill() {
      running?.child.kill('SIGKILL')
    },
    [Symbol.asyncDispose]: stop,
  }
}
