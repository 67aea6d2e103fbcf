/**
 * Entries of logs as bytes outside NATS. One envelope in a file: `JWT LF body`, the body plain. Many in one: a sequence of
 * `JWT SP length LF body`, length in bytes, 0 for the opening of an epoch.
 */
import { ExchangeError } from './errors.ts'
import { LIMITS } from './limits.ts'
import { TOKEN_TYPES, type TokenKind } from './tokens.ts'

export const ENVELOPE_MEDIA_TYPE = 'application/vnd.hutong.envelope'
export const BUNDLE_MEDIA_TYPE = 'application/vnd.hutong.bundle'

export type BundleEntry = { readonly token: string; readonly body: Uint8Array }

export const formatEnvelopeFile = (entry: BundleEntry): Buffer => Buffer.concat([Buffer.from(`${entry.token}\n`), entry.body])
export const formatBundleEntry = (entry: BundleEntry): Buffer =>
  Buffer.concat([Buffer.from(`${entry.token} ${entry.body.length}\n`), entry.body])

/** @throws TOKEN_MALFORMED if there is no line of text in front, TOKEN_TOO_LARGE */
export function parseEnvelopeFile(bytes: Uint8Array): BundleEntry {
  const end = bytes.indexOf(0x0a)
  if (end < 0) throw new ExchangeError('TOKEN_MALFORMED', 'expected a token, a line feed and the body')
  if (end > LIMITS.tokenBytes)
    throw new ExchangeError('TOKEN_TOO_LARGE', `expected a token of at most ${LIMITS.tokenBytes} bytes in front`)
  return { token: Buffer.from(bytes.subarray(0, end)).toString('latin1'), body: bytes.subarray(end + 1) }
}

/** What kind of statement a token claims to be, by its header's `typ`, before anything is believed. */
export function tokenKindOf(compact: string): TokenKind | null {
  try {
    const header = JSON.parse(Buffer.from(compact.slice(0, Math.max(0, compact.indexOf('.'))), 'base64url').toString('utf8')) as {
      typ?: unknown
    }
    return (Object.keys(TOKEN_TYPES) as TokenKind[]).find(kind => TOKEN_TYPES[kind] === header?.typ) ?? null
  } catch {
    return null
  }
}
