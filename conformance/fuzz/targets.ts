/**
 * What is fuzzed, one row each: how an input is made, and what reads it. A reader may answer or throw a coded error, nothing else; a
 * verdict has to stay within the work that it states. Inputs that are signed anew after they were bent get past the signature and reach
 * what lies behind it.
 */
import { isExchangeError } from '../../schemas/errors.ts'
import { type Certificate, parseCertificate } from '../../schemas/trust/certificate.ts'
import type { Judge } from '../../schemas/trust/checks.ts'
import { parseSignedData } from '../../schemas/trust/cms.ts'
import { verifySignedData } from '../../schemas/trust/cms-verification.ts'
import { type Crl, parseCrl } from '../../schemas/trust/crl.ts'
import { parseEnvelopedData } from '../../schemas/trust/enveloped-data.ts'
import { WORK_LIMITS } from '../../schemas/trust/limits.ts'
import { outlookOfMessage } from '../../schemas/trust/opening-outlook.ts'
import { pathJudge } from '../../schemas/trust/path-judge.ts'
import { type PathQuestion, type PathVerdict, validatePath } from '../../schemas/trust/path-validation.ts'
import { bits, type SampleKey, seq } from '../../schemas/trust/sample-der.ts'
import { parseSeal, parseSealSignature, verifySeal, verifySealSignature } from '../../schemas/trust/seal.ts'
import type { Random } from '../samples/random.ts'
import { AT, type Corpus } from './corpus.ts'
import { makeGraph, splitElements } from './graphs.ts'
import { mutate } from './mutations.ts'

export type Target = {
  readonly name: string
  /** how often it comes, against the others */
  readonly share: number
  make(corpus: Corpus, random: Random): Buffer
  run(corpus: Corpus, bytes: Buffer): void
}

/** The answer, or null for a coded error; everything else goes on up. */
function coded<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    if (isExchangeError(error)) return null
    throw error
  }
}

export class OutOfBounds extends Error {
  override readonly name = 'OutOfBounds'
}

function checkVerdict({ result, work }: PathVerdict): void {
  if (!['good', 'bad', 'unchecked'].includes(result)) throw new OutOfBounds(`expected a verdict, got ${result}`)
  for (const kind of ['signatures', 'visited', 'bytes'] as const)
    if (work[kind] > WORK_LIMITS[kind]) throw new OutOfBounds(`expected at most ${WORK_LIMITS[kind]} ${kind}, got ${work[kind]}`)
}

const POLICIES = { initial: ['1.2.3.5', '1.2.3.6'], requireExplicit: true, inhibitMapping: false, inhibitAny: false }
const NAMES = [
  { kind: 'dns', value: 'www.example' },
  { kind: 'ip', value: '10.1.2.3' },
  { kind: 'email', value: 'someone@example' },
] as const

type Material = Pick<PathQuestion, 'leaf' | 'intermediates' | 'anchors' | 'crls'>

/** The same path with and without everything that may be asked of it. */
function validate(material: Material): void {
  checkVerdict(validatePath({ ...material, at: AT, revocation: 'required' }))
  checkVerdict(
    validatePath({
      ...material,
      at: AT,
      revocation: 'when-known',
      policies: POLICIES,
      names: NAMES,
      purpose: { keyUsage: ['digitalSignature'] },
    }),
  )
}

const parsed = new WeakMap<Corpus, { readonly certificates: Certificate[]; readonly crls: Crl[] }>()
function parsedOf(corpus: Corpus): { readonly certificates: Certificate[]; readonly crls: Crl[] } {
  const known = parsed.get(corpus)
  if (known !== undefined) return known
  const made = { certificates: corpus.certificates.map(parseCertificate), crls: corpus.crls.map(parseCrl) }
  parsed.set(corpus, made)
  return made
}

/** Puts a certificate in every place of a path: leaf, CA between, anchor. */
function validateEverywhere(corpus: Corpus, bent: Certificate): void {
  const { certificates, crls } = parsedOf(corpus)
  const [root = bent, sub = bent, leaf = bent] = certificates
  validate({ leaf: bent, intermediates: [sub], anchors: [root], crls })
  validate({ leaf, intermediates: [bent, sub], anchors: [root], crls })
  validate({ leaf, intermediates: [bent], anchors: [root], crls })
  validate({ leaf, intermediates: [sub, bent, root], anchors: [bent], crls })
}

/** Whoever judges certificates for messages and seals: path validation, its verdict checked as everywhere. */
export function judgeOf(corpus: Corpus): Judge<PathVerdict> {
  const { certificates, crls } = parsedOf(corpus)
  const anchors = certificates.filter(({ issuer, subject }) => issuer.canonical === subject.canonical)
  const judge = pathJudge({ intermediates: certificates, anchors, crls, revocation: 'when-known' })
  return query => {
    const verdict = judge(query)
    checkVerdict(verdict)
    return verdict
  }
}

const bent = (bytes: Buffer, from: readonly [Buffer, ...Buffer[]], random: Random): Buffer =>
  mutate(bytes, random.pick(from), random)

/** Bends what is signed and signs it again, as a hostile or careless CA would. */
function signedAnew(bytes: Buffer, key: SampleKey, corpus: Corpus, random: Random): Buffer {
  const tbs = tbsOf(bytes)
  const made = mutate(tbs, tbsOf(random.pick([...corpus.certificates, ...corpus.crls] as [Buffer, ...Buffer[]])), random)
  return seq(made, key.algorithm, bits(key.sign(made)))
}

