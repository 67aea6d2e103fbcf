import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { sm2 } from 'sm-crypto-v2'
import { afterAll, describe, expect, test } from 'vitest'
import { isExchangeError } from '../errors.ts'
import { type Certificate, parseCertificate } from './certificate.ts'
import type { Finding, Judge } from './checks.ts'
import { parseEnvelopedData } from './enveloped-data.ts'
import { encryptionCertificatesFor, type OutlookQuestion, outlookOfMessage } from './opening-outlook.ts'
import {
  certificate,
  commonName,
  context,
  extension,
  int,
  NOT_BEFORE,
  nil,
  oct,
  oid,
  p256Key,
  pem,
  printable,
  rsaKey,
  type SampleCertificate,
  seq,
  setOf,
  sm2Key,
} from './sample-der.ts'

const DAY = 86_400_000
const NOW = NOT_BEFORE + 100 * DAY
const OPENS = NOW + 20 * DAY
const ORGANISATION = '1.2.156.10260.4.1.4'

const ca = certificate({ subject: commonName('示例认证机构', 'CA'), key: sm2Key(), ca: true })
const subject = commonName('示例建设公司', '示例建设公司')
const issue = (serial: number, more: Partial<Parameters<typeof certificate>[0]> = {}): SampleCertificate =>
  certificate({ subject, key: sm2Key(), issuer: ca, serial, ...more })
const ENCRYPTS = { usages: ['keyEncipherment', 'dataEncipherment'] as const }

const signing = issue(0x10)
const encrypting = issue(0x11, ENCRYPTS)
const rsaEncrypting = issue(0x12, { ...ENCRYPTS, key: rsaKey() })
const ecEncrypting = issue(0x13, { usages: ['keyAgreement'], key: p256Key() })

const CONTENT = Buffer.alloc(5000, 7)
type Enveloped = {
  readonly keyBytes?: number
  readonly encryptedKey?: Buffer
  readonly keyAlgorithm?: string
  readonly signed?: boolean
  readonly content?: Buffer
  readonly contentAlgorithm?: string
}

/** An encrypted message of GB/T 35275. Its content is no ciphertext: nobody here would know. */
function enveloped(recipients: readonly SampleCertificate[], what: Enveloped = {}): Buffer {
  const infos = recipients.map(({ issuer, serial, key }) => {
    const point = key.spki.subarray(-65).toString('hex')
    const cipher = sm2.doEncrypt(Buffer.alloc(what.keyBytes ?? 16, 1), point, 1, { asn1: true })
    const algorithm = seq(oid(what.keyAlgorithm ?? '1.2.156.10197.1.301.3'), nil())
    return seq(int(1), seq(issuer, serial), algorithm, oct(what.encryptedKey ?? Buffer.from(cipher, 'hex')))
  })
  const iv = oct(Buffer.alloc(16))
  const content = seq(
    oid('1.2.156.10197.6.1.4.2.1'),
    seq(oid(what.contentAlgorithm ?? '1.2.156.10197.1.104.2'), iv),
    context(0, what.content ?? CONTENT, false),
  )
  const arc = what.signed === true ? '4' : '3'
  const parts = [int(1), setOf(...infos), ...(what.signed === true ? [setOf(seq(oid('1.2.156.10197.1.401')))] : []), content]
  return seq(oid(`1.2.156.10197.6.1.4.2.${arc}`), context(0, seq(...parts, ...(what.signed === true ? [setOf()] : []))))
}

const good: Judge = () => ({ result: 'good', reason: 'GOOD' })
const parsed = (...certificates: readonly SampleCertificate[]): Certificate[] =>
  certificates.map(({ der }) => parseCertificate(der))
const outlook = (bytes: Uint8Array, known: readonly SampleCertificate[], more: Partial<OutlookQuestion<Finding>> = {}) =>
  outlookOfMessage<Finding>({
    message: parseEnvelopedData(bytes),
    known: parsed(...known),
    now: NOW,
    opensAt: OPENS,
    judge: good,
    ...more,
  })

