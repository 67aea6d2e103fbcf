/**
 * Programs of an earlier start whose launcher was killed. They stop by themselves when their standard input ends; the next start
 * waits for that, so that ports and database sessions are free, and ends what hangs. A process is known by its id and its start
 * time, because ids are used again: nothing that this launcher did not start is ever touched.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { until } from '../../runtime/guarded-process.ts'

export type ProcessIdentity = { readonly pid: number; readonly started: string | null }

/** The start time in clock ticks since boot (proc_pid_stat(5), field 22); null where there is no /proc or no such process. */
const startTime = (pid: number): string | null => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // the second field is the command in brackets, and may hold blanks and brackets itself
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    return null
  }
}

export const identify = (pid: number): ProcessIdentity => ({ pid, started: startTime(pid) })
/** Only where a start time can be read: without one nobody can tell whose process that is. */
export const isRunning = ({ pid, started }: ProcessIdentity): boolean => started !== null && startTime(pid) === started

export const writeIdentities = (file: string, pids: Iterable<number>): void =>
  writeFileSync(file, `${JSON.stringify([...pids].map(identify))}\n`)

async function readIdentities(file: string): Promise<ProcessIdentity[]> {
  const text = await readFile(file, 'utf8').catch(() => '[]')
  try {
    const list: unknown = JSON.parse(text)
    return Array.isArray(list) ? list.filter(one => Number.isSafeInteger(one?.pid) && typeof one?.started === 'string') : []
  } catch {
    return [] // cut short by the kill
  }
}

const WAIT_MS = 10_000

/** Returns when none of the processes named in the file runs any more. */
export async function endLeftovers(file: string, signal: AbortSignal, waitMs = WAIT_MS): Promise<void> {
  const left = await readIdentities(file)
  const gone = (): boolean => !left.some(isRunning)
  if (await until(gone, { timeoutMs: waitMs, signal })) return
  for (const one of left.filter(isRunning)) process.kill(one.pid, 'SIGKILL')
  await until(gone, { timeoutMs: waitMs, signal })
}
