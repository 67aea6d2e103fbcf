/**
 * A road of our own between a program and a server: TCP passed on as it is, until the weather changes. It cuts, slows, falls silent
 * (nothing passes and nobody is told, as when a firewall forgets a connection) or flips bits. Connections outlive a change of weather.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Transform, type TransformCallback } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Random } from '../samples/random.ts'

export type Weather =
  | { readonly kind: 'clear' }
  | { readonly kind: 'cut' }
  | { readonly kind: 'slow'; readonly ms: number }
  | { readonly kind: 'silent' }
  /** one bit of a chunk flips with this probability */
  | { readonly kind: 'noisy'; readonly probability: number; readonly random: Random }

export type Road = AsyncDisposable & {
  /** The address through here of what is at `url`. */
  through(url: string): string
  change(weather: Weather): void
  /** bits that were flipped so far */
  flipped(): number
}

const LOOPBACK = '127.0.0.1'

export async function startRoad(): Promise<Road> {
  let target = { host: LOOPBACK, port: 0 }
  let weather: Weather = { kind: 'clear' }
  let flips = 0
  const open = new Set<Socket>()
  const held = new Set<() => void>()

  function damaged(chunk: Buffer, random: Random): Buffer {
    const at = random.integer(0, chunk.length - 1)
    const copy = Buffer.from(chunk)
    copy[at] = (copy[at] ?? 0) ^ (1 << random.integer(0, 7))
    flips += 1
    return copy
  }

  function pass(chunk: Buffer, done: TransformCallback): void {
    if (weather.kind === 'silent') held.add(() => pass(chunk, done))
    else if (weather.kind === 'slow') setTimeout(() => done(null, chunk), weather.ms)
    else if (weather.kind === 'noisy' && weather.random.chance(weather.probability)) done(null, damaged(chunk, weather.random))
    else done(null, chunk)
  }
  const lane = (): Transform => new Transform({ transform: (chunk: Buffer, _encoding, done) => pass(chunk, done) })

  async function join(near: Socket): Promise<void> {
    if (weather.kind === 'cut') {
      near.destroy()
      return
    }
    const far = connect(target)
    for (const socket of [near, far]) {
      open.add(socket)
      socket.setNoDelay(true)
      socket.once('close', () => open.delete(socket))
    }
    // an end that breaks breaks the other: both ways end together
    await Promise.allSettled([pipeline(near, lane(), far), pipeline(far, lane(), near)])
    near.destroy()
    far.destroy()
  }

  const server = createServer(near => void join(near))
  server.listen(0, LOOPBACK)
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const breakAll = (): void => {
    for (const socket of open) socket.destroy()
  }
  return {
    through(url) {
      const there = new URL(url)
      target = { host: there.hostname, port: Number(there.port) }
      there.hostname = LOOPBACK
      there.port = String(port)
      return there.href
    },
    change(next) {
      weather = next
      if (next.kind === 'cut') breakAll()
      const waiting = [...held]
      held.clear()
      for (const go of waiting) go()
    },
    flipped: () => flips,
    async [Symbol.asyncDispose]() {
      weather = { kind: 'cut' }
      breakAll()
      server.close()
      await once(server, 'close')
    },
  }
}
