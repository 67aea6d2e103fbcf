import { execFileSync } from 'node:child_process'
import { constants, createHash, createPrivateKey, generateKeyPairSync, sign as nodeSign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sm2 } from 'sm-crypto-v2'
import { afterAll, describe, expect, test } from 'vitest'
import { parseCertificate } from './certificate.ts'
import type { Judge } from './checks.ts'
import { verifyCurveDigest } from './digest-signatures.ts'
import { type RawSignatureQuestion, verifyRawSignature } from './raw-signature.ts'
import {
  certificate,
  commonName,
  ed25519Key,
  NOT_BEFORE,
  p256Key,
  pem,
  privatePem,
  rsaKey,
  type SampleKey,
  sm2Key,
} from './sample-der.ts'

const AT = NOT_BEFORE + 86_400_000
const BYTES = Buffer.from('中标通知书')
const trusting: Judge = () => ({ result: 'good', reason: 'GOOD' })
const leafOf = (key: SampleKey) => parseCertificate(certificate({ subject: commonName('示例', 'Raw'), key }).der)
const keys = { rsa: rsaKey(), p256: p256Key(), ed25519: ed25519Key(), sm2: sm2Key() }
const leaves = Object.fromEntries(Object.entries(keys).map(([kind, key]) => [kind, leafOf(key)])) as {
  [kind in keyof typeof keys]: ReturnType<typeof leafOf>
}

const judged = (kind: keyof typeof keys, signature: Uint8Array, rest: Partial<RawSignatureQuestion> = {}) =>
  verifyRawSignature({ certificate: leaves[kind], content: { bytes: BYTES }, signature, at: AT, judge: trusting, ...rest })

const digest = (algorithm: string, hash: string): Pick<RawSignatureQuestion, 'content'> => ({
  content: { digest: { algorithm, value: createHash(hash).update(BYTES).digest() } },
})

/** r ‖ s of a DER signature over a curve of 32 bytes. */
function raw(der: Buffer): Buffer {
  const halves: Buffer[] = []
  for (let at = 2; at < der.length; at += 2 + (der[at + 1] ?? 0)) {
    const number = der
      .subarray(at + 2, at + 2 + (der[at + 1] ?? 0))
      .toString('hex')
      .replace(/^00/, '')
    halves.push(Buffer.from(number.padStart(64, '0'), 'hex'))
  }
  return Buffer.concat(halves)
}

describe('a raw signature', () => {
  test.each(Object.keys(keys) as (keyof typeof keys)[])(
    'over bytes is good with the usual algorithm of the key, bad over others: %s',
    kind => {
      const signature = keys[kind].sign(BYTES)
      expect(judged(kind, signature)).toMatchObject({ result: 'good', reason: 'GOOD' })
      expect(judged(kind, signature, { content: { bytes: Buffer.from('废标通知书') } }).reason).toBe('DOCUMENT_SIGNATURE_BAD')
    },
  )

  test.each(['p256', 'sm2'] as const)('may be r ‖ s where that is said, and is not taken for it where it is not: %s', kind => {
    for (let round = 0; round < 40; round += 1) {
      const signature = raw(keys[kind].sign(BYTES))
      expect(judged(kind, signature, { form: 'raw' }).result).toBe('good')
      expect(judged(kind, signature).result).toBe('bad')
    }
    for (const length of [0, 1, 63, 64, 65, 500]) expect(judged(kind, Buffer.alloc(length), { form: 'raw' }).result).toBe('bad')
  })

  test('over a digest is good with RSA, ECDSA and SM2', () => {
    expect(judged('rsa', keys.rsa.sign(BYTES), digest('SHA-256', 'sha256')).result).toBe('good')
    expect(judged('p256', keys.p256.sign(BYTES), digest('sha256', 'sha256')).result).toBe('good')
    expect(judged('p256', raw(keys.p256.sign(BYTES)), { ...digest('SHA256', 'sha256'), form: 'raw' }).result).toBe('good')
    const point = Buffer.from(leaves.sm2.key.bits).toString('hex')
    const e = Buffer.from(sm2.getHash(BYTES, point, '1234567812345678'), 'hex')
    const content = { digest: { algorithm: 'SM3', value: e } }
    expect(judged('sm2', keys.sm2.sign(BYTES), { content }).result).toBe('good')
    // the plain digest of the message is not what SM2 signs
    expect(judged('sm2', keys.sm2.sign(BYTES), digest('SM3', 'sm3')).result).toBe('bad')
  })

  test('over a digest of the wrong length, kind or bits is bad', () => {
    const signature = keys.rsa.sign(BYTES)
    expect(judged('rsa', signature, digest('SHA-512', 'sha512')).reason).toBe('SIGNATURE_ALGORITHMS_DISAGREE')
    expect(judged('rsa', signature, digest('SHA-1', 'sha1')).reason).toBe('DIGEST_ALGORITHM_WEAK')
    expect(judged('rsa', signature, { content: { digest: { algorithm: 'SHA-256', value: Buffer.alloc(31) } } }).result).toBe('bad')
    expect(judged('rsa', signature, { content: { digest: { algorithm: 'WHIRLPOOL', value: Buffer.alloc(64) } } }).result).toBe(
      'unchecked',
    )
    expect(judged('rsa', signature.subarray(1), digest('SHA-256', 'sha256')).result).toBe('bad')
  })

  test('is RSA-PSS where that is named', () => {
    const key = createPrivateKey({ key: keys.rsa.pkcs8, format: 'der', type: 'pkcs8' })
    const padding = constants.RSA_PKCS1_PSS_PADDING
    const signature = nodeSign('sha384', BYTES, { key, padding, saltLength: 48 })
    expect(judged('rsa', signature, { algorithm: 'rsa-pss-sha384' }).result).toBe('good')
    expect(judged('rsa', signature, { algorithm: 'rsa-sha384' }).result).toBe('bad')
  })

  test('under an algorithm that is unknown, weak or not of the key is not good', () => {
    const signature = keys.rsa.sign(BYTES)
    expect(judged('rsa', signature, { algorithm: '1.2.3' })).toMatchObject({
      result: 'unchecked',
      reason: 'SIGNATURE_ALGORITHM_UNSUPPORTED',
    })
    expect(judged('rsa', signature, { algorithm: 'rsa-sha1' }).reason).toBe('SIGNATURE_ALGORITHM_REFUSED')
    expect(judged('rsa', signature, { algorithm: 'ecdsa-sha256' }).result).toBe('bad')
  })

  test('is no better than its certificate', () => {
    const judge: Judge = () => ({ result: 'unchecked', reason: 'REVOCATION_UNKNOWN' })
    expect(judged('rsa', keys.rsa.sign(BYTES), { judge })).toMatchObject({ result: 'unchecked', reason: 'REVOCATION_UNKNOWN' })
    expect(judged('rsa', Buffer.alloc(256), { judge })).toMatchObject({ result: 'bad', reason: 'DOCUMENT_SIGNATURE_BAD' })
  })
})

