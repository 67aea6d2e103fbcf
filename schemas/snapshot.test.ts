import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ExchangeError } from './errors.ts'
import { canonicalText } from './jcs.ts'
import type { JsonObject, JsonValue } from './record.ts'
import { highestOfEachKey, takesEffect } from './replica-rule.ts'
import {
  type ChunkLine,
  checkGroup,
  chunkOf,
  compareKeys,
  digestState,
  eraseInChunk,
  formatInstant,
  GROUP_RECORDS,
  type Group,
  groupDigest,
  normalInstant,
  type Place,
  parseChunk,
  parseEpochSeconds,
  recordDigest,
  recordText,
  rootOf,
  type StateRecord,
  stateLine,
} from './snapshot.ts'

type Vectors = {
  readonly canonical: readonly { comment: string; value: JsonValue; text: string }[]
  readonly instants: readonly { comment: string; at: string; normal: string }[]
  readonly records: readonly { comment: string; record: StateRecord; text: string; digest: string }[]
  readonly states: readonly {
    comment: string
    lines: readonly { place: Place; record: StateRecord }[]
    manifest: string
    root: string
  }[]
  readonly chunks: readonly { comment: string; manifest: string; number: number; chunk: string; expected: string | null }[]
}
const vectors = JSON.parse(readFileSync(new URL('./vectors/snapshots.json', import.meta.url), 'utf8')) as Vectors

const codeOf = (work: () => unknown): string | null => {
  try {
    work()
    return null
  } catch (error) {
    if (error instanceof ExchangeError) return error.code
    throw error
  }
}

describe('the vectors of snapshots', () => {
  it.each(vectors.canonical)('canonical text: $comment', ({ value, text }) => expect(canonicalText(value)).toBe(text))
  it.each(vectors.instants)('instant: $comment', ({ at, normal }) => expect(normalInstant(at)).toBe(normal))
  it.each(vectors.records)('record: $comment', ({ record, text, digest }) => {
    expect(recordText(record)).toBe(text)
    expect(recordDigest(text)).toBe(digest)
    expect(canonicalText(JSON.parse(text) as JsonValue)).toBe(text)
  })
  it.each(vectors.states)('state: $comment', ({ lines, manifest, root }) => {
    const sum = sumOf(lines.map(({ place, record }) => stateLine(place, record))).sum
    expect(sum.manifest.toString('base64url')).toBe(manifest)
    expect(sum.root).toBe(root)
  })
  it.each(vectors.chunks)('chunk: $comment', ({ manifest, number, chunk, expected }) =>
    expect(codeOf(() => checkGroup(parseChunk(Buffer.from(chunk)), Buffer.from(manifest, 'base64url'), number))).toBe(expected),
  )
})

function sumOf(lines: readonly ReturnType<typeof stateLine>[]) {
  const digester = digestState()
  const groups: Group[] = []
  for (const line of lines) {
    const group = digester.add(line)
    if (group !== null) groups.push(group)
  }
  const last = digester.end()
  if (last !== null) groups.push(last)
  return { groups, sum: digester.sum() }
}

const record = (key: string, ver = 1, body: JsonObject = { name: '甲' }): StateRecord => ({
  key,
  op: 'put',
  ver,
  at: '2026-11-01T09:00:00+08:00',
  platform: '530000-01',
  body,
})

describe('an instant', () => {
  it('is the same however its offset and its fraction are written', () => {
    const same = [
      '2026-11-01T09:00:00+08:00',
      '2026-11-01T01:00:00Z',
      '2026-11-01T01:00:00.000000000Z',
      '2026-10-31T20:30:00.0000004-04:30',
    ]
    expect(new Set(same.map(normalInstant))).toEqual(new Set(['2026-11-01T01:00:00.000000Z']))
  })

  it('reads back from the seconds that a database states', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n }), micros => {
        const text = `${micros < 0n ? '-' : ''}${(micros < 0n ? -micros : micros) / 1_000_000n}.${String((micros < 0n ? -micros : micros) % 1_000_000n).padStart(6, '0')}`
        expect(parseEpochSeconds(text)).toBe(micros)
        expect(normalInstant(formatInstant(micros))).toBe(formatInstant(micros))
      }),
    )
  })
})

describe('a canonical text', () => {
  it('is one for all orders of members, and reads back as the same value', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), text => {
        const value = JSON.parse(text) as JsonValue
        const canonical = canonicalText(value)
        expect(canonicalText(JSON.parse(canonical) as JsonValue)).toBe(canonical)
        expect(JSON.parse(canonical)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(canonicalText(reversed(value))).toBe(canonical)
      }),
    )
  })
})

function reversed(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(reversed)
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, inner]) => [name, inner === undefined ? null : reversed(inner)]),
  )
}

type Spoken = { readonly place: Place; readonly record: StateRecord }
const stateOf = (spoken: readonly Spoken[]) => {
  const standing = new Map<string, Spoken>()
  for (const one of spoken) {
    if (takesEffect(standing.get(one.record.key)?.record.ver ?? null, one.record.ver)) standing.set(one.record.key, one)
  }
  return [...standing.values()].sort((a, b) => compareKeys(a.record.key, b.record.key)).map(one => stateLine(one.place, one.record))
}

