import { describe, expect, test } from 'vitest'
import type { LogId } from '../../schemas/log.ts'
import type { Head } from '../../schemas/statements.ts'
import { withheldHeads } from './heads.ts'

const NOW = new Date('2026-11-01T00:10:00Z')
const LOG: LogId = { origin: '530000', dataset: 'entity', audience: 'all' }
const at = (seq: number) => ({ log: LOG, head: { epoch: 1, seq, digest: `sha-256:${seq}` } })
const head = (origin: string, ageSeconds: number, over: Partial<Head> = {}): Head => ({
  ...{ origin, audience: 'all', logs: [], held: [], token: '-' },
  issuedAt: new Date(NOW.getTime() - ageSeconds * 1000),
  ...over,
})

describe("an origin's heads are withheld", () => {
  test('when they are overdue here, and a member that lives has seen more of its log than they say', () => {
    const heads = [
      head('530000', 300, { logs: [at(3)] }),
      head('520000', 5, { held: [at(4)] }),
      head('000000', 5, { held: [at(7)] }),
    ]
    expect(withheldHeads(heads, '110000', NOW)).toEqual([{ log: LOG, by: '000000', seen: at(7).head }])
  })

  test('when none has ever come', () => {
    expect(withheldHeads([head('520000', 5, { held: [at(1)] })], '110000', NOW)).toEqual([
      { log: LOG, by: '520000', seen: at(1).head },
    ])
  })

  test.each<[string, Head[]]>([
    ['while they come in time', [head('530000', 5, { logs: [at(3)] }), head('520000', 1, { held: [at(4)] })]],
    [
      'when nobody has seen more: the origin is silent for all',
      [head('530000', 300, { logs: [at(3)] }), head('520000', 5, { held: [at(3)] })],
    ],
    [
      'on the word of a member that is silent itself',
      [head('530000', 300, { logs: [at(3)] }), head('520000', 200, { held: [at(9)] })],
    ],
  ])('not %s', (_, heads) => {
    expect(withheldHeads(heads, '110000', NOW)).toEqual([])
  })

  test('never from the origin itself, and never on its own word', () => {
    expect(withheldHeads([head('110000', 5, { held: [at(9)] })], '110000', NOW)).toEqual([])
    expect(withheldHeads([head('520000', 5, { held: [at(9)] })], '530000', NOW)).toEqual([])
  })
})
