/**
 * A small DER writer (X.690 §10) and a maker of certificates, keys and signatures, for tests: what another hand than the reader's wrote.
 * Nothing of the programs uses it. SM2 is signed by sm-crypto-v2, everything else by Node.js.
 */
import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, sign as nodeSign } from 'node:crypto'
import { sm2 } from 'sm-crypto-v2'

type Bytes = Uint8Array

const concat = (parts: readonly Bytes[]): Buffer => Buffer.concat(parts)

export function tlv(identifier: number, contents: Bytes): Buffer {
  const { length } = contents
  if (length < 128) return concat([Buffer.of(identifier, length), contents])
  const hex = length.toString(16)
  const octets = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return concat([Buffer.of(identifier, 0x80 | octets.length), octets, contents])
}

export const seq = (...parts: readonly Bytes[]): Buffer => tlv(0x30, concat(parts))
export const setOf = (...parts: readonly Bytes[]): Buffer => tlv(0x31, concat([...parts].sort((a, b) => Buffer.compare(a, b))))
export const oct = (bytes: Bytes): Buffer => tlv(0x04, bytes)
export const bits = (bytes: Bytes, unused = 0): Buffer => tlv(0x03, concat([Buffer.of(unused), bytes]))
export const bool = (value: boolean): Buffer => tlv(0x01, Buffer.of(value ? 0xff : 0))
export const nil = (): Buffer => tlv(0x05, Buffer.alloc(0))
export const utf8 = (text: string): Buffer => tlv(0x0c, Buffer.from(text))
export const printable = (text: string): Buffer => tlv(0x13, Buffer.from(text, 'latin1'))
export const ia5 = (text: string): Buffer => tlv(0x16, Buffer.from(text, 'latin1'))
export const context = (tag: number, contents: Bytes, constructed = true): Buffer =>
  tlv((constructed ? 0xa0 : 0x80) | tag, contents)

export function int(value: number | bigint | Bytes): Buffer {
  if (typeof value === 'object') {
    let at = 0
    while (at < value.length - 1 && value[at] === 0) at += 1
    const rest = value.subarray(at)
    return tlv(0x02, (rest[0] ?? 0) > 0x7f ? concat([Buffer.of(0), rest]) : rest)
  }
  const hex = value.toString(16)
  return int(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'))
}

export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const octets = [first * 40 + second, ...rest].flatMap(arc => {
    const out = [arc % 128]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) out.unshift(0x80 | (left % 128))
    return out
  })
  return tlv(0x06, Buffer.from(octets))
}

const digits = (at: number): string => new Date(at).toISOString().replace(/[-:T]|\.\d+/g, '')
export const generalizedTime = (at: number): Buffer => tlv(0x18, Buffer.from(digits(at)))
export const utcTime = (at: number): Buffer => tlv(0x17, Buffer.from(digits(at).slice(2)))

export type SampleKey = {
  readonly kind: 'rsa' | 'p256' | 'ed25519' | 'sm2'
  /** SubjectPublicKeyInfo */
  readonly spki: Buffer
  /** PKCS #8 */
  readonly pkcs8: Buffer
  /** AlgorithmIdentifier of its signatures */
  readonly algorithm: Buffer
  sign(message: Bytes): Buffer
}

export const SAMPLE_OIDS = {
  rsa: '1.2.840.113549.1.1.1',
  rsaSha256: '1.2.840.113549.1.1.11',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  ed25519: '1.3.101.112',
  sm2Sm3: '1.2.156.10197.1.501',
  sm2: '1.2.156.10197.1.301',
  sm3: '1.2.156.10197.1.401',
  sha256: '2.16.840.1.101.3.4.2.1',
} as const

export const SAMPLE_SIGNER_ID = '1234567812345678'

const nodeKey = (kind: 'rsa' | 'p256' | 'ed25519', privateKey: KeyObject, publicKey: KeyObject, algorithm: Buffer): SampleKey => ({
  kind,
  spki: publicKey.export({ type: 'spki', format: 'der' }),
  pkcs8: privateKey.export({ type: 'pkcs8', format: 'der' }),
  algorithm,
  sign: message => nodeSign(kind === 'ed25519' ? null : 'sha256', message, privateKey),
})

const SM2_PARAMETERS = seq(oid('1.2.840.10045.2.1'), oid(SAMPLE_OIDS.sm2))

export function sm2Key(signerId: string = SAMPLE_SIGNER_ID): SampleKey {
  const { privateKey, publicKey } = sm2.generateKeyPairHex()
  const point = Buffer.from(publicKey, 'hex')
  const d = Buffer.from(privateKey.padStart(64, '0'), 'hex')
  return {
    kind: 'sm2',
    spki: seq(SM2_PARAMETERS, bits(point)),
    pkcs8: seq(int(0), SM2_PARAMETERS, oct(seq(int(1), oct(d), context(1, bits(point))))),
    algorithm: seq(oid(SAMPLE_OIDS.sm2Sm3)),
    sign: message =>
      Buffer.from(sm2.doSignature(message, privateKey, { hash: true, der: true, publicKey, userId: signerId }), 'hex'),
  }
}