describe('an encrypted message', () => {
  test('of GB/T 35275 says for whom it is and how, without a key', () => {
    for (const signed of [false, true]) {
      const message = parseEnvelopedData(enveloped([encrypting, rsaEncrypting].slice(0, 1), { signed }))
      expect(message).toMatchObject({
        form: 'gm',
        type: signed ? 'signedAndEnvelopedData' : 'envelopedData',
        contentType: '1.2.156.10197.6.1.4.2.1',
        contentBytes: CONTENT.length,
        whole: true,
      })
      expect(message.recipients).toMatchObject([
        { kind: 'transport', holder: { kind: 'issuer-serial', serial: '11' }, encryptedKey: { form: 'sm2-cipher', keyBytes: 16 } },
      ])
    }
  })

  test('is read from its beginning, as soon as recipients and algorithms are there', () => {
    const bytes = enveloped([encrypting], { content: Buffer.alloc(200_000, 7) })
    const whole = parseEnvelopedData(bytes)
    let read = 0
    for (let length = 0; length < 1200; length += 1) {
      let message: ReturnType<typeof parseEnvelopedData>
      try {
        message = parseEnvelopedData(bytes.subarray(0, length), { partial: true })
      } catch (error) {
        expect(isExchangeError(error) && error.code).toBe('SIGNATURE_MALFORMED')
        continue
      }
      read += 1
      expect(message).toMatchObject({ recipients: whole.recipients, contentAlgorithm: whole.contentAlgorithm, whole: false })
    }
    expect(read).toBeGreaterThan(500)
    expect(() => parseEnvelopedData(bytes.subarray(0, 1000))).toThrow(/SIGNATURE_MALFORMED/)
  })

  test('in any bytes whatever is read or refused, and never anything else', () => {
    const bytes = enveloped([encrypting])
    fc.assert(
      fc.property(fc.nat(400), fc.nat(255), fc.boolean(), (place, octet, partial) => {
        const changed = Buffer.from(bytes)
        changed[place] = octet
        try {
          outlookOfMessage({
            message: parseEnvelopedData(changed, { partial }),
            known: parsed(encrypting),
            now: NOW,
            opensAt: OPENS,
            judge: good,
          })
        } catch (error) {
          expect(isExchangeError(error) && error.code).toMatch(/^SIGNATURE_(MALFORMED|KIND_UNKNOWN)$/)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('the outlook on an opening', () => {
  test('is good for a known encryption certificate that is in force then', () => {
    expect(outlook(enveloped([encrypting]), [signing, encrypting])).toMatchObject({
      result: 'good',
      reason: 'GOOD',
      contentAlgorithm: 'sm4-cbc',
    })
  })

  test('cannot be told for a recipient whose certificate is not known', () => {
    expect(outlook(enveloped([encrypting]), [signing])).toMatchObject({ result: 'unchecked', reason: 'RECIPIENT_UNKNOWN' })
  })

  test('is bad for the signing certificate of the pair, and for nobody', () => {
    expect(outlook(enveloped([signing]), [signing, encrypting]).reason).toBe('RECIPIENT_NOT_ENCRYPTION')
    expect(outlook(enveloped([]), [encrypting]).reason).toBe('RECIPIENT_MISSING')
  })

  test('asks for a certificate to encrypt to and none to sign with where the authority issues pairs', () => {
    const both = issue(0x14, { usages: ['digitalSignature', 'keyEncipherment'] })
    expect(outlook(enveloped([both]), [both]).reason).toBe('RECIPIENT_NOT_ENCRYPTION')
    expect(outlook(enveloped([both]), [both], { pair: () => 'single' }).result).toBe('good')
  })

  test('is bad where the certificate runs out before the opening and nothing follows it', () => {
    const ending = issue(0x15, { ...ENCRYPTS, notAfter: OPENS - DAY })
    expect(outlook(enveloped([ending]), [ending])).toMatchObject({ result: 'bad', reason: 'RECIPIENT_EXPIRES' })
  })

  test('depends on the old device where the certificate was replaced, revoked ones included', () => {
    const successor = issue(0x90, { ...ENCRYPTS, notBefore: NOW - DAY })
    const replaced = outlook(enveloped([encrypting]), [encrypting, successor])
    expect(replaced).toMatchObject({ result: 'unchecked', reason: 'RECIPIENT_KEY_REPLACED' })
    expect(replaced.recipients[0]?.replacedBy?.serial).toBe('0090')
    const judge: Judge = () => ({ result: 'bad', reason: 'REVOKED' })
    expect(outlook(enveloped([encrypting]), [encrypting, successor], { judge }).reason).toBe('RECIPIENT_KEY_REPLACED')
    expect(outlook(enveloped([encrypting]), [encrypting], { judge })).toMatchObject({ result: 'bad', reason: 'REVOKED' })
  })

  test('is good where a newer certificate carries the same key on', () => {
    const ending = issue(0x16, { ...ENCRYPTS, notAfter: OPENS - DAY })
    const renewed = issue(0x17, { ...ENCRYPTS, key: ending.key, notBefore: NOW - DAY })
    expect(outlook(enveloped([ending]), [ending, renewed]).result).toBe('good')
  })

  test('is bad for a key of another kind, a broken key, and a key of the wrong length', () => {
    const rsa = outlook(enveloped([{ ...encrypting, serial: rsaEncrypting.serial }]), [rsaEncrypting])
    expect(rsa.reason).toBe('RECIPIENT_KEY_DIFFERS')
    expect(outlook(enveloped([encrypting], { encryptedKey: Buffer.alloc(112, 4) }), [encrypting]).reason).toBe(
      'ENCRYPTED_KEY_MALFORMED',
    )
    expect(outlook(enveloped([encrypting], { keyBytes: 24 }), [encrypting]).reason).toBe('ENCRYPTED_KEY_MALFORMED')
    expect(outlook(enveloped([encrypting], { contentAlgorithm: '1.2.3' }), [encrypting])).toMatchObject({
      result: 'unchecked',
      reason: 'ENCRYPTION_ALGORITHM_UNKNOWN',
    })
  })

  test('is that of the recipients who are known, of whom one is enough', () => {
    const ending = issue(0x18, { ...ENCRYPTS, notAfter: OPENS - DAY })
    expect(outlook(enveloped([ending, encrypting]), [ending, encrypting]).result).toBe('good')
    expect(outlook(enveloped([ending, encrypting]), [ending]).reason).toBe('RECIPIENT_EXPIRES')
  })
})

describe('the encryption certificate of a holder', () => {
  const found = (known: readonly SampleCertificate[], pair: 'separate' | 'single' = 'separate'): string[] =>
    encryptionCertificatesFor(parseCertificate(signing.der), parsed(...known), NOW, pair).map(({ serial }) => serial)

  test('has the same subject and issuer and a key to encrypt to, the newest first', () => {
    const newer = issue(0x30, { ...ENCRYPTS, notBefore: NOW - DAY })
    const gone = issue(0x31, { ...ENCRYPTS, notAfter: NOW - DAY })
    const later = issue(0x32, { ...ENCRYPTS, notBefore: NOW + DAY })
    expect(found([signing, encrypting, newer, gone, later])).toEqual(['30', '11'])
  })

  test('is not the neighbour in the numbers of the authority', () => {
    const neighbour = certificate({
      subject: commonName('其他公司', '其他公司'),
      key: sm2Key(),
      issuer: ca,
      serial: 0x11,
      ...ENCRYPTS,
    })
    const foreign = certificate({
      subject,
      key: sm2Key(),
      issuer: certificate({ subject: commonName('其他机构', 'CA 2'), key: sm2Key(), ca: true }),
      serial: 0x11,
      ...ENCRYPTS,
    })
    expect(found([neighbour, foreign])).toEqual([])
  })

  test('is not that of a namesake with another code', () => {
    const code = (text: string): readonly Buffer[] => [extension(ORGANISATION, printable(text))]
    const mine = issue(0x40, { extensions: code('91520000322445669R') })
    const own = issue(0x41, { ...ENCRYPTS, extensions: code('91520000322445669R') })
    const namesake = issue(0x42, { ...ENCRYPTS, extensions: code('91530000767084556F') })
    const pairs = encryptionCertificatesFor(parseCertificate(mine.der), parsed(own, namesake), NOW, 'separate')
    expect(pairs.map(({ serial }) => serial)).toEqual(['41'])
  })
})

const folder = mkdtempSync(join(tmpdir(), 'hutong-enveloped-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const openssl = (...args: readonly string[]): Buffer =>
  execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
const hasOpenssl = ((): boolean => {
  try {
    return openssl('version').toString().startsWith('OpenSSL 3')
  } catch {
    process.stdout.write('skipped: the openssl command (3.0 or later) is not here, so no message of its own is read\n')
    return false
  }
})()

test.runIf(hasOpenssl).each([
  ['rsa-pkcs1', rsaEncrypting, 'aes-256-cbc', ['-keyopt', 'rsa_padding_mode:pkcs1'], 'transport'],
  ['rsa-oaep', rsaEncrypting, 'aes-128-cbc', ['-keyopt', 'rsa_padding_mode:oaep'], 'transport'],
  ['ecdh', ecEncrypting, 'aes-256-cbc', [], 'agreement'],
] as const)(
  'a message that the openssl command encrypted is read, by name and by key identifier: %s',
  (name, to, cipher, options, kind) => {
    writeFileSync(join(folder, 'to'), pem('CERTIFICATE', to.der))
    writeFileSync(join(folder, 'content'), CONTENT)
    for (const how of [[], ['-keyid'], ['-stream']]) {
      const args = ['-encrypt', '-binary', `-${cipher}`, '-in', 'content', '-outform', 'DER', '-out', 'out', ...how, '-recip', 'to']
      openssl('cms', ...args, ...options)
      const bytes = readFileSync(join(folder, 'out'))
      const message = parseEnvelopedData(bytes)
      expect(message.recipients).toMatchObject([{ kind }])
      const verdict = outlook(bytes, [to], { pair: () => 'single' })
      const known = name !== 'ecdh'
      expect(verdict, name).toMatchObject(known ? { result: 'good' } : { recipients: [{ certificate: expect.anything() }] })
      expect(parseEnvelopedData(bytes.subarray(0, -3000), { partial: true }).recipients).toEqual(message.recipients)
    }
  },
)
