/**
 * Authorities at random: a few names, a few keys, and certificates between any of them, so that chains cross, circle, repeat themselves
 * and contradict each other, with whatever extensions the dice give. All of it is well formed and well signed, mostly; what is tried
 * here is the search and the rules behind it.
 */
import {
  bits,
  bool,
  commonName,
  context,
  extension,
  generalizedTime,
  int,
  keyId,
  keyUsage,
  name,
  oct,
  oid,
  type SampleKey,
  type SampleUsage,
  seq,
  tlv,
  utcTime,
  utf8,
} from '../../schemas/trust/sample-der.ts'
import type { Random } from '../samples/random.ts'
import { AT } from './corpus.ts'

const DAY = 86_400_000
const POLICIES = ['2.5.29.32.0', '1.2.3.4', '1.2.3.5', '1.2.3.6', '1.2.3.7'] as const
const HOSTS = ['example', 'www.example', '.example', 'a.www.example', 'other.test', ''] as const
const PURPOSES = ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2', '2.5.29.37.0', '1.3.6.1.5.5.7.3.8'] as const
const USAGES = ['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'keyCertSign', 'cRLSign'] as const

const some = (random: Random, most: number, make: () => Buffer): Buffer[] => Array.from({ length: random.integer(1, most) }, make)
const count = (random: Random): Buffer => Buffer.of(random.pick([0, 0, 1, 2, 3, 127]))

function generalName(random: Random): Buffer {
  const host = Buffer.from(random.pick(HOSTS))
  return random.pick<() => Buffer>([
    () => tlv(0x82, host),
    () => tlv(0x81, Buffer.concat([Buffer.from(random.chance(0.5) ? 'someone@' : ''), host])),
    () => tlv(0x86, Buffer.concat([Buffer.from('https://'), host])),
    () =>
      tlv(0x87, Buffer.from(random.pick(['0a010203', '0a000000ff000000', '0a000000ff00ff00', `20010db8${'0'.repeat(24)}`]), 'hex')),
    () => context(4, commonName('Organisation', random.pick(['Leaf', 'Sub', 'Root']))),
    () => context(0, Buffer.concat([oid('1.2.3.9'), context(0, utf8('x'))])),
  ])()
}

/** Each with how likely it stands in a certificate of an authority, and of anybody else. */
const EXTENSIONS: readonly { readonly ca: number; readonly end: number; make(random: Random): Buffer }[] = [
  {
    ca: 0.97,
    end: 0.1,
    make: random =>
      extension(
        '2.5.29.19',
        seq(...(random.chance(0.95) ? [bool(true)] : []), ...(random.chance(0.25) ? [tlv(0x02, count(random))] : [])),
        true,
      ),
  },
  { ca: 0.7, end: 0.5, make: random => usageOf(random) },
  {
    ca: 0.25,
    end: 0.02,
    make: random => {
      const subtrees = (): Buffer => Buffer.concat(some(random, 3, () => seq(generalName(random))))
      const parts = [
        ...(random.chance(0.7) ? [context(0, subtrees())] : []),
        ...(random.chance(0.5) ? [context(1, subtrees())] : []),
      ]
      return extension('2.5.29.30', seq(...parts), random.chance(0.9))
    },
  },
  {
    ca: 0.4,
    end: 0.4,
    make: random => extension('2.5.29.32', seq(...some(random, 3, () => seq(oid(random.pick(POLICIES))))), random.chance(0.3)),
  },
  {
    ca: 0.2,
    end: 0.02,
    make: random =>
      extension(
        '2.5.29.33',
        seq(...some(random, 4, () => seq(oid(random.pick(POLICIES)), oid(random.pick(POLICIES))))),
        random.chance(0.5),
      ),
  },
  {
    ca: 0.15,
    end: 0.02,
    make: random =>
      extension(
        '2.5.29.36',
        seq(
          ...(random.chance(0.7) ? [context(0, count(random), false)] : []),
          ...(random.chance(0.5) ? [context(1, count(random), false)] : []),
        ),
        random.chance(0.8),
      ),
  },
  { ca: 0.15, end: 0.02, make: random => extension('2.5.29.54', tlv(0x02, count(random)), random.chance(0.8)) },
  {
    ca: 0.1,
    end: 0.6,
    make: random => extension('2.5.29.17', seq(...some(random, 4, () => generalName(random))), random.chance(0.2)),
  },
  {
    ca: 0.15,
    end: 0.4,
    make: random => extension('2.5.29.37', seq(...some(random, 3, () => oid(random.pick(PURPOSES)))), random.chance(0.3)),
  },
  { ca: 0.02, end: 0.02, make: random => extension('1.2.3.4.5.6', oct(Buffer.of(1)), random.chance(0.5)) },
]

function usageOf(random: Random): Buffer {
  const usages = USAGES.filter(() => random.chance(0.8))
  return keyUsage(...((usages.length === 0 ? ['keyCertSign'] : usages) as SampleUsage[]))
}

const timeOf = (at: number): Buffer => (at < Date.UTC(2050, 0, 1) ? utcTime(at) : generalizedTime(at))

/** Certificates in DER, one behind the other: the leaf, then authorities; the last `anchors` of them are trusted. */
export function makeGraph(keys: readonly [SampleKey, ...SampleKey[]], random: Random): Buffer {
  const names = ['Root', 'Sub', 'Leaf', 'Other', 'sub ', 'SUB']
    .slice(0, random.integer(1, 6))
    .map(text => commonName('Organisation', text))
  if (random.chance(0.1)) names.push(name())
  const size = random.pick([2, 3, 4, 6, 10, 25, 60])
  const own = keys.slice(0, random.integer(1, keys.length)) as [SampleKey, ...SampleKey[]]
  const nameOf = (): Buffer => random.pick(names as [Buffer, ...Buffer[]])
  return Buffer.concat(
    Array.from({ length: size }, (_, index) => {
      const ca = index > 0 || random.chance(0.1)
      const [key, signer] = [random.pick(own), random.pick(own)]
      const [subject, issuer] = [nameOf(), nameOf()]
      const chosen = EXTENSIONS.filter(row => random.chance(ca ? row.ca : row.end)).map(row => row.make(random))
      const ids = [
        ...(random.chance(0.6) ? [extension('2.5.29.14', oct(keyId(random.chance(0.95) ? key : signer)))] : []),
        ...(random.chance(0.6) ? [extension('2.5.29.35', seq(context(0, keyId(random.chance(0.95) ? signer : key), false)))] : []),
      ]
      const extensions = [...ids, ...chosen]
      const begin = AT - (random.chance(0.03) ? -1 : random.pick([1, 400])) * DAY
      const tbs = seq(
        context(0, int(2)),
        int(random.integer(1, 200)),
        signer.algorithm,
        issuer,
        seq(timeOf(begin), timeOf(AT + (random.chance(0.03) ? -0.5 : random.pick([1, 10_000])) * DAY)),
        subject,
        key.spki,
        ...(extensions.length === 0 ? [] : [context(3, seq(...extensions))]),
      )
      const signature = signer.sign(tbs)
      if (random.chance(0.05)) signature[3] = (signature[3] ?? 0) ^ 1
      return seq(tbs, signer.algorithm, bits(signature))
    }),
  )
}

/** The elements that stand one behind the other, as far as they do. */
export function splitElements(bytes: Buffer): Buffer[] {
  const found: Buffer[] = []
  for (let at = 0; at + 2 <= bytes.length; ) {
    const first = bytes[at + 1] ?? 0
    const width = first > 0x7f ? first & 0x7f : 0
    if (width > 3 || at + 2 + width > bytes.length) break
    const length = width === 0 ? first : bytes.readUIntBE(at + 2, width)
    found.push(bytes.subarray(at, at + 2 + width + length))
    at += 2 + width + length
  }
  return found
}
