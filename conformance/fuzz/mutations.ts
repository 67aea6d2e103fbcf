/** What is done to an input, one row each. Those on trees keep the frame around them true, so that the fault lies deep. */
import type { Random } from '../samples/random.ts'
import { copyOf, type Element, everyOf, readTree, writeTree } from './elements.ts'

/** `other` is another input of the corpus, to take pieces from. */
type OnBytes = (bytes: Buffer, random: Random, other: Buffer) => Buffer
type OnTree = (tree: Element, random: Random, other: Element) => void

const MAX_INPUT_BYTES = 256 * 1024

const at = (random: Random, length: number): number => random.integer(0, Math.max(0, length - 1))
const octet = (random: Random): number => random.integer(0, 255)
const cut = (bytes: Buffer, from: number, to: number, put: Uint8Array = Buffer.of()): Buffer =>
  Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(to)])

const BYTES: { readonly [name: string]: OnBytes } = {
  'flip a bit': (bytes, random) => {
    const place = at(random, bytes.length)
    return cut(bytes, place, place + 1, Buffer.of((bytes[place] ?? 0) ^ (1 << random.integer(0, 7))))
  },
  'change a byte': (bytes, random) => {
    const place = at(random, bytes.length)
    return cut(bytes, place, place + 1, Buffer.of(random.pick([0, 0xff, 0x80, 0x7f, 0x30, octet(random)])))
  },
  'cut the end': (bytes, random) => bytes.subarray(0, at(random, bytes.length)),
  'cut a piece': (bytes, random) => {
    const from = at(random, bytes.length)
    return cut(bytes, from, from + random.integer(1, 16))
  },
  'repeat a piece': (bytes, random) => {
    const from = at(random, bytes.length)
    const piece = bytes.subarray(from, from + random.integer(1, 64))
    return cut(bytes, from, from, Buffer.concat(Array.from({ length: random.integer(1, 8) }, () => piece)))
  },
  'put in foreign bytes': (bytes, random, other) => {
    const [from, start] = [at(random, bytes.length), at(random, other.length)]
    return cut(bytes, from, from + random.integer(0, 8), other.subarray(start, start + random.integer(1, 64)))
  },
  'append garbage': (bytes, random) =>
    Buffer.concat([bytes, Buffer.from(Array.from({ length: random.integer(1, 16) }, () => octet(random)))]),
}

const pick = (elements: readonly Element[], random: Random): Element | undefined => elements[at(random, elements.length)]
const withParts = (tree: Element): (Element & { parts: Element[] })[] =>
  everyOf(tree).filter((one): one is Element & { parts: Element[] } => Array.isArray(one.parts) && one.parts.length > 0)
const leaves = (tree: Element, identifier?: number): Element[] =>
  everyOf(tree).filter(one => one.parts instanceof Uint8Array && (identifier === undefined || one.identifier === identifier))