test.each(['P-256', 'P-384'] as const)(
  'the equation on %s agrees with Node.js over messages, for right and wrong digests',
  namedCurve => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
    const spki = publicKey.export({ type: 'spki', format: 'der' })
    const size = namedCurve === 'P-256' ? 32 : 48
    const point = spki.subarray(spki.length - 1 - 2 * size)
    const curve = namedCurve === 'P-256' ? '1.2.840.10045.3.1.7' : '1.3.132.0.34'
    for (const hash of ['sha256', 'sha384', 'sha512'])
      for (let round = 0; round < 5; round += 1) {
        const message = Buffer.from(`${round}`)
        const signature = nodeSign(hash, message, { key: privateKey, dsaEncoding: 'ieee-p1363' })
        const numbers = { r: signature.subarray(0, size), s: signature.subarray(size) }
        const value = createHash(hash).update(message).digest()
        expect(verifyCurveDigest(curve, point, value, numbers)).toBe(true)
        value[0] = (value[0] ?? 0) ^ 1
        expect(verifyCurveDigest(curve, point, value, numbers)).toBe(false)
        expect(verifyCurveDigest(curve, point, value, { r: Buffer.alloc(size), s: numbers.s })).toBe(false)
      }
    expect(verifyCurveDigest(curve, Buffer.alloc(1 + 2 * size, 4), Buffer.alloc(32), { r: Buffer.of(1), s: Buffer.of(1) })).toBe(
      false,
    )
  },
)

const folder = mkdtempSync(join(tmpdir(), 'hutong-raw-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const openssl = (...args: readonly string[]): Buffer =>
  execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
const hasOpenssl = ((): boolean => {
  try {
    return openssl('version').toString().startsWith('OpenSSL 3')
  } catch {
    process.stdout.write('skipped: the openssl command (3.0 or later) is not here, so SM2 is not cross-checked against it\n')
    return false
  }
})()

test.runIf(hasOpenssl)('an SM2 signature of the openssl command is good here, and one from here is good there', () => {
  writeFileSync(join(folder, 'key'), privatePem(keys.sm2))
  writeFileSync(join(folder, 'pub'), pem('PUBLIC KEY', keys.sm2.spki))
  writeFileSync(join(folder, 'bytes'), BYTES)
  const signature = openssl('dgst', '-sm3', '-sigopt', 'distid:1234567812345678', '-sign', 'key', 'bytes')
  expect(judged('sm2', signature).result).toBe('good')
  writeFileSync(join(folder, 'signature'), keys.sm2.sign(BYTES))
  const said = openssl('dgst', '-sm3', '-sigopt', 'distid:1234567812345678', '-verify', 'pub', '-signature', 'signature', 'bytes')
  expect(said.toString()).toContain('Verified OK')
})