export function rsaKey(): SampleKey {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return nodeKey('rsa', privateKey, publicKey, seq(oid(SAMPLE_OIDS.rsaSha256), nil()))
}

export function p256Key(): SampleKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return nodeKey('p256', privateKey, publicKey, seq(oid(SAMPLE_OIDS.ecdsaSha256)))
}

export function ed25519Key(): SampleKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return nodeKey('ed25519', privateKey, publicKey, seq(oid(SAMPLE_OIDS.ed25519)))
}

export const pem = (label: string, der: Bytes): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\n').trim()}\n-----END ${label}-----\n`

/** The private key as `openssl` reads it. */
export const privatePem = (key: SampleKey): string =>
  key.kind === 'sm2'
    ? pem('PRIVATE KEY', key.pkcs8)
    : createPrivateKey({ key: key.pkcs8, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' }).toString()

/** A name of relative distinguished names with one attribute each. */
export const name = (...rdns: readonly (readonly [type: string, value: Bytes])[]): Buffer =>
  seq(...rdns.map(([type, value]) => setOf(seq(oid(type), value))))
export const commonName = (organisation: string, text: string): Buffer =>
  name(['2.5.4.6', printable('CN')], ['2.5.4.10', utf8(organisation)], ['2.5.4.3', utf8(text)])

export const extension = (type: string, value: Bytes, critical = false): Buffer =>
  critical ? seq(oid(type), bool(true), oct(value)) : seq(oid(type), oct(value))

const USAGE_BITS = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
] as const
export type SampleUsage = (typeof USAGE_BITS)[number]

export function keyUsage(...usages: readonly SampleUsage[]): Buffer {
  const value = usages.reduce((sum, usage) => sum | (0x80 >> USAGE_BITS.indexOf(usage)), 0)
  let unused = 0
  while (unused < 7 && (value & (1 << unused)) === 0) unused += 1
  return extension('2.5.29.15', bits(Buffer.of(value), unused), true)
}

export const keyId = (key: SampleKey): Buffer => createHash('sha1').update(key.spki).digest()

export type SampleCertificate = {
  readonly der: Buffer
  readonly key: SampleKey
  readonly subject: Buffer
  readonly issuer: Buffer
  readonly serial: Buffer
}

export const NOT_BEFORE = Date.UTC(2024, 0, 1)
export const NOT_AFTER = Date.UTC(2029, 0, 1)

/** Without an issuer it signs itself. */
export function certificate(what: {
  readonly subject: Buffer
  readonly key: SampleKey
  readonly issuer?: SampleCertificate
  readonly serial?: number | Bytes
  readonly usages?: readonly SampleUsage[]
  readonly ca?: boolean
  readonly notBefore?: number
  readonly notAfter?: number
  readonly extensions?: readonly Buffer[]
}): SampleCertificate {
  const { subject, key, issuer, ca = false } = what
  const signer = issuer?.key ?? key
  const serial = int(what.serial ?? 1)
  const issuerName = issuer?.subject ?? subject
  const extensions = [
    ...(ca ? [extension('2.5.29.19', seq(bool(true)), true)] : []),
    keyUsage(...(what.usages ?? (ca ? ['keyCertSign', 'cRLSign'] : ['digitalSignature', 'nonRepudiation']))),
    extension('2.5.29.14', oct(keyId(key))),
    ...(issuer === undefined ? [] : [extension('2.5.29.35', seq(context(0, keyId(signer), false)))]),
    ...(what.extensions ?? []),
  ]
  const tbs = seq(
    context(0, int(2)),
    serial,
    signer.algorithm,
    issuerName,
    seq(utcTime(what.notBefore ?? NOT_BEFORE), utcTime(what.notAfter ?? NOT_AFTER)),
    subject,
    key.spki,
    context(3, seq(...extensions)),
  )
  return { der: seq(tbs, signer.algorithm, bits(signer.sign(tbs))), key, subject, issuer: issuerName, serial }
}

/** A complete CRL of an issuer. */
export function crl(
  issuer: SampleCertificate,
  revoked: readonly { readonly serial: Buffer; readonly at: number; readonly reason?: number }[],
  period: { readonly thisUpdate: number; readonly nextUpdate: number },
): Buffer {
  const entries = revoked.map(({ serial, at, reason }) =>
    seq(serial, utcTime(at), ...(reason === undefined ? [] : [seq(extension('2.5.29.21', tlv(0x0a, Buffer.of(reason))))])),
  )
  const tbs = seq(
    int(1),
    issuer.key.algorithm,
    issuer.subject,
    utcTime(period.thisUpdate),
    utcTime(period.nextUpdate),
    ...(entries.length === 0 ? [] : [seq(...entries)]),
    context(0, seq(extension('2.5.29.35', seq(context(0, keyId(issuer.key), false))), extension('2.5.29.20', int(1)))),
  )
  return seq(tbs, issuer.key.algorithm, bits(issuer.key.sign(tbs)))
}
