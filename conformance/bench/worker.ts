/** A program of the bench as a process of its own, asked over Node.js's own channel; it ends when its owner does. */
import { type ChildProcess, fork } from 'node:child_process'
import { open } from 'node:fs/promises'
import type { Environment } from '../../runtime/environment.ts'
import { NODE_FLAGS } from '../federation/programs.ts'

type Answer = { readonly id: number; readonly result?: unknown; readonly error?: string }
type Notice = { readonly notice: unknown }

/** CLOCK_MONOTONIC in milliseconds: the same clock in every process of the machine. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6

export type Worker = AsyncDisposable & {
  readonly pid: number
  ask<Result>(op: string, args?: object): Promise<Result>
  /** told of everything that the process says unasked */
  listen(take: (notice: unknown) => void): Disposable
}

export async function startWorker(
  script: string,
  options: { readonly logFile: string; readonly env: Environment },
): Promise<Worker> {
  await using log = await open(options.logFile, 'a', 0o600)
  const child: ChildProcess = fork(script, {
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
    env: { ...options.env },
    execArgv: [...NODE_FLAGS],
  })
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const waitingFor = new Map<number, PromiseWithResolvers<unknown>>()
  const listeners = new Set<(notice: unknown) => void>()
  let asked = 0
  void exited.then(() => {
    for (const { reject } of waitingFor.values()) reject(new Error(`${script} ended; its log is ${options.logFile}`))
  })
  child.on('message', (message: Answer | Notice) => {
    if ('notice' in message) {
      for (const take of listeners) take(message.notice)
      return
    }
    const waiting = waitingFor.get(message.id)
    waitingFor.delete(message.id)
    if (message.error === undefined) waiting?.resolve(message.result)
    else waiting?.reject(new Error(message.error))
  })
  return {
    pid: child.pid ?? 0,
    ask<Result>(op: string, args: object = {}) {
      const id = ++asked
      const waiting = Promise.withResolvers<unknown>()
      waitingFor.set(id, waiting)
      child.send({ id, op, args })
      return waiting.promise as Promise<Result>
    },
    listen(take) {
      listeners.add(take)
      return { [Symbol.dispose]: () => void listeners.delete(take) }
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}

export const say = (notice: unknown): void => void process.send?.({ notice })

/** Answers the owner's questions until the owner is gone. */
export async function serve(ops: { readonly [op: string]: (args: never) => Promise<unknown> }): Promise<void> {
  const gone = new Promise<void>(resolve => process.once('disconnect', resolve))
  process.on('message', ({ id, op, args }: { id: number; op: string; args: never }) => {
    const work = ops[op]
    const answer = work === undefined ? Promise.reject(new Error(`no ${op}`)) : work(args)
    answer.then(
      result => process.send?.({ id, result }),
      error => process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
  })
  await gone
}
