import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from './digest.ts'
import { formatBody } from './envelope.ts'
import { ExchangeError } from './errors.ts'
import { parseMembership } from './membership.ts'
import type { ExchangeRecord } from './record.ts'
import {
  checkRedaction,
  erasableRecords,
  judgeErasure,
  judgeRedaction,
  missingErasures,
  openRedaction,
  redactBody,
  standingKeys,
} from './redaction.ts'

type Vectors = {
  readonly membership: object
  readonly tokens: readonly { comment: string; token: string; expected: string | null }[]
  readonly bodies: readonly { comment: string; held: string | null; body: string; token: string; expected: string | null }[]
}
const vectors = JSON.parse(readFileSync(new URL('./vectors/redactions.json', import.meta.url), 'utf8')) as Vectors
const membership = await parseMembership(JSON.stringify(vectors.membership))
const SALTS = ['AAAAAAAAAAAAAAAAAAAAAA', 'BBBBBBBBBBBBBBBBBBBBBB', 'CCCCCCCCCCCCCCCCCCCCCC'] as const

const codeOf = async (work: () => unknown): Promise<string | null> => {
  try {
    await work()
    return null
  } catch (error) {
    if (error instanceof ExchangeError) return error.code
    throw error
  }
}

describe('a redaction token', () => {
  for (const { comment, token, expected } of vectors.tokens) {
    it(`${expected === null ? 'is accepted' : `is refused with ${expected}`}: ${comment}`, async () => {
      expect(await codeOf(() => openRedaction(token, membership, null))).toBe(expected)
    })
  }

  it('is refused under the subject of another log', async () => {
    const other = { origin: '530000', dataset: 'trade', audience: 'all' }
    expect(await codeOf(() => openRedaction(vectors.tokens[0]?.token ?? '', membership, other))).toBe('SUBJECT_MISMATCH')
  })
})

describe('a redacted body', () => {
  for (const { comment, held, body, token, expected } of vectors.bodies) {
    it(`${expected === null ? 'replaces the one that stands' : `is refused with ${expected}`}: ${comment}`, async () => {
      const redaction = await openRedaction(token, membership, null)
      const stands = held === null ? null : Buffer.from(held, 'base64')
      expect(await codeOf(() => checkRedaction(stands, Buffer.from(body, 'base64'), redaction))).toBe(expected)
    })
  }
})

const record = fc
  .record({
    key: fc.constantFrom('a', 'b', 'c', 'd'),
    ver: fc.integer({ min: 1, max: 3 }),
    body: fc.dictionary(fc.string(), fc.jsonValue()),
  })
  .chain(({ body, ...frame }) =>
    fc.constantFrom<ExchangeRecord>(
      { ...frame, at: '2026-11-01T09:00:00+08:00', platform: '530000-01', op: 'put', body: body as never },
      { ...frame, at: '2026-11-01T09:00:00+08:00', platform: '530000-01', op: 'retract', why: 'ordered' },
    ),
  )
// What JSON.stringify writes is I-JSON unless a string or a number in it is not.
const iJson = (text: string): boolean => !/\\u0000|\\ud[89a-f]|\d{16}|e[+-]?\d/i.test(text)
const batch = fc.array(record, { minLength: 1, maxLength: 8 }).filter(records => iJson(JSON.stringify(records)))
const keys = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 }).map(list => new Set<string>(list))