/** Numbers at which readers stumble: signs, padding, 2^31, 2^53, 2^63, 2^64, very long ones. */
const INTEGERS: readonly [Buffer, ...Buffer[]] = [
  Buffer.of(),
  Buffer.of(0),
  Buffer.of(0xff),
  Buffer.of(0x80),
  Buffer.of(0, 0x80),
  Buffer.of(0, 0),
  Buffer.of(0xff, 0xff),
  Buffer.of(0x7f, 0xff, 0xff, 0xff),
  Buffer.of(0, 0x80, 0, 0, 0),
  Buffer.of(0, 0x20, 0, 0, 0, 0, 0, 0),
  Buffer.of(0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  Buffer.of(0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  Buffer.alloc(300, 0x7f),
]
const IDENTIFIERS: readonly [number, ...number[]] = [
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x1e, 0x30, 0x31, 0x80, 0x82, 0x87, 0xa0, 0xa1, 0xa4,
  0x00, 0x1f, 0x3f, 0xff,
]
const LENGTHS: readonly [readonly number[], ...(readonly number[])[]] = [
  [0],
  [0x7f],
  [0x80],
  [0x81, 0x05],
  [0x81, 0x80],
  [0x82, 0x00, 0x10],
  [0x82, 0xff, 0xff],
  [0x84, 0x7f, 0xff, 0xff, 0xff],
  [0x84, 0xff, 0xff, 0xff, 0xff],
  [0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xff],
]
const TEXTS: readonly [Buffer, ...Buffer[]] = [
  Buffer.of(),
  Buffer.of(0),
  Buffer.from('a\0b'),
  Buffer.of(0xc3, 0x28),
  Buffer.of(0xed, 0xa0, 0x80),
  Buffer.of(0xd8, 0x00),
  Buffer.from('*.*.example'),
  Buffer.from('..'),
  Buffer.from('xn--'),
  Buffer.from('@'),
  Buffer.from('a@b@c'),
  Buffer.from('http://[::1'),
  Buffer.from('e\u0301'.repeat(200)),
  Buffer.from('\u1e9e\u0130\ufb03 \u200b\u00ad'),
  Buffer.from('99991231235959Z'),
  Buffer.from('00000000000000Z'),
  Buffer.from('20240230000000Z'),
  Buffer.from('500101000000Z'),
]
const OIDS: readonly [string, ...string[]] = [
  '551d0f',
  '551d13',
  '551d1e',
  '551d11',
  '551d20',
  '551d21',
  '551d24',
  '551d36',
  '551d1c',
  '551d1b',
  '551d1d',
  '551d2000',
  '2b0601050507030100',
  '80',
  'ff',
  'ffffffffffffffff7f',
  '',
  '06082a811ccf55018375',
  '2a811ccf550183752d',
  '2a864886f70d01010a',
]

const TREES: { readonly [name: string]: OnTree } = {
  'lose an element': (tree, random) => {
    const parent = pick(withParts(tree), random)
    if (Array.isArray(parent?.parts)) parent.parts.splice(at(random, parent.parts.length), 1)
  },
  'double an element': (tree, random) => {
    const parent = pick(withParts(tree), random)
    if (!Array.isArray(parent?.parts)) return
    const place = at(random, parent.parts.length)
    const one = parent.parts[place]
    if (one !== undefined) parent.parts.splice(place, 0, ...Array.from({ length: random.integer(1, 3) }, () => copyOf(one)))
  },
  'repeat an element very often': (tree, random) => {
    const parent = pick(withParts(tree), random)
    if (!Array.isArray(parent?.parts)) return
    const one = parent.parts[at(random, parent.parts.length)]
    if (one === undefined) return
    const count = Math.min(random.pick([70, 300, 5000]), Math.floor(MAX_INPUT_BYTES / (writeTree(one).length + 4)))
    parent.parts.push(...Array.from({ length: count }, () => one))
  },
  'change two elements about': (tree, random) => {
    const parent = pick(withParts(tree), random)
    if (!Array.isArray(parent?.parts)) return
    const [a, b] = [at(random, parent.parts.length), at(random, parent.parts.length)]
    const [one, two] = [parent.parts[a], parent.parts[b]]
    if (one !== undefined && two !== undefined) parent.parts.splice(a, 1, two)
    if (one !== undefined && two !== undefined) parent.parts.splice(b, 1, one)
  },
  'put in a foreign element': (tree, random, other) => {
    const [parent, one] = [pick(withParts(tree), random), pick(everyOf(other), random)]
    if (Array.isArray(parent?.parts) && one !== undefined)
      parent.parts.splice(at(random, parent.parts.length), random.integer(0, 1), copyOf(one))
  },
  'put in another element of its own': (tree, random) => {
    const all = everyOf(tree)
    const [parent, one] = [pick(withParts(tree), random), pick(all, random)]
    if (Array.isArray(parent?.parts) && one !== undefined)
      parent.parts.splice(at(random, parent.parts.length), random.integer(0, 1), copyOf(one))
  },
  'lie about a length': (tree, random) => {
    const one = pick(everyOf(tree), random)
    if (one !== undefined) one.length = Uint8Array.from(random.pick(LENGTHS))
  },
  'nest deeply': (tree, random) => {
    const one = pick(everyOf(tree), random)
    if (one === undefined) return
    const identifier = random.pick([one.identifier | 0x20, 0x30, 0xa0, 0x24])
    for (let depth = random.pick([3, 50, 2000]); depth > 0; depth -= 1) one.parts = [{ identifier, parts: one.parts }]
  },
  'change an identifier': (tree, random) => {
    const one = pick(everyOf(tree), random)
    if (one !== undefined) one.identifier = random.chance(0.5) ? random.pick(IDENTIFIERS) : octet(random)
  },
  'an edge of integers': (tree, random) => {
    const one = pick(leaves(tree, 0x02), random)
    if (one !== undefined) one.parts = random.pick(INTEGERS)
  },
  'an edge of texts': (tree, random) => {
    const one = pick(leaves(tree), random)
    if (one !== undefined) one.parts = random.pick(TEXTS)
  },
  'another object identifier': (tree, random) => {
    const one = pick(leaves(tree, 0x06), random)
    if (one !== undefined) one.parts = Buffer.from(random.pick(OIDS), 'hex')
  },
  'other bytes': (tree, random) => {
    const one = pick(leaves(tree), random)
    if (one !== undefined) one.parts = Buffer.from(Array.from({ length: random.integer(0, 40) }, () => octet(random)))
  },
  empty: (tree, random) => {
    const one = pick(everyOf(tree), random)
    if (one !== undefined) one.parts = random.chance(0.5) ? [] : Buffer.of()
  },
}

/** One to four mutations of an input, none of which makes it larger than what a reader has to refuse anyway. */
export function mutate(bytes: Buffer, other: Buffer, random: Random): Buffer {
  let made = bytes
  for (let left = random.pick([1, 1, 1, 2, 2, 3, 4]); left > 0; left -= 1) {
    const tree = random.chance(0.7) ? readTree(made) : null
    if (tree === null) {
      made = random.pick(Object.values(BYTES) as [OnBytes, ...OnBytes[]])(made, random, other)
    } else {
      const change = random.pick(Object.values(TREES) as [OnTree, ...OnTree[]])
      change(tree, random, readTree(other) ?? tree)
      made = writeTree(tree)
    }
    if (made.length > 2 * MAX_INPUT_BYTES) made = made.subarray(0, 2 * MAX_INPUT_BYTES)
  }
  return made
}
