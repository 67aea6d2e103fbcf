import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EnvelopeClaims } from './generated/envelope.ts'
import { LIMITS } from './limits.ts'
import { parseMembership } from './membership.ts'
import { openBytes, openRecords, openToken } from './opening.ts'

type Vectors = {
  readonly membership: object
  readonly refused: readonly { comment: string; token: string; expected: string | null }[]
  readonly bodies: readonly {
    comment: string
    token: string
    body: string
    whole: string | null
    records: readonly (string | null)[]
  }[]
}
const vectors = JSON.parse(readFileSync(new URL('./vectors/envelopes.json', import.meta.url), 'utf8')) as Vectors
const membership = await parseMembership(JSON.stringify(vectors.membership))

async function claimsOf(token: string): Promise<EnvelopeClaims> {
  const { claims } = await openToken('envelope', token, membership, null)
  if (claims === null) throw new Error('expected an envelope')
  return claims
}

describe('a well-signed envelope', () => {
  for (const { comment, token, expected } of vectors.refused) {
    it(`${expected === null ? 'is applied' : `takes its position and is refused with ${expected}`}: ${comment}`, async () => {
      expect((await openToken('envelope', token, membership, null)).refusal?.code ?? null).toBe(expected)
    })
  }
})

describe('a body', () => {
  for (const vector of vectors.bodies) {
    it(`is read record by record: ${vector.comment}`, async () => {
      const claims = await claimsOf(vector.token)
      const opened = openRecords(claims, await openBytes(claims, Buffer.from(vector.body, 'base64'), 'identity'))
      expect(opened.refusal?.code ?? null).toBe(vector.whole)
      const verdicts = vector.records.map((_, index) => opened.refused.find(one => one.index === index)?.error.code ?? null)
      expect(verdicts).toEqual(vector.records)
      expect(opened.records.map(one => one.index)).toEqual(vector.records.flatMap((code, index) => (code === null ? [index] : [])))
    })
  }

  const [good] = vectors.bodies
  if (good === undefined) throw new Error('the vectors are empty')
  const plain = Buffer.from(good.body, 'base64')

  it('is refused whatever byte of it changes', async () => {
    const claims = await claimsOf(good.token)
    await fc.assert(
      fc.asyncProperty(fc.nat(plain.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const changed = Buffer.from(plain)
        changed[at] = (changed[at] ?? 0) ^ by
        await expect(openBytes(claims, changed, 'identity')).rejects.toMatchObject({ code: 'BODY_DIGEST_MISMATCH' })
      }),
    )
  })

  it('is the same body compressed or not', async () => {
    const claims = await claimsOf(good.token)
    expect(await openBytes(claims, gzipSync(plain), 'gzip')).toEqual(plain)
  })

  it('is refused as sent or inflated beyond the limit, before it is hashed', async () => {
    const claims = await claimsOf(good.token)
    const bomb = gzipSync(Buffer.alloc(LIMITS.bodyBytes + 1))
    await expect(openBytes(claims, bomb, 'gzip')).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' })
    await expect(openBytes(claims, Buffer.alloc(LIMITS.bodyBytes + 1), 'identity')).rejects.toMatchObject({
      code: 'BODY_TOO_LARGE',
    })
  })

  it('is refused in an encoding that is not understood everywhere', async () => {
    await expect(openBytes(await claimsOf(good.token), plain, 'br')).rejects.toMatchObject({ code: 'BODY_ENCODING_UNKNOWN' })
  })

  it('never throws for what its origin has signed', async () => {
    const claims = await claimsOf(good.token)
    fc.assert(
      fc.property(fc.json(), text => {
        expect(() => openRecords({ ...claims, n: 1 }, Buffer.from(`{"salt":"s","records":[${text}]}`))).not.toThrow()
      }),
    )
  })
})
