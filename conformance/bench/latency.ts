/**
 * `bench latency`: from the commit at the origin until the rows are visible at a holder, one batch at a time on an idle system. Both
 * sides say by the same kind of trigger that a commit is visible.
 */
import { Client } from 'pg'
import { type Figure, figure, quantile } from './figures.ts'
import { VARIANTS, type Variant } from './limit-tables.ts'
import { PEER, type Peer, startPeer } from './peer.ts'
import { ORIGIN, type Stage, startStage } from './stage.ts'
import { type Watch, watchLog } from './watch.ts'
import { now, type Worker } from './worker.ts'

const SIZES = [1, 500] as const
type Times = { readonly visible: number; readonly whole: number }

export async function benchLatency(options: {
  readonly pairs: number
  readonly samples: number
  readonly holders: readonly number[]
  readonly progress: (text: string) => void
  readonly signal: AbortSignal
}): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const count of options.holders) {
    await using stage = await startStage(count, options.signal)
    const name = `${count} ${count === 1 ? 'holder' : 'holders'}`
    options.progress(`${name}: started`)
    const each = Math.ceil(options.samples / options.pairs)
    await using peer = await startPeer(stage.holders, options.signal)
    await peer.copy(1, 500)
    const measured = await measure(stage, { ...options, each, name, peer })
    for (const size of SIZES) {
      const of = (who: string, part: keyof Times): number[][] =>
        (measured.get(`${who} ${size}`) ?? []).map(block => block.map(one => one[part]))
      for (const [label, share] of [
        ['p50', 0.5],
        ['p99', 0.99],
      ] as const) {
        // of p99 the whole sample decides: a block is too small to have one
        const values = (blocks: number[][]): number[] =>
          label === 'p50' ? blocks.map(block => quantile(block, share)) : [quantile(blocks.flat(), share)]
        const rows = size === 1 ? '1 row' : `${size} rows`
        figures.push(
          figure(
            `latency ${rows} ${label}, ${name}`,
            'ms',
            values(of('ours', 'visible')),
            { name: VARIANTS.ledger.name, values: values(of('ledger', 'visible')) },
            [
              `commit at the origin to visible at every holder, ${each * options.pairs} samples on an idle system`,
              `with the source's own write: ours ${quantile(of('ours', 'whole').flat(), share).toFixed(2)} ms, limit ${quantile(of('ledger', 'whole').flat(), share).toFixed(2)} ms`,
              `${PEER}: ${quantile(of('peer', 'visible').flat(), share).toFixed(2)} ms`,
              `bare limit ${quantile(of('bare', 'visible').flat(), share).toFixed(2)} ms`,
            ],
          ),
        )
      }
    }
  }
  return figures
}

async function measure(
  stage: Stage,
  {
    pairs,
    each,
    name,
    peer,
    progress,
  }: {
    readonly pairs: number
    readonly each: number
    readonly name: string
    readonly peer: Peer
    readonly progress: (text: string) => void
  },
): Promise<Map<string, Times[][]>> {
  const driver = await stage.driver()
  await using undo = new AsyncDisposableStack()
  const watches: Watch[] = []
  for (const code of stage.holders) watches.push(undo.use(await watchLog(stage.databaseUrl(code), ORIGIN.code)))
  const bells: Bell[] = []
  for (const code of stage.holders) bells.push(undo.use(await listenBell(stage.databaseUrl(`limit_${code}`))))
  await driver.ask('open')
  const results = new Map<string, Times[][]>()
  let round = 1000
  let sealed = 0
  for (let pair = -1; pair < pairs; pair += 1) {
    for (const size of SIZES) {
      const note = (who: string, block: Times[]): void => {
        if (pair < 0) return
        results.set(`${who} ${size}`, [...(results.get(`${who} ${size}`) ?? []), block])
        progress(
          `${name}: ${who}, ${size} rows: p50 ${quantile(
            block.map(one => one.visible),
            0.5,
          ).toFixed(2)} ms`,
        )
      }
      round += 1
      await driver.ask('prepare', { round, rows: each * size })
      await stage.checkpoint()
      const block: Times[] = []
      for (let index = 0; index < each; index += 1) {
        sealed += 1
        const seq = sealed
        const visible = Promise.all(watches.map(watch => watch.reached('held', { seq })))
        block.push(await times(driver, { index: index * size, count: size }, visible))
      }
      note('ours', block)
      for (const variant of ['ledger', 'bare'] as const) note(variant, await limitBlock(stage, bells, variant, ++round, size, each))
      note('peer', await peer.each(++round, size, each))
    }
  }
  return results
}

async function times(origin: Worker, args: object, visible: Promise<number[]>): Promise<Times> {
  const { since, committed } = await origin.ask<{ since: number; committed: number }>('one', args)
  const until = Math.max(...(await visible))
  return { visible: until - committed, whole: until - since }
}

type Bell = AsyncDisposable & { next(): Promise<number> }

async function listenBell(databaseUrl: string): Promise<Bell> {
  const db = new Client({ connectionString: databaseUrl, application_name: 'bench-watch' })
  await db.connect()
  let ring: (at: number) => void = () => {}
  db.on('notification', () => ring(now()))
  await db.query('LISTEN bench')
  return {
    next: () => new Promise(resolve => (ring = resolve)),
    [Symbol.asyncDispose]: () => db.end(),
  }
}

async function limitBlock(
  stage: Stage,
  bells: readonly Bell[],
  variant: Variant,
  round: number,
  size: number,
  each: number,
): Promise<Times[]> {
  const { origin, hub, holders } = stage.limit
  const run = { variant, round }
  const readers = [...(VARIANTS[variant].ledger ? [['hub', hub] as const] : []), ...holders]
  await origin.ask('prepare', { round, rows: each * size })
  await origin.ask('open', { ...run, holders: readers.map(([name]) => name) })
  for (const [, worker] of readers) await worker.ask('consume', run)
  await stage.checkpoint()
  const block: Times[] = []
  for (let index = 0; index < each; index += 1) {
    const visible = Promise.all(bells.map(bell => bell.next()))
    block.push(await times(origin, { ...run, seq: index + 1, index: index * size, count: size }, visible))
  }
  for (const [, worker] of readers) await worker.ask('stop')
  await origin.ask('close', run)
  return block
}
