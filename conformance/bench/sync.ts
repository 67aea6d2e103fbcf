/**
 * `bench sync`: rows a second from one origin to all holders, hub caught up. `backlog`: sealed while the road was closed, the clock
 * runs from its opening. `live`: the clock runs from the first write at the origin. It stops when the last holder has applied the
 * last row, the hub's ledger holds it, and (ours) the origin has the hub's receipt. The peer stands beside both: its initial copy beside
 * the backlog, its replication of the same writes beside `live`.
 */
import { type Account, formatSpent, residentMiB, sideOf, spent } from './accounts.ts'
import { type Figure, figure, quantile, spreadOf } from './figures.ts'
import { VARIANTS, type Variant } from './limit-tables.ts'
import { PEER, startPeer } from './peer.ts'
import { BATCH_ROWS, nationalLines } from './rows.ts'
import { ORIGIN, type Stage, startStage } from './stage.ts'
import { type Watch, watchLog } from './watch.ts'
import { now } from './worker.ts'

export type SyncOptions = {
  readonly pairs: number
  readonly rows: number
  readonly holders: readonly number[]
  readonly modes: readonly Mode[]
  readonly progress: (text: string) => void
  readonly signal: AbortSignal
}
export const MODES = ['backlog', 'live', 'http'] as const
export type Mode = (typeof MODES)[number]
/** rows a second, processor time of all processes of the side in µs for each row, and who spent it */
type Run = { readonly rate: number; readonly micros: number; readonly spent: string }

export async function benchSync(options: SyncOptions): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const count of options.holders) {
    options.progress(`${holdersText(count)}: starting`)
    await using stage = await startStage(count, options.signal)
    figures.push(...(await benchHolders(stage, options)))
  }
  return figures
}

const holdersText = (count: number): string => `${count} ${count === 1 ? 'holder' : 'holders'}`

async function benchHolders(stage: Stage, { pairs, rows, modes, progress, signal }: SyncOptions): Promise<Figure[]> {
  const name = holdersText(stage.holders.length)
  await using watches = await watchAll(stage)
  await using peer = await startPeer(stage.holders, signal)
  let round = 0
  const warm = await ours(stage, watches, 'live', ++round, Math.min(rows, 10_000))
  const memoryBefore = await memory(stage)
  for (const variant of Object.keys(VARIANTS) as Variant[]) await limit(stage, 'live', variant, ++round, Math.min(rows, 5000))
  progress(`${name}: warm (${Math.round(warm.rate)} rows/s)`)
  const results = new Map<string, Run[]>()
  const note = (key: string, run: Run): void => {
    results.set(key, [...(results.get(key) ?? []), run])
    const cost = run.spent === '' ? '' : `, ${Math.round(run.micros)} µs of processors a row: ${run.spent}`
    progress(`${name}: ${key} ${Math.round(run.rate)} rows/s${cost}`)
  }
  for (const mode of modes) {
    for (let pair = 0; pair < pairs; pair += 1) {
      note(`${mode} ours`, await (mode === 'http' ? oursOverHttp : ours)(stage, watches, mode, ++round, rows))
      if (mode === 'http' && results.has('live ledger')) continue
      for (const variant of Object.keys(VARIANTS) as Variant[])
        note(`${mode === 'http' ? 'live' : mode} ${variant}`, await limit(stage, mode, variant, ++round, rows))
      // Replication of a write needs the subscription that the copy begins.
      const copied = await peer.copy(++round, rows)
      const rate = mode === 'backlog' ? copied : await peer.live(++round, rows)
      note(`${mode === 'http' ? 'live' : mode} peer`, { rate, micros: Number.NaN, spent: '' })
    }
  }
  const memoryNote = `memory of a holder: ${memoryBefore} MiB after ${Math.min(rows, 10_000)} rows, ${await memory(stage)} MiB after the last`
  return modes.flatMap(mode => modeFigures(mode, name, results, `${rows} rows`, memoryNote))
}

function modeFigures(mode: Mode, name: string, results: ReadonlyMap<string, Run[]>, rows: string, memoryNote: string): Figure[] {
  const title = `sync ${mode === 'http' ? 'live over HTTP' : mode}, ${name}`
  const mine = results.get(`${mode} ours`) ?? []
  const theirs = (variant: Variant | 'peer'): Run[] => results.get(`${mode === 'http' ? 'live' : mode} ${variant}`) ?? []
  const compare = (
    variant: Variant | 'peer',
    suffix: string,
    unit: string,
    part: 'rate' | 'micros',
    notes: readonly string[] = [],
  ): Figure => {
    const limit = { name: variant === 'peer' ? PEER : VARIANTS[variant].name, values: theirs(variant).map(run => run[part]) }
    const ratios = mine.flatMap((run, index) => (limit.values[index] === undefined ? [] : [run[part] / limit.values[index]]))
    const { min, max } = spreadOf(ratios)
    const pairs = `${rows}, ${mine.length} pairs, ratio of each pair ${min} to ${max}`
    return figure(
      `${title}${suffix}`,
      unit,
      mine.map(run => run[part]),
      limit,
      [pairs, ...notes],
    )
  }
  return [
    compare('ledger', '', 'rows/s', 'rate', [memoryNote]),
    compare('bare', ', against bare', 'rows/s', 'rate'),
    compare('shaped', ', against shaped', 'rows/s', 'rate'),
    compare('peer', ', against the peer', 'rows/s', 'rate', mode === 'backlog' ? ['its initial copy'] : []),
    compare('ledger', ', processor time', 'µs/row', 'micros', [
      `seconds of the last run, ours: ${mine.at(-1)?.spent ?? ''}`,
      `limit: ${theirs('ledger').at(-1)?.spent ?? ''}`,
    ]),
  ]
}

