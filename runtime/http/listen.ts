import type { FastifyInstance } from 'fastify'
import { ExchangeError } from '../../schemas/errors.ts'

/** What stands in a URL for "every address of this machine". */
const EVERY: { readonly [address: string]: string } = { '0.0.0.0': '127.0.0.1', '::': '::1' }

const REFUSALS: { readonly [code: string]: string } = {
  EADDRINUSE: 'another program listens there',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'this user may not listen there',
  ENOTFOUND: 'the name of the host is not known',
}

/** Starts listening and answers the URL under which this machine reaches it; port 0 takes a free one. Throws ADDRESS_UNAVAILABLE. */
export const listen = async (server: FastifyInstance, { host, port }: { host: string; port: number }): Promise<string> => {
  try {
    await server.listen({ host, port })
  } catch (error) {
    const why = REFUSALS[(error as NodeJS.ErrnoException).code ?? '']
    if (why === undefined) throw error
    throw new ExchangeError('ADDRESS_UNAVAILABLE', `${host} port ${port}: ${why}`, { detail: { host, port }, cause: error })
  }
  const bound = server.server.address()
  if (bound === null || typeof bound === 'string')
    throw new ExchangeError('ADDRESS_UNAVAILABLE', `${host} port ${port}: nothing is bound`, { detail: { host, port } })
  const address = EVERY[bound.address] ?? bound.address
  return `http://${address.includes(':') ? `[${address}]` : address}:${bound.port}`
}
