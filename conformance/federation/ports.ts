/** Ports of the programs: chosen free once, kept afterwards, so that an address written down stays good. */
import { randomInt } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { ExchangeError } from '../../schemas/errors.ts'

export const LOOPBACK = '127.0.0.1'
/** Below the range from which systems take ports for outgoing connections, which would take ours now and then. */
const FIRST_PORT = 20_000
const LAST_PORT = 32_000
const ATTEMPTS = 500

const listening = (port: number): Promise<Server | null> => {
  const { promise, resolve } = Promise.withResolvers<Server | null>()
  const server = createServer()
  server.once('error', () => resolve(null)).listen({ port, host: LOOPBACK, exclusive: true }, () => resolve(server))
  return promise
}

const closed = (server: Server): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  return promise
}

async function takeAny(): Promise<{ port: number; server: Server }> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT)
    const server = await listening(port)
    if (server !== null) return { port, server }
  }
  throw new ExchangeError('ADDRESS_UNAVAILABLE', `expected a free port between ${FIRST_PORT} and ${LAST_PORT} on ${LOOPBACK}`)
}

/**
 * One port for each name: the one it had, if that is still free, else another.
 * @throws ADDRESS_UNAVAILABLE when none is to be found
 */
export async function choosePorts(names: readonly string[], previous: ReadonlyMap<string, number>): Promise<Map<string, number>> {
  const ports = new Map<string, number>()
  const servers: Server[] = []
  try {
    for (const name of names) {
      const before = previous.get(name)
      const held = before === undefined ? null : await listening(before)
      const taken = before !== undefined && held !== null ? { port: before, server: held } : await takeAny()
      servers.push(taken.server)
      ports.set(name, taken.port)
    }
  } finally {
    await Promise.all(servers.map(closed))
  }
  return ports
}
