import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { isExchangeError } from '../errors.ts'
import { parseCertificate } from './certificate.ts'
import type { Content } from './cms-verification.ts'
import { pathJudge } from './path-judge.ts'
import { certificate, commonName, extension, NOT_AFTER, NOT_BEFORE, oid, pem, rsaKey, seq, sm2Key, utf8 } from './sample-der.ts'
import { type SampleSeal, type SampleSealSignature, sampleSeal, sampleSealSignature, sampleTimestamp } from './sample-seals.ts'
import { parseSeal, parseSealSignature, verifySeal, verifySealSignature } from './seal.ts'
import type { SealEdition, Signed } from './seal-parts.ts'

const DAY = 86_400_000
const AT = NOT_BEFORE + 400 * DAY
const SEALED = AT - 10 * DAY
const DOCUMENT = Buffer.from('中标通知书')
const EDITIONS: readonly SealEdition[] = ['GM/T 0031-2014', 'GB/T 38540-2020']

const pki = (make: typeof sm2Key | typeof rsaKey, tag: string) => {
  const ca = certificate({ subject: commonName('示例认证机构', `CA ${tag}`), key: make(), ca: true })
  const issue = (text: string, serial: number, more: Partial<Parameters<typeof certificate>[0]> = {}) =>
    certificate({ subject: commonName('示例建设公司', text), key: make(), issuer: ca, serial, ...more })
  return {
    ca,
    maker: issue('maker', 2),
    signer: issue('signer', 3),
    other: issue('other', 4),
    encrypter: issue('encrypter', 5, { usages: ['keyEncipherment'] }),
    authority: issue('time', 6, { extensions: [extension('2.5.29.37', seq(oid('1.3.6.1.5.5.7.3.8')), true)] }),
    makerGone: issue('old maker', 7, { notAfter: SEALED - DAY }),
    signerGone: issue('old signer', 8, { notAfter: SEALED - DAY }),
    judge: pathJudge({ anchors: [parseCertificate(ca.der)], intermediates: [], crls: [], revocation: 'ignored' }),
  }
}
const SM2 = pki(() => sm2Key(), 'SM2')
const RSA = pki(rsaKey, 'RSA')
const validity = { createdAt: NOT_BEFORE + DAY, validFrom: NOT_BEFORE + DAY, validUntil: NOT_AFTER - DAY }

const sealOf = (edition: SealEdition, more: Partial<SampleSeal> = {}, from = SM2): Buffer =>
  sampleSeal({ edition, maker: from.maker, holders: [from.signer], ...validity, ...more })
const signatureOf = (edition: SealEdition, more: Partial<SampleSealSignature> = {}, from = SM2): Buffer =>
  sampleSealSignature({ edition, seal: sealOf(edition, {}, from), signer: from.signer, at: SEALED, document: DOCUMENT, ...more })

const judgedSeal = (bytes: Uint8Array, at = AT, { judge } = SM2) => verifySeal({ seal: parseSeal(bytes), at, judge })
const judged = (bytes: Uint8Array, document: Content | null = { bytes: DOCUMENT }, { judge } = SM2) =>
  verifySealSignature({ signature: parseSealSignature(bytes), at: AT, judge, ...(document === null ? {} : { document }) })

