/**
 * A server that never outlives its owner. Between the two stands a shell of a megabyte whose standard input is a pipe from the owner:
 * the pipe ends when the owner closes it (an orderly stop) or dies (`kill -9` included), and the shell then asks the server to stop,
 * and after the grace kills it. Both run in a session of their own, so that Ctrl-C at a terminal reaches the owner only, which stops
 * things in its order. A guard that was killed itself is covered at the next start, by {@link stopStrays}.
 */

import { spawn } from 'node:child_process'
import { type FileHandle, open, readdir, readFile, readlink, rename, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { ExchangeError } from '../schemas/errors.ts'

/** SIGINT is a fast shutdown for postgres and an orderly one for nats-server. It is sent again until heeded: a server that has only just
 * started may not listen yet, since a shell starts its background commands deaf to it. */
const GUARD = `
tries=$1; shift
exec 4<&0
"$@" </dev/null 3>&- 4<&- &
child=$!
(
  exec 3>&- >/dev/null 2>&1
  read -r _ <&4
  while [ "$tries" -gt 0 ] && kill -s INT "$child"; do sleep 0.1; tries=$((tries - 1)); done
  kill -s KILL "$child"
) &
watcher=$!
exec 4<&-
echo "$child" >&3
exec 3>&-
wait "$child"; code=$?
kill "$watcher" 2>/dev/null
exit "$code"
`

const POLL_MS = 10
const GRACE_MS = 10_000
const LOG_KEPT_BYTES = 8 * 1024 * 1024

export type GuardedOptions = {
  readonly command: string
  readonly args: readonly string[]
  /** the server's working directory: with the name of its program the mark by which a later start knows it */
  readonly cwd: string
  /** receives standard output and error; past 8 MiB the one before is kept as `.1` */
  readonly logFile: string
  readonly uid?: number
  readonly gid?: number
}

export type GuardedProcess = {
  /** of the server, not of its guard */
  readonly pid: number
  /** exit code, or null when a signal ended it */
  readonly exited: Promise<number | null>
  readonly hasExited: () => boolean
} & AsyncDisposable

const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch {
    // gone already, which is what was wanted
  }
}

/** Waits for a condition; false when the time is over before it holds. */
export const until = async (
  condition: () => boolean | Promise<boolean>,
  options: { timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<boolean> => {
  const end = performance.now() + options.timeoutMs
  for (;;) {
    options.signal?.throwIfAborted()
    if (await condition()) return true
    if (performance.now() > end) return false
    await delay(POLL_MS)
  }
}

const openLog = async (file: string): Promise<FileHandle> => {
  const size = await stat(file).then(
    ({ size }) => size,
    () => 0,
  )
  if (size > LOG_KEPT_BYTES) await rename(file, `${file}.1`)
  return open(file, 'a', 0o600)
}

/** The last lines of a server's log, to stand in the error that says why it did not start. */
export const logTail = async (file: string, bytes = 1_500): Promise<string> => {
  await using handle = await open(file, 'r').catch(() => undefined)
  if (handle === undefined) return ''
  const { size } = await handle.stat()
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, Math.max(0, size - bytes))
  return buffer.toString('utf8', 0, bytesRead).trim()
}

/** Starts the server under its guard. Says nothing of its readiness. */
export const startGuarded = async (options: GuardedOptions): Promise<GuardedProcess> => {
  await using log = await openLog(options.logFile)
  const guard = spawn('/bin/sh', ['-c', GUARD, 'guard', String(GRACE_MS / 100), options.command, ...options.args], {
    cwd: options.cwd,
    detached: true,
    stdio: ['pipe', log.fd, log.fd, 'pipe'],
    // nothing of the owner's environment: PG* and NATS_* variables would change what the server does, and secrets stay out of it
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  })
  let ended = false
  const exited = new Promise<number | null>((resolve, reject) => {
    guard.once('error', reject)
    guard.once('exit', code => {
      ended = true
      // what is left of the group: the server, if the guard died by a signal
      if (guard.pid !== undefined) signal(-guard.pid, 'SIGKILL')
      resolve(code !== null && code > 128 ? null : code)
    })
  })
  guard.stdin?.on('error', () => {}) // the guard went first; `exited` tells
  const pids = guard.stdio[3]
  const pid = Number(await Promise.race([pids instanceof Readable ? text(pids) : '', exited.then(() => '')]))
  return {
    pid,
    exited,
    hasExited: () => ended,
    [Symbol.asyncDispose]: async () => {
      guard.stdin?.end()
      await exited
    },
  }
}

/**
 * Processes of this program with this working directory. A leader still shows the command it was started by; what it forked shows a title
 * of its own ("postgres: checkpointer") and is never signalled: to some of them SIGINT means something else, and they follow their leader.
 * Without /proc none are seen, and the server's own lock decides.
 */
const strays = async (program: string, cwd: string): Promise<{ pid: number; leads: boolean }[]> => {
  const pids = (await readdir('/proc').catch(() => [])).filter(name => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async pid => {
      const [exe, directory] = await Promise.all(['exe', 'cwd'].map(link => readlink(`/proc/${pid}/${link}`).catch(() => '')))
      if (directory !== cwd || basename(exe ?? '').replace(/ \(deleted\)$/, '') !== program) return undefined
      const [command = ''] = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
      return { pid: Number(pid), leads: basename(command) === program }
    }),
  )
  return found.filter(stray => stray !== undefined)
}

/**
 * Stops what a killed start left behind in `cwd` (a real path), after making sure that it is that program in that directory; for the
 * holder of the directory's lock only.
 */
export const stopStrays = async (program: string, cwd: string): Promise<void> => {
  const none = async () => (await strays(program, cwd)).length === 0
  for (const { pid, leads } of await strays(program, cwd)) if (leads) signal(pid, 'SIGINT')
  if (await until(none, { timeoutMs: GRACE_MS })) return
  for (const { pid } of await strays(program, cwd)) signal(pid, 'SIGKILL')
  if (!(await until(none, { timeoutMs: GRACE_MS }))) {
    throw new ExchangeError('DIRECTORY_IN_USE', `${program} of a start before this one runs in ${cwd} and cannot be stopped`)
  }
}
