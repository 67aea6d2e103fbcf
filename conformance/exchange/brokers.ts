/** Broker servers for a testbed: one, or three that replicate each stream. All on loopback, all ended with the testbed. */
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type BrokerServer, startBroker } from '../../runtime/broker/launcher.ts'
import { keptPort } from '../../runtime/loopback-port.ts'
import type { FederationTrust } from '../federation/broker-trust.ts'

export type Brokers = AsyncDisposable & {
  readonly url: string
  readonly replicas: 1 | 3
  /** ends one server of the cluster, as its power might; it can be started again on the same data */
  stop(index: number): Promise<void>
  start(index: number): Promise<void>
}

export async function startBrokers(
  count: 1 | 3,
  options: { readonly binary: string; readonly home: string; readonly trust: FederationTrust },
): Promise<Brokers> {
  const { binary, home } = options
  const { trust, accounts, tls } = options.trust
  const folder = (index: number): string => join(home, `broker-${index}`)
  const indexes = Array.from({ length: count }, (_, index) => index)
  for (const index of indexes) await mkdir(folder(index), { recursive: true })
  const ports = await Promise.all(indexes.map(index => keptPort(join(folder(index), 'client-port'))))
  const routes = await Promise.all(indexes.map(index => keptPort(join(folder(index), 'route-port'))))
  const cluster = `testbed-${randomBytes(4).toString('hex')}`
  const servers = new Map<number, BrokerServer>()
  const start = async (index: number): Promise<void> => {
    const [port, route] = [ports[index], routes[index]]
    if (port === undefined || route === undefined) throw new Error(`no broker ${index}`)
    const place = count === 1 ? {} : { cluster: { name: cluster, server: `${cluster}-${index}`, port: route, routes } }
    servers.set(index, await startBroker({ binary, dataDir: folder(index), trust, accounts, tls, port, ...place }))
  }
  await Promise.all(indexes.map(start))
  return {
    url: `tls://127.0.0.1:${ports[0]}`,
    replicas: count,
    start,
    async stop(index) {
      await servers.get(index)?.[Symbol.asyncDispose]()
      servers.delete(index)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...servers.values()].map(server => server[Symbol.asyncDispose]()))
    },
  }
}