describe.each(EDITIONS)('a seal of %s', edition => {
  test('is read whole and is good', () => {
    const seal = parseSeal(sealOf(edition))
    expect(seal).toMatchObject({ edition, id: '52000000000001', vendor: 'SAMPLE', type: 1, name: '示例建设公司公章', ...validity })
    expect(seal.picture).toMatchObject({ type: 'PNG', width: 40, height: 40 })
    expect(judgedSeal(sealOf(edition))).toMatchObject({ result: 'good', reason: 'GOOD' })
    expect(judgedSeal(sealOf(edition, {}, RSA), AT, RSA)).toMatchObject({ result: 'good' })
  })

  test('is bad with any bit of its information, certificate or signature changed', () => {
    const bytes = sealOf(edition)
    const { maker } = parseSeal(bytes)
    const name = bytes.indexOf(Buffer.from('示例建设公司公章'))
    for (const place of [name, bytes.indexOf(maker.signature) + maker.signature.length - 1]) {
      const changed = Buffer.from(bytes)
      changed[place] = (changed[place] ?? 0) ^ 1
      expect(judgedSeal(changed)).toMatchObject({ result: 'bad', reason: 'SEAL_SIGNATURE_BAD' })
    }
  })

  test('is judged by the chain of its maker', () => {
    expect(judgedSeal(sealOf(edition), AT, RSA)).toMatchObject({
      result: 'unchecked',
      reason: 'ISSUER_UNKNOWN',
      check: 'maker-certificate',
    })
    expect(judgedSeal(sealOf(edition, { maker: SM2.encrypter }))).toMatchObject({
      reason: 'KEY_USAGE_REFUSED',
      check: 'maker-certificate',
    })
  })

  test('stays good when the certificate of its maker runs out, if it was made before', () => {
    expect(judgedSeal(sealOf(edition, { maker: SM2.makerGone })).result).toBe('good')
    const made = { maker: SM2.makerGone, createdAt: SEALED, validFrom: SEALED }
    expect(judgedSeal(sealOf(edition, made))).toMatchObject({ result: 'bad', reason: 'EXPIRED', check: 'maker-certificate' })
  })

  test('is good within its own validity alone', () => {
    expect(judgedSeal(sealOf(edition), validity.validFrom - 1).reason).toBe('SEAL_NOT_YET_VALID')
    expect(judgedSeal(sealOf(edition, { validUntil: AT - DAY })).reason).toBe('SEAL_EXPIRED')
  })

  test('of another version cannot be checked, with a critical extension it is refused', () => {
    expect(judgedSeal(sealOf(edition, { version: 9 }))).toMatchObject({ result: 'unchecked', reason: 'SEAL_VERSION_UNKNOWN' })
    expect(judgedSeal(sealOf(edition, { criticalExtension: true })).reason).toBe('SEAL_EXTENSION_UNKNOWN')
    expect(judgedSeal(sealOf(edition, { criticalExtension: false })).result).toBe('good')
  })

  test('is refused in form', () => {
    expect(() => parseSeal(sealOf(edition, { header: 'XX' }))).toThrow(/SEAL_MALFORMED/)
    expect(() => parseSeal(sealOf(edition).subarray(0, 200))).toThrow(/SEAL_MALFORMED/)
    expect(() => parseSeal(Buffer.concat([sealOf(edition), Buffer.of(0)]))).toThrow(/SEAL_MALFORMED/)
  })
})

describe.each(EDITIONS)('a signature with a seal of %s', edition => {
  test('is good, and every step is shown with its clause', () => {
    const verdict = judged(signatureOf(edition))
    expect(verdict).toMatchObject({ result: 'good', reason: 'GOOD', sealedAt: SEALED, timeProven: false })
    expect(verdict.checks.map(({ check }) => check)).toEqual([
      'structure',
      'version',
      'extensions',
      'versions',
      'seal-signature',
      'maker-certificate',
      'validity',
      'time',
      'holder',
      'signer-certificate',
      'signature',
      'document',
    ])
    for (const { clause } of verdict.checks) expect(clause).toMatch(/38540|0031/)
    expect(judged(signatureOf(edition, {}, RSA), { bytes: DOCUMENT }, RSA).result).toBe('good')
  })

  test('is over one document: its bytes or its digest', () => {
    const value = createHash('sm3').update(DOCUMENT).digest()
    expect(judged(signatureOf(edition), { digest: { algorithm: 'SM3', value } }).result).toBe('good')
    expect(judged(signatureOf(edition), { digest: { algorithm: 'SHA-256', value } }).reason).toBe('DOCUMENT_DIGEST_DIFFERS')
    expect(judged(signatureOf(edition), { bytes: Buffer.from('废标通知书') }).reason).toBe('DOCUMENT_DIGEST_DIFFERS')
    expect(judged(signatureOf(edition), null)).toMatchObject({ result: 'unchecked', reason: 'DOCUMENT_MISSING' })
  })

  test('is refused from whoever the seal does not name', () => {
    expect(judged(signatureOf(edition, { signer: SM2.other }))).toMatchObject({ result: 'bad', reason: 'SEAL_HOLDER_DIFFERS' })
  })

  test('is refused with the encryption certificate of the holder', () => {
    const seal = sealOf(edition, { holders: [SM2.encrypter] })
    expect(judged(signatureOf(edition, { seal, signer: SM2.encrypter })).reason).toBe('KEY_USAGE_REFUSED')
  })

  test('is judged as of its time: what was good then is good, what had run out is not', () => {
    const expiring = certificate({ subject: SM2.signer.subject, key: sm2Key(), issuer: SM2.ca, serial: 30, notAfter: SEALED + DAY })
    const seal = sealOf(edition, { holders: [expiring, SM2.signerGone], validUntil: SEALED + DAY })
    expect(judged(signatureOf(edition, { seal, signer: expiring })).result).toBe('good')
    expect(judged(signatureOf(edition, { seal, signer: SM2.signerGone })).reason).toBe('EXPIRED')
    expect(judged(signatureOf(edition, { seal, signer: expiring, at: SEALED + 2 * DAY })).reason).toBe('SEAL_EXPIRED')
    expect(judged(signatureOf(edition, { at: AT + DAY })).reason).toBe('SEAL_TIME_LATER')
  })

  test('with one bit changed anywhere is not good', () => {
    const bytes = signatureOf(edition)
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (place, bit) => {
        const changed = Buffer.from(bytes)
        changed[place] = (changed[place] ?? 0) ^ (1 << bit)
        try {
          return judged(changed).result !== 'good'
        } catch (error) {
          return isExchangeError(error) && error.code === 'SEAL_MALFORMED'
        }
      }),
      { numRuns: 120 },
    )
  })

  test('of another version than its seal is bad', () => {
    expect(judged(signatureOf(edition, { version: 7 })).reason).toBe('SEAL_VERSIONS_DIFFER')
  })

  test('around a seal that was changed is bad for the seal', () => {
    const seal = sealOf(edition)
    const place = seal.indexOf(Buffer.from('公章'))
    seal[place + 2] = (seal[place + 2] ?? 0) ^ 1
    expect(judged(signatureOf(edition, { seal }))).toMatchObject({ reason: 'SEAL_SIGNATURE_BAD', check: 'seal-signature' })
  })
})

