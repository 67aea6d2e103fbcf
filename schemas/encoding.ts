/** How a body travels. `identity` and `gzip` are understood everywhere; inflating stops at the wire's limit, whatever was claimed. */
import { constants, gunzipSync, gzipSync } from 'node:zlib'
import { ExchangeError } from './errors.ts'
import { LIMITS } from './limits.ts'

export const ENCODINGS = ['identity', 'gzip'] as const
export type Encoding = (typeof ENCODINGS)[number]

/**
 * zlib works in pieces of this size. In a thread beside, each piece costs a switch there and back, which for a batch came to six times
 * the work itself; so it is done here, at once, and takes a fraction of a millisecond.
 */
const PIECE_BYTES = 192 * 1024

/** below this, a gzip frame costs more than it saves */
const WORTH_COMPRESSING_BYTES = 1024

export type EncodedBody = { readonly encoding: Encoding; readonly bytes: Uint8Array }

export async function encodeBody(body: Uint8Array): Promise<EncodedBody> {
  if (body.length < WORTH_COMPRESSING_BYTES) return { encoding: 'identity', bytes: body }
  const bytes = gzipSync(body, { level: constants.Z_BEST_SPEED, chunkSize: PIECE_BYTES })
  return bytes.length < body.length ? { encoding: 'gzip', bytes } : { encoding: 'identity', bytes: body }
}

/** @throws BODY_TOO_LARGE, BODY_ENCODING_UNKNOWN */
export async function decodeBody(bytes: Uint8Array, encoding: string, most: number = LIMITS.bodyBytes): Promise<Uint8Array> {
  if (bytes.length > most) {
    throw new ExchangeError('BODY_TOO_LARGE', `expected at most ${most} bytes as sent, got ${bytes.length}`)
  }
  if (encoding === 'identity') return bytes
  if (encoding !== 'gzip') throw new ExchangeError('BODY_ENCODING_UNKNOWN', `expected one of ${ENCODINGS.join(', ')}`)
  try {
    return gunzipSync(bytes, { maxOutputLength: most, chunkSize: PIECE_BYTES })
  } catch (cause) {
    if (cause instanceof RangeError) throw new ExchangeError('BODY_TOO_LARGE', `expected at most ${most} bytes inflated`, { cause })
    throw new ExchangeError('BODY_DIGEST_MISMATCH', 'expected a whole gzip member', { cause })
  }
}
