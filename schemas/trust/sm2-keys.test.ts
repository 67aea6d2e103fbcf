import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type Certificate, parseCertificate, type SubjectKey, subjectKeyOf } from './certificate.ts'
import { readDer } from './der.ts'
import { KEY_LIMITS, WORK_LIMITS } from './limits.ts'
import { validatePath } from './path-validation.ts'
import { checkUnits, importKey, isTableDue, keyFactsOf } from './public-keys.ts'
import { bits, certificate, commonName, int, NOT_BEFORE, nil, oid, seq, sm2Key } from './sample-der.ts'
import { verifySignature } from './signature-algorithms.ts'
import { CHECKS_BEFORE_TABLE, SM2_UNITS, tablesHeld } from './sm2-keys.ts'

const AT = NOT_BEFORE + 400 * 86_400_000
const who = (text: string): Buffer => commonName('示例认证机构', text)
const keyOf = (spki: Buffer): SubjectKey => subjectKeyOf(readDer(spki))
const MESSAGE = Buffer.from('what is signed')
const SM2_WITH_SM3 = { oid: '1.2.156.10197.1.501' }

describe('a key of SM2', () => {
  const pair = sm2Key()
  const key = keyOf(pair.spki)
  const input = { algorithm: SM2_WITH_SM3, key, message: MESSAGE, signature: pair.sign(MESSAGE) }

  test('has a table of its points once that pays, and only where one may be made', () => {
    for (let check = 0; check < CHECKS_BEFORE_TABLE; check += 1) {
      expect([isTableDue(key), checkUnits(key)]).toEqual([false, SM2_UNITS.plain])
      expect(verifySignature(input)).toBe('good')
    }
    expect(verifySignature({ ...input, mayMakeTable: false })).toBe('good')
    expect([isTableDue(key), checkUnits(key)]).toEqual([true, SM2_UNITS.plain])
    const held = tablesHeld()
    expect(verifySignature(input)).toBe('good')
    expect([isTableDue(key), checkUnits(key), tablesHeld()]).toEqual([false, SM2_UNITS.prepared, held + 1])
    expect(verifySignature(input)).toBe('good')
    expect(verifySignature({ ...input, message: Buffer.from('another') })).toBe('bad')
  })

  test('of a certificate that is read again is the key that was used before', () => {
    expect(importKey(keyOf(pair.spki))).toBe(importKey(key))
  })
})

describe('a crowd of CAs with one name and keys of SM2', () => {
  const root = certificate({ subject: who('root'), key: sm2Key(), ca: true })
  const signer = certificate({ subject: who('sub'), key: sm2Key(), ca: true, issuer: root, serial: 2 })
  const leaf = certificate({ subject: who('leaf'), key: sm2Key(), issuer: signer, serial: 3 })
  const crowd = Array.from({ length: 120 }, (_, index) =>
    certificate({ subject: who('sub'), key: sm2Key(), ca: true, issuer: root, serial: index + 10 }),
  )
  const ask = (intermediates: readonly Certificate[]) =>
    validatePath({
      leaf: parseCertificate(leaf.der),
      intermediates,
      anchors: [parseCertificate(root.der)],
      crls: [],
      at: AT,
      revocation: 'ignored',
    })
  const strangers = crowd.map(({ der }) => parseCertificate(der))

  test('costs the checks that the bound on their units allows, and no table', () => {
    const held = tablesHeld()
    const verdict = ask(strangers)
    expect(verdict).toMatchObject({ result: 'unchecked', reason: 'WORK_LIMIT', detail: 'the bound on signatureUnits is reached' })
    // the one that is refused is counted, and not made
    expect(verdict.work.signatures - 1).toBe(Math.floor(WORK_LIMITS.signatureUnits / SM2_UNITS.plain))
    expect(tablesHeld()).toBe(held)
  })

  test('does not hide the one that the key identifier names', () => {
    expect(ask([...strangers, parseCertificate(signer.der)])).toMatchObject({ result: 'good', work: { signatures: 2 } })
  })
})

