import { describe, expect, it } from 'vitest'
import { isExchangeError } from '../../schemas/errors.ts'
import { parseCertificate } from '../../schemas/trust/certificate.ts'
import { parseSignedData } from '../../schemas/trust/cms.ts'
import { verifySignedData } from '../../schemas/trust/cms-verification.ts'
import { validatePath } from '../../schemas/trust/path-validation.ts'
import { parseSeal, verifySeal } from '../../schemas/trust/seal.ts'
import { runCampaign } from './campaign.ts'
import { type Case, type Failure, makeCase, runCases, runInput, shrink } from './cases.ts'
import { AT, makeCorpus } from './corpus.ts'
import { copyOf, everyOf, readTree, writeTree } from './elements.ts'
import { judgeOf, TARGETS } from './targets.ts'

const corpus = makeCorpus()
const STARTED = [
  ...corpus.certificates,
  ...corpus.crls,
  ...corpus.messages,
  ...corpus.envelopes,
  ...corpus.seals,
  ...corpus.sealSignatures,
]
const SEED = 20_260_101
const CASES = 2000

function attempt<T>(read: () => T): { readonly value?: T } {
  try {
    return { value: read() }
  } catch (error) {
    if (isExchangeError(error)) return {}
    throw error
  }
}

describe('the readers of certificates, revocation lists and signed messages', () => {
  it(`meet ${CASES} bent inputs with an answer or a coded error, within their bounds`, { timeout: 60_000 }, () => {
    const failures: Failure[] = []
    runCases(corpus, { seed: SEED, from: 0, to: CASES, step: 1 }, { failed: one => failures.push(one) })
    expect(failures).toEqual([])
  })

  it('take everything that the bending starts from', () => {
    for (const target of TARGETS) for (const bytes of STARTED) target.run(corpus, bytes)
  })
})

describe('the fuzzing', () => {
  it('starts from the same bytes and bends them alike, every time', () => {
    const again = makeCorpus()
    expect(again.certificates.map(bytes => bytes.toString('hex'))).toEqual(corpus.certificates.map(bytes => bytes.toString('hex')))
    for (let number = 0; number < 50; number += 1)
      expect(makeCase(again, SEED, number).bytes.toString('hex')).toBe(makeCase(corpus, SEED, number).bytes.toString('hex'))
  })

  it('reaches every target, and mostly with bytes that differ from what it started from', () => {
    const cases = Array.from({ length: 500 }, (_, number) => makeCase(corpus, SEED, number))
    expect(new Set(cases.map(({ target }) => target.name)).size).toBe(TARGETS.length)
    const started = new Set(STARTED.map(bytes => bytes.toString('hex')))
    expect(cases.filter(({ bytes }) => !started.has(bytes.toString('hex'))).length).toBeGreaterThan(450)
  })

  it('starts from what is good, and gets past signatures where it signs anew', () => {
    const [root, sub] = corpus.certificates.map(parseCertificate)
    if (root === undefined || sub === undefined) throw new Error('expected a chain')
    const judge = judgeOf(corpus)
    for (const bytes of corpus.messages)
      expect(verifySignedData({ message: parseSignedData(bytes), at: AT, judge })).toMatchObject({ reason: 'GOOD' })
    for (const bytes of corpus.seals)
      expect(verifySeal({ seal: parseSeal(bytes), at: AT, judge })).toMatchObject({ reason: 'GOOD' })
    let good = 0
    for (let number = 0; number < 1000; number += 1) {
      const { target, bytes } = makeCase(corpus, SEED, number)
      if (target.name !== 'certificate, signed anew') continue
      const { value: leaf } = attempt(() => parseCertificate(bytes))
      const question = { intermediates: [sub], anchors: [root], crls: [], at: AT, revocation: 'ignored' } as const
      if (leaf !== undefined && validatePath({ ...question, leaf }).result === 'good') good += 1
    }
    expect(good).toBeGreaterThan(3)
  })

  it('writes every tree as it was read', () => {
    for (const bytes of STARTED) {
      const tree = readTree(bytes)
      expect(tree).not.toBeNull()
      if (tree === null) continue
      expect(writeTree(copyOf(tree))).toEqual(bytes)
      expect(everyOf(tree).length).toBeGreaterThan(20)
    }
  })

  it('finds an exception and makes its input small', () => {
    const target = {
      name: 'a reader that cannot count to nine',
      share: 1,
      make: () => Buffer.of(),
      run: (_: unknown, bytes: Buffer) => {
        if (bytes.includes(9)) throw new RangeError('nine')
      },
    }
    const one: Case = { number: 0, target, bytes: Buffer.concat([Buffer.alloc(500, 1), Buffer.of(9), Buffer.alloc(300, 2)]) }
    const fault = runInput(corpus, target, one.bytes)
    expect(fault).toEqual({ kind: 'exception', message: 'RangeError: nine' })
    if (fault !== null) expect(shrink(corpus, one, fault)).toEqual(Buffer.of(9))
  })

  it('runs in threads, to the last case', { timeout: 60_000 }, async () => {
    expect(await runCampaign({ cases: 200, seed: SEED, jobs: 2 }, () => {})).toMatchObject({ cases: 200, seed: SEED, failures: [] })
  })
})