describe('the newer standard', () => {
  const edition = 'GB/T 38540-2020'

  test('names holders by digests, SM3 unless the type says otherwise', () => {
    for (const digestType of ['SM3', '1.2.156.10197.1.401', 'certHash'])
      expect(judged(signatureOf(edition, { seal: sealOf(edition, { digestType }) })).result, digestType).toBe('good')
    const wrong = sealOf(edition, { digestType: 'SHA-256' })
    expect(judged(signatureOf(edition, { seal: wrong })).reason).toBe('SEAL_HOLDER_DIFFERS')
    const other = sealOf(edition, { digestType: 'SM3', holders: [SM2.other] })
    expect(judged(signatureOf(edition, { seal: other })).reason).toBe('SEAL_HOLDER_DIFFERS')
  })

  test('reports a timestamp: good ones prove the time, others are shown and decide nothing', () => {
    const stamped = (authority: typeof SM2.authority, over?: Uint8Array) =>
      judged(signatureOf(edition, { timestamp: signature => sampleTimestamp(authority, over ?? signature, SEALED + 5000) }))
    expect(stamped(SM2.authority)).toMatchObject({
      result: 'good',
      timeProven: true,
      timestamp: { result: 'good', time: SEALED + 5000 },
    })
    expect(stamped(SM2.authority, Buffer.from('x')).timestamp).toMatchObject({ result: 'bad', reason: 'MESSAGE_DIGEST_DIFFERS' })
    expect(stamped(SM2.other)).toMatchObject({
      result: 'good',
      timeProven: false,
      timestamp: { reason: 'EXTENDED_KEY_USAGE_REFUSED' },
    })
    const broken = judged(signatureOf(edition, { timestamp: () => Buffer.from('no timestamp') }))
    expect(broken).toMatchObject({ result: 'good', timeProven: false, timestamp: { result: 'bad', time: null } })
  })
})

describe('the older standard', () => {
  const edition = 'GM/T 0031-2014'

  test('has its time as DER, as text or as a timestamp', () => {
    const text = new Date(SEALED).toISOString().replace('T', ' ').slice(0, 19)
    expect(judged(signatureOf(edition, { timeInfo: Buffer.from(text) }))).toMatchObject({ result: 'good', sealedAt: SEALED })
    const digest = createHash('sm3').update(DOCUMENT).digest()
    const timeInfo = sampleTimestamp(SM2.authority, digest, SEALED)
    expect(judged(signatureOf(edition, { timeInfo }))).toMatchObject({ result: 'good', sealedAt: SEALED, timeProven: true })
    expect(judged(signatureOf(edition, { timeInfo: utf8('gestern') }))).toMatchObject({
      result: 'unchecked',
      reason: 'SEAL_TIME_UNREADABLE',
    })
  })
})

const folder = mkdtempSync(join(tmpdir(), 'hutong-seal-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const openssl = (...args: readonly string[]): Buffer =>
  execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
const hasOpenssl = ((): boolean => {
  try {
    return openssl('version').toString().startsWith('OpenSSL 3')
  } catch {
    process.stdout.write(
      'skipped: the openssl command (3.0 or later) is not here, so the SM2 of seals is not cross-checked against it\n',
    )
    return false
  }
})()

test.runIf(hasOpenssl).each(EDITIONS)(
  'the openssl command finds every SM2 signature of a seal of %s good over the same bytes',
  edition => {
    const { seal, signer } = parseSealSignature(signatureOf(edition))
    const check = ({ certificate: der, signature, message }: Signed): string => {
      writeFileSync(join(folder, 'pub'), pem('PUBLIC KEY', parseCertificate(der).key.spki))
      writeFileSync(join(folder, 'signature'), signature)
      writeFileSync(join(folder, 'message'), message)
      const distid = ['-sigopt', 'distid:1234567812345678']
      return openssl('dgst', '-sm3', ...distid, '-verify', 'pub', '-signature', 'signature', 'message').toString()
    }
    expect(check(seal.maker)).toContain('Verified OK')
    expect(check(signer)).toContain('Verified OK')
  },
)
