/**
 * One trading system at work: a loop that makes rows and a loop that pushes what waits. They know of each other only through the
 * database, so that local work goes on while the node is away, until more waits than anybody would want to lose sight of.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Logger } from '../../runtime/log.ts'
import { backoffMs, type PushTarget, push } from './pusher.ts'
import type { SampleSource, SourceStatus } from './source.ts'

export type SystemStatus = SourceStatus & { readonly code: string; readonly zh: string }

type SystemOptions = {
  readonly source: SampleSource
  readonly target: Omit<PushTarget, 'platform'>
  readonly intervalMs: number
  readonly logger: Logger
  readonly clock: () => Date
}

const BATCH_ROWS = 500
const WAITING_MAX = 5000
const LOOK_MS = 50

export class SampleSystem implements AsyncDisposable {
  readonly #options: SystemOptions
  readonly #stop = new AbortController()
  readonly #work: Promise<unknown>
  #paused = false
  #making = false
  #wake = Promise.withResolvers<void>()

  /** Both loops run from now on, until it is disposed. */
  constructor(options: SystemOptions) {
    this.#options = options
    this.#work = Promise.allSettled([this.#make(), this.#push()])
  }

  async status(): Promise<SystemStatus> {
    const { source } = this.#options
    return { code: source.profile.code, zh: source.profile.zh, ...(await source.status()) }
  }

  resume(): void {
    this.#paused = false
  }

  /** Makes no more rows; answers whether everything made so far has come to the node before `signal` aborted. */
  async pause(signal: AbortSignal): Promise<boolean> {
    this.#paused = true
    while (!signal.aborted) {
      if (!this.#making && (await this.#options.source.status()).waiting === 0) return true
      await wait(LOOK_MS, undefined, { signal }).catch(() => undefined)
    }
    return false
  }

  async #make(): Promise<void> {
    const { source, intervalMs, logger, clock } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      await wait(intervalMs, undefined, { signal })
      this.#making = !this.#paused
      try {
        if (this.#making && (await source.status()).waiting <= WAITING_MAX) await source.tick(clock())
      } catch (error) {
        logger.warn({ err: error }, 'no rows could be made')
      }
      this.#making = false
      this.#wake.resolve()
    }
  }

  async #push(): Promise<void> {
    const { logger } = this.#options
    const { signal } = this.#stop
    let failures = 0
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers()
      try {
        const sent = await this.#pushOnce(signal)
        if (failures > 0) logger.info({ failures }, 'the node answers again')
        failures = 0
        if (sent === 0) await this.#wake.promise
      } catch (error) {
        if (signal.aborted) return
        if (failures === 0) logger.warn({ err: error }, 'pushing failed; it is tried again until it succeeds')
        await wait(backoffMs(failures++, Math.random()), undefined, { signal })
      }
    }
  }

  async #pushOnce(signal: AbortSignal): Promise<number> {
    const { source, target, logger } = this.#options
    const rows = await source.waiting(BATCH_ROWS)
    if (rows.length === 0) return 0
    const { taken, refused } = await push(rows, { ...target, platform: source.profile.platforms[0] }, signal)
    await source.settle(taken, refused)
    for (const { id, code, reason } of refused) logger.warn({ row: id, code, reason }, 'the node refused a row')
    logger.debug({ taken: taken.length, refused: refused.length }, 'pushed')
    return rows.length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#wake.resolve()
    await this.#work
    await this.#options.source[Symbol.asyncDispose]()
  }
}