describe('redacting', () => {
  it('takes the bodies of the named keys, and leaves all else equal, whatever is named', () => {
    fc.assert(
      fc.property(batch, keys, (records, named) => {
        const held = formatBody(SALTS[0], records)
        const plain = redactBody(held, named, SALTS[1])
        const after = (JSON.parse(plain.toString()) as { records: (ExchangeRecord & { body?: unknown })[] }).records
        expect(after).toEqual(
          JSON.parse(JSON.stringify(records)).map((one: ExchangeRecord) =>
            one.op === 'put' && named.has(one.key) ? { ...one, body: null } : one,
          ),
        )
        expect(erasableRecords(plain, named)).toEqual([])
        const present = new Set([...named].filter(key => records.some(one => one.op === 'put' && one.key === key)))
        if (present.size > 0) checkRedaction(held, plain, { new: digestOf(plain), keys: present })
      }),
    )
  })

  it('in two steps or in one takes the same', () => {
    fc.assert(
      fc.property(batch, keys, keys, (records, first, second) => {
        const held = formatBody(SALTS[0], records)
        const all = new Set([...first, ...second])
        expect(redactBody(redactBody(held, first, SALTS[1]), all, SALTS[2])).toEqual(redactBody(held, all, SALTS[2]))
      }),
    )
  })

  it('is refused whatever byte of the new body changes', () => {
    const records: ExchangeRecord[] = ['a', 'b'].map(key => ({
      key,
      op: 'put',
      ver: 1,
      at: '2026-11-01T09:00:00+08:00',
      platform: '530000-01',
      body: { name: key },
    }))
    const held = formatBody(SALTS[0], records)
    const plain = redactBody(held, new Set(['a']), SALTS[1])
    for (let at = 0; at < plain.length; at += 1) {
      const changed = Buffer.from(plain)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(() => checkRedaction(held, changed, { new: digestOf(plain), keys: new Set(['a']) })).toThrow('BODY_DIGEST_MISMATCH')
      // Signed anew by its origin, only the salt may differ.
      const code = () => checkRedaction(held, changed, { new: digestOf(changed), keys: new Set(['a']) })
      if (at < '{"salt":"'.length || at > '{"salt":"'.length + SALTS[1].length) expect(code).toThrow('REDACTION_INVALID')
    }
  })
})

describe('of two redactions at one position', () => {
  it.each([
    ['the first is further than none', null, ['a'], 'further'],
    ['one that names more is further', ['a'], ['a', 'b'], 'further'],
    ['the same again is known', ['a', 'b'], ['b', 'a'], 'known'],
    ['one that names less is known', ['a', 'b'], ['b'], 'known'],
  ] as const)('%s', (_what, known, named, expected) => {
    expect(judgeRedaction(known === null ? null : { keys: new Set(known) }, { keys: new Set(named) })).toBe(expected)
  })

  it('one that forgets what was erased before is refused', () => {
    expect(() => judgeRedaction({ keys: new Set(['a']) }, { keys: new Set(['b']) })).toThrow('REDACTION_INVALID')
  })
})

describe('what may be erased', () => {
  it('is a record whose key has a higher version in its log, and no other', () => {
    const records = [
      { key: 'a', ver: 1 },
      { key: 'b', ver: 2 },
      { key: 'c', ver: 1 },
    ]
    const highest = new Map([
      ['a', 2],
      ['b', 2],
    ])
    expect(standingKeys(records, highest)).toEqual(['b', 'c'])
  })
})

describe('what a holder does with a redaction', () => {
  it('is to erase what was superseded, to wait where it is behind, and to refuse what still stands', () => {
    expect(judgeErasure(0, true)).toBe('erase')
    expect(judgeErasure(0, false)).toBe('erase')
    expect(judgeErasure(1, true)).toBe('wait')
    expect(judgeErasure(1, false)).toBe('refuse')
  })

  it('is to ask for it where the origin counts more, once it holds the log as far as that head says', () => {
    const log = { origin: '530000', dataset: 'entity', audience: 'all' }
    const at = (seq: number) => ({ epoch: 1, seq, digest: `d${seq}` })
    const head = {
      origin: '530000',
      audience: 'all',
      issuedAt: new Date(0),
      held: [],
      token: '',
      logs: [{ log, head: at(5), erased: 2 }],
    }
    expect(missingErasures(head, () => ({ head: at(5), erased: 1 }))).toEqual([{ log, erased: 2 }])
    expect(missingErasures(head, () => ({ head: at(9), erased: 2 }))).toEqual([])
    expect(missingErasures(head, () => ({ head: at(4), erased: 0 }))).toEqual([])
    expect(missingErasures(head, () => null)).toEqual([])
  })
})