describe('a state root', () => {
  it('does not depend on how the log was cut into batches, nor on a repeat of what was said', () => {
    const records = fc.array(
      fc.record({ key: fc.constantFrom('a', 'b', 'B', '中', '𠀀', '\uffff'), ver: fc.integer({ min: 1, max: 4 }) }),
      {
        maxLength: 30,
      },
    )
    fc.assert(
      fc.property(records, fc.integer({ min: 1, max: 7 }), (said, size) => {
        const spoken = said.map(({ key, ver }, item) => ({
          place: { epoch: 1, seq: 1, item },
          record: record(key, ver, { n: item }),
        }))
        const root = sumOf(stateOf(spoken)).sum.root
        const batches = Array.from({ length: Math.ceil(spoken.length / size) }, (_, at) => spoken.slice(at * size, (at + 1) * size))
        const cut = batches.flatMap(batch => {
          const highest = highestOfEachKey(batch.map(one => ({ ...one, key: one.record.key, ver: one.record.ver })))
          return highest.map(({ place, record: one }) => ({ place, record: one }))
        })
        expect(sumOf(stateOf(cut)).sum.root).toBe(root)
        expect(sumOf(stateOf([...spoken, ...spoken])).sum.root).toBe(root)
      }),
    )
  })

  it('changes with every part of every record, its place among them', () => {
    const at = { epoch: 1, seq: 4, item: 2 }
    const base: StateRecord = { ...record('k'), body: { name: '甲', list: [1, 2] } }
    const others: [Place, StateRecord][] = [
      [at, { ...base, key: 'l' }],
      [at, { ...base, ver: 2 }],
      [at, { ...base, at: '2026-11-01T09:00:01+08:00' }],
      [at, { ...base, platform: '530000-02' }],
      [at, { ...base, body: { name: '甲', list: [2, 1] } }],
      [at, { key: 'k', op: 'retract', ver: 1, at: base.at, platform: base.platform, why: 'ordered' }],
      [{ ...at, item: 3 }, base],
      [{ ...at, seq: 5 }, base],
      [{ ...at, epoch: 2 }, base],
    ]
    const roots = [[at, base] as [Place, StateRecord], ...others].map(([place, one]) => sumOf([stateLine(place, one)]).sum.root)
    expect(new Set(roots).size).toBe(roots.length)
  })

  it('is that of an empty manifest for a state without records', () =>
    expect(sumOf([]).sum).toMatchObject({ root: rootOf(Buffer.alloc(0)), records: 0, groups: 0 }))
})

describe('a group', () => {
  const many = (count: number, body?: JsonObject) =>
    Array.from({ length: count }, (_, n) =>
      stateLine({ epoch: 1, seq: 1 + n, item: 0 }, record(String(n).padStart(6, '0'), 1, body)),
    )

  it('ends with its 1024th record, or with the record that brings it to half a MiB', () => {
    expect(sumOf(many(2050)).groups.map(group => group.lines.length)).toEqual([GROUP_RECORDS, GROUP_RECORDS, 2])
    expect(sumOf(many(5, { name: 'x'.repeat(300_000) })).groups.map(group => group.lines.length)).toEqual([2, 2, 1])
  })

  it('travels as a chunk whose lines give its digest again', () => {
    for (const group of sumOf(many(1500)).groups) {
      const lines = parseChunk(chunkOf(group))
      expect(groupDigest(lines)).toEqual(group.digest)
      expect(lines.every(line => !line.erased)).toBe(true)
    }
  })

  it('keeps its digest when a record of it is erased, and nothing of the content', () => {
    const { groups, sum } = sumOf(
      [stateLine({ epoch: 1, seq: 1, item: 0 }, record('a b', 3, { name: '机密' })), ...many(3)].sort((a, b) =>
        compareKeys(a.key, b.key),
      ),
    )
    const chunk = groups[0] === undefined ? Buffer.alloc(0) : chunkOf(groups[0])
    const erased = eraseInChunk(chunk, { epoch: 1, seq: 1 }, new Set(['a b']))
    expect(chunk.includes('机密')).toBe(true)
    expect(erased?.includes('机密')).toBe(false)
    const lines: ChunkLine[] = parseChunk(erased ?? Buffer.alloc(0))
    expect(() => checkGroup(lines, sum.manifest, 0)).not.toThrow()
    expect(lines.find(line => line.erased)).toMatchObject({ key: 'a b', ver: 3 })
    expect(eraseInChunk(chunk, { epoch: 1, seq: 9 }, new Set(['a b']))).toBeNull()
    expect(eraseInChunk(erased ?? chunk, { epoch: 1, seq: 1 }, new Set(['a b']))).toBeNull()
  })

  it('is refused when a line was changed, left out, doubled or put elsewhere', () => {
    const { groups, sum } = sumOf(many(4))
    const text = (groups[0] === undefined ? Buffer.alloc(0) : chunkOf(groups[0])).toString('utf8')
    const lines = text.trimEnd().split('\n')
    const spoilt = [
      text.replace('甲', '乙'),
      `${lines.slice(1).join('\n')}\n`,
      `${[...lines, lines[0]].join('\n')}\n`,
      `${[...lines].reverse().join('\n')}\n`,
      text.replace('1.1.0', '1.1.1'),
      text.trimEnd(),
      `${text}\n`,
      '',
    ]
    for (const one of spoilt)
      expect(codeOf(() => checkGroup(parseChunk(Buffer.from(one)), sum.manifest, 0))).toBe('SNAPSHOT_MALFORMED')
  })

  it('is never believed for bytes that were changed at random', () => {
    const { groups, sum } = sumOf(many(3))
    const chunk = groups[0] === undefined ? Buffer.alloc(0) : chunkOf(groups[0])
    fc.assert(
      fc.property(fc.integer({ min: 0, max: chunk.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = Buffer.from(chunk)
        bytes[at] = (bytes[at] ?? 0) ^ flip
        expect(codeOf(() => checkGroup(parseChunk(bytes), sum.manifest, 0))).toBe('SNAPSHOT_MALFORMED')
      }),
    )
  })
})