export type Watches = AsyncDisposable & { readonly origin: Watch; readonly readers: readonly Watch[] }

export async function watchAll(stage: Stage): Promise<Watches> {
  await stage.driver()
  await using undo = new AsyncDisposableStack()
  const readers: Watch[] = []
  for (const program of ['hub', ...stage.holders]) readers.push(undo.use(await watchLog(stage.databaseUrl(program), ORIGIN.code)))
  const origin = undo.use(await watchLog(stage.databaseUrl(ORIGIN.code), ORIGIN.code))
  const held = undo.move()
  return { origin, readers, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

const memory = async (stage: Stage): Promise<number> => {
  const values = await Promise.all(stage.holders.map(code => residentMiB(stage.holder(code).pid() ?? 0)))
  return Math.round(quantile(values, 0.5))
}

async function accounted(
  stage: Stage,
  side: 'ours' | 'limit',
  rows: number,
  run: () => Promise<{ since: number; until: number }>,
): Promise<Run> {
  await stage.checkpoint()
  const before: Account = await stage.accounts.read()
  const { since, until } = await run()
  const seconds = sideOf(spent(before, await stage.accounts.read()), side)
  const sum = [...seconds.values()].reduce((all, one) => all + one, 0)
  return { rate: (rows / (until - since)) * 1000, micros: (sum / rows) * 1e6, spent: formatSpent(seconds) }
}

/** When everything that the origin holds by then has reached everyone. */
export async function arrived({ origin, readers }: Watches): Promise<number> {
  const end = await origin.head()
  return Math.max(...(await Promise.all([origin.reached('receipted', end), ...readers.map(reader => reader.reached('held', end))])))
}

async function ours(stage: Stage, watches: Watches, mode: Mode, round: number, rows: number): Promise<Run> {
  const driver = await stage.driver()
  await driver.ask('prepare', { round, rows })
  if (mode === 'backlog') await driver.ask('seal')
  return accounted(stage, 'ours', rows, async () => {
    if (mode === 'backlog') return { since: await driver.ask<number>('open'), until: await arrived(watches) }
    await driver.ask('open')
    const since = await driver.ask<number>('seal')
    return { since, until: await arrived(watches) }
  })
}

async function oursOverHttp(stage: Stage, watches: Watches, _mode: Mode, round: number, rows: number): Promise<Run> {
  const { url, token } = await stage.node()
  const body = nationalLines(round, rows)
  return accounted(stage, 'ours', rows, async () => {
    const since = now()
    const answer = await fetch(`${url}/v1/ingest/national?platform=530000-01&file=bench`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
      body,
    })
    const text = await answer.text()
    if (answer.status !== 200 || !text.includes(`"sealed":${rows},`)) throw new Error(`expected ${rows} rows sealed, got ${text}`)
    return { since, until: await arrived(watches) }
  })
}

async function limit(stage: Stage, mode: Mode, variant: Variant, round: number, rows: number): Promise<Run> {
  const { origin, hub, holders } = stage.limit
  const run = { variant, round }
  const readers = [...(VARIANTS[variant].ledger ? [['hub', hub] as const] : []), ...holders]
  await origin.ask('prepare', { round, rows })
  await origin.ask('open', { ...run, holders: readers.map(([name]) => name) })
  if (mode === 'backlog') await origin.ask('fill', run)
  const batches = Math.ceil(rows / BATCH_ROWS)
  using listening = new DisposableStack()
  const done = readers.map(([, worker]) => {
    const { promise, resolve } = Promise.withResolvers<number>()
    listening.use(
      worker.listen(notice => {
        const { done, at } = notice as { done: number; at: number }
        if (done >= batches) resolve(at)
      }),
    )
    return promise
  })
  for (const [, worker] of readers) await worker.ask('consume', run)
  const result = await accounted(stage, 'limit', rows, async () => {
    const since = await origin.ask<number>(mode === 'backlog' ? 'publish' : 'live', run)
    return { since, until: Math.max(...(await Promise.all(done))) }
  })
  for (const [, worker] of readers) await worker.ask('stop')
  await origin.ask('close', run)
  return result
}
