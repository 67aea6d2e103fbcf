import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { entryBefore } from './backfill-rule.ts'
import { isExchangeError } from './errors.ts'
import { type ChainEntry, formatPosition, type LogHead, lostBy } from './log.ts'
import { parseMembership } from './membership.ts'
import { openToken } from './opening.ts'
import { settle } from './settlement.ts'

type At = { readonly ep: number; readonly seq: number; readonly dig: string }
type Vectors = {
  readonly membership: object
  readonly tokens: readonly { comment: string; token: string; expected: string | null; before?: At | null }[]
  readonly chains: readonly { comment: string; head: At | null; held: readonly At[]; token: string; verdict: string }[]
  readonly effects: readonly { comment: string; token: string; position: Omit<At, 'dig'>; counts: boolean }[]
}
const vectors = JSON.parse(readFileSync(new URL('./vectors/losses.json', import.meta.url), 'utf8')) as Vectors
const membership = await parseMembership(JSON.stringify(vectors.membership))
const log = { origin: '530000', dataset: 'entity', audience: 'all' }
const headOf = ({ ep, seq, dig }: At): LogHead => ({ epoch: ep, seq, digest: dig })
const entryOf = async (token: string): Promise<ChainEntry> => (await openToken('epoch', token, membership, log)).entry

describe('an opening that declares a loss', () => {
  it.each(vectors.tokens)('is judged by its form: $comment', async ({ token, expected, before }) => {
    const opened = await entryOf(token).catch((error: unknown) => {
      if (isExchangeError(error)) return error.code
      throw error
    })
    if (expected !== null) expect(opened).toBe(expected)
    else expect(entryBefore(opened as ChainEntry)).toEqual(before == null ? null : headOf(before))
  })

  it.each(vectors.chains)('is judged by what is held: $comment', async ({ head, held, token, verdict }) => {
    const there = new Map(held.map(at => [formatPosition(headOf(at)), { digest: at.dig, token: '' }]))
    const of = {
      head: head === null ? null : headOf(head),
      frozen: false,
      at: (at: { epoch: number; seq: number }) => there.get(formatPosition(at)) ?? null,
      announced: null,
    }
    const [found] = settle(new Map([['530000/entity/all', of]]), [{ log, entry: await entryOf(token), token }]).verdicts
    expect(found?.kind).toBe(verdict)
  })

  it.each(vectors.effects)(
    'takes the effect of what it names and of nothing else: $comment',
    async ({ token, position, counts }) => {
      expect(lostBy(await entryOf(token), { epoch: position.ep, seq: position.seq })).toBe(!counts)
    },
  )
})
