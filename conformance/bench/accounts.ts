/** Processor time and memory by process, read from /proc (proc_pid_stat(5)); elsewhere there are none. */
import { readFile } from 'node:fs/promises'
import { Client } from 'pg'

/** USER_HZ is 100 on every Linux that Node.js runs on. */
const TICKS = 100

export type Account = ReadonlyMap<string, { readonly label: string; readonly seconds: number }>

async function cpuSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS
}

/** Resident memory in MiB; 0 where there is no /proc. */
export async function residentMiB(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '')
  return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1] ?? 0) / 1024)
}

export type Bookkeeper = AsyncDisposable & { read(): Promise<Account> }

/** `programs` are asked at each reading, since a program that was started again has another id. */
export async function keepAccounts(postgresUrl: string, programs: () => ReadonlyMap<string, number>): Promise<Bookkeeper> {
  const db = new Client({ connectionString: postgresUrl, application_name: 'bench-accounts' })
  await db.connect()
  return {
    async read() {
      const { rows } = await db.query<{ pid: number; label: string }>(
        "SELECT pid, COALESCE('postgres ' || datname, 'postgres ' || backend_type) AS label FROM pg_stat_activity",
      )
      const all = [...[...programs()].map(([label, pid]) => ({ pid, label })), ...rows]
      return new Map(
        await Promise.all(all.map(async ({ pid, label }) => [`${pid}`, { label, seconds: await cpuSeconds(pid) }] as const)),
      )
    },
    [Symbol.asyncDispose]: () => db.end(),
  }
}

/** Seconds by label between two readings. */
export function spent(before: Account, after: Account): Map<string, number> {
  const sums = new Map<string, number>()
  for (const [pid, { label, seconds }] of after) {
    sums.set(label, (sums.get(label) ?? 0) + seconds - (before.get(pid)?.seconds ?? 0))
  }
  return sums
}

/** The seconds of one side: the other's programs and databases idle, but not at no cost. */
export const sideOf = (sums: ReadonlyMap<string, number>, side: 'ours' | 'limit'): Map<string, number> =>
  new Map(
    [...sums].filter(([label]) => !/^(?:limit |postgres bench_limit_)/.test(label) === (side === 'ours') || SHARED.test(label)),
  )
const SHARED = /^(?:broker|postgres (?!bench_))/

export const formatSpent = (sums: ReadonlyMap<string, number>): string =>
  [...sums]
    .filter(([, seconds]) => seconds >= 0.05)
    .sort((a, b) => b[1] - a[1])
    .map(([label, seconds]) => `${label} ${seconds.toFixed(1)}`)
    .join(', ')
