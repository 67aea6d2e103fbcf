import { describe, expect, test } from 'vitest'
import { type BundleItem, formatBundleEntry, readBundle } from './bundle.ts'
import { LIMITS } from './limits.ts'
import { TOKEN_TYPES, type TokenKind } from './tokens.ts'

const token = (kind: TokenKind, text = 'x'): string =>
  `${Buffer.from(JSON.stringify({ typ: TOKEN_TYPES[kind] })).toString('base64url')}.${Buffer.from(text).toString('base64url')}.c2ln`

const ENTRIES = [
  { token: token('epoch'), body: Buffer.alloc(0) },
  { token: token('envelope', 'a'), body: Buffer.from('{"salt":"\n","records":[]}') },
  { token: token('envelope', 'b'), body: Buffer.from('字'.repeat(1000)) },
  { token: token('envelope', 'c'), redaction: token('redaction', 'c'), body: Buffer.from('{"salt":"s","records":[]}') },
  { token: token('redaction', 'd'), body: Buffer.from('{}') },
]
const BUNDLE = Buffer.concat(ENTRIES.map(formatBundleEntry))

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
async function readAll(bytes: Uint8Array, size = 64): Promise<{ items: BundleItem[]; error: unknown }> {
  const items: BundleItem[] = []
  try {
    for await (const item of readBundle(pieces(bytes, size))) items.push(item)
    return { items, error: null }
  } catch (error) {
    return { items, error }
  }
}

describe('a bundle', () => {
  test.each([1, 2, 7, 64, 4096, 1_000_000])('is read the same however it comes: in pieces of %i bytes', async size => {
    const { items, error } = await readAll(BUNDLE, size)
    expect(error).toBeNull()
    expect(items.map(({ kind: _, number: __, end: ___, ...item }) => ({ ...item, body: Buffer.from(item.body) }))).toEqual(ENTRIES)
    expect(items.map(item => item.kind)).toEqual(['epoch', 'envelope', 'envelope', 'envelope', 'redaction'])
    expect(items.at(-1)?.end).toBe(BUNDLE.length)
  })

  test('that holds nothing has no entry and no fault', async () => {
    expect(await readAll(Buffer.alloc(0))).toEqual({ items: [], error: null })
  })

  test('that is cut off anywhere is refused at the entry it was cut in, after those before it', async () => {
    const ends = (await readAll(BUNDLE)).items.map(item => item.end)
    for (let length = 1; length < BUNDLE.length; length += 1) {
      const { items, error } = await readAll(BUNDLE.subarray(0, length), 4096)
      const whole = ends.filter(end => end <= length)
      expect(items).toHaveLength(whole.length)
      if (ends.includes(length)) expect(error).toBeNull()
      else expect(error).toMatchObject({ code: 'BUNDLE_MALFORMED', detail: { entry: whole.length + 1, byte: whole.at(-1) ?? 0 } })
    }
  })

  const line = (text: string): Buffer =>
    Buffer.concat([formatBundleEntry(ENTRIES[0] ?? { token: '', body: Buffer.alloc(0) }), Buffer.from(text)])
  test.each([
    ['no length', `${token('envelope')}\n`],
    ['a length with a sign', `${token('envelope')} +1\nx`],
    ['a length with a leading zero', `${token('envelope')} 01\nx`],
    ['two spaces', `${token('envelope')}  1\nx`],
    ['a carriage return', `${token('envelope')} 1\r\nx`],
    ['a body over the limit', `${token('envelope')} ${LIMITS.bodyBytes + 1}\n`],
    ['an opening with a body', `${token('epoch')} 1\nx`],
    ['a token over the limit', `${token('envelope', 'x'.repeat(LIMITS.envelopeTokenBytes))} 1\nx`],
    ['a line without an end', 'x'.repeat(LIMITS.tokenBytes + 100)],
    ['a redaction behind the opening of an epoch', `${token('epoch')} ${token('redaction')} 0\n`],
    ['another statement than a redaction behind an envelope', `${token('envelope')} ${token('receipt')} 1\nx`],
    ['a redaction over the limit', `${token('envelope')} ${token('redaction', 'x'.repeat(LIMITS.redactionTokenBytes))} 1\nx`],
    ['a statement that is no entry', `${token('head')} 0\n`],
    ['what is no token', 'abc 0\n'],
  ])('is refused at the second entry for %s, and the first counts', async (_what, text) => {
    const { items, error } = await readAll(line(text), 1024)
    expect(items).toHaveLength(1)
    expect(error).toMatchObject({ code: 'BUNDLE_MALFORMED', detail: { entry: 2 } })
  })
})
