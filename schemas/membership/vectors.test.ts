import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ExchangeError } from '../errors.ts'
import { openToken } from '../opening.ts'
import { openReceipt } from '../statements.ts'
import { applyEntry } from './application.ts'
import { emptyState, type MembershipState, membershipOf } from './state.ts'

type Case = {
  readonly comment: string
  readonly after: number
  readonly anchor?: string
  readonly entry?: string
  readonly envelope?: string
  readonly receipts?: readonly string[]
  readonly convictions?: number
  readonly expected: { readonly kind?: string; readonly code: string | null }
}
type Vectors = { readonly fed: string; readonly anchor: string; readonly log: readonly string[]; readonly cases: readonly Case[] }
const vectors = JSON.parse(readFileSync(new URL('../vectors/membership.json', import.meta.url), 'utf8')) as Vectors

const applied = new Map<string, Promise<MembershipState>>()
function stateAfter(position: number, anchor = vectors.anchor): Promise<MembershipState> {
  const known = applied.get(`${anchor} ${position}`)
  if (known !== undefined) return known
  const state = position === 0 ? Promise.resolve(emptyState({ fed: vectors.fed, anchor })) : stateBehind(position, anchor)
  applied.set(`${anchor} ${position}`, state)
  return state
}

async function stateBehind(position: number, anchor: string): Promise<MembershipState> {
  const outcome = await applyEntry(await stateAfter(position - 1, anchor), vectors.log[position - 1] ?? '')
  if (outcome.kind !== 'applied') throw new Error(`the log of the vectors: ${outcome.kind}`)
  return outcome.state
}

const codeOf = (error: unknown): string => {
  if (error instanceof ExchangeError) return error.code
  throw error
}

async function answerTo(
  { entry, envelope, receipts = [], convictions = 0 }: Case,
  state: MembershipState,
): Promise<Case['expected']> {
  if (envelope !== undefined) {
    const opened = await openToken('envelope', envelope, await membershipOf(state), null).catch(codeOf)
    return { code: typeof opened === 'string' ? opened : (opened.refusal?.code ?? null) }
  }
  const known =
    receipts.length === 0 ? [] : await Promise.all(receipts.map(async one => openReceipt(one, await membershipOf(state))))
  const outcome = await applyEntry(state, entry ?? '', known).catch(codeOf)
  if (typeof outcome === 'string') return { kind: 'thrown', code: outcome }
  expect(outcome.kind === 'applied' ? outcome.convictions.length : 0).toBe(convictions)
  const error = 'error' in outcome ? outcome.error.code : null
  return { kind: outcome.kind, code: error ?? (await membershipOf(outcome.state).then(() => null, codeOf)) }
}

describe('the vectors of the membership log', () => {
  test.each(vectors.cases)('$comment', async one => {
    expect(await answerTo(one, await stateAfter(one.after, one.anchor))).toEqual(one.expected)
  })

  test('hold every code with which an entry can be refused', () => {
    const rules = [
      'admission',
      'alliances',
      'anchor',
      'application',
      'entries',
      'keys',
      'registrations',
      'standing',
      'state',
      'territory',
    ]
    const text = rules.map(name => readFileSync(new URL(`./${name}.ts`, import.meta.url), 'utf8')).join('\n')
    const raised = new Set([...text.matchAll(/ExchangeError\(\s*'([A-Z_]+)'/g)].map(match => match[1]))
    const shown = new Set(vectors.cases.map(({ expected }) => expected.code))
    // Closings are asked about before an entry is made, so no entry is refused with it.
    expect([...raised].filter(code => code !== 'CLOSING_BELOW_RECEIPT' && !shown.has(code ?? null)).sort()).toEqual([])
  })
})
