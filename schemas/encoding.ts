/** How a body travels. `identity` and `gzip` are understood everywhere; inflating stops at the wire's limit, whatever was claimed. */
import { promisify } from 'node:util'
import { constants, gunzip, gzip } from 'node:zlib'
import { ExchangeError } from './errors.ts'
import { LIMITS } from './limits.ts'

export const ENCODINGS = ['identity', 'gzip'] as const
export type Encoding = (typeof ENCODINGS)[number]

const deflate = promisify<Uint8Array, { level: number }, Buffer>(gzip)
const inflate = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip)

/** below this, a gzip frame costs more than it saves */
const WORTH_COMPRESSING_BYTES = 1024

export type EncodedBody = { readonly encoding: Encoding; readonly bytes: Uint8Array }

export async function encodeBody(body: Uint8Array): Promise<EncodedBody> {
  if (body.length < WORTH_COMPRESSING_BYTES) return { encoding: 'identity', bytes: body }
  const bytes = await deflate(body, { level: constants.Z_BEST_SPEED })
  return bytes.length < body.length ? { encoding: 'gzip', bytes } : { encoding: 'identity', bytes: body }
}

/** @throws BODY_TOO_LARGE, BODY_ENCODING_UNKNOWN */
export async function decodeBody(bytes: Uint8Array, encoding: string): Promise<Uint8Array> {
  if (bytes.length > LIMITS.bodyBytes) {
    throw new ExchangeError('BODY_TOO_LARGE', `expected at most ${LIMITS.bodyBytes} bytes as sent, got ${bytes.length}`)
  }
  if (encoding === 'identity') return bytes
  if (encoding !== 'gzip') throw new ExchangeError('BODY_ENCODING_UNKNOWN', `expected one of ${ENCODINGS.join(', ')}`)
  try {
    return await inflate(bytes, { maxOutputLength: LIMITS.bodyBytes })
  } catch (cause) {
    if (cause instanceof RangeError)
      throw new ExchangeError('BODY_TOO_LARGE', `expected at most ${LIMITS.bodyBytes} bytes inflated`, { cause })
    throw new ExchangeError('BODY_DIGEST_MISMATCH', 'expected a whole gzip member', { cause })
  }
}