test('a question makes one table, however many of its keys have earned one', () => {
  const root = certificate({ subject: who('root of three'), key: sm2Key(), ca: true })
  const high = certificate({ subject: who('high'), key: sm2Key(), ca: true, issuer: root, serial: 2 })
  const low = certificate({ subject: who('low'), key: sm2Key(), ca: true, issuer: high, serial: 3 })
  const leaf = certificate({ subject: who('leaf of three'), key: sm2Key(), issuer: low, serial: 4 })
  const [anchor, ...rest] = [root, high, low, leaf].map(({ der }) => parseCertificate(der))
  const ask = () =>
    validatePath({
      leaf: parseCertificate(leaf.der),
      intermediates: rest,
      anchors: anchor === undefined ? [] : [anchor],
      crls: [],
      at: AT,
      revocation: 'ignored',
    }).result
  for (let times = 0; times < CHECKS_BEFORE_TABLE; times += 1) expect(ask()).toBe('good')
  const held = tablesHeld()
  const after = [1, 2, 3, 4].map(() => [ask(), tablesHeld() - held])
  expect(after).toEqual([1, 2, 3, 3].map(tables => ['good', tables]))
})

describe('a key that costs more than keys do', () => {
  const rsa = (modulus: number, exponent: Buffer): SubjectKey => {
    const number = Buffer.alloc(modulus / 8, 0xff)
    return keyOf(seq(seq(oid('1.2.840.113549.1.1.1'), nil()), bits(seq(int(number), int(exponent)))))
  }
  const F4 = Buffer.of(1, 0, 1)

  test('is not used at all', () => {
    expect(keyFactsOf(rsa(KEY_LIMITS.rsaBits, F4))).toMatchObject({ bits: KEY_LIMITS.rsaBits })
    expect(keyFactsOf(rsa(KEY_LIMITS.rsaBits + 8, F4))).toEqual({ reason: 'KEY_UNSUPPORTED' })
    expect(keyFactsOf(rsa(2048, Buffer.alloc(8, 0xff)))).toMatchObject({ bits: 2048 })
    expect(keyFactsOf(rsa(2048, Buffer.alloc(9, 0xff)))).toEqual({ reason: 'KEY_UNSUPPORTED' })
    const dsa = (p: number, q: number): SubjectKey =>
      keyOf(seq(seq(oid('1.2.840.10040.4.1'), seq(int(Buffer.alloc(p / 8, 0xff)), int(Buffer.alloc(q / 8, 0xff)))), bits(int(5))))
    expect(keyFactsOf(dsa(3072, 256))).toMatchObject({ bits: 3072 })
    expect(keyFactsOf(dsa(4096, 256))).toEqual({ reason: 'KEY_UNSUPPORTED' })
    expect(keyFactsOf(dsa(3072, 3072))).toEqual({ reason: 'KEY_UNSUPPORTED' })
  })

  test('or is counted as what it costs', () => {
    const units = (key: SubjectKey): number => {
      const facts = keyFactsOf(key)
      return 'reason' in facts ? 0 : facts.units
    }
    expect(units(rsa(2048, F4))).toBe(1)
    expect(units(rsa(16_384, Buffer.alloc(8, 0xff)))).toBeGreaterThan(50)
    const curves = ['P-256', 'P-384', 'P-521'].map(namedCurve =>
      units(keyOf(generateKeyPairSync('ec', { namedCurve }).publicKey.export({ type: 'spki', format: 'der' }))),
    )
    expect(curves).toEqual([1, 8, 18])
  })

  test('of a curve without a row is neither good nor bad', () => {
    const spki = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ type: 'spki', format: 'der' })
    const input = { algorithm: { oid: '1.2.840.10045.4.3.2' }, key: keyOf(spki), message: MESSAGE, signature: Buffer.of(0x30, 0) }
    expect(verifySignature(input)).toEqual({ unchecked: 'KEY_UNSUPPORTED' })
  })
})
