/** What tests of trust have in common: an authority with a place where its revocation lists are fetched, lists, and questions. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonValue } from '../../schemas/record.ts'
import { draftEntity, type ServiceDraft } from '../../schemas/trust/list-draft.ts'
import type { WireEntity } from '../../schemas/trust/trust-list.ts'
import type { SampleCa } from './sample-ca.ts'
import { type Answer, ask, operator, type Testbed } from './testbed.ts'

export type CrlHost = AsyncDisposable & {
  readonly url: string
  /** what is served; null answers 503 */
  serve(bytes: Buffer | null): void
  /** how many questions were answered with 304 */
  counts(): { readonly unchanged: number }
}

export async function startCrlHost(): Promise<CrlHost> {
  let bytes: Buffer | null = null
  let etag = ''
  let unchanged = 0
  const server = createServer((request, response) => {
    if (bytes === null) return void response.writeHead(503).end()
    if (request.headers['if-none-match'] === etag) {
      unchanged += 1
      return void response.writeHead(304).end()
    }
    response.writeHead(200, { etag, 'content-type': 'application/pkix-crl' }).end(bytes)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/ca.crl`,
    serve(next) {
      bytes = next
      etag = `"${Date.now()}-${next?.length ?? 0}"`
    },
    counts: () => ({ unchanged }),
    async [Symbol.asyncDispose]() {
      await new Promise(resolve => {
        server.close(resolve)
        server.closeAllConnections()
      })
    },
  }
}

export const SINCE = new Date('2020-01-01T00:00:00Z')

export const authority = (name: string, region: string, ca: SampleCa, more: Partial<ServiceDraft> = {}): WireEntity =>
  draftEntity({
    name: { zh: name, en: name },
    region,
    services: [{ name: { zh: `${name} 签发`, en: `${name} issuing` }, certificates: [ca.der], since: SINCE, ...more }],
  })

export const publish = (bed: Testbed, code: string, entities: readonly WireEntity[], more: object = {}): Promise<Answer> =>
  ask(bed, code, '/v1/trust-lists', { TrustedEntitiesList: entities, ...more })

export const verify = async (
  bed: Testbed,
  code: string,
  certificate: { readonly der: Buffer },
  more: object = {},
): Promise<Answer> => ask(bed, code, '/v1/certificates/verify', { certificate: certificate.der.toString('base64'), ...more })

export type ImportAnswer = {
  readonly lines: readonly { readonly [name: string]: JsonValue }[]
  readonly sum: { readonly [name: string]: number }
}

/** Brings files in and answers every line. */
export async function importFiles(
  bed: Testbed,
  code: string,
  files: readonly { readonly place: string; readonly bytes: Uint8Array }[],
  anchors: readonly string[] = [],
): Promise<ImportAnswer> {
  const query = anchors.length === 0 ? '' : `?anchor=${anchors.join(',')}`
  const response = await fetch(`${bed.node(code).url}/v1/certificates${query}`, {
    method: 'POST',
    headers: { ...(await operator(bed, code)), 'content-type': 'application/x-ndjson' },
    body: files.map(({ place, bytes }) => `${JSON.stringify({ place, data: Buffer.from(bytes).toString('base64') })}\n`).join(''),
  })
  const text = await response.text()
  if (response.status !== 200) throw new Error(text)
  const lines = text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { [name: string]: JsonValue })
  const last = lines.pop() as { readonly sum?: { [name: string]: number } }
  if (last?.sum === undefined) throw new Error(JSON.stringify(last))
  return { lines, sum: last.sum }
}
