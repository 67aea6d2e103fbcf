import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ExchangeError } from './errors.ts'
import { parseMembership } from './membership.ts'
import { openToken } from './opening.ts'

type Vectors = {
  readonly membership: object
  readonly cases: readonly { comment: string; token: string; expected: string | null }[]
}
const vectors = JSON.parse(readFileSync(new URL('./vectors/tokens.json', import.meta.url), 'utf8')) as Vectors
const membership = await parseMembership(JSON.stringify(vectors.membership))

const codeOf = (token: string): Promise<string | null> =>
  openToken('envelope', token, membership, null).then(
    opened => opened.refusal?.code ?? null,
    error => {
      if (error instanceof ExchangeError) return error.code
      throw error
    },
  )

describe('an envelope token', () => {
  for (const { comment, token, expected } of vectors.cases) {
    it(`${expected === null ? 'is accepted' : `is refused with ${expected}`}: ${comment}`, async () => {
      expect(await codeOf(token)).toBe(expected)
    })
  }

  it('is refused whatever single character of it changes', async () => {
    const good = vectors.cases[0]?.token ?? ''
    for (let at = 0; at < good.length; at += 1) {
      const changed = `${good.slice(0, at)}${good[at] === 'A' ? 'B' : 'A'}${good.slice(at + 1)}`
      expect(await codeOf(changed), `character ${at}`).not.toBeNull()
    }
  })

  it('is refused under the subject of another log', async () => {
    const good = vectors.cases[0]?.token ?? ''
    const other = { origin: '520000', dataset: 'entity', audience: 'all' }
    await expect(openToken('envelope', good, membership, other)).rejects.toMatchObject({ code: 'SUBJECT_MISMATCH' })
  })
})
