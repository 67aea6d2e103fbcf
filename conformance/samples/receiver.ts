/**
 * A small receiver in a node's place, for the tests of this folder: it takes rows in the way a node's intake answers, keeps the last
 * statement of each key, and can be told to keep silent, to refuse, or to be away.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export type Envelope = {
  readonly TABLE: string
  readonly DATA_TYPE: string
  readonly DATA_KEY: string
  readonly DATA: { readonly [field: string]: string }
}
export type Batch = {
  readonly query: URLSearchParams
  readonly authorization: string | undefined
  readonly rows: readonly Envelope[]
}

/** What to do with a batch: take it, refuse these lines of it, answer with this status, or take it and never answer. */
export type Behaviour = (batch: Batch) => 'take' | 'swallow' | { readonly status: number } | { readonly refuse: readonly number[] }

export class Receiver implements AsyncDisposable {
  readonly batches: Batch[] = []
  readonly standing = new Map<string, Envelope>()
  behaviour: Behaviour = () => 'take'
  readonly #server: Server

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#answer(request).then(answer => {
        if (answer !== null)
          response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body))
      })
    })
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver()
    const { promise, resolve } = Promise.withResolvers<void>()
    receiver.#server.listen(0, '127.0.0.1', resolve)
    await promise
    return receiver
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; body: unknown } | null> {
    if (request.url === '/oauth/token')
      return { status: 200, body: { access_token: 'let-me-in', token_type: 'Bearer', expires_in: 300 } }
    const lines = (await text(request)).split('\n').filter(line => line !== '')
    const rows = lines.map(line => JSON.parse(line) as Envelope)
    const batch = { query: new URL(request.url ?? '/', this.url).searchParams, authorization: request.headers.authorization, rows }
    const behaviour = this.behaviour(batch)
    this.batches.push(batch)
    if (typeof behaviour === 'object' && 'status' in behaviour) return { status: behaviour.status, body: { code: 'INTERNAL' } }
    const refused = typeof behaviour === 'object' ? behaviour.refuse : []
    for (const [index, row] of rows.entries())
      if (!refused.includes(index + 1)) this.standing.set(`${row.TABLE} ${row.DATA_KEY}`, row)
    if (behaviour === 'swallow') return null
    const refusals = refused.map(line => ({
      line,
      item: null,
      field: 'LEGAL_NAME',
      rule: 'text',
      code: 'ROW_FIELD_INVALID',
      en: 'no.',
      zh: '否。',
    }))
    const sum = {
      rows: rows.length,
      sealed: rows.length - refused.length,
      unchanged: 0,
      superseded: 0,
      parked: 0,
      refused: refused.length,
    }
    return { status: 200, body: { ...sum, refusals } }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
  }
}
