import { describe, expect, it } from 'vitest'
import {
  createContentKey,
  decryptBody,
  encryptBody,
  generateEncryptionKey,
  importUnwrappingKey,
  type Reader,
  SEALED_BODY_BYTES,
  unwrapContentKey,
  wrapContentKey,
} from './content-key.ts'

const log = { origin: '530000', dataset: 'expert', audience: 'alliance-west' }
const at = { epoch: 2, seq: 7 }
const plain = Buffer.from('{"salt":"x","records":[]}')
const pair = async (code: string) => {
  const jwk = await generateEncryptionKey()
  const reader: Reader = { code, enc: { kty: jwk.kty, crv: jwk.crv, x: jwk.x, kid: `enc-${code}` } }
  return { reader, kid: reader.enc.kid, key: await importUnwrappingKey(jwk) }
}

describe('a content key', () => {
  it('is unwrapped by each reader that it was wrapped for, and by nobody else', async () => {
    const [a, b, c] = [await pair('530000'), await pair('530100'), await pair('520000')]
    const contentKey = createContentKey()
    const wrapped = await wrapContentKey(contentKey, [a.reader, b.reader])
    for (const { kid, key } of [a, b]) expect(await unwrapContentKey(wrapped, kid, key)).toEqual(new Uint8Array(contentKey))
    expect(await unwrapContentKey(wrapped, c.kid, c.key)).toBeNull()
    await expect(unwrapContentKey(wrapped, a.kid, c.key)).rejects.toMatchObject({ code: 'BODY_UNREADABLE' })
    expect(JSON.stringify(wrapped)).not.toContain(Buffer.from(contentKey).toString('base64url'))
  })

  it('is wrapped for one to 64 readers', async () => {
    await expect(wrapContentKey(createContentKey(), [])).rejects.toMatchObject({ code: 'AUDIENCE_NOT_ALLOWED' })
    const { reader } = await pair('530000')
    const many = Array.from({ length: 65 }, () => reader)
    await expect(wrapContentKey(createContentKey(), many)).rejects.toMatchObject({ code: 'AUDIENCE_NOT_ALLOWED' })
  })
})

describe('an encrypted body', () => {
  const key = createContentKey()
  const bytes = encryptBody(key, 'fed', log, at, plain)

  it('opens under its key at its place, and adds 28 bytes', () => {
    expect(decryptBody(key, 'fed', log, at, bytes)).toEqual(plain)
    expect(bytes.length).toBe(plain.length + SEALED_BODY_BYTES)
    expect(bytes.includes('salt')).toBe(false)
  })

  it('is never the same bytes twice', () => {
    expect(encryptBody(key, 'fed', log, at, plain)).not.toEqual(bytes)
  })

  it.each([
    ['another key', () => decryptBody(createContentKey(), 'fed', log, at, bytes)],
    ['another federation', () => decryptBody(key, 'pilot', log, at, bytes)],
    ['another log', () => decryptBody(key, 'fed', { ...log, origin: '520000' }, at, bytes)],
    ['another position', () => decryptBody(key, 'fed', log, { epoch: 2, seq: 8 }, bytes)],
    ['a cut end', () => decryptBody(key, 'fed', log, at, bytes.subarray(0, -1))],
    ['next to nothing', () => decryptBody(key, 'fed', log, at, bytes.subarray(0, 5))],
  ])('does not open under or with %s', (_, open) => {
    expect(open).toThrowError(expect.objectContaining({ code: 'BODY_UNREADABLE' }))
  })

  it('does not open with any one byte changed', () => {
    for (let index = 0; index < bytes.length; index += 1) {
      const changed = Buffer.from(bytes)
      changed[index] = (changed[index] ?? 0) ^ 1
      expect(() => decryptBody(key, 'fed', log, at, changed), `byte ${index}`).toThrowError(
        expect.objectContaining({ code: 'BODY_UNREADABLE' }),
      )
    }
  })
})
