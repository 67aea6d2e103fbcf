/** Ports of the embedded servers: free when asked for, on loopback only, and the same as last time where nobody took it meanwhile. */

import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'

const listening = (port: number): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', error => ('code' in error && error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined))
    })
  })

const remembered = async (file: string): Promise<number | undefined> => {
  const port = Number(await readFile(file, 'utf8').catch(() => ''))
  return Number.isInteger(port) && port >= 1024 && port <= 65535 ? port : undefined
}

/** The port that `file` remembers if it is free now, any free one otherwise; remembered for the next start. */
export const keptPort = async (file: string): Promise<number> => {
  const last = await remembered(file)
  const port = (last === undefined ? undefined : await listening(last)) ?? (await listening(0))
  if (port === undefined) throw new Error('no free port on 127.0.0.1')
  await writeFile(file, `${port}\n`)
  return port
}
