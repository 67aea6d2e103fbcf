/**
 * Sends a file to a node as a stream, so that its size does not matter here. Not by `fetch`, which gives up on an answer after five
 * minutes: a node answers when it has sealed the last row.
 */
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { Transform } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { ExchangeError } from '../../schemas/errors.ts'
import { errorOf, unreachable } from './request.ts'
import type { Terminal } from './text.ts'

type Upload = {
  readonly path: string
  readonly size: number
  readonly token: string
  readonly mediaType: string
  /** told of the bytes sent so far */
  readonly onSent: (bytes: number) => void
}

/** The node's answer, JSON. @throws PROGRAM_UNREACHABLE, and what the node answers */
export async function uploadFile(url: string, { path, size, token, mediaType, onSent }: Upload): Promise<unknown> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest
  const request = send(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': mediaType, 'content-length': size },
  })
  let sent = 0
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sent += chunk.length
      onSent(sent)
      done(null, chunk)
    },
  })
  const answered = once(request, 'response')
  // A node that refuses answers before the last byte and hangs up: then its answer counts, not the broken pipe.
  const sending = pipeline(createReadStream(path), counter, request).catch((error: unknown) => error)
  let response: IncomingMessage
  let body: string
  try {
    ;[response] = (await answered) as [IncomingMessage]
    body = await text(response)
  } catch (cause) {
    throw unreachable(url, cause)
  } finally {
    request.destroy()
    await sending
  }
  const status = response.statusCode ?? 0
  if (status >= 400) throw errorOf(status, body, url)
  try {
    return JSON.parse(body)
  } catch (cause) {
    throw new ExchangeError('PROGRAM_UNREACHABLE', `${url}: expected JSON`, { cause })
  }
}

/** One line in place while a file is sent and worked on; nothing where lines cannot change. */
export function showSent({ err }: Terminal, name: string, size: number): { sent(bytes: number): void; clear(): void } {
  if (err.isTTY !== true) return { sent: () => {}, clear: () => {} }
  let shown = -1
  const line = (text: string): void => void err.write(`\r\u001b[2K${text}`)
  return {
    sent(bytes) {
      const percent = size === 0 ? 100 : Math.floor((bytes / size) * 100)
      if (percent === shown) return
      shown = percent
      line(percent < 100 ? `${name} 发送 sending ${percent} %` : `${name} 已发送，对方处理中 sent, at work there`)
    },
    clear: () => line(''),
  }
}