/** The first element inside the outer one. */
function tbsOf(bytes: Buffer): Buffer {
  const outer = headOf(bytes, 0)
  const inner = headOf(bytes, outer.start)
  return bytes.subarray(outer.start, inner.end)
}
function headOf(bytes: Buffer, at: number): { readonly start: number; readonly end: number } {
  const first = bytes[at + 1] ?? 0
  const count = first > 0x7f ? first & 0x7f : 0
  const start = at + 2 + count
  return { start, end: start + (count === 0 ? first : bytes.readUIntBE(at + 2, count)) }
}

const CHAIN: readonly [readonly [index: number, signer: 'root' | 'sub'], ...(readonly [number, 'root' | 'sub'])[]] = [
  [0, 'root'],
  [1, 'root'],
  [2, 'sub'],
]

export const TARGETS: readonly [Target, ...Target[]] = [
  {
    name: 'certificate',
    share: 4,
    make: ({ certificates }, random) => bent(random.pick(certificates), certificates, random),
    run(corpus, bytes) {
      const certificate = coded(() => parseCertificate(bytes))
      if (certificate !== null) validateEverywhere(corpus, certificate)
    },
  },
  {
    name: 'certificate, signed anew',
    share: 4,
    make(corpus, random) {
      const [index, signer] = random.pick(CHAIN)
      return signedAnew(corpus.certificates[index] ?? corpus.root.der, corpus[signer].key, corpus, random)
    },
    run(corpus, bytes) {
      const certificate = coded(() => parseCertificate(bytes))
      if (certificate !== null) validateEverywhere(corpus, certificate)
    },
  },
  {
    name: 'crl',
    share: 3,
    make: ({ crls }, random) => bent(random.pick(crls), crls, random),
    run: (corpus, bytes) => withCrl(corpus, bytes),
  },
  {
    name: 'crl, signed anew',
    share: 3,
    make: (corpus, random) => signedAnew(corpus.crls[random.integer(1, 3)] ?? corpus.crls[0], corpus.sub.key, corpus, random),
    run: (corpus, bytes) => withCrl(corpus, bytes),
  },
  {
    name: 'authorities at random',
    share: 1,
    make: ({ keys }, random) => makeGraph(keys, random),
    run: (_corpus, bytes) => withGraph(bytes),
  },
  {
    name: 'signed message',
    share: 2,
    make: ({ messages, certificates }, random) => bent(random.pick(messages), random.chance(0.5) ? messages : certificates, random),
    run(corpus, bytes) {
      const message = coded(() => parseSignedData(bytes))
      if (message === null) return
      coded(() => verifySignedData({ message, at: AT, judge: judgeOf(corpus) }))
    },
  },
  {
    name: 'encrypted message',
    share: 2,
    make: ({ envelopes, messages }, random) => bent(random.pick(envelopes), messages, random),
    run(corpus, bytes) {
      coded(() => parseEnvelopedData(bytes, { partial: true }))
      const message = coded(() => parseEnvelopedData(bytes))
      const known = parsedOf(corpus).certificates
      if (message !== null) coded(() => outlookOfMessage({ message, known, now: AT, opensAt: AT + 1e9, judge: judgeOf(corpus) }))
    },
  },
  {
    name: 'seal',
    share: 2,
    make: ({ seals, certificates }, random) => bent(random.pick(seals), random.chance(0.5) ? seals : certificates, random),
    run(corpus, bytes) {
      const seal = coded(() => parseSeal(bytes))
      if (seal !== null) coded(() => verifySeal({ seal, at: AT, judge: judgeOf(corpus) }))
    },
  },
  {
    name: 'signature with a seal',
    share: 1,
    make: ({ sealSignatures, seals }, random) =>
      bent(random.pick(sealSignatures), random.chance(0.5) ? sealSignatures : seals, random),
    run(corpus, bytes) {
      const signature = coded(() => parseSealSignature(bytes))
      const document = { bytes: Buffer.from('a bid') }
      if (signature !== null) coded(() => verifySealSignature({ signature, document, at: AT, judge: judgeOf(corpus) }))
    },
  },
]

function withGraph(bytes: Buffer): void {
  const [leaf, ...others] = splitElements(bytes).flatMap(der => coded(() => parseCertificate(der)) ?? [])
  if (leaf === undefined) return
  const anchors = others.slice(-Math.ceil(others.length / 4))
  validate({ leaf, intermediates: others, anchors, crls: [] })
  checkVerdict(validatePath({ leaf, intermediates: others, anchors, crls: [], at: AT, revocation: 'ignored', profile: 'issuance' }))
}

function withCrl(corpus: Corpus, bytes: Buffer): void {
  const list = coded(() => parseCrl(bytes))
  if (list === null) return
  const { certificates, crls } = parsedOf(corpus)
  const [root, sub, leaf] = certificates
  if (root === undefined || sub === undefined || leaf === undefined) return
  validate({ leaf, intermediates: [sub], anchors: [root], crls: [list, ...crls] })
  validate({ leaf, intermediates: [sub], anchors: [root], crls: [...crls.slice(0, 1), list] })
}
