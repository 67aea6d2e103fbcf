/**
 * Sends rows to a node as lines of JSON and reads its answer, lines too, as it comes. Not by `fetch`, which gives up on an answer after
 * five minutes.
 */
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { errorOf, unreachable } from './request.ts'

async function* linesOf(rows: AsyncIterable<object>): AsyncGenerator<string> {
  for await (const row of rows) yield `${JSON.stringify(row)}\n`
}

/** @throws PROGRAM_UNREACHABLE, and what the node answers */
export async function* sendRows(url: string, token: string, rows: AsyncIterable<object>): AsyncGenerator<unknown> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest
  const request = send(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' },
  })
  const answered = once(request, 'response')
  // A node that refuses answers before the last row and hangs up: then its answer counts. What fails here itself counts before both.
  let failure: unknown = null
  const sending = pipeline(Readable.from(linesOf(rows)), request).catch((error: unknown) => {
    failure = error
  })
  let response: IncomingMessage
  try {
    ;[response] = (await answered) as [IncomingMessage]
  } catch (cause) {
    await sending
    throw failure ?? unreachable(url, cause)
  }
  const status = response.statusCode ?? 0
  if (status >= 400) {
    const body = await text(response)
    request.destroy()
    throw errorOf(status, body, url)
  }
  let rest = ''
  response.setEncoding('utf8')
  try {
    for await (const chunk of response as AsyncIterable<string>) {
      rest += chunk
      const lines = rest.split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) yield JSON.parse(line)
    }
  } catch (cause) {
    throw unreachable(url, cause)
  } finally {
    request.destroy()
    await sending
  }
}
